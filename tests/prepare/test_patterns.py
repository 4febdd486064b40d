import pytest

from utta.core.errors import UttaError
from utta.prepare.patterns import patterns, patterns_of
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.read import write_records
from utta.sources import import_records


def dialogue(*said, profile="Riya", number=1):
    turns = [
        DialogueTurn(speaker=speaker, utterance=text)
        for pair in zip(["Go on."] * len(said), said, strict=True)
        for speaker, text in zip(("teacher", "student"), pair, strict=True)
    ]
    return Dialogue(source="s", dialogue_id=f"d{number}", student_profile=profile, dialogue_turns=turns)


def test_each_figure_by_hand():
    found = patterns([
        dialogue("It is 1,000", "Is it 7?", "wait, 3 + 4 is 7", "so 8.5 no more"),
        dialogue("I do not know", number=2),
        dialogue("ok", profile="Seth"),
    ])  # fmt: skip
    assert found["Riya"] == {
        "dialogues": 2,
        "turns": 5,
        "words": {"10%": 3, "50%": 4, "90%": 6},
        "question_rate": 0.2,
        "self_correction_rate": 0.2,
        "answer_changes": 1.0,  # 1000 to 7, and 7 to 8.5; none in the other
    }
    assert found["Seth"]["turns"] == 1


def test_a_dialogue_in_which_the_student_says_nothing():
    silent = Dialogue(source="s", dialogue_id="d", dialogue_turns=[], aita_profile="grade 4")
    assert patterns([silent])["grade 4"]["question_rate"] is None


def test_a_file_has_the_whole_and_its_profiles(tmp_path):
    write_records(tmp_path / "d.jsonl", [dialogue("1"), dialogue("2", profile=None, number=2)])
    told = patterns_of(tmp_path / "d.jsonl")
    assert told["all"]["dialogues"] == 2 and list(told["profiles"]) == ["Riya", "unknown"]
    (tmp_path / "e.jsonl").write_text("{}\n")
    with pytest.raises(UttaError, match="holds no usable dialogue"):
        patterns_of(tmp_path / "e.jsonl")


def test_children_and_simulated_students_talk_differently(shared_data, tmp_path):
    found = {}
    for source, name in (("bridge", "bridge_train.json"), ("mathdial", "mathdial.jsonl")):
        import_records(source, [shared_data / name], "dialogues").write(tmp_path / f"{source}.jsonl")
        found[source] = patterns_of(tmp_path / f"{source}.jsonl")["all"]
    assert found["bridge"]["words"]["50%"] <= 2 < 20 < found["mathdial"]["words"]["50%"]
    assert found["mathdial"]["turns"] > 1900 and found["mathdial"]["answer_changes"] > 0.5
