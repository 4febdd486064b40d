import json

import pytest

from utta.records.review import Review
from utta.records.rubrics import find_rubric
from utta.sources import import_records, label_studio, labelling

REVIEW = Review(
    source="s", dialogue_id="d", problem="p", conversation=[{"speaker": "student", "utterance": "5"}], response="Why?",
    responder="model-x", reviewer="Ann", rubric="utta", levels={"accuracy": "Good"}, rationale="True.",
)  # fmt: skip
RECORD = {
    "source": "s", "licence": None, "student": None, "keep_until": None, "dialogue_id": "d", "problem": "p", "grade_level": None, "subject": None,
    "context": None, "conversation": [{"speaker": "student", "utterance": "5"}], "response": "Why?",
    "responder": "model-x", "rubric": "utta", "consent": None, "metadata": {},
}  # fmt: skip
TASK = {
    "data": {
        "grade_level": "", "subject": "", "context": "", "conversation": RECORD["conversation"],
        "teacher_response": "Why?",
    },
    "meta": {"utta": {"record": RECORD, "asked": "utta", "reviewers": {REVIEW.id: "Ann"}}},
    "annotations": [
        {
            "result": [
                {"id": f"{REVIEW.id}-0", "from_name": "accuracy", "to_name": "teacher_response", "type": "choices",
                 "value": {"choices": ["Good"]}},
                {"id": f"{REVIEW.id}-1", "from_name": "rationale", "to_name": "teacher_response", "type": "textarea",
                 "value": {"text": ["True."]}},
            ],
            "was_cancelled": False,
            "ground_truth": False,
        }
    ],
}  # fmt: skip


def written(tmp_path, *reviews, rubric="utta"):
    made = label_studio.write(tmp_path / "tasks.json", labelling.tasks(reviews, rubric), find_rubric(rubric), "")
    assert made == [tmp_path / "tasks.json", tmp_path / "tasks.config.xml"]
    return json.loads(made[0].read_text()), made[1].read_text()


def read(tmp_path, *tasks):
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    return import_records("label-studio", [tmp_path / "export.json"])


def annotation(*results, **more):
    """What Label Studio exports of an annotator's work."""
    made = [{"id": f"x{n}", "to_name": "teacher_response", **result} for n, result in enumerate(results)]
    return {"id": 7, "result": made, "was_cancelled": False, "lead_time": 4.2, "completed_by": 3, **more}


def chosen(label, criterion="accuracy"):
    return {"from_name": criterion, "type": "choices", "value": {"choices": [label]}}


def test_one_review_is_this_task(tmp_path):
    tasks, _ = written(tmp_path, REVIEW)
    assert tasks == [TASK]


def test_the_page_asks_what_the_rubric_asks(tmp_path):
    from xml.etree import ElementTree

    _, config = written(tmp_path, REVIEW)
    page = ElementTree.fromstring(config)
    rubric = find_rubric("utta")
    asked = {each.get("name"): each for each in page.iter("Choices")}
    assert list(asked) == [criterion.id for criterion in rubric.criteria]
    assert [level.get("value") for level in asked["accuracy"]] == rubric.criterion("accuracy").labels
    assert {name: each.get("required") for name, each in asked.items()}["accuracy"] == "true"
    assert asked["engagement"].get("required") == "false"  # the one review has no level for it
    shown = {each.get("value") for each in page.iter() if each.tag in ("Text", "Paragraphs")}
    assert shown == {f"${name}" for name in TASK["data"]}
    assert [each.get("name") for each in page.iter("TextArea")] == ["rationale", "improved_response"]


def test_each_annotator_is_a_reviewer(tmp_path):
    more = [annotation(chosen("Fair"), completed_by={"id": 4, "email": "bo@school.org"}), annotation(chosen("Poor"))]
    found = read(tmp_path, {"id": 1, **TASK, "annotations": [*TASK["annotations"], *more]})
    assert {each.reviewer: each.levels["accuracy"] for each in found} == {
        "Ann": "Good", "bo@school.org": "Fair", "3": "Poor",
    }  # fmt: skip
    assert found.records[0] == REVIEW and found.faults == []


def test_skipped_annotations_and_drafts_are_put_aside_and_the_response_stays(tmp_path):
    skipped, draft = annotation(was_cancelled=True), annotation(chosen("Poor"))
    found = read(tmp_path, {**TASK, "annotations": [skipped], "drafts": [draft]})
    [left] = found.records
    assert left == REVIEW.model_copy(update={"id": left.id, "reviewer": None, "levels": {}, "rationale": None})
    assert [fault.fault for fault in found.faults] == [
        "an annotation: it was skipped", "an annotation that was not submitted (a draft)",
    ]  # fmt: skip
    assert json.loads(found.faults[1].raw) == draft


@pytest.mark.parametrize(
    ("result", "wrong"),
    [
        ({"from_name": "box", "type": "rectanglelabels", "value": {"x": 1}}, "'box' (rectanglelabels) is no control"),
        (
            {"from_name": "accuracy", "type": "choices", "value": {"choices": ["a", "b"]}},
            "'accuracy' has 2 levels, not one",
        ),
        ({"from_name": "accuracy", "type": "choices", "value": {}}, "choices is missing or not a list, seen 'None'"),
        ({"from_name": "accuracy", "type": "choices", "value": {"choices": [3]}}, "is not text, seen '3'"),
    ],
)
def test_an_answer_that_is_none_is_put_aside(result, wrong, tmp_path):
    found = read(tmp_path, {**TASK, "annotations": [annotation(result)]}, TASK)
    [fault] = found.faults
    assert wrong in str(fault) and str(fault).startswith(f"{tmp_path / 'export.json'}: entry 1: an annotation: ")
    assert json.loads(fault.raw)["result"][0]["from_name"] == result["from_name"] and REVIEW in found.records


def test_a_task_of_another_project_is_put_aside(tmp_path):
    found = read(tmp_path, {"data": {"text": "a"}, "meta": {}, "annotations": []}, TASK)
    assert "entry 1: it holds no response that utta exported, seen 'None'" in str(found.faults[0])
    assert found.records == [REVIEW]


def test_a_new_answer_is_on_the_rubric_that_was_asked(tmp_path):
    open_ = REVIEW.model_copy(update={"levels": {}, "rationale": None})
    [task], _ = written(tmp_path, open_, rubric="mrbench")
    found = read(tmp_path, {**task, "annotations": [annotation(chosen("No", "Coherence"))]})
    assert [(each.rubric, each.levels) for each in found] == [("mrbench", {"Coherence": "No"})]
    assert read(tmp_path, task).records == [open_]
