"""`utta data surrogates | purge` on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from utta.cli.data import data
from utta.core.errors import UttaError
from utta.core.files import sha256, write_json, write_lines
from utta.core.paths import answers_folder
from utta.core.surrogates import SURROGATE
from utta.prepare.clean import clean_file
from utta.prepare.dedupe import dedupe_file
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.example import ExampleInput, ExampleOutput, TeachingExample
from utta.records.read import read_reviews, scan_records, write_records
from utta.records.record import Turn
from utta.records.review import Review

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "samples" / "reviews.jsonl"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("UTTA_ROSTER", raising=False)


def run(*args):
    """Standard output of a command that succeeds."""
    result = CliRunner().invoke(data, [str(arg) for arg in args])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def fails(*args):
    result = CliRunner().invoke(data, [str(arg) for arg in args])
    assert isinstance(result.exception, UttaError), (result.output, result.exception)
    return str(result.exception)


def review(number, said="I got 7.", response="How did you get the 7?", **more):
    fields = {"source": "s", "dialogue_id": f"d{number}", "problem": f"p{number}", "rubric": "utta", "levels": {}}
    return Review(conversation=[Turn(speaker="student", utterance=said)], response=response, **{**fields, **more})


MIA = review(1, "my name is Mia, mia@example.org", "Hi Mia! What is 1,200 + 345?", student="s-17", reviewer="Ms Lee")
BEN = review(2, "i think mia is right", student="s-18", metadata={"note": ["Ben's mother: call 555-0142"]})
ANA = review(3, "Marie has 12 apples", consent="evaluate", keep_until="2030-01-31")


# --- surrogates


def test_every_text_of_a_review_has_surrogates_and_the_rest_is_as_it_was(tmp_path):
    write_records(tmp_path / "in.jsonl", [MIA, BEN, ANA])
    (tmp_path / "roster.txt").write_text("Mia Fernandez\n", encoding="utf-8")
    found = json.loads(
        run(
            "surrogates",
            tmp_path / "in.jsonl",
            "--out",
            tmp_path / "out.jsonl",
            "--roster",
            tmp_path / "roster.txt",
            "--json",
        )
    )
    assert (found["records"], found["changed"], found["kind"]) == (3, 2, "reviews")
    assert found["replaced"] == {"email": 1, "id": 2, "name": 3, "phone": 1}
    mia, ben, ana = read_reviews(tmp_path / "out.jsonl").reviews
    [who] = {match[0] for match in SURROGATE.finditer(mia.response)}
    assert (
        mia.response == f"Hi {who}! What is 1,200 + 345?" and ben.conversation[0].utterance == f"i think {who} is right"
    )
    assert SURROGATE.fullmatch(mia.student) and mia.student != ben.student
    assert "555" not in ben.model_dump_json() and mia.id != MIA.id
    assert (mia.dialogue_id, mia.reviewer, mia.problem, mia.rubric) == ("d1", "Ms Lee", "p1", "utta")
    assert ana == ANA
    again = json.loads(run("surrogates", tmp_path / "out.jsonl", "--out", tmp_path / "again.jsonl", "--json"))
    assert again["replaced"] == {} and again["changed"] == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


@pytest.mark.parametrize(("student", "left"), [("Zanele Okoro", False), ("Student 4", True), ("s-19", True)])
def test_a_student_who_is_named_in_the_field_for_pseudonyms_is_found_in_the_texts(tmp_path, student, left):
    write_records(
        tmp_path / "in.jsonl", [review(1, "is it 7", "Zanele thinks so. Student 4 does not.", student=student)]
    )
    run("surrogates", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    [there] = read_reviews(tmp_path / "out.jsonl").reviews
    assert ("Zanele" in there.response) is left and "Student 4 does not" in there.response
    assert SURROGATE.fullmatch(there.student)


def test_other_kinds_of_records_too(tmp_path):
    talk = Dialogue(
        source="s", dialogue_id="d", aita_profile={"about": ["mail tutor@example.org"]},
        dialogue_turns=[DialogueTurn(speaker="Ms Lee", utterance="Thanks, Zoe!")],
    )  # fmt: skip
    example = TeachingExample(
        source="s", input=ExampleInput(student_question="I'm Zoe."), output=ExampleOutput(teacher_response="Zoe, look.")
    )
    for record in (talk, example):
        write_records(tmp_path / "in.jsonl", [record])
        run("surrogates", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
        [there] = scan_records(tmp_path / "out.jsonl", type(record))
        text = there.model_dump_json()
        assert "Zoe" not in text and "Lee" not in text and "tutor@" not in text and SURROGATE.search(text)


def test_what_is_printed_are_counts(tmp_path):
    write_records(tmp_path / "in.jsonl", [MIA, BEN])
    with open(tmp_path / "in.jsonl", "a", encoding="utf-8") as file:
        file.write("{\n")
    text = run("surrogates", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert text.startswith("2 records, 2 changed\n") and "Mia" not in text and "example.org" not in text
    assert "1 faulty line was put aside" in text and (tmp_path / "out.rejects.jsonl").is_file()


def test_an_input_is_not_overwritten_and_faults_are_one_sentence(tmp_path):
    write_records(tmp_path / "in.jsonl", [MIA])
    assert "is an input and would be overwritten" in fails(
        "surrogates", tmp_path / "in.jsonl", "--out", tmp_path / "in.jsonl"
    )
    assert "The roster" in fails(
        "surrogates", tmp_path / "in.jsonl", "--out", tmp_path / "o", "--roster", tmp_path / "no"
    )
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    assert "holds no records of UTTA" in fails("surrogates", tmp_path / "bad.jsonl", "--out", tmp_path / "o.jsonl")
    assert not (tmp_path / "o.jsonl").exists()
    assert "cannot be loaded" in fails(
        "surrogates", tmp_path / "in.jsonl", "--out", tmp_path / "o.jsonl", "--entities", tmp_path
    )


def test_in_the_sample_reviews_people_of_stories_are_all_that_is_taken_for_somebody(tmp_path):
    found = json.loads(run("surrogates", SAMPLE, "--out", tmp_path / "out.jsonl", "--json"))
    before, after = (read_reviews(path).reviews for path in (SAMPLE, tmp_path / "out.jsonl"))
    assert found["records"] == len(before) and found["rejects"] == 0
    assert found["replaced"].keys() <= {"name"} and found["changed"] <= len(before) / 10
    assert sum(was != now for was, now in zip(before, after, strict=True)) == found["changed"]


# --- purge


@pytest.fixture
def house(tmp_path):
    """Records as they came, what was made of them, a run, a program that learnt from them, and a faulty line."""
    house = tmp_path / "house"
    write_records(house / "data" / "all.jsonl", [MIA, BEN, ANA])
    twice = [review(n, "my name is Mia", "Teacher: Why?\x07") for n in (4, 9)]
    write_records(house / "data" / "came.jsonl", [*twice, ANA])
    clean_file(house / "data" / "came.jsonl", house / "data" / "clean.jsonl")
    dedupe_file(house / "data" / "clean.jsonl", house / "data" / "distinct.jsonl")
    (house / "data" / "all.rejects.jsonl").write_text(
        '{"raw": "Mia wrote"}\n{ broken Mia\n{"raw": "x"}\n', encoding="utf-8"
    )
    lines = [{"record_id": r.id, "criterion": c, "label": "Good"} for r in (MIA, BEN, ANA) for c in ("a", "b")]
    write_lines(house / "run" / "predictions.jsonl", lines)
    worst = [{"record_id": MIA.id, "said": "?"}, {"record_id": ANA.id, "said": "?"}]
    write_json(house / "run" / "results.json", {"disagreements": worst, "mean": 0.5})
    train = {"file": "all.jsonl", "sha256": sha256(house / "data" / "all.jsonl"), "records": 3}
    write_json(house / "program" / "manifest.json", {"kind": "program", "train": train})
    write_json(house / "program" / "program.json", {"demos": ["Hi Mia!"]})
    write_json(house / "other" / "manifest.json", {"kind": "program", "train": {"file": "x", "sha256": "0"}})
    answers_folder().mkdir(parents=True)
    (answers_folder() / "answer").write_text("Mia", encoding="utf-8")
    return house


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_student_is_gone_from_records_logs_and_runs(house):
    found = json.loads(run("purge", "--student", "mia", house, "--json"))
    told = {str(Path(file).relative_to(house)): n for file, n in found["files"].items()}
    assert told == {
        "data/all.jsonl": 2, "data/all.rejects.jsonl": 2, "data/came.jsonl": 2,
        "data/clean.jsonl": 2, "data/clean.changes.jsonl": 2,
        "data/distinct.jsonl": 1, "data/distinct.duplicates.jsonl": 1, "run/predictions.jsonl": 4, "run/results.json": 1,
    }  # fmt: skip
    assert read_reviews(house / "data" / "all.jsonl").reviews == [ANA]
    assert json.loads((house / "run" / "results.json").read_text()) == {
        "disagreements": [{"record_id": ANA.id, "said": "?"}], "mean": 0.5,
    }  # fmt: skip
    assert found["programs"] == [str(house / "program")]
    assert found["still_named_in"] == [str(house / "program" / "program.json")]
    left = b"".join(text for path, text in contents(house).items() if path.name != "program.json")
    assert b"mia" not in left.lower() and MIA.id.encode() not in left
    assert not answers_folder().exists() and found["answers_bytes"] == 3
    again = json.loads(run("purge", "--student", "mia", house, "--json"))
    assert (again["records"], again["files"]) == (0, {})


def test_a_dry_run_says_the_same_and_changes_nothing(house):
    before = contents(house)
    dry = json.loads(run("purge", "--student", "Mia", house, "--dry-run", "--json"))
    assert contents(house) == before and answers_folder().is_dir()
    text = run("purge", "--student", "Mia", house, "--dry-run")
    assert "Nothing was changed" in text and "would go" in text and "my name" not in text
    wet = json.loads(run("purge", "--student", "Mia", house, "--json"))
    assert {**dry, "dry_run": False, "answers_bytes": 3} == wet


def test_by_id_or_by_surrogate_only_that_students_records_go(tmp_path):
    file = tmp_path / "all.jsonl"
    write_records(file, [MIA, BEN, ANA])
    run("surrogates", file, "--out", tmp_path / "shared.jsonl")
    found = json.loads(run("purge", "--student", "s-17", file, tmp_path / "shared.jsonl", "--json"))
    assert [r.student for r in read_reviews(file).reviews] == ["s-18", None]
    assert found["files"] == {str(file): 1, str(tmp_path / "shared.jsonl"): 1}


def test_whole_words_and_names_alone(tmp_path):
    file = tmp_path / "all.jsonl"
    kept = [review(1, "Miami is 12 km away"), review(2, "Will it be 17?"), review(3, "a-17-b", student="17-2")]
    gone = [review(4, "I gave Will the ruler"), review(5, "Will, can you read?")]
    write_records(file, [*kept, *gone])
    run("purge", "--student", "Mia", file)
    run("purge", "--student", "17", file)
    run("purge", "--student", "will", file)
    assert read_reviews(file).reviews == kept


def test_what_stays_stays_byte_for_byte(tmp_path):
    file = tmp_path / "odd.jsonl"
    odd = (
        b'\xef\xbb\xbf{"a":  "\\u00e9"}\r\n\n\xff\xfe broken\n[1, "x"]\n'
        + b'"'
        + b"y" * 5_100_000
        + b'"\nno newline at the end'
    )
    file.write_bytes(odd + b"\n" + MIA.model_dump_json().encode())
    run("purge", "--student", "Mia", file)
    assert file.read_bytes() == odd + b"\n"


def test_faults_of_a_purge_are_one_sentence(tmp_path):
    assert "There is no file or folder" in fails("purge", "--student", "Mia", tmp_path / "nothing")
    assert "The student to remove has no name" in fails("purge", "--student", " ", tmp_path)
