"""Where several reviewers judged the same responses: how far they agree with each other, and the judge with each of them.

What the judge can reach is bounded by how far the reviewers agree: agreement with one of them far above theirs with each
other would say that it has learnt that one person.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics.bootstrap import Draws, Interval, draw_clusters, percentile_interval, ratio
from metrics.reliability import krippendorff_alpha
from signatures.rubric import Criterion, Rubric
from utta.evaluate.answers import Answers, number, plain
from utta.records.review import Review

Panels = Sequence[Sequence[Review]]


def reviewers(rubric: Rubric, reviews: Sequence[Review], answers: Answers, seed: int = 0) -> dict[str, Any] | None:
    """`n` reviewers and the `responses` that two or more of them judged; per criterion Krippendorff's `alpha` over those
    judged twice, and of `each` reviewer the share of equal levels with the `judge` and with the `others`. None with fewer
    than two reviewers."""
    panels: dict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        panels[review.response_id].append(review)
    names = sorted({review.reviewer for review in reviews if review.reviewer})
    if len(names) < 2:
        return None
    draws = draw_clusters([review.cluster for review in reviews], seed=seed)
    several = [panel for panel in panels.values() if len(panel) > 1]
    return {
        "n": len(names),
        "responses": len(several),
        "criteria": {
            c.id: _criterion(c, names, list(panels.values()), answers, draws)
            for c in rubric.criteria
            if any(c.id in review.levels for review in reviews)
        },
    }


def _criterion(
    criterion: Criterion, names: Sequence[str], panels: Panels, answers: Answers, draws: Draws
) -> dict[str, Any]:
    given = [[r for r in panel if criterion.id in r.levels] for panel in panels]
    twice = [[criterion.labels.index(r.levels[criterion.id]) for r in panel] for panel in given if len(panel) > 1]
    each = []
    for name in names:
        own = [(r, panel) for panel in given for r in panel if r.reviewer == name]
        judged = [r for r, _ in own if (r.id, criterion.id) in answers]
        hits = [answers[r.id, criterion.id]["label"] == r.levels[criterion.id] for r in judged]
        pairs = [(r, other) for r, panel in own for other in panel if other is not r]
        equal = [r.levels[criterion.id] == other.levels[criterion.id] for r, other in pairs]
        each.append(
            {
                "reviewer": name,
                "n": len(own),
                "judge": plain(_share(draws, judged, hits)),
                "others": plain(_share(draws, [r for r, _ in pairs], equal)) if pairs else None,
            }
        )
    alpha = krippendorff_alpha(twice, len(criterion.levels), criterion.scale == "ordinal")
    return {"alpha": number(alpha), "judged_twice": len(twice), "each": each}


def _share(draws: Draws, rows: Sequence[Review], hits: Sequence[bool]) -> Interval:
    value, drawn = ratio(draws, [r.cluster for r in rows], np.array(hits, dtype=float), np.ones(len(hits)))
    return percentile_interval(value, drawn)
