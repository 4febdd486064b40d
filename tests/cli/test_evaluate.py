"""`utta evaluate` from the command line: what it prints, and one sentence for whatever goes wrong."""

import errno
import json
import os
import signal

import pytest
from click.testing import CliRunner

from tests.evaluate.bad_inputs import BAD, write_bad
from tests.evaluate.scripted import (
    ScriptedJudge,
    decisions,
    grid,
    knowing,
    make_review,
    put_down,
    sentence,
    start,
    wait_for,
)
from utta.cli.main import cli
from utta.core.files import JsonLines
from utta.programs.folder import Program

REVIEWS = grid(["ants", "bees", "cats"], 4)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run `utta evaluate evaluator` on the small rubric with a scripted judge; options come after, named again they win."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Program, "load_model", ScriptedJudge(knowing(REVIEWS)).load_model())
    data, rubric = put_down(tmp_path, REVIEWS)

    def run(*more):
        arguments = ["evaluate", "evaluator", "--data", data, "--rubric", rubric, "--out", tmp_path / "run", *more]
        return CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="utta")

    return run


def test_a_run_ends_with_the_report(command, tmp_path):
    done = command()
    assert done.exit_code == 0, done.stderr
    assert done.stdout.split()[:3] == ["utta", "report", str(tmp_path / "run")]
    assert "On 24 decisions about 3 problems" in " ".join(done.stdout.split())
    assert done.stderr.splitlines() == ["Judging: 12 to do", "Judging: done"]
    again = command()
    assert again.exit_code == 0 and "0 to do, 12 done before" in again.stderr


def test_json_is_alone_on_standard_output(command, tmp_path):
    done = command("--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))


def test_gates(command, tmp_path):
    assert command("--gate", "macro_f1 >= 0.9").exit_code == 0
    failed = command("--gate", "macro_f1 >= 0.9", "--gate", "tone.accuracy < 0.5")
    assert failed.exit_code == 100
    assert failed.stderr.splitlines()[-1] == "utta: The gate 'tone.accuracy < 0.5' failed: the value is 1.0."
    assert "Gate failed: tone.accuracy < 0.5" in " ".join(failed.stdout.split())
    unknown = command("--gate", "f1 > 0", "--out", tmp_path / "other")
    assert unknown.exit_code == 1 and "names no metric; choose one of" in sentence(unknown.stderr)
    assert not (tmp_path / "other").exists()


def test_against_and_no_cache(command, tmp_path):
    assert command().exit_code == 0
    done = command("--out", tmp_path / "second", "--against", tmp_path / "run", "--no-cache", "--json")
    assert json.loads(done.stdout)["comparison"]["mean"]["macro_f1"]["value"] == 0


def test_a_dry_run_asks_and_writes_nothing(command, tmp_path):
    done = command("--dry-run")
    assert done.exit_code == 0
    assert dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()) == {
        "model": "smollm2-135m-q4", "requests": "12", "decisions": "24", "leaves this machine": "no",
    }  # fmt: skip
    assert json.loads(command("--dry-run", "--json").stdout)["decisions"] == 24
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_sentence_and_stays_as_it_is(command, tmp_path, kind):
    bad = write_bad(kind, tmp_path / "bad.jsonl", make_review(1, "ants"))
    before = bad.read_bytes() if bad.is_file() else None
    done = command("--data", bad)
    assert done.exit_code == 1 and done.stdout == ""
    assert BAD[kind] in sentence(done.stderr)
    assert not (tmp_path / "run").exists()
    assert before is None or bad.read_bytes() == before


