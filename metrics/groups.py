"""Whether a judge gives a group of responses more, or less, than the experts do when it is held against the others."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from metrics.bootstrap import Interval

FEW_ROWS = 20
FEW_CLUSTERS = 5
"""A group with fewer rows, or from fewer clusters, is too small to say anything about."""

LEVEL = 0.99
"""Higher than the usual 95%: to accuse a judge falsely costs more than to miss a small bias."""


def few(inside: ArrayLike, clusters: Sequence[Hashable]) -> bool:
    """Whether the rows marked in `inside [n]` are too few, or about too few different `clusters [n]`."""
    about = [cluster for cluster, kept in zip(clusters, np.asarray(inside, dtype=bool), strict=True) if kept]
    return len(about) < FEW_ROWS or len(set(about)) < FEW_CLUSTERS


def gap(
    values: ArrayLike, inside: ArrayLike, clusters: Sequence[Hashable], *, comparisons: int = 1, level: float = LEVEL
) -> Interval:
    """The mean of `values [n]` inside a group minus that of the other rows, with an interval that holds for all of
    `comparisons` groups at once.

    `inside [n]` says which rows are in the group, `clusters [n]` what they are about. The standard error is a jackknife
    over clusters, which errs on the careful side with few of them (CV3 in MacKinnon, Nielsen & Webb 2023, "Cluster-robust
    inference"); the degrees of freedom are those of the side with fewer clusters; the level is Bonferroni's. nan ends where
    one cluster makes up a side.
    """
    from scipy.stats import t

    numbers, chosen = np.asarray(values, dtype=np.float64), np.asarray(inside, dtype=bool)
    _, column = np.unique([str(name) for name in clusters], return_inverse=True)
    sides = []
    for rows in (chosen, ~chosen):
        counts = np.bincount(column, weights=rows, minlength=column.max() + 1)
        sides.append((counts, np.bincount(column, weights=rows * numbers, minlength=len(counts))))
    value = float(np.subtract(*(sums.sum() / counts.sum() for counts, sums in sides)))
    fewest = min(int((counts > 0).sum()) for counts, _ in sides)
    if fewest < 2:
        return Interval(value, float("nan"), float("nan"))
    without = np.subtract(*((sums.sum() - sums) / (counts.sum() - counts) for counts, sums in sides))
    clusters_in_all = len(without)
    error = np.sqrt((clusters_in_all - 1) / clusters_in_all * ((without - value) ** 2).sum())
    reach = float(t.ppf(1 - (1 - level) / 2 / comparisons, fewest - 1) * error)
    return Interval(value, value - reach, value + reach)
