"""Intervals by clusters: the fast values equal the slow ones, and clusters and pairs count as they should."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.agreement import agreement
from metrics.bootstrap import (
    Interval,
    cluster_bootstrap,
    difference,
    draw_clusters,
    intervals,
    mean,
    percentile_interval,
    score,
)

LEVELS = 3
OPTIONS = {"levels": LEVELS, "ordinal": True, "good": [False, False, True], "skip": ()}


def judge(seed, rows=90, clusters=12, skill=0.5):
    """Clusters, gold, predicted and probabilities of a judge that is right with chance `skill`, else guesses."""
    random = np.random.default_rng(seed)
    names = [f"p{each}" for each in random.integers(0, clusters, rows)]
    gold = random.integers(0, LEVELS, rows)
    predicted = np.where(random.random(rows) < skill, gold, random.integers(0, LEVELS, rows))
    return names, gold, predicted, random.dirichlet(np.ones(LEVELS), rows)


def as_rows(interval):
    return [pytest.approx(end, abs=1e-9, nan_ok=True) for end in interval]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 8))
def test_redrawn_values_equal_the_metrics_of_the_redrawn_rows(seed, rows, clusters):
    names, gold, predicted, probabilities = judge(seed, rows, clusters)
    draws = draw_clusters(names, samples=12, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score(draws, names, gold, predicted, probabilities, **OPTIONS)
        slow = cluster_bootstrap(
            lambda drawn: agreement(gold[drawn], predicted[drawn], probabilities[drawn], **OPTIONS),
            names,
            samples=12,
            seed=seed,
        )
        fast = intervals(scores)
    assert fast.keys() == slow.keys()
    for name in fast:
        assert list(slow[name]) == as_rows(fast[name]), name


def test_an_interval_by_hand():
    # Two clusters, one all right and one all wrong: accuracy is 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    names, gold = ["a", "a", "b", "b"], np.array([0, 1, 0, 1])
    draws = draw_clusters(names, samples=4000)
    scores = score(draws, names, gold, np.array([0, 1, 1, 0]), np.full((4, LEVELS), 1 / 3), **OPTIONS)
    values, counts = np.unique(scores.drawn["accuracy"], return_counts=True)
    assert values.tolist() == [0, 0.5, 1]
    assert counts / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    assert intervals(scores)["accuracy"] == Interval(0.5, 0.0, 1.0)
    assert intervals(scores, level=0.4)["accuracy"] == Interval(0.5, 0.5, 0.5)


def test_percentiles_leave_undefined_draws_out():
    drawn = np.array([math.nan, 1.0, 2.0, 3.0])
    assert percentile_interval(2.0, drawn, level=1.0) == Interval(2.0, 1.0, 3.0)
    mostly = percentile_interval(2.0, np.array([math.nan, math.nan, 3.0]))
    assert mostly.value == 2.0
    assert math.isnan(mostly.low)
    assert math.isnan(mostly.high)
    assert all(math.isnan(end) for end in percentile_interval(math.nan, drawn))


def test_draws_depend_on_names_and_seed_alone():
    names = ["b", "a", "c", "a"]
    draws = draw_clusters(names, samples=50, seed=3)
    assert draws.names == ("a", "b", "c")
    assert (draws.counts.sum(1) == 3).all()
    assert (draws.counts == draw_clusters(names[::-1] * 2, samples=50, seed=3).counts).all()
    assert (draws.counts != draw_clusters(names, samples=50, seed=4).counts).any()
    with pytest.raises(ValueError, match="'z'"):
        draws.columns(["a", "z"])


def test_copies_of_a_row_in_one_cluster_widen_the_interval():
    _, gold, predicted, probabilities = judge(1, rows=40)
    copies = np.repeat(np.arange(40), 9)

    def width(names):
        scores = score(draw_clusters(names), names, gold[copies], predicted[copies], probabilities[copies], **OPTIONS)
        interval = intervals(scores)["accuracy"]
        return interval.high - interval.low

    assert width(copies.tolist()) > 2 * width(list(range(len(copies))))


def test_a_judge_differs_from_itself_by_nothing():
    names, *rest = judge(2)
    draws = draw_clusters(names)
    scores = score(draws, names, *rest, **OPTIONS)
    again = score(draws, names, *rest, **OPTIONS)
    for interval in intervals(difference(scores, again)).values():
        assert interval == Interval(0.0, 0.0, 0.0)
    for interval in intervals(difference(mean([scores, again]), mean([again, scores]))).values():
        assert interval == Interval(0.0, 0.0, 0.0)


def test_a_paired_difference_is_narrower_than_two_judges_apart():
    names, gold, predicted, probabilities = judge(3, rows=400, clusters=40, skill=0.6)
    better = predicted.copy()
    mended = np.flatnonzero(predicted != gold)[:8]
    better[mended] = gold[mended]
    draws = draw_clusters(names)
    first, second = (score(draws, names, gold, each, probabilities, **OPTIONS) for each in (better, predicted))
    gap = intervals(difference(first, second))["accuracy"]
    assert gap.value == pytest.approx(8 / 400)
    assert 0 < gap.low < gap.value < gap.high
    alone = intervals(first)["accuracy"]
    assert gap.high - gap.low < (alone.high - alone.low) / 2


def test_mean_shares_draws_and_allows_missing_rows():
    names, gold, predicted, probabilities = judge(4)
    draws = draw_clusters(names)
    first = score(draws, names, gold, predicted, probabilities, **OPTIONS)
    kept = [row for row, name in enumerate(names) if name not in ("p0", "p1")]
    second = score(draws, [names[row] for row in kept], gold[kept], gold[kept], probabilities[kept], **OPTIONS)
    both = mean([first, second])
    assert both.point["accuracy"] == pytest.approx((first.point["accuracy"] + 1) / 2)
    assert both.drawn["accuracy"] == pytest.approx((first.drawn["accuracy"] + 1) / 2, nan_ok=True)


def test_mean_is_over_the_criteria_that_can_show_a_metric():
    names, gold, predicted, probabilities = judge(5)
    draws = draw_clusters(names)
    ordinal = score(draws, names, gold, predicted, probabilities, **OPTIONS)
    nominal = score(draws, names, gold, predicted, probabilities, **OPTIONS | {"ordinal": False})
    unanimous = score(draws, names, np.zeros_like(gold), predicted, probabilities, **OPTIONS)
    assert mean([ordinal, nominal]).point["spearman"] == ordinal.point["spearman"]
    assert mean([ordinal, unanimous]).point["kappa"] == ordinal.point["kappa"]
    assert mean([ordinal, unanimous]).point["accuracy"] != ordinal.point["accuracy"]
    # A judge that gives one level throughout has no correlation, and does not get rid of the criterion by that.
    constant = score(draws, names, gold, np.zeros_like(gold), probabilities, **OPTIONS)
    assert math.isnan(mean([ordinal, constant]).point["spearman"])
    assert math.isnan(mean([unanimous]).point["spearman"])


def test_one_cluster_has_no_interval():
    _, gold, predicted, probabilities = judge(6, rows=10)
    names = ["only"] * 10
    scores = score(draw_clusters(names), names, gold, predicted, probabilities, **OPTIONS)
    results = intervals(scores) | cluster_bootstrap(lambda rows: {"rows": len(rows)}, names)
    for interval in results.values():
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
    assert results["accuracy"].value == scores.point["accuracy"]
    assert results["rows"].value == 10


def test_what_does_not_belong_together_is_refused():
    names, gold, predicted, probabilities = judge(7)
    draws = draw_clusters(names)
    scores = score(draws, names, gold, predicted, probabilities, **OPTIONS)
    fewer = score(draws, names[1:], gold[1:], predicted[1:], probabilities[1:], **OPTIONS)
    elsewhere = score(draw_clusters(names, seed=1), names, gold, predicted, probabilities, **OPTIONS)
    with pytest.raises(ValueError, match="same rows"):
        difference(scores, fewer)
    with pytest.raises(ValueError, match="different draws"):
        difference(scores, elsewhere)
    with pytest.raises(ValueError, match="no scores"):
        mean([])
