"""What is in a file of records: where they come from, what they cover, levels, how far reviewers agree, and what is thin.

It streams, so a million records need no more memory than a thousand. It changes nothing and judges nothing.
"""

import heapq
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics.agreement import THIN
from metrics.reliability import krippendorff_alpha
from signatures.rubric import Criterion, Rubric
from utta.core.errors import UttaError
from utta.core.store import Store
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.kinds import KINDS, AnyRecord, kind_of
from utta.records.read import Fault, no_records, scan_records, scan_reviews
from utta.records.review import Review

SLICES = ("source", "subject", "grade_level", "responder", "reviewer")
UNKNOWN = "unknown"
SHOWN = 20
"""So many techniques are told, the commonest; notes of moves may be sentences, each of them another."""


def stats(path: Path, rubric: Rubric | None = None, kind: str | None = None) -> dict[str, Any]:
    """Counts of a file of records as one JSON object; for reviews, of those whose labels are in the rubric.

    `slices` counts records by source, subject, grade, responder and reviewer, where any has one.
    `coverage` counts them by subject and grade, `techniques` those that use a technique (of an example) or hold a note of a
    move (of a dialogue), the commonest 20 of `distinct_techniques`; `thin` stands where there are fewer than 10. `words` are
    those of a response, or of a dialogue's turn. Reviews also have `criteria`: `n`, the `levels` with their counts, the
    `thin` ones, and reviewers' `agreement` (Krippendorff's alpha over `judged_twice` responses; null without any).
    Raises `UttaError` when the file cannot be read, holds no good record or another kind, or reviews come without a rubric.
    """
    kind = kind_of(path, kind)
    if kind == "reviews" and rubric is None:
        raise UttaError(f"{path} holds reviews, whose labels are counted by a rubric; name it with --rubric.")
    if kind != "reviews" and rubric:
        raise UttaError(f"A rubric is for reviews, and {path} holds {kind}; leave --rubric out.")
    tally = _Tally()
    faults: list[Fault] = []
    for item in scan_reviews(path, rubric) if rubric else scan_records(path, KINDS[kind]):
        if isinstance(item, Fault):
            faults.append(item)
        else:
            tally.add(item)
    if not tally.records:
        raise no_records(path, faults, KINDS[kind])
    found = {"file": str(path), "kind": kind, "rejects": len(faults), **tally.as_json()}
    return found | {"rubric": rubric.id, "criteria": tally.criteria(rubric)} if rubric else found


class _Tally:
    """What is counted while the file streams by; what grows with it lies on disk."""

    def __init__(self) -> None:
        self.records = 0
        self.slices: dict[str, Counter[str]] = {name: Counter() for name in SLICES}
        self.cells: Counter[tuple[str, str]] = Counter()
        self.lengths: Counter[int] = Counter()
        self.labels: dict[str, Counter[str]] = defaultdict(Counter)
        self.problems, self.techniques, self.judged = Store(), Store(), Store()

    def add(self, record: AnyRecord) -> None:
        self.records += 1
        if record.problem:
            self.problems.add(record.problem)
        about = record.input if isinstance(record, TeachingExample) else record
        self.cells[about.subject or UNKNOWN, about.grade_level or UNKNOWN] += 1
        for name in SLICES:
            value = getattr(about, name, None) or getattr(record, name, None)
            self.slices[name][value or UNKNOWN] += 1
        self.lengths.update(len(text.split()) for text in _said(record))
        for technique in set(_techniques(record)):
            if before := self.techniques.add(technique, json.dumps([1, technique])):
                self.techniques.replace(technique, json.dumps([json.loads(before)[0] + 1, technique]))
        if isinstance(record, Review):
            for criterion, label in record.levels.items():
                self.labels[criterion][label] += 1
            self._judged_again(record)

    def _judged_again(self, review: Review) -> None:
        """Remember the levels of a response beside those that other reviewers gave it."""
        own = {review.reviewer or "": review.levels}
        if before := self.judged.add(review.response_id, json.dumps(own)):
            self.judged.replace(review.response_id, json.dumps(own | json.loads(before)))

    def as_json(self) -> dict[str, Any]:
        """What is counted of every kind of record."""
        most = heapq.nlargest(SHOWN, map(json.loads, self.techniques), key=lambda each: each[0])
        return {
            "records": self.records,
            "problems": len(self.problems),
            "words": {f"{share:.0%}": _quantile(self.lengths, share) for share in (0.1, 0.5, 0.9)},
            "slices": {
                name: dict(found.most_common()) for name, found in self.slices.items() if set(found) != {UNKNOWN}
            },
            "coverage": [
                {"subject": subject, "grade_level": grade, "records": n, "thin": n < THIN}
                for (subject, grade), n in sorted(self.cells.items())
            ],
            "techniques": [{"technique": name, "records": n, "thin": n < THIN} for n, name in most],
            "distinct_techniques": len(self.techniques),
        }

    def criteria(self, rubric: Rubric) -> dict[str, Any]:
        """Levels and agreement of each criterion that has labels."""
        labelled = [criterion for criterion in rubric.criteria if criterion.id in self.labels]
        # Of the responses judged by several, how often which levels were given: few, however many responses there are.
        given: dict[str, Counter[tuple[int, ...]]] = {criterion.id: Counter() for criterion in labelled}
        for several in (json.loads(line).values() for line in self.judged):
            for criterion in labelled if len(several) > 1 else ():
                levels = [criterion.labels.index(each[criterion.id]) for each in several if criterion.id in each]
                if len(levels) > 1:
                    given[criterion.id][tuple(sorted(levels))] += 1
        return {
            criterion.id: _criterion(criterion, self.labels[criterion.id], given[criterion.id])
            for criterion in labelled
        }


def _said(record: AnyRecord) -> Iterator[str]:
    """The texts whose length counts."""
    if isinstance(record, Dialogue):
        yield from (turn.utterance for turn in record.dialogue_turns)
    else:
        yield record.response if isinstance(record, Review) else record.output.teacher_response


def _techniques(record: AnyRecord) -> list[str]:
    if isinstance(record, TeachingExample):
        return record.output.techniques_used
    turns = record.dialogue_turns if isinstance(record, Dialogue) else []
    return [turn.pedagogical_notes for turn in turns if turn.pedagogical_notes]


def _criterion(criterion: Criterion, counts: Counter[str], given: Counter[tuple[int, ...]]) -> dict[str, Any]:
    alpha = krippendorff_alpha(given.elements(), len(criterion.levels), criterion.scale == "ordinal")
    return {
        "n": counts.total(),
        "levels": {label: counts[label] for label in criterion.labels},
        "thin": [label for label in criterion.labels if counts[label] < THIN],
        "judged_twice": given.total(),
        "agreement": None if math.isnan(alpha) else round(alpha, 4),
    }


def _quantile(lengths: Counter[int], share: float) -> int | None:
    """The number of words that this share of the texts does not exceed; None without a text."""
    wanted = share * lengths.total()
    for length in sorted(lengths):
        wanted -= lengths[length]
        if wanted <= 0:
            return length
    return None
