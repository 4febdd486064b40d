"""95% intervals by a bootstrap that draws whole problems, for one criterion, for means and for paired differences.

Replies to one problem share its difficulty, so rows are not independent: the bootstrap draws problems ("clusters")
with replacement and takes all rows of each. One set of draws serves everything that is compared:

    draws = draw_clusters(problems)                    # once, over the problems of all rows
    judge = [score(draws, …) for each criterion]       # rows may be missing for some criteria
    words = [score(draws, …) for each criterion]       # a baseline, or another run, on the same rows
    intervals(judge[0])                                # one criterion
    intervals(mean(judge))                             # mean over criteria
    intervals(difference(mean(judge), mean(words)))    # paired difference

Point values come from `metrics.agreement`. The redrawn values come from confusion tables summed per cluster, which is
the same number without going through the rows again. `cluster_bootstrap` does any other statistic, more slowly.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import tables
from metrics.agreement import BINS, agreement, binned_gaps, chosen

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A value with the ends of its interval; nan where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """How often each cluster stands in each redrawn data set: `counts [samples, clusters]`."""

    names: tuple[Hashable, ...]
    counts: Floats

    def columns(self, clusters: Sequence[Hashable]) -> NDArray[np.int64]:
        """The column of each row's cluster; raises ValueError for a cluster that was not there when drawing."""
        place = {name: column for column, name in enumerate(self.names)}
        unknown = [name for name in clusters if name not in place]
        if unknown:
            raise ValueError(f"cluster {unknown[0]!r} is not among the {len(place)} that were drawn from")
        return np.array([place[name] for name in clusters], dtype=np.int64)


@dataclass(frozen=True)
class Scores:
    """One judge's metrics: the point values, and the same metrics in each redrawn data set (`[samples]`).

    `rows` says what was scored, so that only scores of the same rows are paired. `hollow` names the metrics that
    these rows cannot show for any judge, such as kappa where the experts gave one level throughout.
    """

    draws: Draws
    point: Mapping[str, float]
    drawn: Mapping[str, Floats]
    rows: tuple[Hashable, ...]
    hollow: frozenset[str] = frozenset()


def draw_clusters(clusters: Sequence[Hashable], *, samples: int = 1000, seed: int = 0) -> Draws:
    """Draw as many clusters as there are, with replacement, `samples` times.

    `clusters` names each row's cluster. The draws depend on the set of names and the seed, not on the rows' order.
    """
    names = tuple(sorted(set(clusters), key=str))
    if not names:
        return Draws(names, np.zeros((samples, 0)))
    share = np.full(len(names), 1 / len(names))
    counts = np.random.default_rng(seed).multinomial(len(names), share, size=samples)
    return Draws(names, counts.astype(np.float64))


def score(
    draws: Draws,
    clusters: Sequence[Hashable],
    gold: ArrayLike,
    predicted: ArrayLike,
    probabilities: ArrayLike,
    *,
    levels: int,
    ordinal: bool,
    good: Sequence[bool],
    skip: Sequence[int] = (),
) -> Scores:
    """All metrics of one criterion (see `agreement.agreement`), with their values in each draw.

    `clusters [n]` names each row's cluster; a cluster without rows here counts for nothing. With rows from fewer than
    two clusters there is nothing to redraw, and the redrawn values are nan.
    The calibration error of redrawn rows is biased upward (a bin with fewer different rows has larger gaps), so that
    of a well calibrated judge may lie below its interval.
    """
    truth, answer = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    point = agreement(truth, answer, probabilities, levels=levels, ordinal=ordinal, good=good, skip=skip)
    columns = draws.columns(clusters)
    counts = np.zeros((len(draws.names), levels, levels))
    np.add.at(counts, (columns, truth, answer), 1)
    gaps = np.zeros((len(draws.names), BINS))
    np.add.at(gaps, columns, binned_gaps(chosen(probabilities, answer, levels), truth == answer))

    drawn = _measure(np.tensordot(draws.counts, counts, 1), draws.counts @ gaps, good, skip)
    if len(set(columns.tolist())) < 2:
        drawn = {name: np.full(len(values), np.nan) for name, values in drawn.items()}
    # The experts held against themselves: what is undefined even there, these rows cannot show.
    ideal = _measure(np.diag(counts.sum((0, 2))), np.zeros(BINS), good, skip)
    return Scores(
        draws=draws,
        point=point,
        drawn={name: drawn[name] for name in point},
        rows=((tuple(columns.tolist()), tuple(truth.tolist())),),
        hollow=frozenset(name for name in point if np.isnan(ideal[name])),
    )


def _measure(counts: Floats, gaps: Floats, good: Sequence[bool], skip: Sequence[int]) -> dict[str, Floats]:
    """Every metric of tables `[..., L, L]` with binned gaps `[..., bins]`."""
    return {
        "macro_f1": tables.macro_f1(counts, skip),
        "accuracy": tables.accuracy(counts),
        "kappa": tables.kappa(counts),
        "lenient_macro_f1": tables.lenient_macro_f1(counts, good),
        "calibration_error": tables.calibration_error(gaps, counts.sum((-2, -1))),
        "quadratic_kappa": tables.quadratic_kappa(counts),
        "spearman": tables.spearman(counts),
    }


