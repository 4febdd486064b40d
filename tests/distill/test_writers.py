"""A student and a tutor are distilled from the command line, on a tiny model that really trains and really writes."""

import json

import pytest
from click.testing import CliRunner

from tests.evaluate.student.talk import TALKS
from tests.models.tiny import save_tiny
from utta.cli.main import cli
from utta.core.files import read_json
from utta.evaluate.run import learned_problems
from utta.models.catalogue import tokenizer_hash
from utta.programs.folder import open_program
from utta.programs.student import student_inputs
from utta.programs.tutor import tutor_inputs, tutor_outputs
from utta.records.chats import Row, write_rows
from utta.records.example import ExampleInput, ExampleOutput, TeachingExample
from utta.records.read import write_records

EXAMPLES = [
    TeachingExample(
        source="test",
        problem=f"p{n}",
        conversation=[{"speaker": "teacher", "utterance": "What do you get?"}],
        input=ExampleInput(student_question=f"I get {n}", context=f"What is 3 times {n}?"),
        output=ExampleOutput(
            teacher_response=f"How many groups of {n} are there?",
            techniques_used=["ask_question"],
            rationale="So that the student counts the groups.",
        ),
    )
    for n in range(10, 20)
]
RECORDS = {"student": TALKS, "tutor": EXAMPLES}


@pytest.fixture(params=["student", "tutor"])
def program(request):
    return request.param


@pytest.fixture
def command(tmp_path, program, monkeypatch):
    """Run `utta distill student` or `tutor`; options come after, named again they win."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")
    save_tiny(tmp_path / "tiny")
    records = RECORDS[program]
    write_records(tmp_path / "train.jsonl", records[:8])
    write_records(tmp_path / "val.jsonl", records[8:])

    def run(*more):
        arguments = ["distill", program, "--train", tmp_path / "train.jsonl", "--val", tmp_path / "val.jsonl"]
        arguments += ["--model", tmp_path / "tiny", "--out", tmp_path / "made", "--epochs", 2, "--rank", 4, *more]
        return CliRunner().invoke(cli, [str(each) for each in arguments])

    return run


def test_it_learns_is_opened_again_and_writes_with_its_adapter(command, program, tmp_path):
    done = command("--learning-rate", "0.02", "--json")
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    first, last = (manifest["history"][epoch]["loss"] for epoch in (0, -1))
    assert last < first and len(manifest["history"]) == 2
    assert manifest["train"]["rows"] == 8 and manifest["train"]["learned_tokens"] < manifest["train"]["tokens"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "adapter", "history.json", "losses.jsonl", "manifest.json", "program.json", "run.json",
    ]  # fmt: skip
    assert tokenizer_hash(tmp_path / "made" / "adapter") == manifest["tokenizer"]
    opened = open_program(str(tmp_path / "made"))
    assert opened.load_model().version.endswith(f"@{manifest['adapter']}")
    if program == "student":
        said = opened(**student_inputs(TALKS[9]), conversation=[{"role": "user", "content": "How did you get it?"}])
        assert said.student_turn
    else:
        said = opened(**tutor_inputs(EXAMPLES[9]))
        assert said.teacher_response and said.techniques_used and said.rationale
    assert command("--learning-rate", "0.02", "--json").stdout == done.stdout
    shown = CliRunner().invoke(cli, ["report", str(tmp_path / "made")])
    assert shown.exit_code == 0 and "Loss" in shown.stdout


def test_a_dry_run_shows_what_is_learned_and_writes_nothing(command, program, tmp_path):
    done = command("--dry-run")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    learned = "【" + ("I added them, so 13." if program == "student" else '{"teacher_response": "How many groups of 1')
    assert "8 rows of 8 records" in said and learned in said and "for 2 epochs" in said
    assert not (tmp_path / "made").exists()
    assert json.loads(command("--dry-run", "--json").stdout)["estimate"]["seconds"] > 0


def test_chats_that_are_good_enough_are_learned_too(command, program, tmp_path):
    chats = [[{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "Because."}] for n in range(3)]
    held_out = RECORDS[program][9].cluster
    scores = ((0.9, "elsewhere"), (0.2, "elsewhere"), (0.8, held_out))
    write_rows(tmp_path / "rows.jsonl", [Row(chat, "", "", *told) for chat, told in zip(chats, scores, strict=True)])
    plain = json.loads(command("--dry-run", "--json").stdout)["train"]
    planned = json.loads(command("--rows", tmp_path / "rows.jsonl", "--dry-run", "--json").stdout)["train"]
    assert (planned["rows"], planned["chats"], planned["chats_given"]) == (plain["rows"] + 1, 1, 3)
    assert planned["learned_tokens"] == plain["learned_tokens"] + len("Because.") + 1
    assert "1 of these rows" in command("--rows", tmp_path / "rows.jsonl", "--dry-run").stdout
    made = json.loads(command("--rows", tmp_path / "rows.jsonl", "--threshold", 0.95, "--json").stdout)
    assert made["train"]["chats"] == 0 and made["train"]["rows"] == plain["rows"]
    assert made["rows_from"]["threshold"] == 0.95
    assert learned_problems(open_program(str(tmp_path / "made")), type(RECORDS[program][0]))["rows"] == {
        "elsewhere",
        held_out,
    }


def test_faults_are_one_sentence(command, program, tmp_path):
    other = "tutor" if program == "student" else "student"
    write_records(tmp_path / "other.jsonl", RECORDS[other])
    for arguments, said in (
        (("--val", tmp_path / "train.jsonl"), "8 problems stand in both"),
        (("--train", tmp_path / "other.jsonl"), "other.jsonl"),
        (("--rubric", "utta"), "for a judge"),
        (("--teacher", "somebody"), "for a judge"),
        (("--balance", "0.5"), "--balance is for a judge"),
    ):
        done = command(*arguments)
        assert done.exit_code and said in " ".join(done.stderr.split()) and "Traceback" not in done.output
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("program", ["tutor"], indirect=True)
def test_an_answer_that_a_tutor_may_not_write_is_put_aside(command, program, tmp_path):
    told = EXAMPLES[0].model_dump(exclude={"id"})
    told["output"]["teacher_response"] = "Count the groups. " * 30
    write_records(tmp_path / "train.jsonl", [TeachingExample(**told), *EXAMPLES[1:8]])
    assert "7 rows of 8 records" in " ".join(command("--dry-run").stdout.split())


def test_the_prompt_is_the_one_at_run_time(program):
    """What is learned stands behind the very prompt that the program's adapter makes at run time."""
    module = open_program(program).module
    if program == "student":
        written = module.messages(TALKS[0])
        prompt = module.adapter.format(
            module.play.signature, [], student_inputs(TALKS[0]) | {"conversation": written[1:-1]}
        )
    else:
        written = module.messages(EXAMPLES[0])
        prompt = module.adapter.format(module.answer.signature, [], tutor_inputs(EXAMPLES[0]))
        told = module.adapter.parse(module.answer.signature, written[-1]["content"])
        assert told == tutor_outputs(EXAMPLES[0])
    assert written[:-1] == prompt and written[-1]["role"] == "assistant"


def test_a_killed_training_leaves_its_adapter_to_be_saved(command, program, tmp_path):
    assert command().exit_code == 0
    (tmp_path / "made" / "manifest.json").unlink()
    before = read_json(tmp_path / "made" / "history.json")
    again = command("--json")
    assert again.exit_code == 0 and json.loads(again.stdout)["history"] == before
