"""From the outside world into records: one module per source, and the import that joins a source's files.

A source is a function that reads one file and yields one list per entry of it (a dialogue with its replies, or a line),
holding a review or a fault for each judgement in the entry. To add one, write a module and name it in `SOURCES`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError, shorten
from utta.records.read import Fault, no_reviews
from utta.records.review import Review
from utta.sources import mrbench
from utta.sources import utta as own

SOURCES: dict[str, Callable[[Path], Iterator[list[Review | Fault]]]] = {"mrbench": mrbench.read, "utta": own.read}


@dataclass
class Imported:
    """What an import brought in, with the number of the files' `entries` and of reviews `merged` into earlier ones."""

    reviews: list[Review] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    entries: int = 0
    merged: int = 0

    def summary(self) -> dict[str, Any]:
        """Counts: entries, distinct dialogue ids and problems, responses (labelled or not), labels per criterion."""
        labelled = sum(bool(review.levels) for review in self.reviews)
        return {
            "entries": self.entries,
            "dialogues": len({review.dialogue_id for review in self.reviews}),
            "problems": len({review.problem for review in self.reviews if review.problem}),
            "responses": len(self.reviews),
            "labelled": labelled,
            "unlabelled": len(self.reviews) - labelled,
            "labels": dict(Counter(criterion for review in self.reviews for criterion in review.levels)),
            "merged": self.merged,
            "rejects": len(self.faults),
        }


def import_reviews(source: str, files: Sequence[Path]) -> Imported:
    """Read files of one source into reviews with distinct ids.

    A review that stands in several files becomes one: their levels and metadata are united. Where they contradict each
    other, the first is kept and the later one is a fault. Raises `UttaError` when the source is unknown, a file cannot
    be read, or there is not a single good review.
    """
    if source not in SOURCES:
        raise UttaError(f"There is no source {source!r}; the sources are {', '.join(sorted(SOURCES))}.")
    imported = Imported()
    reviews: dict[str, Review] = {}
    for file in files:
        for number, items in enumerate(SOURCES[source](file), start=1):
            imported.entries += 1
            for item in items:
                if isinstance(item, Fault):
                    imported.faults.append(item)
                elif item.id not in reviews:
                    reviews[item.id] = item
                elif isinstance(merged := merge(reviews[item.id], item), Review):
                    reviews[item.id] = merged
                    imported.merged += 1
                else:
                    imported.faults.append(Fault(str(file), number, merged, item.model_dump_json(), unit="entry"))
    if not reviews:
        raise no_reviews(files[0], imported.faults)
    imported.reviews = list(reviews.values())
    return imported


def merge(first: Review, second: Review) -> Review | str:
    """Two records of one judgement as one, what one leaves open filled in from the other; or how they contradict."""
    merged: dict[str, Any] = {}
    for name in Review.model_fields:
        a, b = getattr(first, name), getattr(second, name)
        if isinstance(a, dict):
            clash = next((key for key in a if key in b and a[key] != b[key]), None)
            if clash is not None:
                return _contradiction(first, f"{name}.{clash}", a[clash], b[clash])
            merged[name] = {**a, **b}
        elif a and b and a != b:
            return _contradiction(first, name, a, b)
        else:
            merged[name] = a or b
    return first.model_copy(update=merged)


def _contradiction(review: Review, name: str, kept: Any, seen: Any) -> str:
    return f"the review {review.id} has {name} {shorten(seen)!r} here and {shorten(kept)!r} in what was read before"