def mean(criteria: Sequence[Scores]) -> Scores:
    """The unweighted mean over criteria of each metric, draw by draw.

    A metric that a criterion lacks (correlation on a nominal one) or that its rows cannot show (`Scores.hollow`) is
    averaged over the other criteria, the same ones for every judge of these rows. One that a judge fails to have,
    by answering one level throughout, makes that judge's mean nan.
    """
    _same_draws(criteria)
    names = dict.fromkeys(name for scores in criteria for name in scores.point)
    point, drawn, hollow = {}, {}, set()
    for name in names:
        having = [scores for scores in criteria if name in scores.point]
        showing = [scores for scores in having if name not in scores.hollow]
        if not showing:
            hollow.add(name)
        used = showing or having
        point[name] = float(np.mean([scores.point[name] for scores in used]))
        drawn[name] = np.mean([scores.drawn[name] for scores in used], axis=0)
    rows = tuple(part for scores in criteria for part in scores.rows)
    return Scores(criteria[0].draws, point, drawn, rows, frozenset(hollow))


def difference(judge: Scores, other: Scores) -> Scores:
    """`judge` minus `other` in each metric, draw by draw; raises ValueError unless both scored the same rows."""
    _same_draws([judge, other])
    if judge.rows != other.rows:
        raise ValueError("a paired difference needs the same rows, with the same gold levels in the same order")
    return Scores(
        judge.draws,
        {name: judge.point[name] - other.point[name] for name in judge.point},
        {name: judge.drawn[name] - other.drawn[name] for name in judge.drawn},
        judge.rows,
        judge.hollow,
    )


def _same_draws(scores: Sequence[Scores]) -> None:
    if not scores:
        raise ValueError("no scores to compare")
    if any(each.draws is not scores[0].draws for each in scores):
        raise ValueError("scores of different draws cannot be averaged or paired")


def intervals(scores: Scores, *, level: float = 0.95) -> dict[str, Interval]:
    """Percentile intervals (Efron & Tibshirani 1993, ch. 13) of all metrics of `scores`."""
    return {name: percentile_interval(value, scores.drawn[name], level) for name, value in scores.point.items()}


def percentile_interval(value: float, drawn: Floats, level: float = 0.95) -> Interval:
    """The middle `level` of the redrawn values; draws that are nan are left out.

    nan ends where the value itself is nan or more than half of the draws are.
    """
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(drawn) or 2 * len(defined) < len(drawn):
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def ratio(draws: Draws, clusters: Sequence[Hashable], above: ArrayLike, below: ArrayLike) -> tuple[float, Floats]:
    """The sum of `above [n]` over that of `below [n]`, and the same in each draw `[samples]`; nan where `below` sums to 0.

    With rows that count from fewer than two clusters there is nothing to redraw, and all draws are nan.
    """
    columns = draws.columns(clusters)
    sums = [np.bincount(columns, np.asarray(part, dtype=np.float64), len(draws.names)) for part in (above, below)]
    value = float(tables.divide(sums[0].sum(), sums[1].sum()))
    if np.count_nonzero(sums[1]) < 2:
        return value, np.full(len(draws.counts), np.nan)
    return value, tables.divide(draws.counts @ sums[0], draws.counts @ sums[1])


def proportion(hits: int, n: int, level: float = 0.95) -> Interval:
    """A share with Wilson's interval (Wilson 1927), which says something of shares of 0 and 1 too; nan without rows."""
    if not n:
        return Interval(float("nan"), float("nan"), float("nan"))
    from scipy.stats import binomtest

    found = binomtest(hits, n).proportion_ci(level, method="wilson")
    return Interval(hits / n, float(found.low), float(found.high))


def share_interval(value: float, drawn: Floats, clusters: int) -> Interval:
    """The interval of a share from its values in each draw [samples]; where all rows are alike redrawing shows nothing, and it
    is Wilson's for as many `clusters`."""
    if value in (0.0, 1.0):
        return proportion(round(value * clusters), clusters)
    return percentile_interval(value, drawn)


def redrawn(
    draws: Draws, clusters: Sequence[Hashable], statistic: Callable[[NDArray[np.int64]], float]
) -> tuple[float, Floats]:
    """Any statistic of rows, on all of them and in each draw `[samples]`: `statistic(row indices)` is called for each.

    With rows from fewer than two clusters there is nothing to redraw, and all draws are nan.
    """
    rows, columns = np.arange(len(clusters)), draws.columns(clusters)
    value = statistic(rows)
    if len(set(columns.tolist())) < 2:
        return value, np.full(len(draws.counts), np.nan)
    times = draws.counts[:, columns].astype(np.int64)
    return value, np.array([statistic(np.repeat(rows, each)) for each in times])


def cluster_bootstrap(
    statistic: Callable[[NDArray[np.int64]], Mapping[str, float]],
    clusters: Sequence[Hashable],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Intervals of any statistic of rows: `statistic(row indices)` is called once per draw, and once on all rows.

    The draws are those of `draw_clusters(clusters, samples=samples, seed=seed)`. With fewer than two clusters the
    ends are nan.
    """
    rows = np.arange(len(clusters))
    point = statistic(rows)
    draws = draw_clusters(clusters, samples=samples, seed=seed)
    if len(draws.names) < 2:
        return {name: Interval(float(value), float("nan"), float("nan")) for name, value in point.items()}
    times = draws.counts[:, draws.columns(clusters)].astype(np.int64)
    drawn = [statistic(np.repeat(rows, each)) for each in times]
    return {
        name: percentile_interval(value, np.array([values[name] for values in drawn]), level)
        for name, value in point.items()
    }
