"""`utta show`: a program, a run, or one record of a run."""

import json

import pytest
from click.testing import CliRunner

from tests.evaluate.scripted import RUBRIC, ScriptedJudge, knowing, make_review, put_down, sentence
from utta.cli.main import cli
from utta.evaluate.run import Asked, evaluate
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import Program, save_program

REVIEWS = [
    make_review(1, "ants", "Poor", "Cold", rationale="It scolds.", grade_level="4", context="A [bold]lesson[/bold]."),
    make_review(2, "bees", "Good", None),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a finished run."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Program, "load_model", ScriptedJudge(knowing(REVIEWS)).load_model())
    data, rubric = put_down(tmp_path, REVIEWS)
    evaluate(Asked("evaluator", data, tmp_path / "run", rubric=str(rubric)))
    return tmp_path / "run"


def show(*arguments):
    return CliRunner().invoke(cli, ["show", *map(str, arguments)], prog_name="utta")


def test_a_record_with_what_was_decided_on_it(run):
    done = show(REVIEWS[0].id, "--run", run)
    assert done.exit_code == 0, done.stderr
    shown = " ".join(done.stdout.split())
    for words in ("A [bold]lesson[/bold].", "student: I do not know about ants.", REVIEWS[0].response, "It scolds."):
        assert words in shown
    assert "clarity Poor Poor .70" in shown and "tone Cold Cold .70" in shown
    assert "tone – Cold" in " ".join(show(REVIEWS[1].id, "--run", run).stdout.split())  # the experts gave none


def test_looking_does_not_touch_a_run_that_still_grows(run):
    path = run / "predictions.jsonl"
    path.write_bytes(path.read_bytes() + b'{"record_id": "abc')
    before = path.read_bytes()
    assert show(REVIEWS[0].id, "--run", run).exit_code == 0
    assert path.read_bytes() == before


def test_a_run_and_a_program_are_shown_by_their_folders(run, tmp_path):
    done = show(run)
    assert done.exit_code == 0 and "Program evaluator" in " ".join(done.stdout.split())
    save_program(tmp_path / "program", TeachingEvaluator(RUBRIC), {"model": "tiny-model"})
    done = show(tmp_path / "program")
    assert done.exit_code == 0 and "tiny-model" in done.stdout


def test_what_cannot_be_shown_is_one_sentence(run, tmp_path):
    for arguments, said in (
        (("0123456789abcdef", "--run", run), "holds no record '0123456789abcdef'; ids stand in"),
        (("0123456789abcdef", "--run", tmp_path), "is no evaluation run: it has no predictions.jsonl"),
        (("0123456789abcdef",), "'0123456789abcdef' is no folder; to show a record, name its run too"),
        ((tmp_path,), f"There is no file {tmp_path}/run.json"),
    ):
        done = show(*arguments)
        assert (done.exit_code, done.stdout) == (1, "") and said in sentence(done.stderr)
    config = json.loads((run / "run.json").read_text())
    config["data"]["file"] = str(tmp_path / "gone.jsonl")
    (run / "run.json").write_text(json.dumps(config))
    assert "There is no file" in sentence(show(REVIEWS[0].id, "--run", run).stderr)
