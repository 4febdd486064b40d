"""What is different between two versions of the same data: two files of records, or two split folders.

    found = diff("reviews-may.jsonl", "reviews-june.jsonl")

A record is the same one when its id is: a corrected level or grade is a change, while another text makes another id, so
that the record counts as removed and added. It streams: what must be remembered lies on disk.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.store import Store
from utta.prepare.parts import read_split
from utta.records.kinds import KINDS, AnyRecord, kind_of
from utta.records.read import Fault, scan_records

SHOWN = 5
SKIPPED = ("kind", "schema_version", "id")


def diff(old: Path, new: Path) -> dict[str, Any]:
    """The differences as one JSON object.

    Counts of records: `old`, `new`, `same`, `changed`, `added`, `removed`, and `moved` between parts, where both are splits
    (a moved record may be changed too). `fields` counts in how many records a field differs, `labels` lists by criterion
    which label became which and how often (null: none), `moves` the same of parts. `first` holds some ids of each.
    Raises `UttaError` when one cannot be read, is a split that leaks, or the two hold different kinds of records.
    """
    sides = _side(Path(old)), _side(Path(new))
    if sides[0].kind != sides[1].kind:
        raise UttaError(f"{old} holds {sides[0].kind} and {new} {sides[1].kind}; give two versions of the same data.")
    found = _Difference()
    known = Store()
    for part, record in sides[0].good():
        known.add(record.id, json.dumps([part, _fields(record)]))
    for part, record in sides[1].good():
        if (before := known.get(record.id)) is None:
            found.note("added", record.id)
        else:
            known.replace(record.id, "")  # met
            found.compare(
                record.id, (part, _fields(record)), json.loads(before), moves=sides[0].parts and sides[1].parts
            )
        found.counts["new"] += 1
    for id_, left in known.items():
        if left:
            found.note("removed", id_)
    found.counts["old"] = len(known)
    rejects = {name: side.rejects for name, side in zip(("old", "new"), sides, strict=True)}
    return {"old": str(old), "new": str(new), "kind": sides[0].kind, **found.as_json(), "rejects": rejects}


@dataclass
class _Side:
    """One of the two versions. `rejects` counts the lines that could not be used, once all are read."""

    kind: str
    parts: bool
    items: Iterator[tuple[str, AnyRecord | Fault]]
    rejects: int = 0

    def good(self) -> Iterator[tuple[str, AnyRecord]]:
        """Each record with its part, "" in a file."""
        for part, item in self.items:
            if isinstance(item, Fault):
                self.rejects += 1
            else:
                yield part, item


def _side(path: Path) -> _Side:
    if path.is_dir():
        split = read_split(path)
        return _Side(split.manifest.holds, True, split.scan())
    kind = kind_of(path)
    return _Side(kind, False, (("", item) for item in scan_records(path, KINDS[kind])))


@dataclass
class _Difference:
    """What was found so far."""

    counts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    labels: Counter[tuple[str, str | None, str | None]] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[str, list[str]] = field(
        default_factory=lambda: {what: [] for what in ("added", "removed", "changed", "moved")}
    )

    def note(self, what: str, id_: str) -> None:
        self.counts[what] += 1
        self.first[what] += [id_] if len(self.first[what]) < SHOWN else []

    def compare(self, id_: str, new: tuple[str, dict[str, Any]], old: list[Any], moves: bool) -> None:
        """Take in a record that both versions have: its part and fields in each."""
        if moves and old[0] != new[0]:
            self.note("moved", id_)
            self.moves[old[0], new[0]] += 1
        differ = [name for name in {**old[1], **new[1]} if old[1].get(name) != new[1].get(name)]
        if not differ:
            self.counts["same"] += 1
            return
        self.note("changed", id_)
        self.fields.update(differ)
        levels = [name for name in differ if name.startswith("levels.")]
        self.labels.update((name.removeprefix("levels."), old[1].get(name), new[1].get(name)) for name in levels)

    def as_json(self) -> dict[str, Any]:
        names = ("old", "new", "same", "changed", "added", "removed", "moved")
        return {
            **{name: self.counts[name] for name in names},
            "fields": dict(self.fields.most_common()),
            "labels": [
                {"criterion": criterion, "from": before, "to": after, "records": n}
                for (criterion, before, after), n in self.labels.most_common()
            ],
            "moves": [{"from": before, "to": after, "records": n} for (before, after), n in self.moves.most_common()],
            "first": self.first,
        }


def _fields(record: AnyRecord) -> dict[str, Any]:
    """The fields that say something, those of parts under the part's name ("levels.accuracy", "input.context")."""
    fields: dict[str, Any] = {}
    for name, value in record.model_dump(mode="json", exclude=set(SKIPPED)).items():
        if isinstance(value, dict):
            fields |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            fields[name] = value
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
