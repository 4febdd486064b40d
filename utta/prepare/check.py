"""Look through a file of reviews for what would spoil training or figures, and change nothing.

Faults are lines that cannot be used. Warnings are about good lines that mislead: repeats, unknown problems, one
conversation under several problems, criteria and levels with few labels. It judges neither the texts nor the labels.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics.agreement import THIN
from utta.records.read import Fault, no_reviews, scan_reviews
from utta.records.review import Review

if TYPE_CHECKING:
    from signatures.rubric import Rubric

FEW = 0.5
"""A criterion labelled on less than this share of the judged responses is warned about."""


@dataclass(frozen=True)
class Check:
    """What is in a file. `labels` counts the labels of each criterion, in the rubric's order where one was given."""

    file: Path
    faults: list[str]
    warnings: list[str]
    responses: int
    labelled: int
    dialogues: int
    problems: int
    labels: dict[str, dict[str, int]]

    def as_json(self) -> dict[str, Any]:
        """The check as one JSON object."""
        return {**vars(self), "file": str(self.file)}


def check(path: Path | str, rubric: "Rubric | None" = None) -> Check:
    """Read the whole file and count. With a `rubric`, criteria and labels outside it are faults.

    Raises `UttaError` when the file is missing, cannot be read or is empty.
    """
    path = Path(path)
    reviews: list[Review] = []
    faults: list[Fault] = []
    for item in scan_reviews(path, rubric):
        if isinstance(item, Fault):
            faults.append(item)
        else:
            reviews.append(item)
    if not reviews and not faults:
        raise no_reviews(path, faults)
    labels = _count_labels(reviews, rubric)
    labelled = sum(bool(review.levels) for review in reviews)
    return Check(
        file=path,
        faults=[str(fault) for fault in faults],
        warnings=[*_record_warnings(reviews), *_label_warnings(labels, labelled)],
        responses=len(reviews),
        labelled=labelled,
        dialogues=len({review.dialogue_id for review in reviews}),
        problems=len({review.problem for review in reviews if review.problem}),
        labels=labels,
    )


def _count_labels(reviews: list[Review], rubric: "Rubric | None") -> dict[str, dict[str, int]]:
    """Labels of each criterion that has any; a rubric's levels without a label count 0."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for review in reviews:
        for criterion, label in review.levels.items():
            counts[criterion][label] += 1
    if rubric is None:
        return {criterion: dict(sorted(found.items())) for criterion, found in sorted(counts.items())}
    labelled = [criterion for criterion in rubric.criteria if criterion.id in counts]
    return {criterion.id: {label: counts[criterion.id][label] for label in criterion.labels} for criterion in labelled}


def _record_warnings(reviews: list[Review]) -> Iterator[str]:
    """Warnings about the records as such."""
    seen: dict[tuple[Any, ...], str] = {}
    repeats: list[tuple[str, str]] = []
    problems: dict[tuple[tuple[str, str], ...], set[str]] = defaultdict(set)
    for review in reviews:
        conversation = tuple((turn.speaker, turn.utterance) for turn in review.conversation)
        earlier = seen.setdefault((conversation, review.response, review.responder), review.id)
        if earlier != review.id:
            repeats.append((review.id, earlier))
        if review.problem:
            problems[conversation].add(review.problem)
    if repeats:
        again, earlier = repeats[0]
        yield (
            f"{_responses(len(repeats), 'repeats', 'repeat')} an earlier one in the same conversation, word for word "
            f"(the first: {again} repeats {earlier}); two judgements of one response may disagree."
        )
    if unknown := sum(not review.problem for review in reviews):
        yield f"{_responses(unknown, 'has', 'have')} no problem; a split can only keep their dialogues together."
    if several := [names for names in problems.values() if len(names) > 1]:
        first = ", ".join(sorted(several[0])[:3])
        count = "1 conversation stands" if len(several) == 1 else f"{len(several)} conversations stand"
        yield f"{count} under more than one problem (the first: {first}); a split may part them."
    if unlabelled := sum(not review.levels for review in reviews):
        yield f"{_responses(unlabelled, 'has', 'have')} no label; they can be judged, but not learned from."


def _label_warnings(labels: dict[str, dict[str, int]], labelled: int) -> Iterator[str]:
    """Warnings about criteria and levels with too few labels."""
    for criterion, found in labels.items():
        total = sum(found.values())
        if total < FEW * labelled:
            yield f"{criterion} is labelled on {total} of {labelled} judged responses only."
        if thin := {label: n for label, n in found.items() if n < THIN}:
            shown = ", ".join(f"{label!r} ({n})" for label, n in thin.items())
            yield (
                f"{criterion} has levels with fewer than {THIN} labels: {shown}; macro-F1 leaves them out unless fewer than "
                "two levels would remain."
            )


def _responses(count: int, one: str, many: str) -> str:
    return f"1 response {one}" if count == 1 else f"{count} responses {many}"
