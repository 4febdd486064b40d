import csv
import json

import pytest

from utta.core.errors import UttaError
from utta.sources import import_records
from utta.sources.table import Table

HEADER = ["Lesson", "Talk", "Reply", "Rating", "Rater", "Mood"]
ROW = [
    "fractions-3",
    "Student: 1/2 + 1/3 is 2/5\nTeacher: Sure?\nstudent: yes",
    "How did you get the 5?",
    "Good",
    "A",
    "calm",
]
COLUMNS = {
    "problem": "Lesson", "conversation": "Talk", "response": "Reply", "levels.accuracy": "Rating", "reviewer": "Rater",
}  # fmt: skip


def brought(tmp_path, *rows, columns=COLUMNS, speakers=None, labels=None, header=HEADER, encoding="utf-8", **options):
    path = tmp_path / "ratings.csv"
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, **options).writerows([header, *rows])
    return import_records("csv", [path], layout=Table(columns, speakers or {}, labels=labels or {}))


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-8", "\t")])
def test_a_row_is_a_review(tmp_path, encoding, delimiter):
    [review] = brought(tmp_path, ROW, encoding=encoding, delimiter=delimiter).records
    assert [(t.speaker, t.utterance) for t in review.conversation] == [
        ("student", "1/2 + 1/3 is 2/5"), ("teacher", "Sure?"), ("student", "yes"),
    ]  # fmt: skip
    assert (review.problem, review.response, review.reviewer) == ("fractions-3", "How did you get the 5?", "A")
    assert (review.levels, review.metadata) == ({"accuracy": "Good"}, {"Mood": "calm"})
    assert (review.source, review.rubric) == ("ratings", "utta")


def test_columns_with_the_names_of_fields_need_no_mapping(tmp_path):
    turns = json.dumps([{"role": "user", "content": "5"}])
    header = ["response", "conversation", "levels.tone", "rubric"]
    [review] = brought(tmp_path, ["No.", turns, "", "mine"], header=header, columns={}).records
    assert (review.conversation[0].speaker, review.levels, review.rubric) == ("student", {}, "mine")


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ([*ROW, "more"], "the row has more cells than the header, seen"),
        (ROW[:3], "the row has fewer cells than the header: there is none for 'Rating'"),
        ([ROW[0], "[{]", *ROW[2:]], "the conversation is not a JSON list of turns, seen '[{]'"),
    ],
)
def test_a_row_that_cannot_be_used_is_put_aside(tmp_path, row, wrong):
    found = brought(tmp_path, row, ROW)
    [fault] = found.faults
    assert wrong in str(fault) and f"{tmp_path / 'ratings.csv'}:2: " in str(fault) and len(found.records) == 1


def test_a_row_in_another_encoding_is_put_aside(tmp_path):
    found = brought(tmp_path, ROW)
    with open(tmp_path / "ratings.csv", "ab") as file:
        file.write(",".join(["p", "Student: é", "Réponse", "Good", "A", ""]).encode("latin-1") + b"\n")
    found = import_records("csv", [tmp_path / "ratings.csv"], layout=Table(COLUMNS))
    assert len(found.records) == 1  # the good row's conversation has two line breaks
    assert str(found.faults[0]).endswith("ratings.csv:5: the row is not UTF-8 text; save the file as UTF-8")


def test_a_name_that_is_nobodys_is_asked_for(tmp_path):
    row = [ROW[0], "Ms Lee: So?\nTom: 5\nAnswer: 5", *ROW[2:]]
    [fault] = brought(tmp_path, row, ROW).faults
    assert "a line by 'Ms Lee', who is neither student nor teacher here; say who it is with --speaker" in str(fault)
    [review] = brought(tmp_path, row, speakers={"ms lee": "teacher", "Tom": "student", "Answer": ""}).records
    assert [(t.speaker, t.utterance) for t in review.conversation] == [("teacher", "So?"), ("student", "5\nAnswer: 5")]


def test_ratings_in_other_words_are_explained(tmp_path):
    rows = [[*ROW[:3], rating, f"rater {n}", ""] for n, rating in enumerate(["5", " GOOD", "N/A", ""])]
    reviews = brought(tmp_path, *rows, labels={"5": "Excellent", "good": "Good", "n/a": ""}).records
    assert [review.levels.get("accuracy") for review in reviews] == ["Excellent", "Good", None, None]


@pytest.mark.parametrize("time", ["[12:03] ", "12:03:10 ", "(9:05 pm) ", "2024-05-01 12:03 - ", "[01.05.2024, 9:05] "])
def test_a_time_before_a_speaker_is_left_out(tmp_path, time):
    talk = f"{time}Student: 1/2\n{time}Teacher: Sure?\n12:30 is when: we meet\n{time}Zoe: hm"
    found = brought(tmp_path, [ROW[0], talk, *ROW[2:]], ROW)
    assert "a line by 'Zoe'" in str(found.faults[0])
    [review] = brought(tmp_path, [ROW[0], talk, *ROW[2:]], speakers={"Zoe": "student"}).records
    assert [(t.speaker, t.utterance) for t in review.conversation] == [
        ("student", "1/2"), ("teacher", "Sure?\n12:30 is when: we meet"), ("student", "hm"),
    ]  # fmt: skip


def test_a_speaker_is_student_teacher_or_nobody():
    with pytest.raises(
        UttaError, match="The speaker 'Ms Lee' is to be 'techer'; it can be student, teacher, or nothing"
    ):
        Table(speakers={"Ms Lee": "techer"})


@pytest.mark.parametrize("raw", ["a,response\n".encode("utf-16"), "Répo,response\n".encode("latin-1"), b"PK\x03\x04"])
def test_a_file_that_is_no_utf8_table_is_one_sentence(tmp_path, raw):
    (tmp_path / "r.csv").write_bytes(raw)
    with pytest.raises(UttaError, match=r"is not a table in UTF-8; .* 'CSV UTF-8'"):
        import_records("csv", [tmp_path / "r.csv"])


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"response": "Answer"}, "has no column 'Answer'; it has Lesson, Talk"),
        ({"answer": "Reply"}, "There is no field 'answer' to fill from a column"),
        ({"problem": "Lesson"}, "has no column 'response'; name the one with the reply"),
    ],
)
def test_a_wrong_mapping_is_one_sentence(tmp_path, columns, wrong):
    with pytest.raises(UttaError, match=wrong):
        brought(tmp_path, ROW, columns=columns)
