"""Grade, subject, problem and standards are taken from what a text says, and from nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utta.core.errors import UttaError
from utta.prepare.metadata import describe, metadata_file
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.example import ExampleInput, ExampleOutput, TeachingExample
from utta.records.read import read_reviews, write_records
from utta.records.record import Turn
from utta.records.review import Review
from utta.sources import import_records, problems

EXERCISE = "A baker fills 12 boxes with 5.2 kg of flour each and sells a third of them."


def review(said="5", **change):
    fields = {"source": "s", "dialogue_id": "d", "rubric": "utta", "levels": {}, "response": "Look again."}
    return Review(conversation=[Turn(speaker="student", utterance=said)], **{**fields, **change})


def found(record):
    """What is filled, by field."""
    return {filling.field: filling.value for filling in describe(record)[1]}


@pytest.mark.parametrize(
    ("context", "grade"),
    [
        ("A lesson in grade 4", "4"),
        ("Grade: 7", "7"),
        ("grade level: 12, after lunch", "12"),
        ("a 4th grade class", "4"),
        ("4th-grade reading", "4"),
        ("a fourth grader", "4"),
        ("Eleventh grade.", "11"),
        ("Year 5 pupils", "Year 5"),
        ("in kindergarten", "K"),
        ("Grade K", "K"),
        ("Grade 4 met CCSS.MATH.CONTENT.4.NF.B.3", "4"),
        ("grade 10, HSA-REI.B.3", "10"),
        ("HSA-REI.B.3", "9-12"),
        ("MS-LS2-3", "6-8"),
        ("RL.9-10.1", "9-10"),
        ("5-PS1-1", "5"),
    ],
)
def test_a_grade_of_the_setting(context, grade):
    assert found(review(context=context))["grade_level"] == grade


@pytest.mark.parametrize(
    "context",
    [
        EXERCISE,
        "Grade: 85",
        "Grade: 9/10",
        "a grade of 4",
        "grade 7.5",
        "Grade 12% higher",
        "the first grade she got",
        "It costs 4.99",
        "4.OB.B.3 and 4-5-1",
        "Year 2019",
        "version 5.2.1, step 3.6D",
        "5.2 x 3 = 15.6",
    ],
)
def test_no_grade_is_read_out_of_other_numbers(context):
    assert "grade_level" not in found(review(context=context)) and describe(review(context=context))[2] == []


@pytest.mark.parametrize(
    "context",
    ["grades 3-5", "3rd or 4th grade", "3rd/4th grade", "grade 4 and grade 5", "Year 5 (grade 4)", "Grade 4: 5.NF.B.3"],
)
def test_two_grades_are_none_and_are_told(context):
    _, fillings, unclear = describe(review(context=context))
    assert unclear == ["grade_level"] and "grade_level" not in {filling.field for filling in fillings}


@pytest.mark.parametrize(
    ("said", "grade"),
    [
        ("I'm in 4th grade and I hate fractions", "4"),
        ("i am in grade 5", "5"),
        ("You are a sixth grader", "6"),
        ("our 3rd grade class", "3"),
        ("Grade: 7\nWhat is 3/4 + 1/8?", "7"),
        ("My student is in Year 5", "Year 5"),
        ("It is standard 4.NF.B.3", "4"),
        # people in an exercise, as they stand in MRBench and MathDial
        ("equal numbers of boys and girls in each first-grade classroom", None),
        ("Carla is taking attendance for her sixth-grade class.", None),
        ("There are 56 + 44 = 100 students in first grade.", None),
        ("A 4th grader has 12 apples", None),
        ("My first grade was 80", None),
    ],
)
def test_in_what_is_said_only_what_somebody_says_of_themselves_counts(said, grade):
    assert found(review(said)).get("grade_level") == grade


@pytest.mark.parametrize(
    ("record", "subject"),
    [
        (review(context="A science lesson"), "science"),
        (review(context="Subject: Reading comprehension"), "reading comprehension"),
        (review(context="grade 7 ecology"), "ecology"),
        (review(context="A maths and an algebra class"), "mathematics"),
        (review(context="A history class after the physics class"), None),
        (review("I am stuck on this math problem"), "mathematics"),
        (review("Brinley is in Mr. Bert's math class."), None),
        (review("history repeats itself"), None),
        (review(context="RL.4.1"), "English language arts"),
        (review(context="HSA-REI.B.3"), "mathematics"),
        (review(context="MS-LS2-3"), "science"),
    ],
)
def test_a_subject(record, subject):
    assert found(record).get("subject") == subject


def test_standards_are_kept_as_they_are_written():
    context = "CCSS.MATH.CONTENT.4.NF.B.3, 4.NF.B.3a; RL.4.1 and HSA-REI.B.3 (MS-LS2-3, K-2-ETS1-1) 4.NF.B.3a"
    assert found(review(context=context))["standards"] == [
        "CCSS.MATH.CONTENT.4.NF.B.3", "4.NF.B.3a", "HSA-REI.B.3", "RL.4.1", "MS-LS2-3", "K-2-ETS1-1",
    ]  # fmt: skip


def test_a_texas_code_counts_at_the_head_of_a_topic():
    told = found(review(metadata={"lesson_topic": "5.3K.Adding and Subtracting Decimal Numbers"}))
    assert told == {"grade_level": "5", "standards": ["5.3K"]}
    assert found(review(metadata={"lesson_topic": "A2.7D.Factoring"})) == {"standards": ["A2.7D"]}
    assert found(review("5.3K.Adding")) == {}


def test_the_problem_is_named_by_the_words_of_the_exercise():
    turns = [DialogueTurn(speaker="student", utterance="62")]
    dialogue = Dialogue(source="s", dialogue_id="d", question=EXERCISE, dialogue_turns=turns)
    example = TeachingExample(
        source="s",
        input=ExampleInput(student_question="62?", context=EXERCISE),
        output=ExampleOutput(teacher_response="Why?"),
    )
    name = problems.of_question(EXERCISE)
    assert [found(each)["problem"] for each in (dialogue, example, review(context=EXERCISE))] == [name] * 3
    assert "problem" not in found(review(context="fractions, lesson 3"))


def test_profiles_and_metadata_count_and_marks_do_not():
    profile = {"id": "reading_grade4", "grade_level": 4, "subject": "Science"}
    told = found(Dialogue(source="s", dialogue_id="d", aita_profile=profile, dialogue_turns=[]))
    assert told == {"grade_level": "4", "subject": "science"}
    assert found(review(metadata={"Grade": "4", "talk": ["I am in 3rd grade"], "class": "3rd grade"})) == {
        "grade_level": "3"
    }


TEXT = st.text(st.sampled_from("0123456789.,:/-+x= KNFRLAB")) | st.sampled_from(
    ["grade 4", "Grade: 7 ", "4.NF.B.3", "I'm in 5th grade", "science lesson", "MS-LS2-3", "Year 5", EXERCISE]
)
FILLED = st.sampled_from([None, "", "8", "art"])


@given(st.lists(TEXT, max_size=4).map(" ".join), TEXT, FILLED, FILLED, st.sampled_from(["", "p"]), st.booleans())
def test_what_is_filled_stays_and_nothing_else_changes(context, said, grade, subject, problem, standards):
    metadata = {"standards": ["mine"], "n": 1} if standards else {"n": 1}
    before = review(said, context=context, grade_level=grade, subject=subject, problem=problem, metadata=metadata)
    after, fillings, _ = describe(before)
    assert after.id == before.id and Review.model_validate(after.model_dump()) == after
    changed = {name for name in Review.model_fields if getattr(after, name) != getattr(before, name)}
    assert changed == {"metadata" if f.field == "standards" else f.field for f in fillings}
    assert all(not getattr(before, name) for name in changed - {"metadata"})
    assert {**after.metadata, **before.metadata} == after.metadata
    assert describe(after)[1] == []


@given(st.text(st.sampled_from("0123456789.,:/-+x=()% $"), max_size=40))
def test_nothing_is_read_out_of_figures(text):
    assert found(review(text, response=text, context=text, metadata={"topic": text})).keys() <= {"problem"}


def test_a_file_is_filled_with_every_filling_on_record(tmp_path):
    records = [review(context="grade 4 science"), review("I'm in 3rd grade", grade_level="5", dialogue_id="e")]
    records += [review(dialogue_id="f", context="grades 4-5")]
    write_records(tmp_path / "in.jsonl", records)
    with open(tmp_path / "in.jsonl", "a") as file:
        file.write("{}\n")
    told = metadata_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert (told["kind"], told["records"], told["changed"], told["rejects"]) == ("reviews", 3, 1, 1)
    assert told["fields"]["grade_level"] == {"empty": 2, "filled": 1, "unclear": 1}
    after = read_reviews(tmp_path / "out.jsonl").reviews
    assert [(r.grade_level, r.subject) for r in after] == [("4", "science"), ("5", None), (None, None)]
    log = [json.loads(line) for line in (tmp_path / "out.changes.jsonl").read_text().splitlines()]
    assert {(line["record_id"], line["field"], line["words"]) for line in log} == {
        (records[0].id, "grade_level", "grade 4"),
        (records[0].id, "subject", "grade 4 science"),
    }
    with pytest.raises(UttaError, match="would be overwritten"):
        metadata_file(tmp_path / "in.jsonl", tmp_path / "in.jsonl")


def test_on_real_data_what_texts_say_agrees_with_what_is_known(shared_data, tmp_path):
    """MathDial's grades and problems, and every subject, are known: taken out and filled again they are the same."""
    filled = 0
    for source, name in (
        ("mathdial", "mathdial.jsonl"),
        ("mrbench", "mrbench_v3.json"),
        ("bridge", "bridge_train.json"),
    ):
        for record in import_records(source, [shared_data / name], None if source != "bridge" else "dialogues").records:
            bare = record.model_copy(update={"grade_level": None, "subject": None, "problem": ""})
            told = found(bare)
            filled += len(told)
            assert told.get("subject") in (None, "mathematics")
            assert told.get("problem") in (None, record.problem)
            grade = told.get("grade_level")  # Bridge's grades are a field of its own, which no text says
            assert grade == record.grade_level or (grade is None and source == "bridge")
    assert filled > 1000
