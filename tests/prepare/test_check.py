import json

import pytest

from utta.core.errors import UttaError
from utta.prepare.check import check
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
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
        (
            [review(50, conversation=[{"speaker": "teacher", "utterance": "So?"}])],
            "1 response comes after a teacher's turn",
        ),
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


def dialogue(n, *speakers, **change):
    turns = [{"speaker": speaker, "utterance": f"{n} {i}"} for i, speaker in enumerate(speakers or ("student", "aita"))]
    return Dialogue(source="test", dialogue_id=f"d{n}", dialogue_turns=turns, **{"problem": f"p{n}", **change})


def example(n, question="How?", **change):
    asked, answer = {"student_question": f"{question}", "grade_level": "4"}, {"teacher_response": f"Look at {n}."}
    return TeachingExample(input=asked, output=answer, **{"source": "test", "problem": f"p{n}", **change})


@pytest.mark.parametrize(
    ("record", "warning"),
    [
        (dialogue(50, "student"), "1 dialogue has turns of one speaker only (the first: 'student')"),
        (dialogue(50, "student", "Ms Lee"), "neither student, teacher nor aita (the first: 'Ms Lee')"),
        (Dialogue(source="test", dialogue_id="x", problem="x", dialogue_turns=[]), "1 dialogue has no turns"),
        (dialogue(50, problem=""), "1 dialogue has no problem"),
        (dialogue(50, problem="N/A"), "1 dialogue has a problem that names none (the first: 'N/A')"),
        (dialogue(50, grade_level="2019"), "1 dialogue has a grade level that names none (the first: '2019')"),
        (dialogue(50, subject="-"), "1 dialogue has a subject that names none"),
        (dialogue(50, grade_level="Grade 4"), "The grade '4' is spelled in 2 ways ('4', 'Grade 4')"),
        (
            dialogue(1).model_copy(update={"dialogue_id": "x", "id": ""}),
            "1 dialogue repeats an earlier one, word for word",
        ),
    ],
)
def test_warns_of_a_dialogue(record, warning, tmp_path):
    found = run(tmp_path, [dialogue(n, grade_level="4") for n in range(3)] + [record])
    assert (found.kind, found.faults, found.records) == ("dialogues", [], 4)
    assert any(warning in text for text in found.warnings), found.warnings


@pytest.mark.parametrize(
    ("record", "warning"),
    [
        (example(50, " "), "1 example is empty"),
        (example(1, source="elsewhere"), "1 example repeats"),
        (example(2, problem="other", source="elsewhere"), "1 conversation stands under more than one problem"),
    ],
)
def test_warns_of_an_example(record, warning, tmp_path):
    found = run(tmp_path, [example(n, f"How {n}?") for n in range(3)] + [example(1), example(2), record])
    assert found.kind == "examples" and any(warning in text for text in found.warnings), found.warnings


def test_a_good_file_of_dialogues_or_examples_has_no_warnings(tmp_path):
    for make in (dialogue, example):
        found = run(
            tmp_path, [make(n, problem=f"p{n}") if make is dialogue else make(n, f"How {n}?") for n in range(3)]
        )
        assert (found.warnings, found.labelled, found.labels) == ([], 0, {})


def test_what_is_filled_is_counted_in_parts_and_turns_too(tmp_path):
    noted = dialogue(1, grade_level="4", aita_profile={"id": "a"}).model_dump(mode="json")
    noted["dialogue_turns"][1]["pedagogical_notes"] = "asks back"
    found = run(tmp_path, [Dialogue(**noted), dialogue(2, subject=" ")])
    filled = {name: n for name, n in found.filled.items() if n}
    assert filled == {"problem": 2, "grade_level": 1, "aita_profile": 1, "dialogue_turns.pedagogical_notes": 1}
    assert {"subject", "consent", "dialogue_turns.timestamp_utc"} <= found.filled.keys()
    assert run(tmp_path, [example(1)]).filled["input.grade_level"] == 1


def test_faults_of_every_kind_name_the_line(tmp_path):
    for make, spoil in ((dialogue, "dialogue_turns"), (example, "output"), (review, "levels")):
        write_records(tmp_path / "r.jsonl", [make(1)])
        bad = {**make(2).model_dump(mode="json"), spoil: "x"}
        with open(tmp_path / "r.jsonl", "a") as file:
            file.write("\n" + json.dumps(bad) + "\n")
        [fault] = check(tmp_path / "r.jsonl").faults
        assert f"r.jsonl:3: the field {spoil!r}" in fault


def test_a_rubric_is_for_reviews(tmp_path):
    with pytest.raises(UttaError, match=r"A rubric is for reviews, and .* holds dialogues"):
        run(tmp_path, [dialogue(1)], find_rubric("utta"))
