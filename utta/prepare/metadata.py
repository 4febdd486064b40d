"""Fill what a record leaves open from what its texts say: grade, subject, problem, codes of curriculum standards.

    described, fillings, unclear = describe(record)

What is filled already stays. Where the texts name two grades or two subjects, nothing is filled and that is told. How a
text is read says `utta.prepare.wording`: the setting (context, profiles, metadata) at its word, and exercises and what is
said with care.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from utta.core.errors import shorten
from utta.core.files import atomic, refuse_overwriting
from utta.prepare.manifest import leave_manifest
from utta.prepare.wording import read_text
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.kinds import KINDS, AnyRecord, kind_of
from utta.records.read import Fault, no_records, put_aside, rejects_note, scan_records
from utta.records.review import Review
from utta.sources import problems

SHOWN = 5
FIELDS = ("grade_level", "subject", "problem", "standards")
LEAST_WORDS = 8
"""A context shorter than this ("fractions, lesson 3") is not an exercise, and would make one problem of many."""


class Said(NamedTuple):
    """What a text says of a field, where, and in which words."""

    value: str
    place: str
    words: str


@dataclass(frozen=True)
class Filling:
    """A field that was filled, with what, and the words that said it."""

    record_id: str
    field: str
    value: str | list[str]
    place: str
    words: str


def describe(record: AnyRecord) -> tuple[AnyRecord, list[Filling], list[str]]:
    """The record with what could be filled, each filling, and the fields of which the texts say two things.

    The record is the same one when nothing was filled; its id never changes, for no part of it is filled.
    """
    said = {name: _distinct(found) for name, found in _said(record).items()}
    open_ = {name: found for name, found in said.items() if found and not _at_hand(record)[name]}
    standards = open_.pop("standards", [])
    unclear = [name for name, found in open_.items() if len(found) > 1]
    fillings = [Filling(record.id, name, *found[0]) for name, found in open_.items() if len(found) == 1]
    if standards:
        codes = [said.value for said in standards]
        fillings.append(Filling(record.id, "standards", codes, standards[0].place, ", ".join(codes)))
    return _filled(record, {filling.field: filling.value for filling in fillings}), fillings, unclear


def _said(record: AnyRecord) -> dict[str, list[Said]]:
    """What the texts say of each field; a band of grades ("6-8") counts where no single grade is named."""
    grades, subjects, codes = list[Said](), list[Said](), list[Said]()
    for place, text, setting in _texts(record):
        for kept, mentions in zip((grades, subjects, codes), read_text(text, setting), strict=True):
            kept.extend(Said(value, place, words) for value, words in mentions)
    single = [said for said in grades if "-" not in said.value]
    return {
        "grade_level": single or grades,
        "subject": subjects,
        "problem": list(_problem(record)),
        "standards": codes,
    }


def _problem(record: AnyRecord) -> Iterator[Said]:
    """The exercise by its words, where it is stated: the same name that a source would give it."""
    stated = record.question if isinstance(record, Dialogue) else None
    if stated and stated.strip():
        yield Said(problems.of_question(stated), "question", shorten(stated))
        return
    place, context = _context(record)
    if isinstance(context, str) and len(context.split()) >= LEAST_WORDS:
        yield Said(problems.of_question(context), place, shorten(context))


def _context(record: AnyRecord) -> tuple[str, Any]:
    if isinstance(record, Dialogue):
        return "context_provided_to_aita", record.context_provided_to_aita
    return ("context", record.context) if isinstance(record, Review) else ("input.context", record.input.context)


def _texts(record: AnyRecord) -> Iterator[tuple[str, str, bool]]:
    """Each text with its place, and whether it is about the setting; otherwise it is an exercise, or somebody's words."""
    place, context = _context(record)
    yield from ((place, text, True) for text in _leaves(context))
    if isinstance(record, Review):
        yield "response", record.response, False
    elif isinstance(record, Dialogue):
        for name in ("aita_profile", "pedagogical_intent", "student_profile"):
            yield from ((name, text, True) for text in _leaves(getattr(record, name)))
        yield "question", record.question or "", False
    else:
        yield "input.student_question", record.input.student_question, False
        yield "output.teacher_response", record.output.teacher_response, False
    turns = record.dialogue_turns if isinstance(record, Dialogue) else record.conversation
    name = "dialogue_turns" if isinstance(record, Dialogue) else "conversation"
    yield from ((f"{name}[{number}]", turn.utterance, False) for number, turn in enumerate(turns))
    # A grade in a table is as often a mark, and a list in the metadata is more often talk than setting.
    rest = {key: value for key, value in record.metadata.items() if key.casefold() != "grade"}
    yield from (
        ("metadata", text, True) for text in _leaves({k: v for k, v in rest.items() if not isinstance(v, list)})
    )


