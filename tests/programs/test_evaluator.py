import dspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.programs.evaluator import TeachingEvaluator, effectiveness

RUBRIC = Rubric.parse(
    {
        "id": "test",
        "title": "Test",
        "criteria": [
            {
                "id": "hint",
                "question": "Is there a hint?",
                "scale": "ordinal",
                "weight": 3,
                "levels": [
                    {"label": "No", "means": "none", "value": 0.0, "good": False},
                    {"label": "Some", "means": "a vague one", "value": 0.5, "good": True},
                    {"label": "Yes", "means": "a clear one", "value": 1.0, "good": True},
                ],
            },
            {
                "id": "tone",
                "question": "How does it sound?",
                "scale": "nominal",
                "levels": [
                    {"label": "Warm", "means": "kind", "value": 1.0, "good": True},
                    {"label": "Cold", "means": "curt", "value": 0.2, "good": False},
                ],
            },
        ],
    }
)
INPUTS = {
    "grade_level": "4",
    "subject": "mathematics",
    "context": "",
    "conversation": "Student: 3 × 4 is 7",
    "teacher_response": "What does × ask you to do?",
}
LABELS = {c.id: c.labels for c in RUBRIC.criteria}


def even(state, questions):
    return [[1 / len(q["criteria"])] * len(q["criteria"]) for q in questions.values()]


def test_one_call_gives_a_level_its_probabilities_and_the_effectiveness(scripted):
    asked = []

    def script(state, questions):
        asked.append((state, questions))
        return [[0.2, 0.7, 0.1], [0.4, 0.6]]

    judged = TeachingEvaluator(RUBRIC).use(scripted(script))(**INPUTS)
    assert (judged["hint"].value, judged["tone"].value) == ("Some", "Cold")
    assert judged["hint"].probabilities == {"No": 0.2, "Some": 0.7, "Yes": 0.1}
    assert (judged["hint"].confidence, judged["tone"].confidence) == (0.7, 0.6)
    assert judged.effectiveness == pytest.approx((3 * (0.7 * 0.5 + 0.1) + 1 * (0.4 + 0.6 * 0.2)) / 4)
    ((state, questions),) = asked
    assert state["inputs"] == INPUTS, "one call asks everything"
    assert {name: list(q["criteria"]) for name, q in questions.items()} == LABELS


def test_a_batch_is_judged_in_the_order_given(scripted):
    def script(state, questions):
        p = len(state["inputs"]["teacher_response"]) / 100
        return [[p, 0.0, 1 - p], [p, 1 - p]]

    program = TeachingEvaluator(RUBRIC).use(scripted(script))
    inputs = [{**INPUTS, "teacher_response": "x" * n} for n in (31, 4, 77, 1, 50, 23, 99, 12)]
    judged = program.batch_judge(inputs, threads=4)
    assert [j["tone"].probabilities["Warm"] for j in judged] == [len(i["teacher_response"]) / 100 for i in inputs]
    assert program.batch_judge([]) == []


def test_a_failure_within_a_batch_is_raised_as_it_is(scripted):
    def script(state, questions):
        if state["inputs"]["teacher_response"] == "too long":
            raise UttaError("A prompt has 9999 tokens: shorten it.")
        return even(state, questions)

    program = TeachingEvaluator(RUBRIC).use(scripted(script))
    with pytest.raises(UttaError, match=r"^A prompt has 9999 tokens: shorten it\.$"):
        program.batch_judge([INPUTS, {**INPUTS, "teacher_response": "too long"}, INPUTS])


def test_a_batch_runs_in_its_caller_s_dspy_context(scripted):
    seen = []

    def script(state, questions):
        seen.append(dspy.settings.provide_traceback)
        return even(state, questions)

    program = TeachingEvaluator(RUBRIC).use(scripted(script))
    with dspy.context(provide_traceback="as here"):
        program.batch_judge([INPUTS] * 3)
    assert seen == ["as here"] * 3


def test_weights_choose_another_level_and_leave_the_probabilities(scripted):
    program = TeachingEvaluator(RUBRIC).use(scripted(lambda *_: [[0.5, 0.3, 0.2], [0.6, 0.4]]))
    before = program(**INPUTS)
    program.judge.fields["hint"] = {"weights": {"No": 0.5, "Yes": 2.0}}
    after = program(**INPUTS)
    assert (before["hint"].value, after["hint"].value) == ("No", "Yes")
    assert before["hint"].probabilities == after["hint"].probabilities
    assert before["tone"].value == after["tone"].value == "Warm"
    assert before.effectiveness == after.effectiveness