@pytest.mark.parametrize("kind", ["truncated JSON", "wrong encoding", "missing field", "label outside the rubric"])
def test_a_bad_line_among_good_ones_is_put_aside_and_said(command, tmp_path, kind):
    bad = write_bad(kind, tmp_path / "bad.jsonl", make_review(99, "dogs")).read_bytes()
    data = tmp_path / "mixed.jsonl"
    data.write_bytes(bad + (tmp_path / "reviews.jsonl").read_bytes())
    done = command("--data", data, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["counts"] == {
        "decisions": 24, "scored": 24, "unscored": 0, "errors": 0, "rejects": 1, "withheld": {},
    }  # fmt: skip
    said = f"1 faulty line was put aside in {tmp_path}/mixed.rejects.jsonl, with the reason.\n"
    assert done.stderr.startswith(said)  # and nothing of the line, which may be a student's
    (put_aside,) = (tmp_path / "mixed.rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(put_aside)["line"] == 1


def test_other_faults_are_one_sentence(command, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    for arguments, said in (
        (("--rubric", "nowhere"), "There is no rubric 'nowhere': give one of"),
        (("--criteria", "warmth"), "has no criterion 'warmth'"),
        (("--against", tmp_path), "is no evaluation run"),
        (("--baseline-train", tmp_path / "no.jsonl"), "There is no file"),
        (("--out", tmp_path / "taken"), f"The path {tmp_path / 'taken'} cannot be used (File exists)"),
    ):
        done = command(*arguments)
        assert (done.exit_code, done.stdout) == (1, "") and said in sentence(done.stderr)
    monkeypatch.undo()
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    done = command("--model", "nobody/no-model")
    assert done.exit_code == 1
    assert "The model 'nobody/no-model' is not on this machine; fetch it with" in sentence(done.stderr)
    assert not (tmp_path / "run").exists()


def test_a_wrong_number_is_a_wrong_call(command):
    assert command("--seed", "-1").exit_code == 2


def test_a_disk_that_fills_up_is_one_sentence_and_the_run_goes_on(command, tmp_path, monkeypatch):
    append, written = JsonLines.append, []

    def full(log, values):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log.path))
        append(log, values)
        written.append(values)

    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "append", full)
        done = command()
    assert done.exit_code == 1
    assert sentence(done.stderr).endswith("make room and run the same command again: nothing is lost.")
    again = command()
    assert again.exit_code == 0 and "7 to do, 5 done before" in again.stderr


def test_a_real_write_that_fails_in_its_middle_loses_nothing(tmp_path, monkeypatch):
    """A limit on the size of files stands for a full disk; the write that meets it leaves half a review."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    data, rubric = put_down(tmp_path, REVIEWS)
    arguments = ["evaluate", "evaluator", "--data", str(data), "--rubric", str(rubric), "--out"]
    with start({"seconds": 0, "limit": 2500}, *arguments, tmp_path / "run", home=tmp_path / "home") as process:
        out, said = process.communicate(timeout=120)
    assert process.returncode == 1 and out == ""
    assert "Writing" in sentence(said) and "failed (File too large); make room and run the same" in sentence(said)
    assert (tmp_path / "run" / "predictions.jsonl").stat().st_size == 2500

    monkeypatch.setattr(Program, "load_model", ScriptedJudge().load_model())
    for run in ("run", "unbroken"):
        done = CliRunner().invoke(cli, [*arguments, str(tmp_path / run)], prog_name="utta")
        assert done.exit_code == 0, done.stderr
    assert decisions(tmp_path / "run") == decisions(tmp_path / "unbroken")


def test_ctrl_c_is_one_sentence_and_the_run_goes_on(command, tmp_path, monkeypatch):
    data, rubric = put_down(tmp_path, REVIEWS)
    out = tmp_path / "run"
    arguments = ("evaluate", "evaluator", "--data", data, "--rubric", rubric, "--out", out)
    with start({"seconds": 0.2}, *arguments, home=tmp_path / "home") as process:
        log = out / "predictions.jsonl"
        wait_for(process, lambda: log.is_file() and log.read_bytes().count(b"\n") >= 4)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 130 and shown == ""
    assert sentence(said) == "utta: Interrupted; nothing is lost, and the same command goes on where it was."
    kept = len(decisions(out)) // 2
    assert 2 <= kept < 12
    judge = ScriptedJudge()
    monkeypatch.setattr(Program, "load_model", judge.load_model())
    assert command().exit_code == 0
    assert len(judge.asked) == 12 - kept and len(decisions(out)) == 24
