"""The data commands on every kind of record, and on versions of the data."""

import json
import re

import pytest

from tests.cli.test_data import SAMPLE, fails, run
from utta.prepare.parts import read_split
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.read import read_reviews, write_records


@pytest.fixture
def talk(tmp_path):
    turns = [
        {"speaker": "student", "utterance": "5?"},
        {"speaker": "aita", "utterance": "Why?", "pedagogical_notes": "ask"},
    ]
    told = {"source": "s", "dialogue_turns": turns, "grade_level": "4", "subject": "math", "problem": "p"}
    write_records(tmp_path / "talk.jsonl", [Dialogue(dialogue_id=f"d{n}", **told) for n in range(12)])
    return tmp_path / "talk.jsonl"


def test_check_takes_dialogues_and_says_what_is_filled(talk):
    text = run("check", talk)
    assert text.startswith("12 dialogues, 1 problems\n") and "No faults." in text
    assert re.search(r"grade_level +12 +100%", text) and "nowhere filled: licence, student, consent" in text
    assert "dialogue_turns.timestamp_utc" in text and "warning: 11 dialogues repeat an earlier one" in text
    assert json.loads(run("check", talk, "--as", "dialogues", "--json"))["filled"]["subject"] == 12


def test_check_of_the_wrong_file_is_one_sentence(talk, tmp_path):
    told, printed = fails("check", talk, "--as", "reviews")
    assert (
        told == f"{talk} holds dialogues, not reviews; type --as dialogues, or give a file of reviews." and not printed
    )
    (tmp_path / "raw.json").write_text('[{"conversation_id": "1"}]')
    told, printed = fails("check", tmp_path / "raw.json")
    assert "holds no records of UTTA: it is a JSON list" in told and not printed
    assert fails("clean", talk, "--out", tmp_path / "x")[0].startswith(
        f"{talk} holds dialogues, not reviews; give a file of"
    )


def test_stats_of_dialogues_show_coverage_and_mark_what_is_thin(talk, tmp_path):
    text = run("stats", talk)
    assert text.startswith("12 dialogues, 1 problems, 0 rejects\nwords in a turn: 1 (10%)")
    assert re.search(r"math +4 +12", text) and re.search(r"ask +12", text) and "* fewer than 10" not in text
    one = {"source": "s", "input": {"student_question": "5?"}, "output": {"teacher_response": "Why?"}}
    write_records(tmp_path / "one.jsonl", [TeachingExample(**one)])
    text = run("stats", tmp_path / "one.jsonl")
    assert re.search(r"unknown +unknown\* +1", text) and "* fewer than 10" in text


def test_metadata_says_what_was_filled_and_by_which_words(tmp_path):
    first = read_reviews(SAMPLE).reviews[0].model_copy(update={"grade_level": None, "context": "A 4th grade class"})
    write_records(tmp_path / "r.jsonl", [first])
    text = run("metadata", tmp_path / "r.jsonl", "--out", tmp_path / "f.jsonl")
    assert "1 reviews, 1 changed" in text and re.search(r"grade_level +1 +1 +0", text)
    assert f"{first.id} grade_level = 4 (context: '4th grade')" in text
    assert json.loads(run("metadata", tmp_path / "r.jsonl", "--out", tmp_path / "g.jsonl", "--json"))["changed"] == 1
    assert (tmp_path / "f.jsonl").read_bytes() == (tmp_path / "g.jsonl").read_bytes()


