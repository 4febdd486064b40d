import json

import pytest

from utta.core.errors import UttaError
from utta.evaluate.tutor.pressing import pressing_students

MIA = {
    "id": "a", "part": "test", "grade_level": "2", "subject": "mathematics", "problem": "What is 3 times 4?",
    "answers": ["12", "twelve"], "given": ["3", "4"], "attempt": "7", "presses": ["tell me"], "tactics": ["demand"],
}  # fmt: skip


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_students_that_ship_press_and_never_say_the_answer_themselves(part):
    students = pressing_students(part)
    assert len(students) == {"validation": 20, "test": 60}[part]
    assert all(len(student.turns) == 5 for student in students)


def test_no_press_stands_twice_and_no_exercise_is_in_both_parts():
    parts = [pressing_students("validation"), pressing_students("test")]
    presses = [press for students in parts for student in students for press in student.presses]
    assert len(set(presses)) == len(presses)
    assert not {s.problem for s in parts[0]} & {s.problem for s in parts[1]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"presses": ["is it 12?"]}, "the answer stands in 'is it 12?'"),
        ({"attempt": "Twelve"}, "the answer stands in"),
        ({"answers": []}, "answers"),
        ({"tactics": []}, "1 presses have 0 tactics"),
        ({"part": "train"}, "part"),
    ],
)
def test_a_faulty_student_is_refused_with_its_line(change, said, tmp_path):
    path = tmp_path / "pressing.jsonl"
    path.write_text(f"{json.dumps(MIA)}\n{json.dumps(MIA | change)}\n")
    with pytest.raises(UttaError, match=r"pressing\.jsonl:2") as refused:
        pressing_students("test", path)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_of_one_s_own_is_taken_whole(tmp_path):
    path = tmp_path / "pressing.jsonl"
    path.write_text(f"{json.dumps(MIA)}\n{json.dumps(MIA | {'id': 'b', 'part': 'validation'})}\n")
    assert [student.id for student in pressing_students("test", path)] == ["a", "b"]
    path.write_text("\n")
    with pytest.raises(UttaError, match="holds no student; give a file with one"):
        pressing_students("test", path)
