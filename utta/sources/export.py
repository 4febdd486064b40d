"""Records for other tools: a file of UTTA's own in the format that one of them reads.

    export_records(Asked(Path("reviews.jsonl"), "csv", Path("ratings.csv")))

What is written comes back with `utta.sources.import_records`, equal in every field; only `chat` is for training alone and
keeps nothing but the words. Each format is written where it is read; this module finds what to write and counts.

A format that keeps whole records keeps their consent with them. One to train on, or for experts to rate, is without the
records that may not be used for it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from signatures.rubric import Rubric
from utta.core.errors import UttaError, shorten
from utta.core.files import write_lines
from utta.records.kinds import KINDS, kind_of
from utta.records.read import Fault, check_labels, plain
from utta.records.record import Purpose
from utta.records.review import Review
from utta.sources import (
    Imported,
    aita,
    argilla,
    datasets,
    import_records,
    label_studio,
    labelling,
    parquet,
    rows,
    table,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What to write and where; a labelling tool needs a rubric, and may be given a judge's predictions."""

    file: Path
    to: str
    out: Path
    kind: str | None = None
    rubric: Rubric | None = None
    predictions: labelling.Predictions | None = None


def export_records(asked: Asked) -> dict[str, Any]:
    """Write a file's records in another format; returns {"format", "kind", "records", "paths", "faults", "withheld"}: how
    many were written, the paths written to, what was put aside, and how many may not be used, by reason.

    The kind is by default that of the file's first record. Raises `UttaError` for a format that has no such records, a
    labelling tool without a fitting rubric, or a file without a single good record.
    """
    kind = kind_of(asked.file, asked.kind)
    kinds, write = FORMATS[asked.to]
    if kind not in kinds:
        others = ", ".join(name for name, (kinds, _) in FORMATS.items() if kind in kinds)
        raise UttaError(f"The format {asked.to} has no {kind}; give one of {others}.")
    if asked.to in LABELLING:
        if asked.rubric is None:
            raise UttaError(f"For {asked.to} a rubric says what annotators are asked; give it with --rubric.")
        labelling.check_rubric(asked.rubric)
        if asked.predictions:
            _check_predictions(asked.predictions, asked.rubric)
    elif asked.predictions:
        raise UttaError(f"Predictions are for {' and '.join(LABELLING)} only, not for {asked.to}.")
    found, withheld = import_records("utta", [asked.file], kind), Counter[str]()
    if asked.to in PURPOSES:
        found, withheld = _usable(found, PURPOSES[asked.to])
        if not len(found):
            raise UttaError(
                f"No record of {asked.file} may be used for {asked.to}, by consent or by date; give records with that consent."
            )
    unread = len(found.faults)
    paths = write(found, asked)
    written = len(found) - (len(found.faults) - unread)
    told = {"format": asked.to, "kind": kind, "records": written, "paths": paths, "faults": found.faults}
    return told | {"withheld": dict(withheld)}


def _usable(found: Imported, purpose: Purpose) -> tuple[Imported, Counter[str]]:
    """The records that may be used for a purpose today, and how many may not, by reason."""
    usable, withheld = Imported(found.kind), Counter[str]()
    usable.faults = found.faults
    for record in found:
        if reason := record.withheld(purpose, date.today()):
            withheld[reason] += 1
        else:
            usable.add(record)
    return usable, withheld


def _check_predictions(predictions: labelling.Predictions, rubric: Rubric) -> None:
    """`UttaError` for a prediction that is not in the rubric: no annotator could be shown it."""
    known = {(criterion.id, label) for criterion in rubric.criteria for label in criterion.labels}
    said = ((criterion, guess.label) for each in predictions.guesses.values() for criterion, guess in each.items())
    if other := next((pair for pair in said if pair not in known), None):
        raise UttaError(
            f"The run {predictions.judge} judged {shorten(other[0])!r} as {shorten(other[1])!r}, which is not in the "
            f"rubric {rubric.id}; give the rubric of that run with --rubric."
        )


def _made(found: Imported, asked: Asked, make: Callable[[Any], T]) -> Iterator[T]:
    """What `make` makes of each record; one that it cannot use becomes a fault."""
    for number, record in enumerate(found, start=1):
        try:
            made = make(record)
        except ValueError as error:
            found.faults.append(Fault(str(asked.file), number, plain(error), record.model_dump_json(), unit="record"))
        else:
            yield made


def _jsonl(found: Imported, asked: Asked) -> list[Path]:
    found.write(asked.out)
    return [asked.out]


def _csv(found: Imported, asked: Asked) -> list[Path]:
    table.write(asked.out, found, _criteria(found))
    return [asked.out]


def _parquet(found: Imported, asked: Asked) -> list[Path]:
    parquet.write(asked.out, found, rows.schema(KINDS[found.kind], _criteria(found)))
    return [asked.out]


def _datasets(found: Imported, asked: Asked) -> list[Path]:
    datasets.write(asked.out, found, rows.schema(KINDS[found.kind], _criteria(found)))
    return [asked.out]


def _chat(found: Imported, asked: Asked) -> list[Path]:
    write_lines(asked.out, _made(found, asked, aita.chat))
    return [asked.out]


def _labelling(found: Imported, asked: Asked) -> list[Path]:
    assert asked.rubric  # export_records has seen to it

    def fitting(review: Review) -> Review:
        check_labels(review, asked.rubric)
        return review

    judge = asked.predictions.judge if asked.predictions else ""
    tasks = labelling.tasks(_made(found, asked, fitting), asked.rubric.id, asked.predictions)
    return LABELLING[asked.to](asked.out, tasks, asked.rubric, judge)


def _criteria(found: Imported) -> list[str]:
    """The criteria that any review labels, in the order they come."""
    return list(found.summary().get("labels", ()))


PURPOSES: dict[str, Purpose] = {"chat": "train", "argilla": "evaluate", "label-studio": "evaluate"}
LABELLING = {"argilla": argilla.write, "label-studio": label_studio.write}
ANY = tuple(KINDS)
FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Imported, Asked], list[Path]]]] = {
    "jsonl": (ANY, _jsonl),
    "csv": (("reviews",), _csv),
    "parquet": (ANY, _parquet),
    "datasets": (ANY, _datasets),
    "chat": (("dialogues",), _chat),
    "argilla": (("reviews",), _labelling),
    "label-studio": (("reviews",), _labelling),
}
