"""A file of records with surrogates in the place of what points to a person: to be shared, or to be looked at by others.

Replaced is every text of a record, speakers and metadata too, and the student's pseudonym becomes a surrogate; where it
is a name after all, its words are replaced in the texts too. What tells records apart stays: source, ids of dialogues
and problems, reviewers, labels. A record's own id follows its texts.
"""

from pathlib import Path
from typing import Any, TypeVar

from utta.core.files import refuse_overwriting
from utta.core.surrogates import SURROGATE, Surrogates
from utta.prepare.manifest import leave_manifest
from utta.records.kinds import KINDS, kind_of
from utta.records.read import Fault, no_records, numbered_records, put_aside, rejects_note
from utta.records.record import Record
from utta.sources import Imported

R = TypeVar("R", bound=Record)

KEPT = frozenset(
    "kind schema_version id source licence student consent keep_until dialogue_id problem reviewer responder rubric levels"
    " grade_level subject".split()
)


def with_surrogates(record: R, surrogates: Surrogates) -> R:
    """The record with surrogates; the same one where nothing is found."""
    fields = record.model_dump(mode="json", exclude={"id"})
    texts = {name: value for name, value in fields.items() if name not in KEPT}
    replaced = surrogates.inside(texts, student=record.student or "")
    if record.student and not SURROGATE.fullmatch(record.student):
        replaced["student"] = surrogates.of("id", record.student.casefold())
        surrogates.counts["id"] += 1
    return type(record).model_validate(fields | replaced)


def replace_file(path: Path, out: Path, surrogates: Surrogates) -> dict[str, Any]:
    """Write a file's records with surrogates to `out`; returns counts, `replaced` by type, and never a text.

    Records that become the same are one where they agree. What cannot be used is put aside in `OUT.rejects.jsonl`, as it
    was. Raises `UttaError` as reading does.
    """
    refuse_overwriting(out, [path])
    gathered = Imported(kind_of(path))
    kind = KINDS[gathered.kind]
    changed = 0
    for number, item in numbered_records(path, kind):
        gathered.entries += 1
        if isinstance(item, Fault):
            gathered.faults.append(item)
            continue
        record = with_surrogates(item, surrogates)
        changed += record != item
        if clash := gathered.add(record):
            gathered.faults.append(Fault(str(path), number, clash, item.model_dump_json()))
    if len(gathered.faults) == gathered.entries:
        raise no_records(path, gathered.faults, kind)
    gathered.write(out)
    leave_manifest(out, "surrogates", {}, [path], len(gathered), len(gathered.faults))
    place = put_aside(gathered.faults, out.with_name(f"{out.stem}.rejects.jsonl"))
    return {
        "out": str(out),
        "kind": gathered.kind,
        "records": len(gathered),
        "changed": changed,
        "replaced": dict(sorted(surrogates.counts.items())),
        "merged": gathered.merged,
        "rejects": len(gathered.faults),
        "rejects_file": str(place) if place else None,
        "note": rejects_note([str(fault) for fault in gathered.faults], place),
    }
