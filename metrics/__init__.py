"""How good a judge's answers are: pure functions on levels and probabilities.

`agreement` gives the point values, `bootstrap` their intervals and paired differences, `levels` the per-level weights
that calibrate decisions, `tables` the same metrics for many confusion tables at once. Nothing here knows records,
rubrics or programs: those who do hand in arrays. (The function `agreement` is not repeated here: it would hide its
module.)
"""

from metrics.agreement import METRICS, ORDINAL_METRICS, confusion, thin_levels
from metrics.bootstrap import (
    Draws,
    Interval,
    Scores,
    cluster_bootstrap,
    difference,
    draw_clusters,
    intervals,
    mean,
    score,
)
from metrics.levels import apply_weights, cross_fitted, expected_levels, fit_weights

__all__ = [
    "METRICS",
    "ORDINAL_METRICS",
    "Draws",
    "Interval",
    "Scores",
    "apply_weights",
    "cluster_bootstrap",
    "confusion",
    "cross_fitted",
    "difference",
    "draw_clusters",
    "expected_levels",
    "fit_weights",
    "intervals",
    "mean",
    "score",
    "thin_levels",
]