def test_a_split_grows(tmp_path):
    reviews = read_reviews(SAMPLE).reviews
    write_records(tmp_path / "some.jsonl", reviews[: len(reviews) // 2])
    run("split", tmp_path / "some.jsonl", "--seed", 4, "--out", tmp_path / "a")
    text = run("split", SAMPLE, "--keep", tmp_path / "a", "--out", tmp_path / "b")
    assert f"Wrote {tmp_path / 'b'} (by problem, seed 4)" in text
    before, after = ({r.id: part for part, r in read_split(tmp_path / name).scan()} for name in "ab")
    assert after.items() > before.items() and len(after) == len(reviews)
    told = fails("split", SAMPLE, "--keep", tmp_path / "a", "--seed", 4, "--out", tmp_path / "c")[0]
    assert told == f"--keep goes on as {tmp_path / 'a'} was made; leave --seed out."


def test_diff_shows_fields_labels_and_moves(tmp_path):
    reviews = read_reviews(SAMPLE).reviews
    changed = reviews[0].model_copy(update={"levels": {**reviews[0].levels, "accuracy": "Weak"}})
    write_records(tmp_path / "new.jsonl", [changed, *reviews[1:-1]])
    was = reviews[0].levels["accuracy"]
    text = run("diff", SAMPLE, tmp_path / "new.jsonl")
    count = len(reviews)
    assert text.startswith(
        f"{count} reviews before, {count - 1} after\n{count - 2} same, 1 changed, 0 added, 1 removed\n"
    )
    assert re.search(rf"labels of accuracy +{was} → Weak +1", text) and f"changed, the first: {changed.id}" in text
    found = json.loads(run("diff", SAMPLE, tmp_path / "new.jsonl", "--json"))
    assert found["labels"] == [{"criterion": "accuracy", "from": was, "to": "Weak", "records": 1}]
    run("split", SAMPLE, "--out", tmp_path / "a")
    run("split", SAMPLE, "--seed", 1, "--out", tmp_path / "b")
    text = run("diff", tmp_path / "a", tmp_path / "b")
    assert " moved\n" in text and re.search(r"parts +\w+ → \w+ +\d+", text)


def test_history_leads_from_a_part_to_what_was_imported(tmp_path):
    run("import", "utta", SAMPLE, "--out", tmp_path / "r.jsonl")
    run("clean", tmp_path / "r.jsonl", "--out", tmp_path / "c.jsonl")
    run("split", tmp_path / "c.jsonl", "--out", tmp_path / "s")
    lines = run("history", tmp_path / "s" / "train.jsonl").splitlines()
    assert [re.match(" *", line)[0] for line in lines] == ["", "  ", "    ", "      "]
    assert "train.jsonl: by split by=problem seed=0 ratios=70/10/20, " in lines[0] and " UTC, " in lines[0]
    assert "r.jsonl: by import source=utta as=reviews, " in lines[2]
    assert lines[3].endswith("reviews.jsonl: not made by a data command")
    (tmp_path / "r.jsonl").unlink()
    assert run("history", tmp_path / "s").splitlines()[2].endswith("MISSING")
    steps = json.loads(run("history", tmp_path / "c.jsonl", "--json"))["steps"]
    assert [(step["depth"], step["made_by"], step["state"]) for step in steps][:2] == [
        (0, "clean", ""),
        (1, "import source=utta as=reviews", "missing"),
    ]


def test_a_contradiction_names_the_line(tmp_path):
    """Blank lines count as lines, in an import as in cleaning."""
    first = read_reviews(SAMPLE).reviews[0].model_dump(mode="json")
    other = {
        **first,
        "levels": {**first["levels"], "accuracy": "Weak" if first["levels"]["accuracy"] != "Weak" else "Good"},
    }
    (tmp_path / "one.jsonl").write_text(json.dumps(first) + "\n", encoding="utf-8")
    (tmp_path / "two.jsonl").write_text("\n\n" + json.dumps(other) + "\n", encoding="utf-8")
    text = run("import", "utta", tmp_path / "one.jsonl", tmp_path / "two.jsonl", "--out", tmp_path / "out.jsonl")
    assert f"{tmp_path / 'two.jsonl'}:3: the review {first['id']} has levels.accuracy" in text
    spaced = {**other, "response": other["response"] + " "}
    del spaced["id"]
    (tmp_path / "both.jsonl").write_text(json.dumps(first) + "\n\n" + json.dumps(spaced) + "\n", encoding="utf-8")
    text = run("clean", tmp_path / "both.jsonl", "--out", tmp_path / "clean.jsonl")
    assert f"{tmp_path / 'both.jsonl'}:3: the review {first['id']} has levels.accuracy" in text


@pytest.mark.parametrize(
    ("command", "made_by"),
    [
        (["surrogates", SAMPLE, "--out", "o.jsonl"], "surrogates"),
        (["export", SAMPLE, "--to", "csv", "--out", "o.jsonl"], "export to=csv as=reviews"),
        (["metadata", SAMPLE, "--out", "o.jsonl"], "metadata"),
        (["dedupe", SAMPLE, "--out", "o.jsonl"], "dedupe"),
    ],
)
def test_every_command_that_writes_records_leaves_a_manifest(command, made_by, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    run(*command)
    first, second = json.loads(run("history", "o.jsonl", "--json"))["steps"]
    assert (first["made_by"], first["records"], first["state"]) == (made_by, len(read_reviews(SAMPLE).reviews), "")
    assert second["file"].endswith("reviews.jsonl") and second["state"] == "not made by a data command"
