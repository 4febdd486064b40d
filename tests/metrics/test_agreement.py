"""The metrics of one criterion: ranges, known values, what is undefined, and silence about it."""

import doctest
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import metrics.agreement
from metrics.agreement import (
    METRICS,
    ORDINAL_METRICS,
    accuracy,
    agreement,
    calibration_error,
    cohen_kappa,
    confusion,
    lenient_macro_f1,
    macro_f1,
    quadratic_kappa,
    spearman,
    thin_levels,
)

LEVELS = 4
GOOD = [False, False, True, True]
RANGES = dict.fromkeys(("kappa", "quadratic_kappa", "spearman"), (-1, 1))


@st.composite
def judged(draw, least=0, most=40):
    """Gold and predicted levels with probabilities: `(gold [n], predicted [n], probabilities [n, LEVELS])`."""
    n = draw(st.integers(least, most))
    level = st.integers(0, LEVELS - 1)
    gold = draw(arrays.arrays(np.int64, n, elements=level))
    predicted = draw(arrays.arrays(np.int64, n, elements=level))
    weights = draw(arrays.arrays(np.float64, (n, LEVELS), elements=st.floats(0.01, 1)))
    return gold, predicted, weights / weights.sum(1, keepdims=True)


def all_of(gold, predicted, probabilities, **changes):
    options = {"levels": LEVELS, "ordinal": True, "good": GOOD, "skip": ()} | changes
    return agreement(gold, predicted, probabilities, **options)


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == pytest.approx(other[name], abs=1e-9, nan_ok=True), name


@settings(deadline=None)
@given(judged())
def test_values_are_in_range_or_nan_and_never_warn(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = all_of(*data)
    assert list(values) == [*METRICS, *ORDINAL_METRICS]
    for name, value in values.items():
        low, high = RANGES.get(name, (0, 1))
        assert math.isnan(value) or low - 1e-9 <= value <= high + 1e-9, name


@settings(deadline=None)
@given(judged(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(data, random):
    order = list(range(len(data[0])))
    random.shuffle(order)
    same(all_of(*data), all_of(*(part[order] for part in data)))


@settings(deadline=None)
@given(judged(least=1))
def test_a_perfect_judge_has_one_everywhere(data):
    gold, _, _ = data
    values = all_of(gold, gold, np.eye(LEVELS)[gold])
    assert values["accuracy"] == values["macro_f1"] == values["lenient_macro_f1"] == 1
    assert values["calibration_error"] == 0
    for name in ("kappa", "quadratic_kappa", "spearman"):
        assert values[name] == pytest.approx(1) if len(set(gold)) > 1 else math.isnan(values[name])


def test_known_values():
    gold, predicted = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 0]
    assert confusion(gold, predicted, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert macro_f1(gold, predicted, 3) == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)
    assert accuracy(gold, predicted) == pytest.approx(4 / 6)
    assert cohen_kappa(gold, predicted) == pytest.approx((4 / 6 - 1 / 3) / (1 - 1 / 3))
    # Squared distances seen: 1 + 4 = 5; expected by chance from the margins 2, 2, 2 and 2, 3, 1: 54 / 6 = 9.
    expected = sum(g * p * (i - j) ** 2 for i, g in enumerate([2, 2, 2]) for j, p in enumerate([2, 3, 1])) / 6
    assert quadratic_kappa(gold, predicted) == pytest.approx(1 - 5 / expected)
    # Two classes, level 2 good: hits 1, missed 1, none taken wrongly.
    assert lenient_macro_f1(gold, predicted, [False, False, True]) == pytest.approx((2 / 3 + 8 / 9) / 2)
    assert spearman([1.5, 2.5, 9.0], [0.1, 0.3, 0.2]) == pytest.approx(0.5)


def test_quadratic_kappa_counts_the_levels_that_nobody_gave():
    assert quadratic_kappa([0, 3, 0, 3], [0, 3, 3, 3]) == pytest.approx(cohen_kappa([0, 1, 0, 1], [0, 1, 1, 1]))
    assert quadratic_kappa([0, 3, 0, 1], [0, 3, 3, 1]) < quadratic_kappa([0, 3, 0, 1], [0, 3, 1, 1])


def test_skipped_levels_leave_the_mean_but_their_rows_still_count():
    gold, predicted = [0, 0, 1, 1, 2], [0, 0, 1, 1, 1]
    assert macro_f1(gold, predicted, 3, skip=[2]) == pytest.approx((1 + 4 / 5) / 2)
    assert math.isnan(macro_f1(gold, predicted, 3, skip=[0, 1, 2]))


def test_a_level_that_nobody_gave_is_left_out_of_macro_f1():
    assert macro_f1([0, 1], [0, 1], 5) == 1
    assert macro_f1([0, 1], [0, 4], 5) == pytest.approx(1 / 3)


def test_thin_levels_have_fewer_than_ten_gold_labels():
    assert thin_levels([0] * 10 + [1] * 9, 3) == (1, 2)
    assert thin_levels([0] * 10 + [1] * 9, 3, least=9) == (2,)
    assert thin_levels([], 2) == (0, 1)


def test_calibration_error_by_hand():
    # Bin 0.9 to 1: mean 0.95, half right; bin 0.5 to 0.6: 0.5, right.
    assert calibration_error([0.9, 1.0, 0.5], [True, False, True]) == pytest.approx((2 * 0.45 + 0.5) / 3)
    assert calibration_error([0.25, 0.75], [False, True], bins=1) == pytest.approx(0)
    with pytest.raises(ValueError, match="outside"):
        calibration_error([1.2], [True])


def test_undefined_values_are_nan():
    nothing = all_of([], [], np.zeros((0, LEVELS)))
    assert all(math.isnan(value) for value in nothing.values())
    assert math.isnan(cohen_kappa([1, 1], [1, 1]))
    assert cohen_kappa([1, 1], [0, 0]) == 0
    assert math.isnan(spearman([0, 1, 2], [1, 1, 1]))
    assert math.isnan(lenient_macro_f1([0, 1], [0, 1], [True, True]))


def test_nominal_criteria_have_no_metrics_of_order():
    assert list(all_of([0, 1], [0, 1], np.full((2, LEVELS), 0.25), ordinal=False)) == list(METRICS)


def test_faulty_input_is_refused():
    with pytest.raises(ValueError, match="equal length"):
        accuracy([0, 1], [0])
    with pytest.raises(ValueError, match="level 3 is outside 0 to 2"):
        confusion([0, 3], [0, 1], 3)


def test_examples_in_the_docstring():
    assert doctest.testmod(metrics.agreement).failed == 0
    assert set(metrics.__all__) <= set(dir(metrics))