def _leaves(value: Any, name: str = "") -> Iterator[str]:
    """The texts and numbers of a JSON value, those of objects with their names: "subject: science"."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, name)
    elif isinstance(value, str | int | float):
        yield f"{name}: {value}" if name else str(value)


def _distinct(said: list[Said]) -> list[Said]:
    """The first of each value."""
    return list({each.value: each for each in reversed(said)}.values())[::-1]


def _at_hand(record: AnyRecord) -> dict[str, Any]:
    """What is filled already."""
    about = record.input if isinstance(record, TeachingExample) else record
    return {
        "grade_level": about.grade_level,
        "subject": about.subject,
        "problem": record.problem,
        "standards": record.metadata.get("standards"),
    }


def _filled(record: AnyRecord, values: dict[str, Any]) -> AnyRecord:
    """The record with these fields filled."""
    if not values:
        return record
    known: dict[str, Any] = {name: values[name] for name in FIELDS[:2] if name in values}
    update = (
        dict[str, Any](input=record.input.model_copy(update=known)) if isinstance(record, TeachingExample) else known
    )
    if "problem" in values:
        update["problem"] = values["problem"]
    if "standards" in values:
        update["metadata"] = {**record.metadata, "standards": values["standards"]}
    return record.model_copy(update=update)


def metadata_file(path: Path, out: Path) -> dict[str, Any]:
    """Fill the records of a file into `out`, each filling with its words into `OUT.changes.jsonl`; returns counts.

    `fields` says of each how many records had it `empty`, how many of these were `filled`, and of how many the texts were
    `unclear`: they say two things. What cannot be used is put aside in `OUT.rejects.jsonl`. Raises `UttaError` as reading.
    """
    refuse_overwriting(out, [path])
    kind = kind_of(path)
    faults: list[Fault] = []
    first: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    with atomic(out) as kept, atomic(out.with_name(f"{out.stem}.changes.jsonl")) as log:
        for item in scan_records(path, KINDS[kind]):
            if isinstance(item, Fault):
                faults.append(item)
                continue
            record, fillings, unclear = describe(item)
            counts["records"] += 1
            counts["changed"] += record is not item
            counts.update(f"empty {name}" for name, value in _at_hand(item).items() if not value)
            counts.update(f"filled {filling.field}" for filling in fillings)
            counts.update(f"unclear {name}" for name in unclear)
            lines = [asdict(filling) for filling in fillings]
            first += lines[: SHOWN - len(first)]
            log.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            kept.write(json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n")
        if not counts["records"]:
            raise no_records(path, faults, KINDS[kind])
    place = put_aside(faults, out.with_name(f"{out.stem}.rejects.jsonl"))
    leave_manifest(out, "metadata", {}, [path], counts["records"], len(faults))
    return {
        "out": str(out),
        "kind": kind,
        "records": counts["records"],
        "changed": counts["changed"],
        "fields": {
            name: {what: counts[f"{what} {name}"] for what in ("empty", "filled", "unclear")} for name in FIELDS
        },
        "rejects": len(faults),
        "note": rejects_note([str(fault) for fault in faults], place),
        "first": first,
    }
