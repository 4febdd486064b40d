import json
from collections import Counter

import pytest

from utta.sources import import_records

ENTRY = {
    "qid": 5000012,
    "scenario": 2,
    "question": "Ann has 3 pens and buys 4. How many has she?",
    "ground_truth": "3 + 4 = 7\n 7",
    "student_incorrect_solution": "4 - 3 = 1\n 1",
    "student_profile": "Riya is a 7th grade student. She mixes up operations.",
    "teacher_described_confusion": "wrong operation",
    "self-correctness": "Yes",
    "self-typical-confusion": 4.0,
    "self-typical-interactions": None,
    "conversation": "Teacher: (probing)Why minus? (say more)|EOM|Riya: Because: fewer|EOM|Teacher: ok|EOM|Student: 7",
}


def brought(tmp_path, *entries):
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries), encoding="utf-8")
    return import_records("mathdial", [tmp_path / "m.jsonl"])


def test_turns_keep_move_and_name_apart_from_what_was_said(tmp_path):
    [dialogue] = brought(tmp_path, ENTRY).records
    assert [(t.speaker, t.utterance, t.pedagogical_notes, t.metadata) for t in dialogue.dialogue_turns] == [
        ("teacher", "Why minus? (say more)", "probing", {}),
        ("student", "Because: fewer", None, {"name": "Riya"}),
        ("teacher", "ok", None, {}),
        ("student", "7", None, {}),
    ]
    assert (dialogue.dialogue_id, dialogue.grade_level, dialogue.misconception) == ("5000012-2", "7", "wrong operation")
    assert (dialogue.student_solution, dialogue.solution) == ("4 - 3 = 1\n 1", "3 + 4 = 7\n 7")
    assert dialogue.metadata == {"self-correctness": "Yes", "self-typical-confusion": 4.0}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"conversation": "Hello"}, "a turn does not start with who speaks, seen 'Hello'"),
        ({"conversation": None}, "conversation is missing or not text"),
        ({"qid": "7"}, "qid is missing or not a whole number, seen '7'"),
        ({"student_profile": 7}, "the field 'student_profile' is not text, seen '7'"),
    ],
)
def test_a_line_that_cannot_be_used_is_put_aside(tmp_path, change, wrong):
    found = brought(tmp_path, {**ENTRY, **change}, ENTRY)
    [fault] = found.faults
    assert wrong in str(fault) and ":1: " in str(fault) and len(found.records) == 1


def test_counts_equal_those_of_the_raw_file(shared_data):
    path = shared_data / "mathdial.jsonl"
    raw = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = import_records("mathdial", [path])
    assert not found.faults and not found.merged and found.entries == len(found.records) == len(raw) == 394
    turns = [turn for entry in raw for turn in entry["conversation"].split("|EOM|")]
    assert found.summary()["turns"] == len(turns)
    assert found.summary()["problems"] == len({entry["question"] for entry in raw})
    ours = Counter(t.pedagogical_notes or t.speaker for d in found.records for t in d.dialogue_turns)
    moves = ("focus", "probing", "generic", "telling")
    assert {m: ours[m] for m in moves} == {
        m: sum(t.lstrip().startswith(f"Teacher: ({m})") for t in turns) for m in moves
    }
    assert sum(len(d.misconception or "") for d in found.records) == sum(
        len(e["teacher_described_confusion"] or "") for e in raw
    )


def test_mrbench_and_mathdial_name_the_same_exercise_alike(shared_data):
    here = {d.problem for d in import_records("mathdial", [shared_data / "mathdial.jsonl"]).records}
    there = {r.problem for r in import_records("mrbench", [shared_data / "mrbench_v3.json"]).records}
    assert here & there
