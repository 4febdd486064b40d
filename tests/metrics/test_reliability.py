"""Krippendorff's alpha, held against the worked example of its author and against its own properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.reliability import krippendorff_alpha

# Krippendorff 2011, example C: four observers, twelve units, with gaps (0 is "no rating").
EXAMPLE = [
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
]
UNITS = [[level - 1 for level in unit if level] for unit in zip(*EXAMPLE, strict=True)]
RATINGS = st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=20)


@pytest.mark.parametrize(("ordinal", "alpha"), [(False, 0.743), (True, 0.815)])
def test_the_worked_example(ordinal, alpha):
    assert krippendorff_alpha(UNITS, 5, ordinal) == pytest.approx(alpha, abs=5e-4)


@given(RATINGS, st.booleans(), st.randoms())
def test_order_of_units_and_reviewers_does_not_matter(ratings, ordinal, random):
    alpha = krippendorff_alpha(ratings, 4, ordinal)
    assert math.isnan(alpha) or alpha <= 1
    mixed = [random.sample(unit, len(unit)) for unit in random.sample(ratings, len(ratings))]
    assert krippendorff_alpha(mixed, 4, ordinal) == pytest.approx(alpha, nan_ok=True)


@given(st.lists(st.integers(0, 3), min_size=2).filter(lambda levels: len(set(levels)) > 1), st.booleans())
def test_perfect_agreement_is_one(levels, ordinal):
    assert krippendorff_alpha([[level] * 3 for level in levels], 4, ordinal) == pytest.approx(1)


def test_chance_is_zero_and_nothing_to_compare_is_not_a_number():
    random = np.random.default_rng(0)
    assert abs(krippendorff_alpha(random.integers(0, 3, (4000, 2)).tolist(), 3, True)) < 0.05
    assert math.isnan(krippendorff_alpha([[1], [2]], 3, False)) and math.isnan(krippendorff_alpha([[1, 1]], 3, False))
