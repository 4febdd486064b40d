import json

import pytest

from utta.core.errors import UttaError
from utta.prepare.check import check
from utta.records.read import write_records
from utta.records.review import Review
from utta.records.rubrics import find_rubric


def review(n, **change):
    fields = {
        "source": "test",
        "dialogue_id": f"d{n}",
        "problem": f"p{n}",
        "conversation": [{"speaker": "student", "utterance": f"{n}"}],
        "response": "Look again.",
        "rubric": "utta",
        "levels": {"accuracy": "Good" if n % 2 else "Poor"},
    }
    return Review(**{**fields, **change})


def run(tmp_path, reviews, rubric=None):
    write_records(tmp_path / "r.jsonl", reviews)
    return check(tmp_path / "r.jsonl", rubric)


def test_clean_file_has_no_warnings(tmp_path):
    found = run(tmp_path, [review(n) for n in range(40)])
    assert (found.faults, found.warnings) == ([], [])
    assert (found.kind, found.records, found.labelled, found.dialogues, found.problems) == ("reviews", 40, 40, 40, 40)
    assert found.labels == {"accuracy": {"Good": 20, "Poor": 20}}
    assert json.loads(json.dumps(found.as_json()))["records"] == 40


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ([review(0, reviewer="r2")], "1 response repeats an earlier one in the same conversation"),
        ([review(0, dialogue_id="other")], "1 response repeats"),
        ([review(50, problem=""), review(51, problem="")], "2 responses have no problem"),
        ([review(50, response=" ")], "1 response is empty"),
        ([review(50, conversation=[])], "1 response has no conversation before it"),
        ([review(0, problem="other", response="Why?")], "1 conversation stands under more than one problem"),
        ([review(50, levels={})], "1 response has no label"),
        ([review(50, levels={"engagement": "Good"})], "engagement is labelled on 1 of 41 judged responses only"),
        ([review(50, levels={"accuracy": "Fair"})], "accuracy has levels with fewer than 10 labels: 'Fair' (1)"),
    ],
)
def test_warns(more, warning, tmp_path):
    found = run(tmp_path, [review(n) for n in range(40)] + more)
    assert any(warning in text for text in found.warnings), found.warnings
    assert found.faults == []


def test_same_words_from_two_tutors_are_not_a_repeat(tmp_path):
    found = run(tmp_path, [review(n) for n in range(40)] + [review(0, responder="someone")])
    assert found.warnings == []


def test_rubric_adds_levels_without_labels_and_faults(tmp_path):
    bad = review(50, levels={"accuracy": "Maybe"})
    found = run(tmp_path, [review(n) for n in range(40)] + [bad], find_rubric("utta"))
    assert list(found.labels["accuracy"]) == find_rubric("utta").criterion("accuracy").labels
    assert "'Fair' (0)" in found.warnings[0]
    assert len(found.faults) == 1 and "r.jsonl:41: the label 'Maybe' of accuracy" in found.faults[0]


def test_writes_nothing(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"response": 1}\n')
    assert len(check(tmp_path / "r.jsonl").faults) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


def test_empty_file_is_one_sentence(tmp_path):
    (tmp_path / "r.jsonl").write_text("")
    with pytest.raises(UttaError, match="it is empty"):
        check(tmp_path / "r.jsonl")


def test_real_repeats_are_told(shared_data, tmp_path):
    from utta.sources import import_records

    found = run(tmp_path, import_records("mrbench", [shared_data / "mrbench_v3.json"]).records, find_rubric("mrbench"))
    assert found.faults == [] and found.records == 1497
    assert [warning.split(" (")[0] for warning in found.warnings] == [
        "9 responses repeat an earlier one in the same conversation, word for word",
        "8 responses come after a teacher's turn, not a student's; is a turn of the student missing?",
    ]
