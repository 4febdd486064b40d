"""The fast metrics of confusion tables equal scikit-learn's and scipy's, table by table."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from metrics import tables


@st.composite
def batches(draw):
    """Up to 5 tables of whole numbers, 2 to 5 levels."""
    levels = draw(st.integers(2, 5))
    return draw(arrays.arrays(np.int64, (draw(st.integers(1, 5)), levels, levels), elements=st.integers(0, 6)))


def rows_of(table):
    """The gold and predicted levels that a table counts."""
    gold, predicted = np.nonzero(table)
    times = table[gold, predicted]
    return np.repeat(gold, times), np.repeat(predicted, times)


def assert_equal_to(oracle, values, counts):
    for value, table in zip(values, counts, strict=True):
        gold, predicted = rows_of(table)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = oracle(gold, predicted) if len(gold) else np.nan
        assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(deadline=None)
@given(batches(), st.sets(st.integers(0, 4), max_size=2))
def test_macro_f1(counts, skip):
    kept = [level for level in range(counts.shape[-1]) if level not in skip]

    def oracle(gold, predicted):
        if not kept:
            return np.nan
        return f1_score(gold, predicted, labels=kept, average="macro", zero_division=np.nan)

    assert_equal_to(oracle, tables.macro_f1(counts.astype(float), tuple(skip)), counts)


@settings(deadline=None)
@given(batches())
def test_accuracy(counts):
    assert_equal_to(accuracy_score, tables.accuracy(counts.astype(float)), counts)


@settings(deadline=None)
@given(batches())
def test_kappa(counts):
    labels = list(range(counts.shape[-1]))
    assert_equal_to(lambda g, p: cohen_kappa_score(g, p, labels=labels), tables.kappa(counts.astype(float)), counts)


@settings(deadline=None)
@given(batches())
def test_quadratic_kappa(counts):
    labels = list(range(counts.shape[-1]))
    assert_equal_to(
        lambda g, p: cohen_kappa_score(g, p, labels=labels, weights="quadratic"),
        tables.quadratic_kappa(counts.astype(float)),
        counts,
    )


@settings(deadline=None)
@given(batches())
def test_spearman(counts):
    def oracle(gold, predicted):
        return spearmanr(gold, predicted).statistic if len(gold) > 1 else np.nan

    assert_equal_to(oracle, tables.spearman(counts.astype(float)), counts)


@settings(deadline=None)
@given(batches(), st.lists(st.booleans(), min_size=5, max_size=5))
def test_lenient_macro_f1(counts, flags):
    good = np.array(flags[: counts.shape[-1]])

    def oracle(gold, predicted):
        if len(set(good)) < 2:
            return np.nan
        return f1_score(good[gold], good[predicted], labels=[False, True], average="macro", zero_division=np.nan)

    assert_equal_to(oracle, tables.lenient_macro_f1(counts.astype(float), good.tolist()), counts)


def test_batches_of_any_shape_and_no_warnings():
    counts = np.zeros((2, 3, 4, 4))
    counts[0, 0] = np.eye(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measures = (tables.macro_f1, tables.accuracy, tables.kappa, tables.quadratic_kappa, tables.spearman)
        for values in (measure(counts) for measure in measures):
            assert values.shape == (2, 3)
            assert values[0, 0] == pytest.approx(1)
            assert np.isnan(values[1, 2])
