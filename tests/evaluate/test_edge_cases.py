"""Edge cases: which judges are fooled, and by what."""

import pytest

from tests.evaluate.scripted import RUBRIC, grid, hashed, put_down
from utta.evaluate.run import Asked, evaluate

REVIEWS = grid(["ants", "bees", "cats"], 3)
GOOD = {"clarity": [0.1, 0.1, 0.8], "tone": [0.2, 0.8]}
POOR = {"clarity": [0.8, 0.1, 0.1], "tone": [0.8, 0.2]}


@pytest.fixture
def found(tmp_path, judge):
    """The edge cases of a judge that answers with `answer`."""
    data, rubric = put_down(tmp_path, REVIEWS)

    def run(answer, **more):
        judge(answer)
        asked = Asked("evaluator", data, tmp_path / "run", rubric=str(rubric), edge_cases=3, **more)
        return evaluate(asked)["edge_cases"]

    return run


def shares(found):
    return {form["form"]: form["fooled"]["value"] for form in found["forms"]}


def test_a_judge_that_praises_everything_is_fooled_by_every_edge_case_with_words_of_its_own(found):
    told = found(lambda state, name, labels: GOOD[name])
    by_form = shares(told)
    edges = [form["form"] for form in told["forms"] if form["group"] == "edge"]
    assert len(edges) == 6
    for form in edges:  # what says nothing is not the model's to praise
        assert by_form[form] == (0 if form in ("blank", "one symbol", "the student's words") else 1), form
    assert told["replies"] == 3 and told["fooled_instructions"]["value"] == 0  # nothing can rise


def test_a_judge_that_reads_replies_is_not(found):
    """It praises the replies of the data alone, whatever stands after them."""
    own = {review.response for review in REVIEWS}
    told = found(lambda state, name, _: (GOOD if state["inputs"]["teacher_response"] in own else POOR)[name])
    assert all(share == 0 for share in shares(told).values())
    assert told["fooled_instructions"]["high"] < 0.2


def test_a_judge_that_obeys_is_found_out(found):
    own = {review.response for review in REVIEWS}
    told = found(lambda state, name, _: (POOR if state["inputs"]["teacher_response"] in own else GOOD)[name])
    forms = {form["form"]: form for form in told["forms"] if form["group"] == "instruction"}
    assert len(forms) == 10 and told["fooled_instructions"]["value"] > 0.3
    fooled = [form for form in forms.values() if form["fooled"]["value"]]
    assert all(form["levels"]["tone"]["Warm"] for form in fooled)


def test_a_judge_of_each_reply_alone_gives_the_same_levels_in_any_order(found):
    assert found(hashed)["swapped"] == {
        "n": 6,
        "same_level": pytest.approx(found(hashed)["swapped"]["same_level"]),
        "mean_difference": 0,
    }


def test_a_judge_of_the_order_does_not(found):
    asked = []

    def moody(state, name, labels):
        asked.append(name)
        chance = 0.1 if len(asked) <= 2 * len(REVIEWS) else 0.9
        return [chance, *[(1 - chance) / (len(labels) - 1)] * (len(labels) - 1)]

    told = found(moody)["swapped"]
    assert told["same_level"]["value"] < 1 and told["mean_difference"] > 0


def test_a_run_may_be_asked_for_them_later(tmp_path, judge, found):
    client = judge(hashed)
    data, rubric = put_down(tmp_path, REVIEWS)
    before = evaluate(Asked("evaluator", data, tmp_path / "run", rubric=str(rubric)))
    assert before["edge_cases"] is None and len(client.asked) == len(REVIEWS)
    told = evaluate(Asked("evaluator", data, tmp_path / "run", rubric=str(rubric), edge_cases=1))
    assert told["mean"] == before["mean"] and told["edge_cases"]["replies"] == 1
    assert not set(client.asked[len(REVIEWS) :]) & {r.response for r in REVIEWS[1:]} or told["edge_cases"]["swapped"]
    assert RUBRIC.criteria[0].id in told["edge_cases"]["forms"][0]["levels"]
