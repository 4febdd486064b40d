"""From labelled reviews to what a model is trained on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tests.evaluate.scripted import RUBRIC, make_review
from utta.core.errors import UttaError
from utta.distill.rows import reviewer_weights, training_items
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator

# Clarity: 6 Good and 2 Poor (a mean of 4 a level), no Fair. Tone: 3 Warm, 1 Cold, 4 without a label.
REVIEWS = [
    make_review(n, f"p{n // 4}", "Poor" if n in (0, 5) else "Good", {0: "Cold", 1: "Warm", 2: "Warm", 3: "Warm"}.get(n))
    for n in range(8)
]


@pytest.fixture(scope="module")
def renderer(tiny):
    return Renderer(AutoTokenizer.from_pretrained(tiny.folder, local_files_only=True), "tiny", 4096)


def items(renderer, balance=0.0, reviews=REVIEWS, cap=1.0):
    return training_items(TeachingEvaluator(RUBRIC), reviews, renderer, balance, cap)


def test_an_item_holds_a_conversation_with_all_its_responses(renderer):
    first, second = items(renderer)
    assert (first.problem, second.problem) == ("p0", "p1")
    assert [len(item.group.rows) for item in (first, second)] == [4, 4]
    assert [len(item.targets) for item in (first, second)] == [8, 8]  # response by response, criterion by criterion
    for item, reviews in ((first, REVIEWS[:4]), (second, REVIEWS[4:])):
        for row, review in zip(item.group.rows, reviews, strict=True):
            assert row.criteria == ("clarity", "tone")
            assert row.labels == (("Poor", "Fair", "Good"), ("Cold", "Warm"))
            prompts = [renderer.tokenizer.decode(prompt) for prompt in row.prompts]
            assert all(review.response in prompt for prompt in prompts)
            assert [prompt.rsplit("\n", 2)[1] for prompt in prompts] == ["clarity:", "tone:"]


@pytest.mark.parametrize(
    ("balance", "good", "poor", "warm", "cold"),
    [
        (0.0, 1, 1, 1, 1),
        (1.0, 4 / 6, 4 / 2, 2 / 3, 2 / 1),
        (0.5, (4 / 6) ** 0.5, 2**0.5, (2 / 3) ** 0.5, 2**0.5),
    ],
)
def test_balance_weighs_rare_levels_up(renderer, balance, good, poor, warm, cold):
    first, second = items(renderer, balance)
    expected = [(poor, 0, 0), (cold, 0), (0, 0, good), (0, warm)]
    assert all(found == pytest.approx(told) for found, told in zip(first.targets, expected, strict=False))
    assert second.targets[0] == pytest.approx((0, 0, good)) and second.targets[2] == pytest.approx((poor, 0, 0))
    assert second.targets[1] is second.targets[3] is None


def test_with_balance_1_every_level_counts_alike_in_sum(renderer):
    targets = [t for item in items(renderer, 1.0) for t in item.targets if t and len(t) == 3]
    assert [sum(column) for column in zip(*targets, strict=True)] == pytest.approx([4, 0, 4])


def test_a_criterion_without_labels_has_no_target(renderer):
    found = items(renderer, 0.5, [make_review(n, "p", tone=None) for n in range(3)])
    assert [target is None for target in found[0].targets] == [False, True] * 3


def test_the_responder_is_not_in_a_prompt(renderer):
    (item,) = items(renderer, reviews=[make_review(1, "p", responder="Sphinx-9", reviewer="Rev-7")])
    text = renderer.tokenizer.decode(item.group.rows[0].prompts[0])
    assert "look again at p" in text and "Sphinx-9" not in text and "Rev-7" not in text


def test_a_programs_model_stays_with_it(renderer):
    program = TeachingEvaluator(RUBRIC)
    program.judge.lm = marker = object()
    training_items(program, REVIEWS, renderer)
    assert program.judge.lm is marker


def test_what_several_reviewers_gave_is_one_row_with_their_shares(renderer):
    given = {"Ann": "Good", "Bo": "Good", "Cy": "Poor"}
    reviews = [make_review(1, "p", label, None, reviewer=name) for name, label in given.items()]
    (item,) = items(renderer, reviews=[*reviews, make_review(2, "p", "Fair", "Warm")])
    assert len(item.group.rows) == 2
    assert item.targets[0] == pytest.approx((1 / 3, 0, 2 / 3)) and item.targets[1] is None
    assert item.targets[2:] == ((0, 1, 0), (0, 1))


def test_a_reviewer_who_judged_most_weighs_no_more_than_the_cap(renderer):
    reviews = [make_review(n, "p", "Good", None, reviewer="Ann") for n in range(8)]
    reviews += [make_review(n, "p", "Poor", None, reviewer="Bo") for n in (8, 9)]
    (item,) = items(renderer, reviews=reviews, cap=0.6)
    by_level = [sum(column) for column in zip(*(t for t in item.targets if t), strict=True)]
    assert by_level == pytest.approx([2, 0, 3])  # 2 of 5 are Bo's: Ann's are three fifths


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 30), st.floats(0.05, 1))
def test_nobody_exceeds_the_cap_and_it_is_asked_for_in_vain_only_with_too_few(sizes, unnamed, cap):
    reviews = [
        make_review(n, "p", "Good", None, reviewer=f"r{who}") for who, size in enumerate(sizes) for n in range(size)
    ]
    reviews += [make_review(n, "p", "Good", None) for n in range(unnamed)]
    try:
        weights = reviewer_weights(reviews, cap)
    except UttaError:
        assert cap * len(sizes) < 1 + 1e-9 and not unnamed
        return
    parts = {name: weights[name] * size for name, size in ((f"r{n}", size) for n, size in enumerate(sizes))}
    total = sum(parts.values()) + unnamed
    assert all(0 < weight <= 1 for weight in weights.values())
    assert max(parts.values()) <= cap * total + 1e-6
