import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.fidelity import (
    answer,
    auc,
    discriminator,
    distinct,
    helps,
    length_distance,
    numbers,
    rouge_l,
    same,
    states,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5475/5 = $1,095 per month.\n 1095", [1095.0, 1095.0, 1095.0]),
        ("3/4 of 8 is 6.", [0.75, 8.0, 6.0]),
        ("It is .5, or 50%.", [0.5, 50.0]),
        ("x2 and H2O and v1.2", []),
        ("no idea", []),
        ("7/0", [7.0]),
        ("98.", [98.0]),
    ],
)
def test_numbers_are_read_as_they_are_written(text, found):
    assert numbers(text) == found
    assert answer(text) == (found[-1] if found else None)


@given(st.text())
def test_any_text_is_read(text):
    assert all(np.isfinite(numbers(text))) or any(character.isdigit() for character in text)


def test_the_same_answer_in_another_spelling_is_the_same():
    assert same(answer("$1,095.00"), answer("1095")) and same(answer("1/3"), 1 / 3)
    assert not same(None, None) and not same(7.0, 7.1)
    assert states("12, so 120", 12.0) and not states("120", 12.0)


TEXTS = st.lists(st.sampled_from("a b c d".split()), max_size=7).map(" ".join)


def slow_rouge(candidate, reference):
    """The longest common subsequence by its definition."""
    said, real = candidate.split(), reference.split()
    table = [[0] * (len(real) + 1) for _ in range(len(said) + 1)]
    for i, one in enumerate(said):
        for j, other in enumerate(real):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(said) + len(real)) if said and real else 0.0


@given(TEXTS, TEXTS)
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(candidate, reference):
    assert rouge_l(candidate, reference) == pytest.approx(slow_rouge(candidate, reference))
    assert rouge_l(candidate, candidate) == (1.0 if candidate else 0.0)


def test_distinct_counts_different_grams():
    assert distinct(["a b a b"], 1) == 0.5 and distinct(["a b", "a c"], 2) == 1.0
    assert np.isnan(distinct(["a"], 2))


def test_lengths_are_as_far_apart_as_they_have_to_move():
    assert length_distance([1, 2, 3], [3, 2, 1]) == 0.0 and length_distance([1, 1], [3, 5]) == 3.0
    assert np.isnan(length_distance([], [1]))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_auc_is_the_share_of_pairs_in_the_right_order(real, simulated):
    pairs = [(s > r) + (s == r) / 2 for s in simulated for r in real]
    assert auc(real, simulated) == pytest.approx(np.mean(pairs))


def test_what_is_told_apart_by_a_word_is_told_apart_on_other_problems():
    groups = [f"problem {i // 4}" for i in range(40)]
    real = [f"i think it is {i}" for i in range(40)]
    loud = [f"As an AI it is {i}" for i in range(40)]
    assert auc(*discriminator(real, loud, groups)) > 0.99
    assert auc(*discriminator(real, real, groups)) == pytest.approx(0.5)
    assert np.isnan(auc(*discriminator(real, loud, ["one"] * 40)))


@pytest.mark.parametrize(
    ("said", "is_a_helper"),
    [
        ("I'm ready to help. What's on your mind?", True),
        ("You’re welcome! Feel free to ask.", True),
        ("Excellent work, Seth!", True),
        ("You helped me, thanks!", False),
        ("Can you help me with step 2?", False),
        ("I think I did a good job.", False),
    ],
)
def test_a_helper_is_no_student(said, is_a_helper):
    assert helps(said) is is_a_helper
