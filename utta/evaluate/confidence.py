"""What the judge's confidence is worth: how often it is right when it says how sure it is, and what is gained by giving the
decisions that it is least sure of to a person.

Confidence is the probability of the level that was chosen; agreement is the share of decisions on the experts' level.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics.agreement import BINS
from metrics.bootstrap import Draws, percentile_interval, ratio
from signatures.rubric import Rubric
from utta.evaluate.answers import Answers, number, plain
from utta.records.review import Review

DEFERRED = (0.1, 0.2, 0.3, 0.4, 0.5)


def confidence(rubric: Rubric, reviews: Sequence[Review], answers: Answers, draws: Draws) -> dict[str, Any] | None:
    """`bins`: decisions by confidence in tenths, with mean confidence and agreement (empty ones left out). `deferral`: for
    each share given away, agreement on the decisions `kept` and its paired `gain` over all. None without decisions."""
    rows = [
        (answers[review.id, criterion.id], review.levels[criterion.id], review.cluster)
        for review in reviews
        for criterion in rubric.criteria
        if criterion.id in review.levels and (review.id, criterion.id) in answers
    ]
    if not rows:
        return None
    sure = np.array([line["confidence"] for line, _, _ in rows], dtype=np.float64)
    hits = np.array([line["label"] == gold for line, gold, _ in rows], dtype=np.float64)
    return {"bins": _bins(sure, hits), "deferral": _deferral(sure, hits, [about for *_, about in rows], draws)}


def _bins(sure: np.ndarray, hits: np.ndarray) -> list[dict[str, Any]]:
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        {
            "low": low / BINS,
            "high": (low + 1) / BINS,
            "n": int(inside.sum()),
            "confidence": number(sure[inside].mean()),
            "agreement": number(hits[inside].mean()),
        }
        for low in range(BINS)
        if (inside := place == low).any()
    ]


def _deferral(sure: np.ndarray, hits: np.ndarray, clusters: list[str], draws: Draws) -> list[dict[str, Any]]:
    everything, drawn_everything = ratio(draws, clusters, hits, np.ones_like(hits))
    order = np.argsort(sure, kind="stable")
    found = []
    for share in DEFERRED:
        kept = np.ones_like(hits)
        kept[order[: round(share * len(hits))]] = 0
        value, drawn = ratio(draws, clusters, hits * kept, kept)
        found.append(
            {
                "share": share,
                "kept": int(kept.sum()),
                "agreement": plain(percentile_interval(value, drawn)),
                "gain": plain(percentile_interval(value - everything, drawn - drawn_everything)),
            }
        )
    return found