share = st.floats(0, 1, allow_subnormal=False)
probabilities = st.fixed_dictionaries(
    {c: st.fixed_dictionaries(dict.fromkeys(labels, share)) for c, labels in LABELS.items()}
)
weight = st.floats(0, 1e6, allow_subnormal=False)


def weighted(weights: list[float]) -> Rubric:
    criteria = [c.model_copy(update={"weight": w}) for c, w in zip(RUBRIC.criteria, weights, strict=True)]
    return RUBRIC.model_copy(update={"criteria": tuple(criteria)})


@given(probabilities, st.lists(weight, min_size=2, max_size=2))
@settings(max_examples=200)
def test_effectiveness_lies_between_none_and_all(p, weights):
    assert 0.0 <= effectiveness(weighted(weights), p) <= 1.0


@given(probabilities, st.floats(0.01, 10))
def test_effectiveness_does_not_depend_on_the_scale_of_probabilities(p, factor):
    scaled = {c: {label: x * factor for label, x in d.items()} for c, d in p.items()}
    assert effectiveness(RUBRIC, scaled) == pytest.approx(effectiveness(RUBRIC, p), abs=1e-6)


@given(probabilities, st.sampled_from(["No", "Some"]), share)
def test_effectiveness_does_not_fall_when_a_level_gives_way_to_a_better_one(p, worse, moved):
    moved *= p["hint"][worse]
    hint = {**p["hint"], worse: p["hint"][worse] - moved, "Yes": p["hint"]["Yes"] + moved}
    assert effectiveness(RUBRIC, {**p, "hint": hint}) >= effectiveness(RUBRIC, p) - 1e-9


@pytest.mark.parametrize(
    ("hint", "tone", "expected"),
    [
        ({"No": 0, "Some": 0, "Yes": 1}, {"Warm": 1, "Cold": 0}, 1.0),
        ({"No": 1, "Some": 0, "Yes": 0}, {"Warm": 0, "Cold": 1}, 0.25 * 0.2),
        ({"No": 0, "Some": 1, "Yes": 0}, {"Warm": 1, "Cold": 0}, 0.75 * 0.5 + 0.25),
        ({"No": 0, "Some": 1, "Yes": 0}, {}, 0.5),
        ({}, {}, 0.0),
    ],
    ids=["best", "worst", "between", "one criterion not judged", "none judged"],
)
def test_effectiveness_of_certain_levels(hint, tone, expected):
    assert effectiveness(RUBRIC, {"hint": hint, "tone": tone}) == pytest.approx(expected)


def test_a_criterion_without_weight_does_not_count():
    p = {"hint": {"No": 1.0, "Some": 0.0, "Yes": 0.0}, "tone": {"Warm": 1.0, "Cold": 0.0}}
    assert effectiveness(weighted([0, 2]), p) == 1.0
    assert effectiveness(weighted([0, 0]), p) == 0.0


SAID = "Teacher: What is 3 × 4?\nStudent: I added them,\n so 3 × 4 is 7\nTeacher: Hm."


@pytest.mark.parametrize(
    ("response", "nothing"),
    [
        ("", True),
        ("?", True),
        ("… !!", True),
        ("👍", True),
        ("I added them, so 3 × 4 is 7", True),
        ("i added them,  SO 3 × 4 is 7\n", True),
        ("So 3 × 4 is 7", False),  # a part of the turn
        ("I added them, so 3 × 4 is 7?", False),
        ("What is 3 × 4?", False),  # the teacher's own question once more
        ("7", False),
        ("Hm.", False),
    ],
)
def test_a_response_that_says_nothing_has_the_lowest_ordinal_levels(scripted, response, nothing):
    lm = scripted(lambda state, questions: [[0.1, 0.2, 0.7], [0.9, 0.1]])
    judged = TeachingEvaluator(RUBRIC).use(lm)(**INPUTS | {"conversation": SAID, "teacher_response": response})
    assert (judged["hint"].value == "No") == nothing
    hint = (1.0, 0.0, 0.0) if nothing else (0.1, 0.2, 0.7)
    assert tuple(judged["hint"].probabilities.values()) == hint
    assert judged["tone"].value == "Warm"  # a nominal criterion has no lowest level
    assert judged.effectiveness == pytest.approx((3 * (hint[1] * 0.5 + hint[2]) + (0.9 + 0.1 * 0.2)) / 4)
