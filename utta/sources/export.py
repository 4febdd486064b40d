"""Records for other tools: a file of UTTA's own in the format that one of them reads.

    export_records(Path("reviews.jsonl"), "csv", Path("ratings.csv"))

What is written comes back with `utta.sources.import_records`, equal in every field; only `chat` is for training alone and
keeps nothing but the words. Each format is written where it is read; this module finds what to write and counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.core.files import write_lines
from utta.records.dialogue import Dialogue
from utta.records.read import Fault, check_labels, numbered_lines, read_object
from utta.records.record import Record
from utta.sources import KINDS, Imported, aita, argilla, datasets, import_records, label_studio, labelling, parquet, rows, table


@dataclass(frozen=True)
class Asked:
    """What to write: `rubric` and `predictions` are for labelling tools alone."""

    out: Path
    rubric: Rubric | None = None
    predictions: labelling.Predictions | None = None


Writer = Callable[[Imported, Asked], list[Path]]


def export_records(file: Path, to: str, asked: Asked, kind: str | None = None) -> dict[str, Any]:
    """Write the records of `file` in another format; returns the counts, the `paths` written and the `faults`.

    `kind` is by default that of the file's first record. Raises `UttaError` for a format that has no such records, a
    labelling tool without a rubric, or a file without a single good record.
    """
    kind = kind or _kind_of(file)
    write = _writer(to, kind)
    if to in LABELLING:
        if asked.rubric is None:
            raise UttaError(f"For {to} a rubric says what is asked of annotators; give it with --rubric.")
        labelling.check_rubric(asked.rubric)
    elif asked.predictions:
        raise UttaError(f"Predictions are for {' and '.join(LABELLING)} only, not for {to}.")
    found = import_records("utta", [file], kind)
    paths = write(found, asked)
    return {"format": to, "kind": kind, "records": len(found), "paths": paths, "faults": found.faults}


def _kind_of(file: Path) -> str:
    """What the first good line of a file holds."""
    names = {record.model_fields["kind"].default: kind for kind, record in KINDS.items()}
    for _, line, size in numbered_lines(file):
        try:
            value = read_object(line, size)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value.get("kind") in names:
            return names[value["kind"]]
    return "reviews"


def _writer(to: str, kind: str) -> Writer:
    kinds, write = FORMATS[to]
    if kind not in kinds:
        raise UttaError(f"{to} holds {' and '.join(kinds)}, not {kind}; for those there are {_formats_of(kind)}.")
    return write


def _formats_of(kind: str) -> str:
    return ", ".join(name for name, (kinds, _) in FORMATS.items() if kind in kinds)


def _jsonl(found: Imported, asked: Asked) -> list[Path]:
    found.write(asked.out)
    return [asked.out]


def _csv(found: Imported, asked: Asked) -> list[Path]:
    table.write(asked.out, found, sorted(found.summary()["labels"]))
    return [asked.out]


def _chat(found: Imported, asked: Asked) -> list[Path]:
    write_lines(asked.out, _made(found, aita.chat))
    return [asked.out]


def _parquet(found: Imported, asked: Asked) -> list[Path]:
    parquet.write(asked.out, found, _schema(found))
    return [asked.out]


def _datasets(found: Imported, asked: Asked) -> list[Path]:
    datasets.write(asked.out, found, _schema(found))
    return [asked.out]


def _argilla(found: Imported, asked: Asked) -> list[Path]:
    return argilla.write(asked.out, *_tasks(found, asked))


def _label_studio(found: Imported, asked: Asked) -> list[Path]:
    return label_studio.write(asked.out, *_tasks(found, asked))


def _schema(found: Imported) -> Any:
    return rows.schema(KINDS[found.kind], sorted(found.summary().get("labels", ())))
