"""How far a judge agrees with the experts on one criterion.

Pure functions on whole-number levels `0 … levels-1` (the order of the rubric) and on probabilities. Kappa,
correlation and F1 come from scikit-learn and scipy, which are imported when first needed.

    >>> agreement([0, 1, 1], [0, 1, 0], [[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]],
    ...           levels=2, ordinal=False, good=[False, True])["accuracy"]
    0.6666666666666666

A value that the rows cannot show (no rows, a constant side of a correlation) is nan, without a warning. This module
gives no intervals: `metrics.bootstrap` does.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import tables

METRICS = ("macro_f1", "accuracy", "kappa", "lenient_macro_f1", "calibration_error")
ORDINAL_METRICS = ("quadratic_kappa", "spearman")
BINS = 10
THIN = 10  # a level with fewer expert labels says nothing that can be relied on


def confusion(gold: ArrayLike, predicted: ArrayLike, levels: int) -> NDArray[np.int64]:
    """Counts `[levels, levels]`: rows are gold levels, columns predicted ones."""
    truth, answer = _pair(gold, predicted)
    outside = [int(level) for level in (*truth, *answer) if not 0 <= level < levels]
    if outside:
        raise ValueError(f"level {outside[0]} is outside 0 to {levels - 1}")
    return np.bincount(truth * levels + answer, minlength=levels * levels).reshape(levels, levels)


def thin_levels(gold: ArrayLike, levels: int, least: int = THIN) -> tuple[int, ...]:
    """Levels with fewer than `least` gold labels: too few to say anything about, so macro-F1 leaves them out."""
    counts = np.bincount(np.asarray(gold, dtype=np.int64), minlength=levels)
    return tuple(level for level in range(levels) if counts[level] < least)


def macro_f1(gold: ArrayLike, predicted: ArrayLike, levels: int, *, skip: Sequence[int] = ()) -> float:
    """Unweighted mean of the levels' F1; [0, 1], higher is better; nan when no level or no row is left.

    Rows whose gold level is in `skip` still count against the levels they were taken for. A level that is in neither
    the gold nor the predicted labels has no F1 and is left out of the mean.
    """
    truth, answer = _pair(gold, predicted)
    kept = [level for level in range(levels) if level not in set(skip)]
    if not kept or not truth.size:
        return float("nan")
    return _f1(truth, answer, kept)


def accuracy(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Share of equal levels; [0, 1], higher is better; nan without rows."""
    truth, answer = _pair(gold, predicted)
    if not truth.size:
        return float("nan")
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(truth, answer))


def cohen_kappa(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Agreement above chance (Cohen 1960); [-1, 1], 0 is chance; nan when both sides are one and the same level."""
    return _kappa(*_pair(gold, predicted), weights=None)


def quadratic_kappa(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Kappa that punishes by the squared distance of the levels (Cohen 1968); [-1, 1]; nan as in `cohen_kappa`."""
    return _kappa(*_pair(gold, predicted), weights="quadratic")


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rank correlation, ties at mid-ranks; [-1, 1]; nan when one side is constant. Takes any numbers."""
    truth, answer = np.asarray(gold), np.asarray(predicted)
    if len(np.unique(truth)) < 2 or len(np.unique(answer)) < 2:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(truth, answer).statistic)


def lenient_macro_f1(gold: ArrayLike, predicted: ArrayLike, good: Sequence[bool]) -> float:
    """Macro-F1 over two classes, good and not good, where `good[level]` says which; [0, 1].

    nan without rows, and when `good` puts all levels into one class.
    """
    truth, answer = _pair(gold, predicted)
    if len(set(good)) < 2 or not truth.size:
        return float("nan")
    classes = np.asarray(good, dtype=bool).astype(np.int64)
    return _f1(classes[truth], classes[answer], [0, 1])


def calibration_error(probabilities: ArrayLike, correct: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al. 2015, equal-width bins); [0, 1], lower is better; nan without rows.

    `probabilities [n]` are those of the chosen levels, `correct [n]` says which choices were right. The mean over
    rows of |mean probability - share correct| of the row's bin; a bin holds its lower edge, the last one 1 as well.
    """
    gaps = binned_gaps(probabilities, correct, bins)
    return float(tables.calibration_error(gaps.sum(0), len(gaps)))


def binned_gaps(probabilities: ArrayLike, correct: ArrayLike, bins: int = BINS) -> NDArray[np.float64]:
    """Each row's probability minus its hit (0 or 1), in the column of its bin: `[n, bins]`, zero elsewhere."""
    chances = np.asarray(probabilities, dtype=np.float64)
    if not np.all((chances >= 0) & (chances <= 1)):
        raise ValueError("a probability lies outside [0, 1]")
    gaps = np.zeros((len(chances), bins))
    column = np.minimum((chances * bins).astype(np.int64), bins - 1)
    gaps[np.arange(len(chances)), column] = chances - np.asarray(correct, dtype=np.float64)
    return gaps


def agreement(
    gold: ArrayLike,
    predicted: ArrayLike,
    probabilities: ArrayLike,
    *,
    levels: int,
    ordinal: bool,
    good: Sequence[bool],
    skip: Sequence[int] = (),
) -> dict[str, float]:
    """All metrics of one criterion: `METRICS`, and for an ordinal criterion `ORDINAL_METRICS` as well.

    `gold [n]` and `predicted [n]` are levels, `probabilities [n, levels]` the judge's, from which the calibration
    error takes the predicted level's. `good[level]` is the rubric's two-level reading, `skip` the thin levels.
    """
    truth, answer = _pair(gold, predicted)
    values = {
        "macro_f1": macro_f1(truth, answer, levels, skip=skip),
        "accuracy": accuracy(truth, answer),
        "kappa": cohen_kappa(truth, answer),
        "lenient_macro_f1": lenient_macro_f1(truth, answer, good),
        "calibration_error": calibration_error(chosen(probabilities, answer, levels), truth == answer),
    }
    if ordinal:
        values |= {"quadratic_kappa": quadratic_kappa(truth, answer), "spearman": spearman(truth, answer)}
    return values


def chosen(probabilities: ArrayLike, predicted: ArrayLike, levels: int) -> NDArray[np.float64]:
    """The predicted levels' probabilities `[n]` out of `probabilities [n, levels]`."""
    answer = np.asarray(predicted, dtype=np.int64)
    rows = np.asarray(probabilities, dtype=np.float64).reshape(len(answer), levels)
    return rows[np.arange(len(answer)), answer]


def _pair(gold: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    truth, answer = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if truth.ndim != 1 or truth.shape != answer.shape:
        raise ValueError(f"gold {truth.shape} and predicted {answer.shape} must be two lists of equal length")
    return truth, answer


def _f1(truth: NDArray[np.int64], answer: NDArray[np.int64], kept: list[int]) -> float:
    from sklearn.metrics import f1_score

    # zero_division=nan leaves a level that nobody gave out of the mean, instead of counting it as a failure.
    return float(f1_score(truth, answer, labels=kept, average="macro", zero_division=np.nan))


def _kappa(truth: NDArray[np.int64], answer: NDArray[np.int64], weights: str | None) -> float:
    seen = np.unique(np.concatenate([truth, answer]))
    if len(seen) < 2:
        return float("nan")
    from sklearn.metrics import cohen_kappa_score

    # All levels in between are named, for the quadratic weights count places in this list.
    labels = np.arange(seen[0], seen[-1] + 1)
    return float(cohen_kappa_score(truth, answer, labels=labels, weights=weights))
