"""Several reviewers: how far they agree with each other, and the judge with each."""

import pytest

from tests.evaluate.scripted import RUBRIC, make_review
from utta.evaluate.reviewers import reviewers

LEVELS = {"Ann": ["Good", "Good", "Poor", "Fair"], "Bo": ["Good", "Fair", "Poor", "Fair"]}


def panel(names=("Ann", "Bo")):
    return [
        make_review(n, f"p{n}", label, None, reviewer=name) for name in names for n, label in enumerate(LEVELS[name])
    ]


def test_agreement_of_each_reviewer_with_the_judge_and_with_the_others():
    reviews = panel()
    answers = {(r.id, "clarity"): {"label": LEVELS["Bo"][int(r.problem[1])]} for r in reviews}
    found = reviewers(RUBRIC, reviews, answers)
    assert (found["n"], found["responses"], list(found["criteria"])) == (2, 4, ["clarity"])
    clarity = found["criteria"]["clarity"]
    assert clarity["judged_twice"] == 4 and 0.5 < clarity["alpha"] < 1
    ann, bo = clarity["each"]
    assert [(each["reviewer"], each["n"]) for each in (ann, bo)] == [("Ann", 4), ("Bo", 4)]
    assert (ann["judge"]["value"], bo["judge"]["value"]) == (0.75, 1.0)
    assert ann["others"]["value"] == bo["others"]["value"] == 0.75
    assert ann["judge"]["low"] < 0.75 < ann["judge"]["high"]


def test_reviewers_of_different_responses_have_no_others():
    reviews = [make_review(n, f"p{n}", "Good", None, reviewer=name) for n, name in enumerate(("Ann", "Bo"))]
    found = reviewers(RUBRIC, reviews, {})
    assert found["responses"] == 0 and found["criteria"]["clarity"]["alpha"] is None
    assert all(each["others"] is None for each in found["criteria"]["clarity"]["each"])


@pytest.mark.parametrize("names", [(), ("Ann",)])
def test_one_reviewer_is_no_panel(names):
    assert reviewers(RUBRIC, panel(names) if names else [make_review(1, "p")], {}) is None
