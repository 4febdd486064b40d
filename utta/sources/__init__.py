"""From the outside world into records: one module per source, and the import that joins a source's files.

A source offers one or more kinds of records. For each it has a function that reads a file and yields one list per entry
of it (a dialogue with its replies, a line, a row), holding a record or a fault for each thing in the entry. To add one,
write a module and name its functions in `SOURCES`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from utta.core.errors import UttaError, shorten
from utta.core.files import write_lines
from utta.core.store import Store
from utta.records.kinds import KINDS
from utta.records.read import Fault, no_records
from utta.records.record import Record
from utta.sources import aita, argilla, bridge, datasets, label_studio, mathdial, mrbench, parquet, table
from utta.sources import utta as own
from utta.sources.entries import Entry

R = TypeVar("R", bound=Record)
Reader = Callable[..., Iterator[Any]]

# The first kind of a source is what it is imported as when nothing is said.
SOURCES: dict[str, dict[str, Reader]] = {
    "aita": {"dialogues": aita.dialogues},
    "argilla": {"reviews": argilla.reviews},
    "bridge": {"examples": bridge.examples, "dialogues": bridge.dialogues, "reviews": bridge.reviews},
    "csv": {"reviews": table.read},
    "datasets": {kind: partial(datasets.read, record=record) for kind, record in KINDS.items()},
    "label-studio": {"reviews": label_studio.reviews},
    "mathdial": {"dialogues": mathdial.dialogues},
    "mrbench": {"reviews": mrbench.read},
    "parquet": {kind: partial(parquet.read, record=record) for kind, record in KINDS.items()},
    "utta": {kind: partial(own.read, record=record) for kind, record in KINDS.items()},
}
TABLES = ("csv", "datasets", "parquet")  # where the user says what is in which column

# Where two files allow different things, the one that allows less is right.
STRICTER: dict[str, Callable[[str], Any]] = {"consent": ("none", "evaluate", "train").index, "keep_until": str}


class Imported:
    """What an import brought in: the number of the files' `entries`, the `faults`, and how many records were `merged` into
    earlier ones. The records themselves lie on disk, so that there may be a million of them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.faults: list[Fault] = []
        self.entries = self.merged = 0
        self._lines = Store()

    def __iter__(self) -> Iterator[Any]:
        """The records, in the order they came."""
        return map(KINDS[self.kind].model_validate_json, self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def records(self) -> list[Any]:
        """All of them, in memory."""
        return list(self)

    def add(self, record: Record) -> str | None:
        """Take a record in, into an earlier one where it is the same; returns how it contradicts that, if it does."""
        line = record.model_dump_json()
        if (before := self._lines.add(record.id, line)) is None:
            return None
        merged = merge(type(record).model_validate_json(before), record)
        if isinstance(merged, str):
            return merged
        self.merged += 1
        self._lines.replace(record.id, merged.model_dump_json())
        return None

    def write(self, out: Path) -> None:
        """Write the records as JSON Lines, whole or not at all."""
        write_lines(out, map(json.loads, self._lines))

    def summary(self) -> dict[str, Any]:
        """Counts: entries, dialogues (ids that differ) and problems, what is in the records, labels per criterion."""
        dialogues, problems = Store(), Store()
        counts: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        for record in map(json.loads, self._lines):
            for names, name in ((dialogues, record["dialogue_id"]), (problems, record["problem"])):
                if name:
                    names.add(name)
            counts["turns"] += len(record.get("dialogue_turns", ()))
            counts["labelled"] += bool(record.get("levels"))
            labels.update(record.get("levels", {}).keys())
        found = {"entries": self.entries, "dialogues": len(dialogues), "problems": len(problems)}
        size, labelled = len(self._lines), counts["labelled"]
        held: dict[str, Any]
        match self.kind:
            case "reviews":
                held = {"responses": size, "labelled": labelled, "unlabelled": size - labelled, "labels": dict(labels)}
            case "dialogues":
                held = {"dialogues": size, "turns": counts["turns"]}
            case _:
                held = {"examples": size}
        return {**found, **held, "merged": self.merged, "rejects": len(self.faults)}


def import_records(
    source: str,
    files: Sequence[Path],
    kind: str | None = None,
    layout: table.Table | None = None,
) -> Imported:
    """Read files of one source into records of one kind with distinct ids; `layout` is for tables (csv, parquet, datasets).

    A record that stands in several files becomes one: levels and metadata are united. Where they contradict each other,
    the first is kept and the later one is a fault. Raises `UttaError` when the source or kind is unknown, a file cannot be
    read, or there is not a single good record.
    """
    read, kind = _reader(source, kind)
    if source in TABLES:
        read = partial(read, layout=layout or table.Table())
    elif layout and (layout.columns or layout.speakers or layout.labels):
        raise UttaError(f"Columns, speakers and labels are named for {', '.join(TABLES)} only, not for {source}.")
    imported = Imported(kind)
    good = False
    for file in files:
        for count, items in enumerate(read(file), start=1):
            imported.entries += 1
            number, unit = (items.number, items.unit) if isinstance(items, Entry) else (count, "entry")
            for item in items:
                if isinstance(item, Fault):
                    imported.faults.append(item)
                elif clash := imported.add(item):
                    imported.faults.append(Fault(str(file), number, clash, item.model_dump_json(), unit))
                else:
                    good = True
    if not good:
        raise no_records(files[0], imported.faults, KINDS[kind])
    return imported


def _reader(source: str, kind: str | None) -> tuple[Reader, str]:
    if source not in SOURCES:
        raise UttaError(f"There is no source {source!r}; the sources are {', '.join(sorted(SOURCES))}.")
    offered = SOURCES[source]
    if kind is not None and kind not in offered:
        raise UttaError(f"The source {source} has no {kind}; it has {', '.join(offered)}.")
    kind = kind or next(iter(offered))
    return offered[kind], kind


def merge(first: R, second: R) -> R | str:
    """Two records of one thing as one, what one leaves open filled in from the other; or how they contradict."""
    merged: dict[str, Any] = {}
    for name in type(first).model_fields:
        a, b = getattr(first, name), getattr(second, name)
        if isinstance(a, dict) and isinstance(b, dict):
            clash = next((key for key in a if key in b and a[key] != b[key]), None)
            if clash is not None:
                wrong = _contradiction(first, f"{name}.{clash}", a[clash], b[clash])
                return (
                    f"{wrong}; where two people judged it, each needs a name (reviewer)" if name == "levels" else wrong
                )
            merged[name] = {**a, **b}
        elif a and b and name in STRICTER:
            merged[name] = min(a, b, key=STRICTER[name])
        elif a and b and a != b:
            return _contradiction(first, name, a, b)
        else:
            merged[name] = a or b
    return first.model_copy(update=merged)


def _contradiction(record: Record, name: str, kept: Any, seen: Any) -> str:
    what = record.kind.replace("_", " ")
    return f"the {what} {record.id} has {name} {shorten(seen)!r} here and {shorten(kept)!r} in what was read before"
