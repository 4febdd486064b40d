"""Per-level weights: they mend a planted lean, apply as DSPy applies them, and cross-fitting looks at no own row."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from metrics.agreement import accuracy, lenient_macro_f1, macro_f1, quadratic_kappa
from metrics.levels import CANDIDATES, apply_weights, cross_fitted, expected_levels, fit_weights


def leaning(seed=0, rows=600, lean=(1.0, 8.0, 2.0), sharpness=1.0):
    """Gold levels, probabilities that rank well but lean by the factors `lean`, and problems of 10 rows each."""
    random = np.random.default_rng(seed)
    gold = random.choice(len(lean), rows, p=np.arange(1, len(lean) + 1) / sum(range(1, len(lean) + 1)))
    scores = random.normal(size=(rows, len(lean)))
    scores[np.arange(rows), gold] += sharpness
    biased = np.exp(scores * sharpness) * np.array(lean)
    return gold, biased / biased.sum(1, keepdims=True), (np.arange(rows) // 10).tolist()


@pytest.mark.parametrize("lean", [(1.0, 8.0, 2.0), (60.0, 1.0, 1.0), (1.0, 1.0, 4.0, 1.0, 0.2)])
def test_weights_mend_a_planted_lean(lean):
    gold, probabilities, problems = leaning(lean=lean)
    fresh, unseen, _ = leaning(seed=1, lean=lean)
    weights = fit_weights(probabilities, gold, clusters=problems)
    assert max(weights) == 1
    # The lean is undone up to scale and to what the search cannot tell apart.
    undone = np.log(np.array(weights) * lean)
    assert np.abs(undone - undone.mean()).max() < np.log(2.5)
    before = macro_f1(fresh, unseen.argmax(1), len(lean))
    assert macro_f1(fresh, apply_weights(unseen, weights), len(lean)) > before + 0.03


@pytest.mark.parametrize(
    ("metric", "measure"),
    [
        ("accuracy", accuracy),
        ("quadratic_kappa", quadratic_kappa),
        ("lenient_macro_f1", lambda gold, levels: lenient_macro_f1(gold, levels, [False, True, True])),
    ],
)
def test_the_metric_that_is_asked_for_gets_better(metric, measure):
    gold, probabilities, problems = leaning()
    weights = fit_weights(probabilities, gold, clusters=problems, metric=metric, good=[False, True, True])
    assert measure(gold, apply_weights(probabilities, weights)) > measure(gold, probabilities.argmax(1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 60))
@example(seed=373, levels=2, rows=29)  # a row so close that four digits of a weight are too few
def test_on_its_own_rows_a_search_is_no_worse_than_the_start_or_any_first_step(seed, levels, rows):
    random = np.random.default_rng(seed)
    probabilities, gold = random.dirichlet(np.ones(levels), rows), random.integers(0, levels, rows)
    # One cluster and one resample: the search sees exactly these rows.
    weights = fit_weights(probabilities, gold, clusters=["all"] * rows, resamples=1)
    reached = macro_f1(gold, apply_weights(probabilities, weights), levels)
    for candidate in CANDIDATES:
        step = apply_weights(probabilities, [candidate] + [1] * (levels - 1))
        assert reached >= macro_f1(gold, step, levels) - 1e-9


def test_labels_and_certain_chances_are_the_same_gold():
    gold, probabilities, problems = leaning(rows=100)
    assert fit_weights(probabilities, gold, clusters=problems) == fit_weights(
        probabilities, np.eye(3)[gold], clusters=problems
    )


def test_expected_levels_undo_a_lean_and_keep_the_shares_of_the_labels():
    gold, probabilities, _ = leaning(lean=(1.0, 30.0, 2.0))
    expected = expected_levels(probabilities, gold)
    assert expected.sum(1) == pytest.approx(1)
    assert expected.mean(0) == pytest.approx(np.bincount(gold) / len(gold), abs=1e-3)
    right = np.arange(len(gold)), gold
    assert np.log(expected[right]).mean() > np.log(probabilities[right]).mean() + 0.1
    # A level that nobody chose gets no chance, and one level alone gets them all.
    assert expected_levels(probabilities[gold < 2], gold[gold < 2])[:, 2].max() == 0
    assert expected_levels([[0.2, 0.8]] * 3, [0, 0, 0]).tolist() == [[1.0, 0.0]] * 3
    assert expected_levels(np.zeros((0, 4)), []).shape == (0, 4)


def test_on_few_labels_the_expected_figure_gives_better_weights_than_the_labels():
    fresh, unseen, _ = leaning(seed=99, rows=4000)
    gains = []
    for seed in range(12):
        gold, probabilities, problems = leaning(seed=seed, rows=60)
        reached = [
            macro_f1(fresh, apply_weights(unseen, fit_weights(probabilities, truth, clusters=problems)), 3)
            for truth in (expected_levels(probabilities, gold), gold)
        ]
        gains.append(reached[0] - reached[1])
    assert np.mean(gains) > 0


def test_nothing_to_gain_leaves_the_weights_alone():
    gold = np.array([0, 1, 2] * 10)
    assert fit_weights(np.eye(3)[gold] * 0.7 + 0.1, gold) == [1.0, 1.0, 1.0]
    assert fit_weights(np.zeros((0, 4)), []) == [1.0, 1.0, 1.0, 1.0]


def test_the_same_seed_gives_the_same_weights_in_any_order_of_rows():
    gold, probabilities, problems = leaning(rows=200)
    weights = fit_weights(probabilities, gold, clusters=problems, seed=5)
    order = np.random.default_rng(0).permutation(200)
    assert weights == fit_weights(probabilities[order], gold[order], clusters=[problems[i] for i in order], seed=5)


def chance_rows(levels):
    # Few round values, so that ties are common.
    return arrays.arrays(np.float64, (6, levels), elements=st.sampled_from([0.1, 0.2, 0.25, 0.4, 0.5, 0.8]))


@settings(deadline=None)
@given(chance_rows(3), st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=3, max_size=3))
def test_weights_apply_as_dspy_applies_them(probabilities, weights):
    expected = []
    for row in probabilities.tolist():
        raw = max(range(3), key=row.__getitem__)
        expected.append(max(range(3), key=lambda level: (row[level] * weights[level], level == raw)))
    assert apply_weights(probabilities, weights).tolist() == expected
    assert apply_weights(probabilities, [1, 1, 1]).tolist() == probabilities.argmax(1).tolist()


@settings(max_examples=30, deadline=None)
@given(chance_rows(3), arrays.arrays(np.int64, 6, elements=st.integers(0, 2)))
def test_fitted_weights_are_positive_and_finite(probabilities, gold):
    for metric in ("macro_f1", "kappa"):
        weights = fit_weights(probabilities, gold, metric=metric, resamples=3)
        assert max(weights) == 1
        assert all(0 < weight <= 1 for weight in weights)


def test_cross_fitting_gains_on_a_lean_and_nothing_on_noise():
    gold, probabilities, problems = leaning()
    levels = cross_fitted(probabilities, gold, problems)
    assert macro_f1(gold, levels, 3) > macro_f1(gold, probabilities.argmax(1), 3) + 0.03
    # Without any signal the fit looks good on its own rows; cross-fitting is not taken in.
    random = np.random.default_rng(0)
    noise, labels = random.dirichlet(np.ones(3), 120), random.integers(0, 3, 120)
    fitted = apply_weights(noise, fit_weights(noise, labels, resamples=1))
    held_out = cross_fitted(noise, labels, list(range(120)))
    assert macro_f1(labels, fitted, 3) > macro_f1(labels, held_out, 3)
    assert macro_f1(labels, held_out, 3) < 0.42


def test_cross_fitting_decides_a_cluster_without_its_own_labels():
    gold, probabilities, problems = leaning(rows=100)
    levels = cross_fitted(probabilities, gold, problems)
    changed = gold.copy()
    own = np.array(problems) == 3
    changed[own] = (changed[own] + 1) % 3
    assert (cross_fitted(probabilities, changed, problems)[own] == levels[own]).all()


def test_faulty_input_is_refused():
    with pytest.raises(ValueError, match="unknown metric 'f2'"):
        fit_weights([[0.5, 0.5]], [0], metric="f2")
    with pytest.raises(ValueError, match="needs good"):
        fit_weights([[0.5, 0.5]], [0], metric="lenient_macro_f1")
    with pytest.raises(ValueError, match="equally many"):
        fit_weights([[0.5, 0.5]], [0, 1])
    with pytest.raises(ValueError, match="rows by levels"):
        apply_weights([0.5, 0.5], [1, 1])
    with pytest.raises(ValueError, match="two clusters"):
        cross_fitted([[0.5, 0.5]] * 3, [0, 1, 0], ["a"] * 3)
