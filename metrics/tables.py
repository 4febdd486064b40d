"""Agreement from confusion tables: the fast way, for thousands of tables at once.

A bootstrap redraws the same rows a thousand times and a search for weights tries thousands of decisions; both need
only the confusion table of each try. Every function here takes a batch of tables `[..., L, L]` (rows: gold level,
columns: predicted level; counts, whole or not) and gives the values `[...]`. Where a value is undefined it is nan.

This module is no second opinion on what a metric means: `metrics.agreement` is, through scikit-learn and scipy, and
the tests hold the two equal. It does not build tables from labels for reporting either: see `agreement.confusion`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Measure = Callable[[Floats], Floats]


def divide(above: ArrayLike, below: ArrayLike) -> Floats:
    """`above / below`, nan where `below` is 0, without warnings."""
    top, bottom = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))


def defined_mean(values: Floats, axis: int = -1) -> Floats:
    """Mean over `axis` of the values that are not nan; nan where there are none."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0.0).sum(axis), defined.sum(axis))


def macro_f1(tables: Floats, skip: Sequence[int] = ()) -> Floats:
    """Unweighted mean of the levels' F1 without the levels in `skip`; [0, 1].

    A level that is in neither the gold nor the predicted labels has no F1 and is left out of the mean.
    """
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    f1 = divide(2 * hits, tables.sum(-1) + tables.sum(-2))
    kept = [level for level in range(tables.shape[-1]) if level not in set(skip)]
    return defined_mean(f1[..., kept])


def accuracy(tables: Floats) -> Floats:
    """Share of rows on the diagonal; [0, 1]."""
    return divide(np.trace(tables, axis1=-2, axis2=-1), tables.sum((-2, -1)))


def kappa(tables: Floats) -> Floats:
    """Cohen's kappa (Cohen 1960); [-1, 1], nan where gold and predicted are one and the same level throughout."""
    levels = tables.shape[-1]
    return _weighted_kappa(tables, 1.0 - np.eye(levels))


def quadratic_kappa(tables: Floats) -> Floats:
    """Kappa with the squared distance of the levels as weight (Cohen 1968); [-1, 1], nan as in `kappa`."""
    steps = np.arange(tables.shape[-1], dtype=np.float64)
    return _weighted_kappa(tables, (steps[:, None] - steps) ** 2)


def _weighted_kappa(tables: Floats, weights: Floats) -> Floats:
    # In counts, not shares: whole numbers stay exact, so that "no disagreement expected" is an exact 0.
    expected = tables.sum(-1)[..., :, None] * tables.sum(-2)[..., None, :]
    observed = tables * tables.sum((-2, -1))[..., None, None]
    return 1.0 - divide((observed * weights).sum((-2, -1)), (expected * weights).sum((-2, -1)))


def spearman(tables: Floats) -> Floats:
    """Spearman's rank correlation with mid-ranks for ties; [-1, 1], nan where one side is constant.

    Levels are the only values, so the ranks follow from the table's margins alone (Kendall & Gibbons 1990, ch. 3).
    """
    gold, predicted = tables.sum(-1), tables.sum(-2)
    by_gold, by_predicted = _centred_ranks(gold), _centred_ranks(predicted)
    shared = (tables * by_gold[..., :, None] * by_predicted[..., None, :]).sum((-2, -1))
    return divide(shared, np.sqrt((gold * by_gold**2).sum(-1) * (predicted * by_predicted**2).sum(-1)))


def _centred_ranks(counts: Floats) -> Floats:
    """Mid-rank of each level minus the mean rank, from counts per level `[..., L]`."""
    middle = np.cumsum(counts, axis=-1) - counts / 2
    centred: Floats = middle - counts.sum(-1, keepdims=True) / 2
    return np.where(counts > 0, centred, 0.0)


def lenient_macro_f1(tables: Floats, good: Sequence[bool]) -> Floats:
    """Macro-F1 over the two classes good and not good; [0, 1], nan where all levels are of one class."""
    if len(set(good)) < 2:
        return np.full(tables.shape[:-2], np.nan)
    is_good = np.asarray(good, dtype=bool)
    classes = np.stack([~is_good, is_good]).astype(np.float64)
    return macro_f1(classes @ tables @ classes.T)


def calibration_error(gaps: Floats, rows: ArrayLike) -> Floats:
    """Expected calibration error from `gaps [..., bins]` (sum of probability minus hits) and rows `[...]`; [0, 1]."""
    return divide(np.abs(gaps).sum(-1), rows)
