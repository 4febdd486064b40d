"""What is in a file of reviews: levels, where they come from, how far reviewers agree, and what is thin.

It streams, so a million reviews need no more memory than a thousand. It changes nothing and judges nothing.
"""

import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from metrics.agreement import THIN
from metrics.reliability import krippendorff_alpha
from signatures.rubric import Criterion, Rubric
from utta.core.store import Store
from utta.records.read import Fault, no_records, scan_reviews
from utta.records.record import content_id, spoken
from utta.records.review import Review

SLICES = ("source", "subject", "grade_level", "responder", "reviewer")


def stats(path: Path, rubric: Rubric) -> dict[str, Any]:
    """Counts of a file of reviews whose labels are in the rubric, as one JSON object.

    Per criterion: `n`, its `levels` with their counts, the `thin` ones (fewer than 10), and reviewers' `agreement`
    (Krippendorff's alpha over `judged_twice` responses; null without any). `slices` counts responses by source, subject,
    grade, responder and reviewer. Raises `UttaError` when the file cannot be read or holds no good review.
    """
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    slices: dict[str, Counter[str]] = {name: Counter() for name in SLICES}
    lengths: Counter[int] = Counter()
    problems, judged = Store(), Store()
    faults: list[Fault] = []
    for item in scan_reviews(path, rubric):
        if isinstance(item, Fault):
            faults.append(item)
            continue
        if item.problem:
            problems.add(item.problem)
        lengths[len(item.response.split())] += 1
        for name in SLICES:
            slices[name][getattr(item, name) or "unknown"] += 1
        for criterion, label in item.levels.items():
            labels[criterion][label] += 1
        _judged_again(judged, item)
    if not lengths:
        raise no_records(path, faults)
    return {
        "file": str(path),
        "rubric": rubric.id,
        "responses": lengths.total(),
        "problems": len(problems),
        "rejects": len(faults),
        "words": {f"{share:.0%}": _quantile(lengths, share) for share in (0.1, 0.5, 0.9)},
        "slices": {name: dict(found.most_common()) for name, found in slices.items() if set(found) != {"unknown"}},
        "criteria": {c.id: _criterion(c, labels[c.id], judged) for c in rubric.criteria if c.id in labels},
    }


def _judged_again(judged: Store, review: Review) -> None:
    """Remember the levels of a response beside those that other reviewers gave it."""
    key = content_id([spoken(review.conversation), review.response, review.responder])
    own = {review.reviewer or "": review.levels}
    if before := judged.add(key, json.dumps(own)):
        judged.replace(key, json.dumps(own | json.loads(before)))


def _criterion(criterion: Criterion, counts: Counter[str], judged: Store) -> dict[str, Any]:
    given = (
        [criterion.labels.index(levels[criterion.id]) for levels in several.values() if criterion.id in levels]
        for several in map(json.loads, judged)
    )
    twice = [levels for levels in given if len(levels) > 1]
    alpha = krippendorff_alpha(twice, len(criterion.levels), criterion.scale == "ordinal")
    return {
        "n": counts.total(),
        "levels": {label: counts[label] for label in criterion.labels},
        "thin": [label for label in criterion.labels if counts[label] < THIN],
        "judged_twice": len(twice),
        "agreement": None if math.isnan(alpha) else round(alpha, 4),
    }


def _quantile(lengths: Counter[int], share: float) -> int:
    """The number of words that this share of the responses does not exceed."""
    wanted = share * lengths.total()
    for length in sorted(lengths):
        wanted -= lengths[length]
        if wanted <= 0:
            break
    return length
