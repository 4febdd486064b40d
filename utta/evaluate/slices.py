"""Where the judge agrees less, and whom it gives more than the experts do: figures by group of responses.

A slice parts the responses by one thing that is known of them, such as who wrote them. A group's `agreement` is the share
of decisions on the experts' level. Its `gap` says how much more effectiveness (0 to 1) the judge sees in it than the
experts, compared with the slice's other groups; the 99% interval holds for all groups at once (`metrics.groups`).
"""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.bootstrap import Draws, Interval, percentile_interval, ratio
from metrics.groups import few, gap
from utta.evaluate.answers import Judged, plain
from utta.records.review import Review

SLICES = ("source", "subject", "grade_level", "responder", "length")
LENGTHS = 4
UNKNOWN = "unknown"


def slices(judged: Judged, draws: Draws) -> dict[str, list[dict[str, Any]]]:
    """By slice its groups, the largest first; a slice of one group says nothing and is left out.

    A group under 20 responses or from fewer than 5 problems is `few` and has no figures; one that is not, but whose others
    are, has no gap. `biased`: the gap's interval excludes 0.
    """
    values = {name: _values(name, judged.reviews) for name in SLICES}
    groups = [
        (name, value, np.array([each == value for each in found]))
        for name, found in values.items()
        for value, _ in Counter(found).most_common()
        if len(set(found)) > 1
    ]
    clusters = judged.clusters
    small = [few(inside, clusters) for *_, inside in groups]
    tested = [not less and not few(~inside, clusters) for less, (*_, inside) in zip(small, groups, strict=True)]
    table: dict[str, list[dict[str, Any]]] = {}
    for less, test, (name, value, inside) in zip(small, tested, groups, strict=True):
        lean = gap(judged.judge - judged.experts, inside, clusters, comparisons=sum(tested)) if test else None
        table.setdefault(name, []).append(
            {
                "value": value,
                "n": int(inside.sum()),
                "problems": len({cluster for cluster, kept in zip(clusters, inside, strict=True) if kept}),
                "few": less,
                "agreement": None if less else plain(_agreement(judged, draws, inside)),
                "gap": lean and plain(lean),
                "biased": bool(lean and (lean.low > 0 or lean.high < 0)),
            }
        )
    return table


def _agreement(judged: Judged, draws: Draws, inside: NDArray[np.bool_]) -> Interval:
    value, drawn = ratio(draws, judged.clusters, judged.hits * inside, judged.decisions * inside)
    return percentile_interval(value, drawn)


def _values(name: str, reviews: list[Review]) -> list[str]:
    """The value of a slice for each review."""
    if name == "length":
        return _lengths([len(review.response.split()) for review in reviews])
    return [getattr(review, name) or UNKNOWN for review in reviews]


def _lengths(words: list[int]) -> list[str]:
    """Each response's length as one of at most four ranges that hold about as many responses each."""
    if not words:
        return []
    edges = sorted({int(edge) for edge in np.quantile(words, np.arange(1, LENGTHS) / LENGTHS)})
    names = [f"up to {edges[0]} words"]
    names += [f"{low + 1} to {high} words" for low, high in pairwise(edges)]
    names.append(f"over {edges[-1]} words")
    return [names[int(np.searchsorted(edges, each))] for each in words]
