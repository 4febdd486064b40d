"""Gaps between groups: one interval by hand, and how often one is found where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t

from metrics.groups import few, gap


def test_a_gap_and_its_interval_by_hand():
    """Three problems with one row in the group and one outside each: leaving one out, the gap is 1.5, 2 and 2.5."""
    values, inside, problems = [3, 0, 2, 0, 1, 0], [1, 0, 1, 0, 1, 0], ["a", "a", "b", "b", "c", "c"]
    found = gap(values, inside, problems, level=0.95)
    error = np.sqrt(2 / 3 * (0.5**2 + 0 + 0.5**2))
    reach = t.ppf(0.975, 2) * error
    assert found == pytest.approx((2, 2 - reach, 2 + reach))
    wider = gap(values, inside, problems, comparisons=10, level=0.95)
    assert wider.high == pytest.approx(2 + t.ppf(1 - 0.025 / 10, 2) * error)


def test_one_problem_on_a_side_gives_no_interval():
    found = gap([1, 1, 0, 0], [1, 1, 0, 0], ["a", "a", "b", "c"])
    assert found.value == 1 and np.isnan(found.low) and np.isnan(found.high)


@given(arrays(float, 40, elements=st.floats(-1, 1)), st.integers(0, 1000))
def test_the_gap_of_the_others_is_the_negative(values, seed):
    drawn = np.random.default_rng(seed)
    inside, problems = drawn.permutation(40) < 15, [str(n) for n in drawn.integers(0, 9, 40)]
    ours, theirs = gap(values, inside, problems), gap(values, ~inside, problems)
    assert (ours.value, ours.low, ours.high) == pytest.approx((-theirs.value, -theirs.high, -theirs.low))


@pytest.mark.parametrize(("rows", "problems", "expected"), [(19, 19, True), (20, 4, True), (20, 5, False)])
def test_few_rows_or_few_problems(rows, problems, expected):
    assert few([True] * rows + [False] * 9, [str(n % problems) for n in range(rows + 9)]) is expected


def draw_set(drawn, bias):
    """300 replies to 28 problems, a judge that misses by the reply and by the problem, and 12 groups to look at; the first
    gets `bias` more."""
    problems = drawn.integers(0, 28, 300)
    writer, length = drawn.integers(0, 8, 300), drawn.integers(0, 4, 300)
    values = drawn.normal(0, 0.2, 300) + drawn.normal(0, 0.1, 28)[problems] + bias * (writer == 0)
    groups = [writer == n for n in range(8)] + [length == n for n in range(4)]
    return [gap(values, inside, [str(p) for p in problems], comparisons=len(groups)) for inside in groups]


def test_a_planted_null_is_found_in_at_most_5_percent_of_200_sets():
    drawn = np.random.default_rng(0)
    alarms = sum(any(g.low > 0 or g.high < 0 for g in draw_set(drawn, 0.0)) for _ in range(200))
    assert alarms <= 0.05 * 200


def test_a_planted_bias_is_found():
    drawn = np.random.default_rng(1)
    found = sum(draw_set(drawn, 0.3)[0].low > 0 for _ in range(50))
    assert found >= 45
