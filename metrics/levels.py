"""Per-level weights on a judge's probabilities, fitted for a figure of the whole set such as macro-F1.

A judge's probabilities may rank replies well and still lean to one level. One multiplier per level mends that:
the decision is the level with the largest probability times weight.

    weights = fit_weights(probabilities, expected_levels(probabilities, gold), clusters=problems)
    levels = apply_weights(probabilities, weights)

A set-level figure of few labels is a staircase: the weight of a rare level would hang on nine replies. So the weights are
fitted on the figure that the judge's own probabilities lead to expect, once the labels have set these right.
`cross_fitted` says without optimism what fitting gains: each row is decided by weights fitted on other problems.
The probabilities themselves stay as they are: weights move decisions, they do not make chances truer.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import tables
from metrics.bootstrap import draw_clusters
from metrics.tables import Floats, Measure

Levels = NDArray[np.int64]

# Multipliers tried for a level, even in their logarithm, 1 among them. Up to 32, for an untrained judge may give one
# level fifty times the probability of another on every row; up to 8 falls short there and is no better elsewhere.
CANDIDATES: Floats = np.exp(np.linspace(-np.log(32), np.log(32), 25))
ROUNDS = 8
# How strongly `expected_levels` trusts labels: on MRBench V3 .01 to 1 were alike, on 3 problems and on 25.
PENALTY = 0.1
LEAST_CHANCE = 1e-6


def apply_weights(probabilities: ArrayLike, weights: ArrayLike) -> Levels:
    """Decide rows `[n, levels]` by probability times weight; levels `[n]`.

    Ties go to the level with the largest probability, then to the first: the rule of `dspy.experimental.Choice`.
    """
    chances = _two_dimensional(probabilities)
    return _winner(chances * np.asarray(weights, dtype=np.float64), chances)


def expected_levels(probabilities: ArrayLike, gold: ArrayLike) -> Floats:
    """The chance of each level for each row `[n, levels]`: probabilities `[n, levels]` set right on `gold [n]`.

    Multinomial logistic regression on the log-probabilities, drawn to the levels' shares where labels are few (Dirichlet
    calibration with an L2 penalty: Kull et al. 2019, arXiv 1910.12656). A level without a label gets no chance.
    """
    from sklearn.linear_model import LogisticRegression

    chances, truth = _two_dimensional(probabilities), _labels(gold, len(np.asarray(probabilities)))
    expected = np.zeros_like(chances)
    if len(set(truth.tolist())) < 2:
        expected[np.arange(len(truth)), truth] = 1.0
        return expected
    logs = np.log(np.maximum(chances, LEAST_CHANCE))
    model = LogisticRegression(C=PENALTY).fit(logs, truth)
    expected[:, model.classes_] = model.predict_proba(logs)
    return expected


def fit_weights(
    probabilities: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    metric: str = "macro_f1",
    good: Sequence[bool] | None = None,
    resamples: int = 20,
    seed: int = 0,
) -> list[float]:
    """Weights per level, the largest 1, that maximise `metric` of the decisions against `gold`.

    `probabilities [n, levels]`; `gold` levels `[n]` or the chance of each `[n, levels]`; `clusters [n]` names each row's
    problem (default: each row its own); `metric` is macro_f1, accuracy, kappa, quadratic_kappa or lenient_macro_f1, which
    needs `good[level]`. All ones without rows.

    A coordinate search from all ones runs on each of `resamples` cluster resamples, and the weights are the geometric
    means of what it finds (bagging, Breiman 1996), which stand nearer to where other sets have their best.
    """
    chances = _two_dimensional(probabilities)
    truth = np.asarray(gold, dtype=np.float64)
    if truth.ndim < 2:
        truth = np.eye(chances.shape[1])[_labels(gold, len(chances))]
    measure = _measure(metric, good)
    if not len(truth):
        return [1.0] * chances.shape[1]
    names = range(len(truth)) if clusters is None else clusters
    draws = draw_clusters(names, samples=resamples, seed=seed)
    row_counts = draws.counts[:, draws.columns(names)]
    found = np.array([_search(chances, truth * counts[:, None], measure) for counts in row_counts])
    weights = np.exp(np.log(found).mean(0))
    # With four digits a close row may be decided otherwise.
    return [float(f"{weight:.9g}") for weight in weights / weights.max()]


def cross_fitted(
    probabilities: ArrayLike,
    gold: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    folds: int = 5,
    seed: int = 0,
    metric: str = "macro_f1",
    good: Sequence[bool] | None = None,
    resamples: int = 20,
) -> Levels:
    """Levels `[n]`, each decided by weights fitted on the expected levels of other folds; folds keep clusters whole.

    Options as in `fit_weights`. Fewer clusters than `folds` make as many folds; raises ValueError under two clusters.
    """
    from sklearn.model_selection import GroupKFold

    chances = _two_dimensional(probabilities)
    truth = _labels(gold, len(chances))
    column = draw_clusters(clusters, samples=1).columns(clusters)
    count = min(folds, len(set(column.tolist())))
    if count < 2:
        raise ValueError("cross-fitting needs rows from at least two clusters")
    levels = np.zeros(len(truth), dtype=np.int64)
    parts = GroupKFold(count, shuffle=True, random_state=seed).split(chances, groups=column)
    for fitted, decided in parts:
        weights = fit_weights(
            chances[fitted],
            expected_levels(chances[fitted], truth[fitted]),
            clusters=column[fitted].tolist(),
            metric=metric,
            good=good,
            resamples=resamples,
            seed=seed,
        )
        levels[decided] = apply_weights(chances[decided], weights)
    return levels


def _search(chances: Floats, truth: Floats, measure: Measure) -> Floats:
    """Weights `[levels]` from one coordinate search; `truth [n, levels]` is how often each row counts as each level."""
    levels = chances.shape[1]
    rows = truth.any(1)
    chances, truth = chances[rows], truth[rows]
    weights = np.ones(levels)
    for _ in range(ROUNDS):
        before = weights.copy()
        for level in range(levels):
            values = measure(_tables_by_candidate(chances, truth, weights, level))
            weights[level] = _mildest_best(values, weights, level)
        if np.array_equal(weights, before):
            break
    return weights


def _tables_by_candidate(chances: Floats, truth: Floats, weights: Floats, level: int) -> Floats:
    """Confusion tables `[candidates, levels, levels]` if `level` had each of the candidate weights.

    A row goes to its best other level, its rival, until the candidate is large enough: so one pass finds each row's
    first candidate that wins, and running sums move the rows over, table by table.
    """
    levels = chances.shape[1]
    scores = chances * weights
    scores[:, level] = -1.0
    rival = _winner(scores, chances)
    to_beat = scores[np.arange(len(scores)), rival]
    raw = chances.argmax(1)
    wins_ties = (raw == level) | ((raw != rival) & (level < rival))
    offered = chances[:, level, None] * CANDIDATES
    wins = (offered > to_beat[:, None]) | ((offered == to_beat[:, None]) & wins_ties[:, None])
    first = len(CANDIDATES) - wins.sum(1)

    moved = np.zeros((len(CANDIDATES) + 1, levels, levels))  # by level decided and gold level, as `start` is
    np.add.at(moved, (first, rival), -truth)
    np.add.at(moved, (first, np.full_like(rival, level)), truth)
    start = np.zeros((levels, levels))
    np.add.at(start, rival, truth)
    return (start + np.cumsum(moved, axis=0)[:-1]).swapaxes(1, 2)


def _mildest_best(values: Floats, weights: Floats, level: int) -> float:
    """Of the candidates with the best value, the one that keeps all weights nearest to one another (in logarithms)."""
    values = np.where(np.isnan(values), -np.inf, values)
    best = CANDIDATES[values >= values.max() - 1e-12]
    logs = np.repeat(np.log(weights)[None], len(best), axis=0)
    logs[:, level] = np.log(best)
    return float(best[np.abs(logs - logs.mean(1, keepdims=True)).sum(1).argmin()])


def _winner(scores: Floats, chances: Floats) -> Levels:
    """Index of each row's largest score; ties go to the largest chance, then to the first."""
    rows = np.arange(len(scores))
    first, raw = scores.argmax(1), chances.argmax(1)
    winner: Levels = np.where(scores[rows, raw] == scores[rows, first], raw, first)
    return winner


def _measure(metric: str, good: Sequence[bool] | None) -> Measure:
    if metric == "lenient_macro_f1":
        if good is None:
            raise ValueError("lenient_macro_f1 needs good: which levels count as good")
        return lambda counts: tables.lenient_macro_f1(counts, good)
    known: dict[str, Measure] = {
        "macro_f1": tables.macro_f1,
        "accuracy": tables.accuracy,
        "kappa": tables.kappa,
        "quadratic_kappa": tables.quadratic_kappa,
    }
    if metric not in known:
        raise ValueError(f"unknown metric {metric!r}; choose from {', '.join([*known, 'lenient_macro_f1'])}")
    return known[metric]


def _labels(gold: ArrayLike, rows: int) -> Levels:
    labels = np.asarray(gold, dtype=np.int64)
    if len(labels) != rows:
        raise ValueError(f"{rows} rows of probabilities and {len(labels)} gold levels must be equally many")
    return labels


def _two_dimensional(probabilities: ArrayLike) -> Floats:
    chances = np.asarray(probabilities, dtype=np.float64)
    if chances.ndim != 2:
        raise ValueError(f"probabilities must be rows by levels, not of shape {chances.shape}")
    return chances
