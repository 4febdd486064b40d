import json

import pytest

from utta.core.errors import UttaError
from utta.sources import import_records


def said(user, text, **more):
    return {"user": user, "text": text, **more}


ENTRY = {
    "c_id": "12_3",
    "lesson_topic": "3.6D.Decomposing Figures",
    "c_h": [
        said("tutor", "What is 2 + 3?", id=1, time="00:10"),
        said("student", "6", id=2),
        said("student", "no 7", id=3),
    ],
    "c_r": [said("tutor", "Wrong.", id=4), said("tutor", "It is 5.", id=5)],
    "c_r_": [said("tutor", "How did you count?", is_revised=True)],
    "c_revision": [said("tutor", "How did you count?"), said("student", "on my fingers")],
    "e": "guess",
    "z_what": "ask_question",
    "z_why": "diagnose_mistake",
}


def brought(tmp_path, entries, kind=None):
    (tmp_path / "bridge.json").write_text(json.dumps(entries), encoding="utf-8")
    return import_records("bridge", [tmp_path / "bridge.json"], kind)


def test_the_experts_reply_is_an_example_to_the_students_last_words(tmp_path):
    [example] = brought(tmp_path, [ENTRY]).records
    assert [turn.utterance for turn in example.conversation] == ["What is 2 + 3?"]
    assert example.input.student_question == "6\nno 7"
    assert example.output.model_dump() == {
        "teacher_response": "How did you count?", "techniques_used": ["ask_question"], "rationale": "diagnose_mistake",
    }  # fmt: skip
    assert example.metadata["student_error"] == "guess" and len(example.metadata["revision"]) == 2


def test_the_chat_with_the_novices_reply_is_a_dialogue(tmp_path):
    [dialogue] = brought(tmp_path, [ENTRY], "dialogues").records
    assert [(t.speaker, t.utterance) for t in dialogue.dialogue_turns] == [
        ("teacher", "What is 2 + 3?"), ("student", "6"), ("student", "no 7"), ("teacher", "Wrong."), ("teacher", "It is 5."),
    ]  # fmt: skip
    assert dialogue.dialogue_turns[0].metadata == {"id": 1, "time": "00:10"}
    assert dialogue.grade_level == "3" and "short answers" in dialogue.student_profile
    assert brought(tmp_path, [ENTRY | {"lesson_topic": "Unknown"}], "dialogues").records[0].grade_level is None


def test_both_replies_can_be_judged_and_one_problem_holds_them_together(tmp_path):
    novice, expert = brought(tmp_path, [ENTRY], "reviews").records
    assert (novice.responder, novice.response) == ("novice", "Wrong.\nIt is 5.")
    assert (expert.responder, expert.response) == ("expert", "How did you count?")
    assert novice.levels == expert.levels == {}
    [example] = brought(tmp_path, [ENTRY]).records
    assert (
        novice.problem
        == expert.problem
        == example.problem
        == brought(tmp_path, [ENTRY], "dialogues").records[0].problem
    )


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"c_h": "Hi"}, "c_h is missing or not a list, seen 'Hi'"),
        ({"c_id": None}, "c_id is missing or not text, seen 'None'"),
        ({"c_h": [said("cat", "Meow")]}, "a message is by neither tutor nor student, seen 'cat'"),
        ({"c_h": ["Hi"]}, "c_h holds something that is not a message, seen 'Hi'"),
        ({"c_r_": []}, "the field 'teacher_response' is blank, seen ''"),
        ({"z_why": 3}, "z_why is missing or not text, seen '3'"),
    ],
)
def test_an_entry_that_cannot_be_used_is_put_aside_whole(tmp_path, change, wrong):
    found = brought(tmp_path, [{**ENTRY, **change}, ENTRY])
    [fault] = found.faults
    assert str(fault) == f"{tmp_path / 'bridge.json'}: entry 1: {fault.fault}" and wrong in fault.fault
    assert json.loads(fault.raw) == {**ENTRY, **change} and len(found.records) == 1


def test_a_file_cut_off_is_one_sentence(tmp_path):
    (tmp_path / "bridge.json").write_text(json.dumps([ENTRY])[:-9])
    with pytest.raises(UttaError, match=r"is not valid JSON .* cut off"):
        import_records("bridge", [tmp_path / "bridge.json"])


@pytest.mark.parametrize("name", ["bridge_train", "bridge_validation"])
def test_counts_equal_those_of_the_raw_file(name, shared_data):
    path = shared_data / f"{name}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    for kind in ("examples", "dialogues", "reviews"):
        found = import_records("bridge", [path], kind)
        each = 2 if kind == "reviews" else 1
        assert not found.faults
        assert len(found.records) + found.merged == each * len(raw) == each * found.entries
        assert {r.dialogue_id for r in found.records} == {e["c_id"] for e in raw}
    dialogues = import_records("bridge", [path], "dialogues")
    chats = {json.dumps([e["c_id"], e["c_h"], e["c_r"]]): len(e["c_h"]) + len(e["c_r"]) for e in raw}
    assert dialogues.summary()["turns"] == sum(chats.values())
    assert sorted({r.output.rationale for r in import_records("bridge", [path]).records}) == sorted(
        {e["z_why"] for e in raw}
    )
