"""Soft targets from a probe of the frozen layers: what it says of a problem never depends on that problem's labels."""

import pytest

from tests.evaluate.scripted import RUBRIC, grid, make_review
from utta.distill.frozen import FrozenLayers
from utta.distill.probe import soften
from utta.distill.rows import training_items
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator

PROBLEMS = [f"p{n}" for n in range(8)]


@pytest.fixture
def softened(learnt_model):
    """Makes the items of some reviews and the same softened; `upper` as in the recipe."""

    def make(reviews, share, upper=0.5):
        model, tokenizer = learnt_model(upper)
        items = training_items(TeachingEvaluator(RUBRIC), reviews, Renderer(tokenizer, "tiny", 4096))
        return items, soften(items, model, FrozenLayers(model), share)

    return make


def judged(n, problem, level):
    """A review of clarity whose words go with its level."""
    words = {"Poor": "zzz zzz zzz zzz", "Good": "aaa aaa aaa aaa"}[level]
    review = make_review(n, problem, level, None)
    return review.model_copy(update={"response": f"{words} {review.response}"})


PLAIN = [
    judged(10 * p + n, problem, ("Poor", "Good")[(p + n) % 2]) for p, problem in enumerate(PROBLEMS) for n in range(4)
]


@pytest.mark.parametrize("upper", [0.5, 1.0])
def test_a_label_keeps_its_weight_and_a_decision_without_one_stays_without(softened, upper):
    for item, soft in zip(*softened(grid(PROBLEMS, 3), 0.5, upper), strict=True):
        assert soft.group == item.group and soft.problem == item.problem
        for before, after in zip(item.targets, soft.targets, strict=True):
            assert (before is None) == (after is None)
            if before:
                assert sum(after) == pytest.approx(sum(before))
                assert max(after) < max(before) and after[before.index(max(before))] >= 0.5 * max(before)


def test_no_share_changes_nothing(softened):
    items, soft = softened(PLAIN, 0.0)
    assert soft == items


def test_the_probe_finds_on_new_problems_what_the_words_go_with(softened):
    items, soft = softened(PLAIN, 1.0)
    pairs = [
        (t, s)
        for item, own in zip(items, soft, strict=True)
        for t, s in zip(item.targets, own.targets, strict=True)
        if t
    ]
    assert len(pairs) == len(PLAIN)
    right = sum(t.index(max(t)) == s.index(max(s)) for t, s in pairs)
    assert right >= 0.9 * len(pairs)


def test_what_it_says_of_a_problem_does_not_depend_on_that_problems_labels(softened):
    turned = [
        r.model_copy(update={"levels": {"clarity": {"Poor": "Good", "Good": "Poor"}[r.levels["clarity"]]}})
        if r.problem == "p3"
        else r
        for r in PLAIN
    ]
    _, before = softened(PLAIN, 1.0)
    _, after = softened(turned, 1.0)
    same = {
        was.problem: all(b == pytest.approx(a) for b, a in zip(was.targets, now.targets, strict=True) if b)
        for was, now in zip(before, after, strict=True)
    }
    assert same["p3"] and not all(same.values())


def test_labels_on_one_problem_stay_as_they_are(softened):
    items, soft = softened(grid(["ants"], 6), 0.5)
    assert soft == items
