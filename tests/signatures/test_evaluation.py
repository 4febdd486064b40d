import pytest
from dspy.experimental import Choice

from signatures.evaluation import JUDGE_INSTRUCTIONS, Coach, judge_signature
from signatures.rubric import INPUT_FIELDS, Rubric
from utta.records.rubrics import find_rubric, rubric_names


@pytest.mark.parametrize("name", rubric_names())
def test_the_judge_decides_each_criterion_of_a_rubric_on_the_same_inputs(name):
    rubric = find_rubric(name)
    signature = judge_signature(rubric)
    assert tuple(signature.input_fields) == INPUT_FIELDS
    assert list(signature.output_fields) == [c.id for c in rubric.criteria]
    assert signature.instructions == JUDGE_INSTRUCTIONS
    for criterion in rubric.criteria:
        field = signature.output_fields[criterion.id]
        assert issubclass(field.annotation, Choice)
        assert field.annotation.criteria() == {level.label: level.means for level in criterion.levels}
        assert field.json_schema_extra["desc"] == criterion.question


def test_every_input_says_what_it_is():
    for signature in (judge_signature(find_rubric("utta")), Coach):
        descriptions = [field.json_schema_extra["desc"] for field in signature.input_fields.values()]
        assert all(descriptions) and not any("${" in text for text in descriptions)


def test_a_judge_of_one_criterion_has_one_output():
    assert list(judge_signature(find_rubric("utta").only(["engagement"])).output_fields) == ["engagement"]


def test_labels_are_kept_letter_by_letter():
    levels = [
        {"label": "Yes (but: the “answer” is wrong)", "means": "x", "value": 0.0, "good": False},
        {"label": "1", "means": "y", "value": 0.5, "good": False},
        {"label": "No", "means": "z", "value": 1.0, "good": True},
    ]
    criterion = {"id": "odd", "question": "Is it?", "scale": "nominal", "levels": levels}
    rubric = Rubric.parse({"id": "odd", "title": "Odd", "criteria": [criterion]})
    options = judge_signature(rubric).output_fields["odd"].annotation.criteria()
    assert list(options) == [level["label"] for level in levels]


def test_the_coach_writes_two_texts_and_decides_nothing():
    assert list(Coach.output_fields) == ["rationale", "improved_response"]
    assert (*INPUT_FIELDS, "judgement") == tuple(Coach.input_fields)
    assert all(field.annotation is str for field in Coach.output_fields.values())
