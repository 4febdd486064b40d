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
from utta.core.store import Store
from utta.records.read import Fault, no_records, scan_reviews
from utta.records.record import content_id, spoken
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
    tally = _Tally()
    faults: list[Fault] = []
    for item in scan_reviews(path, rubric):
        if isinstance(item, Fault):
            faults.append(item)
        else:
            tally.add(item)
    if not tally.responses and not faults:
        raise no_records(path, faults)
    labels = _in_order(tally.labels, rubric)
    return Check(
        file=path,
        faults=[str(fault) for fault in faults],
        warnings=[*tally.warnings(), *_label_warnings(labels, tally.labelled)],
        responses=tally.responses,
        labelled=tally.labelled,
        dialogues=len(tally.dialogues),
        problems=len(tally.problems),
        labels=labels,
    )


class _Tally:
    """What is counted while the file streams by; what grows with it lies on disk."""

    def __init__(self) -> None:
        self.responses = self.labelled = self.repeats = self.unknown = self.blank = self.alone = 0
        self.labels: dict[str, Counter[str]] = defaultdict(Counter)
        self.dialogues, self.problems = Store(), Store()
        self._judged, self._about, self._several = Store(), Store(), Store()
        self._first_repeat = self._first_several = ""

    def add(self, review: Review) -> None:
        self.responses += 1
        self.labelled += bool(review.levels)
        self.blank += not review.response.strip()
        self.alone += not review.conversation
        for criterion, label in review.levels.items():
            self.labels[criterion][label] += 1
        self.dialogues.add(review.dialogue_id)
        turns = spoken(review.conversation)
        if earlier := self._judged.add(content_id([turns, review.response, review.responder]), review.id):
            self.repeats += 1
            self._first_repeat = self._first_repeat or f"{review.id} repeats {earlier}"
        if not review.problem:
            self.unknown += 1
            return
        self.problems.add(review.problem)
        conversation = content_id(turns)
        before = self._about.add(conversation, review.problem)
        if before not in (None, review.problem):
            self._several.add(conversation)
            self._first_several = self._first_several or ", ".join(sorted([str(before), review.problem]))

    def warnings(self) -> Iterator[str]:
        """Warnings about the records as such."""
        if self.repeats:
            yield (
                f"{_responses(self.repeats, 'repeats', 'repeat')} an earlier one in the same conversation, word for word "
                f"(the first: {self._first_repeat}); two judgements of one response may disagree."
            )
        if self.blank:
            yield f"{_responses(self.blank, 'is', 'are')} empty; if the text got lost, bring it in again."
        if self.alone:
            yield f"{_responses(self.alone, 'has', 'have')} no conversation before it; the judge sees the response alone."
        if self.unknown:
            yield (
                f"{_responses(self.unknown, 'has', 'have')} no problem; a split can only keep their dialogues together."
            )
        if several := len(self._several):
            count = "1 conversation stands" if several == 1 else f"{several} conversations stand"
            yield f"{count} under more than one problem (the first: {self._first_several}); a split may part them."
        if unlabelled := self.responses - self.labelled:
            yield f"{_responses(unlabelled, 'has', 'have')} no label; they can be judged, but not learned from."


def _in_order(counts: dict[str, Counter[str]], rubric: "Rubric | None") -> dict[str, dict[str, int]]:
    """Labels of each criterion that has any; a rubric's levels without a label count 0."""
    if rubric is None:
        return {criterion: dict(sorted(found.items())) for criterion, found in sorted(counts.items())}
    labelled = [criterion for criterion in rubric.criteria if criterion.id in counts]
    return {criterion.id: {label: counts[criterion.id][label] for label in criterion.labels} for criterion in labelled}


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
