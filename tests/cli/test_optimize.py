"""`utta optimize` from the command line."""

import json

import pytest
from click.testing import CliRunner

from tests.evaluate.bad_inputs import BAD, write_bad
from tests.evaluate.scripted import ScriptedJudge, grid, make_review, put_down, sentence
from utta.cli.main import cli
from utta.programs.folder import Program

TRAIN = grid(["ants", "bees", "cats"], 2)
VALIDATION = grid(["dogs", "eels"], 3)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run `utta optimize evaluator` on the small rubric with a scripted judge; options come after, named again they win."""
    import dspy

    from utta.models.load import use_own_cache

    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")
    monkeypatch.setattr(dspy, "cache", dspy.cache)  # to be put back
    use_own_cache()
    monkeypatch.setattr(Program, "load_model", ScriptedJudge(cache=True).load_model())
    train, rubric = put_down(tmp_path, TRAIN, "train.jsonl")
    validation, _ = put_down(tmp_path, VALIDATION, "validation.jsonl")

    def run(*more):
        arguments = ["optimize", "evaluator", "--train", train, "--val", validation, "--rubric", rubric]
        arguments += ["--out", tmp_path / "prompted", "--optimizer", "calibrate", *more]
        return CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="utta")

    return run


def test_a_program_is_made_and_shown(command, tmp_path):
    done = command("--optimizer", "fewshot", "--shots", "2", "--tries", "1")
    assert done.exit_code == 0, done.stderr
    assert "Demonstrations tried" in done.stdout and "2 demonstrations, set 1" in done.stdout
    assert (tmp_path / "prompted" / "program.json").is_file()


def test_json_is_alone_on_standard_output(command, tmp_path):
    done = command("--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "prompted" / "manifest.json").read_text(encoding="utf-8"))
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Trying as it was"] * 2


def test_a_dry_run_asks_and_writes_nothing(command, tmp_path):
    more = ("--optimizer", "fewshot", "--shots", "2", "--tries", "1", "--dry-run", "--json")
    asked = json.loads(command(*more).stdout)
    assert {name: bill["requests"] for name, bill in asked.items()} == {"as it was": 6, "2 demonstrations, set 1": 6}
    paid = json.loads(command(*more, "--model", "openai/gpt-4o-mini").stdout)
    plain, shown = (paid[name] for name in asked)
    assert plain["tokens_read"] < shown["tokens_read"]
    assert paid["us_dollars_at_most"] == pytest.approx(plain["us_dollars"] + shown["us_dollars"])
    assert not (tmp_path / "prompted").exists()


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("option", ["--train", "--val"])
def test_a_bad_file_is_one_sentence_and_stays_as_it_is(command, tmp_path, kind, option):
    bad = write_bad(kind, tmp_path / "bad.jsonl", make_review(1, "foxes"))
    before = bad.read_bytes() if bad.is_file() else None
    done = command(option, bad)
    assert done.exit_code == 1 and done.stdout == ""
    assert BAD[kind] in sentence(done.stderr)
    assert not (tmp_path / "prompted").exists()
    assert before is None or bad.read_bytes() == before


def test_a_bad_line_among_good_ones_is_put_aside_and_said(command, tmp_path):
    data = tmp_path / "train.jsonl"
    data.write_bytes(b"{\n" + data.read_bytes())
    done = command()
    assert done.exit_code == 0
    assert done.stderr.startswith(f"1 faulty line was put aside in {tmp_path}/train.rejects.jsonl, with the reason.")


def test_other_faults_are_one_sentence(command, tmp_path, monkeypatch):
    for arguments, said in (
        (("--shots", "two"), "The numbers of demonstrations 'two' are not numbers like 2,4."),
        (("--optimizer", "gepa"), "There is no optimizer 'gepa'; choose calibrate or fewshot."),
        (("--val", tmp_path / "train.jsonl"), "3 problems stand in both"),
    ):
        done = command(*arguments)
        assert (done.exit_code, done.stdout) == (1, "") and said in sentence(done.stderr)
    monkeypatch.undo()
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    done = command("--model", "nobody/no-model")
    assert done.exit_code == 1 and "The model 'nobody/no-model' is not on this machine" in sentence(done.stderr)
    assert not (tmp_path / "prompted").exists()
    assert command("--tries", "0").exit_code == 2
