"""What a judge answered, by record and criterion, beside what the experts said: the arrays that figures are made of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.bootstrap import Interval
from signatures.rubric import Criterion, Rubric
from utta.programs.evaluator import effectiveness
from utta.records.review import Review

Answers = Mapping[tuple[str, str], Mapping[str, Any]]  # (record id, criterion) → a line of predictions.jsonl
Floats = NDArray[np.float64]


def by_decision(predictions: Sequence[Mapping[str, Any]]) -> Answers:
    """The lines of a predictions file by record and criterion."""
    return {(line["record_id"], line["criterion"]): line for line in predictions}


def gold_levels(criterion: Criterion, rows: Sequence[Review]) -> list[int]:
    return [criterion.labels.index(r.levels[criterion.id]) for r in rows]


def judged_levels(criterion: Criterion, rows: Sequence[Review], answers: Answers) -> tuple[list[int], np.ndarray]:
    """The judge's levels and probabilities [rows, levels]; without probabilities the chosen level has its confidence."""
    lines = [answers[r.id, criterion.id] for r in rows]
    levels = [criterion.labels.index(line["label"]) for line in lines]
    return levels, np.array([distribution(criterion, line) for line in lines])


def distribution(criterion: Criterion, line: Mapping[str, Any]) -> list[float]:
    if line["probabilities"]:
        mass = sum(line["probabilities"].values())
        return [line["probabilities"][label] / mass for label in criterion.labels]
    rest = (1 - line["confidence"]) / (len(criterion.levels) - 1)
    return [line["confidence"] if label == line["label"] else rest for label in criterion.labels]


@dataclass(frozen=True)
class Judged:
    """The reviews with at least one decision that has an expert's label, and an array over them for each of: the teaching
    effectiveness that the experts' and the judge's levels give, in [0, 1], and how many decisions were `hits` of how many."""

    reviews: list[Review]
    experts: Floats
    judge: Floats
    hits: Floats
    decisions: Floats

    @property
    def clusters(self) -> list[str]:
        """What each review is about: its problem, or its dialogue."""
        return [review.cluster for review in self.reviews]


def judged_reviews(rubric: Rubric, reviews: Sequence[Review], answers: Answers) -> Judged:
    """The two sides of each review, on the criteria that both judged."""
    kept, rows = [], []
    for review in reviews:
        keys = [c.id for c in rubric.criteria if c.id in review.levels and (review.id, c.id) in answers]
        if not keys:
            continue
        part = rubric.only(keys)
        gold = {c.id: {label: float(label == review.levels[c.id]) for label in c.labels} for c in part.criteria}
        ours = {
            c.id: dict(zip(c.labels, distribution(c, answers[review.id, c.id]), strict=True)) for c in part.criteria
        }
        hits = sum(answers[review.id, key]["label"] == review.levels[key] for key in keys)
        kept.append(review)
        rows.append((effectiveness(part, gold), effectiveness(part, ours), hits, len(keys)))
    return Judged(kept, *np.array(rows, dtype=np.float64).reshape(-1, 4).T)


def plain(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON; nan becomes null."""
    return {name: number(value) for name, value in interval._asdict().items()}


def all_plain(values: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Intervals by name as JSON."""
    return {name: plain(value) for name, value in values.items()}


def number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
