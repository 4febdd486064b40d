import json
import re

import pytest

from tests.sources.test_label_studio import RECORD, REVIEW
from utta.records.rubrics import find_rubric
from utta.sources import argilla, import_records, labelling

RUBRIC = find_rubric("mrbench")
ENTRY = {
    "id": "1",
    "fields": {"teacher_response": "Why?"},
    "metadata": {
        "utta": json.dumps({"record": RECORD, "reviewers": {"u0": "Ann"}, "questions": {"accuracy": "accuracy"}})
    },
    "responses": {
        "accuracy": [{"value": "Good", "user_id": "u0"}, {"value": "Fair", "user_id": "u1", "status": "draft"}]
    },
}


def written(tmp_path, *reviews, rubric="utta"):
    made = argilla.write(tmp_path / "a.json", labelling.tasks(reviews, rubric), find_rubric(rubric), "")
    assert [path.name for path in made] == ["a.json", "a.settings.json", "a.users.json"]
    return [json.loads(path.read_text()) for path in made]


def read(tmp_path, *records):
    (tmp_path / "export.json").write_text(json.dumps(records))
    return import_records("argilla", [tmp_path / "export.json"])


def record(tmp_path, **responses):
    """A record as Argilla's to_json spells it, with these responses to it."""
    [[made], _, _] = written(tmp_path, REVIEW.model_copy(update={"levels": {}, "rationale": None}))
    return {**made, "responses": responses, "_server_id": "1"}


def said(value, user="u1", **more):
    return {"value": value, "user_id": user, **more}


def test_one_review_is_this_record(tmp_path):
    [records, _, users] = written(tmp_path, REVIEW)
    [ann] = [user["id"] for user in users]
    assert users == [{"id": ann, "reviewer": "Ann"}]
    [made] = records
    meta = json.loads(made["metadata"].pop("utta"))
    questions = {criterion.id: criterion.id for criterion in find_rubric("utta").criteria}
    assert meta == {"record": RECORD, "asked": "utta", "reviewers": {ann: "Ann"}, "questions": questions}
    assert made == {
        "id": made["id"],
        "fields": {"conversation": "Student: 5", "teacher_response": "Why?"},
        "metadata": {},
        "suggestions": {},
        "responses": {
            "accuracy": [{"value": "Good", "user_id": ann, "status": "submitted"}],
            "rationale": [{"value": "True.", "user_id": ann, "status": "submitted"}],
        },
        "vectors": {},
    }
    assert re.fullmatch("[0-9a-f]{16}", made["id"])


def test_the_settings_ask_what_the_rubric_asks(tmp_path):
    [_, settings, _] = written(tmp_path, REVIEW)
    first, *rest = settings["questions"]
    criterion = find_rubric("utta").criterion("accuracy")
    assert first == {
        "name": "accuracy",
        "title": criterion.question,
        "description": "; ".join(f"{level.label}: {level.means}" for level in criterion.levels),
        "required": True,
        "settings": {
            "type": "label_selection",
            "options": [{"value": label, "text": label} for label in criterion.labels],
            "visible_options": None,
        },
    }
    assert not any(question["required"] for question in rest)  # the one review has no level for the others
    assert [(question["name"], question["settings"]) for question in rest[-2:]] == [
        (name, {"type": "text", "use_markdown": False}) for name in ("rationale", "improved_response")
    ]
    # No metadata is declared, so that none is shown to annotators.
    assert (settings["metadata"], settings["allow_extra_metadata"]) == ([], True)
    assert [(field["name"], field["required"]) for field in settings["fields"]] == [
        ("grade_level", False), ("subject", False), ("context", False), ("conversation", True),
        ("teacher_response", True),
    ]  # fmt: skip


def test_questions_have_names_that_argilla_takes(tmp_path):
    [_, settings, _] = written(tmp_path, REVIEW.model_copy(update={"levels": {}, "rationale": None}), rubric="mrbench")
    names = [question["name"] for question in settings["questions"]]
    assert names[:2] == ["mistake_identification", "mistake_location"] and len({*names}) == len(RUBRIC.criteria) + 2
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)


def test_each_user_is_a_reviewer(tmp_path):
    answers = [said("Good"), said("Fair", "u2")]
    found = read(tmp_path, record(tmp_path, accuracy=answers, rationale=[said("So.")]))
    assert [(each.reviewer, each.levels, each.rationale) for each in found] == [
        ("u1", {"accuracy": "Good"}, "So."), ("u2", {"accuracy": "Fair"}, None),
    ]  # fmt: skip


def test_drafts_are_put_aside_and_the_response_stays(tmp_path):
    draft = said("Good", status="draft")
    found = read(tmp_path, record(tmp_path, accuracy=[draft]))
    [left], [fault] = found.records, found.faults
    assert (left.levels, left.responder) == ({}, "model-x")
    assert "entry 1: a response: it was not submitted, its status is 'draft'" in str(fault)
    assert json.loads(fault.raw) == {"user_id": "u1", "responses": [["accuracy", draft]]}


@pytest.mark.parametrize(
    ("responses", "wrong"),
    [
        ({"mood": [said("calm")]}, "a response: 'mood' is no question of the settings that utta wrote"),
        ({"accuracy": [said("Good"), said("Fair")]}, "a response: 'accuracy' is answered twice by one user"),
        ({"accuracy": [said(3)]}, "is not text, seen '3'"),
        ({"accuracy": ["Good"]}, "a response is not a JSON object {…}, seen 'Good'"),
    ],
)
def test_an_answer_that_is_none_is_put_aside(responses, wrong, tmp_path):
    good = record(tmp_path, accuracy=[said("Good")])
    found = read(tmp_path, record(tmp_path, **responses), good)
    assert wrong in str(found.faults[0])
    assert "u1" in [each.reviewer for each in found]


def test_a_record_of_another_data_set_is_put_aside(tmp_path):
    good = record(tmp_path, accuracy=[said("Good")])
    found = read(tmp_path, {"id": "1", "fields": {"text": "a"}, "metadata": {}, "responses": {}}, good)
    assert "entry 1: it holds no response that utta exported, seen 'None'" in str(found.faults[0]) and len(found) == 1
