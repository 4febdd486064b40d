"""`utta distill` from the command line, on a model of random weights that trains in a moment."""

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.evaluate.bad_inputs import BAD, write_bad
from tests.evaluate.scripted import ROOT, grid, make_review, put_down, sentence, start, wait_for
from tests.models.tiny import save_tiny
from utta.cli.main import cli

TRAIN = grid(["ants", "bees", "cats", "dogs"], 2)
VALIDATION = grid(["eels", "foxes"], 2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny(folder)
    return folder


@pytest.fixture
def arguments(tmp_path, tiny, monkeypatch):
    """The command on the small rubric; options come after, named again they win."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")
    train, rubric = put_down(tmp_path, TRAIN, "train.jsonl")
    validation, _ = put_down(tmp_path, VALIDATION, "validation.jsonl")
    options = {"train": train, "val": validation, "rubric": rubric, "model": tiny, "out": tmp_path / "judge"}
    options |= {"epochs": 1, "rank": 4}
    return ["distill", "evaluator", *(str(part) for name, value in options.items() for part in (f"--{name}", value))]


@pytest.fixture
def command(arguments):
    def run(*more):
        return CliRunner().invoke(cli, [*arguments, *map(str, more)], prog_name="utta")

    return run


def test_a_dry_run_says_what_would_be_trained_and_leaves_nothing(command, tmp_path):
    done = command("--dry-run")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("A dry run: nothing is trained, nothing is written")
    assert "8 responses to 4 conversations" in done.stdout and "16 with a label, 0 without one" in done.stdout
    for title in ("What it takes", "What to look at first", "Labels, and", "Who sees whom", "Where it is read"):
        assert f"\n{title}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80 and done.stdout.rstrip().endswith("clarity:")
    assert not (tmp_path / "judge").exists()
    planned = json.loads(command("--dry-run", "--json").stdout)
    assert planned["training_responses"] == 8 and planned["estimate"]["seconds"] > 0


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("option", ["--train", "--val", "--unlabelled"])
def test_a_bad_file_is_one_sentence_and_stays_as_it_is(command, tmp_path, kind, option):
    bad = write_bad(kind, tmp_path / "bad.jsonl", make_review(1, "goats"))
    before = bad.read_bytes() if bad.is_file() else None
    done = command(option, bad, *(("--teacher", "evaluator") if option == "--unlabelled" else ()))
    assert done.exit_code == 1 and done.stdout == ""
    assert BAD[kind] in sentence(done.stderr)
    assert not (tmp_path / "judge").exists()
    assert before is None or bad.read_bytes() == before


def test_a_teacher_is_asked_by_the_way_and_the_report_tells(command, tmp_path):
    pool, _ = put_down(tmp_path, [make_review(n, "ants", None, None) for n in (70, 71)], "pool.jsonl")
    more = ("--teacher", "evaluator", "--teacher-model", tmp_path / "tiny", "--unlabelled", pool)
    save_tiny(tmp_path / "tiny")
    planned = json.loads(command(*more, "--dry-run", "--json").stdout)
    assert (planned["unlabelled_responses"], planned["decisions_with_a_label"]) == (2, 16)
    assert not (tmp_path / "judge").exists()
    done = command(*more, "--confidence", 0, "--blend", 0.5)
    assert done.exit_code == 0, done.stderr
    assert "Learnt from a teacher" in done.stdout and "held_out 0, labelled 0, in_training 0" in done.stdout


def test_other_faults_are_one_sentence(command, tmp_path):
    for more, said in (
        (("--model", "nobody/no-model"), "The model 'nobody/no-model' is not on this machine"),
        (("--val", tmp_path / "train.jsonl"), "4 problems stand in both"),
        (("--criteria", "warmth"), "has no criterion 'warmth'"),
    ):
        done = command(*more)
        assert (done.exit_code, done.stdout) == (1, "") and said in sentence(done.stderr)
    assert not (tmp_path / "judge").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--epochs", 0),
        ("--rank", 0),
        ("--batch", 0),
        ("--learning-rate", 0),
        ("--balance", 2),
        ("--upper", 0),
        ("--seed", -1),
        ("--teacher-weight", 0),
        ("--teacher", "evaluator"),
        ("--blend", 0.5),
        ("--unlabelled", "replies.jsonl"),
    ],
)
def test_a_wrong_number_or_half_a_teacher_is_a_wrong_call(command, wrong):
    assert command(*wrong).exit_code == 2


def test_a_disk_that_fills_up_is_one_sentence_and_the_run_goes_on(arguments, command, tmp_path):
    """A limit on the size of files stands for a full disk: the adapter does not fit."""
    with start({"limit": 10_000}, *arguments, home=tmp_path / "home") as process:
        shown, said = process.communicate(timeout=120)
    assert process.returncode == 1 and shown == ""
    assert sentence(said).endswith(
        "failed (File too large); make room and run the same command again: nothing is lost."
    )
    assert not (tmp_path / "judge" / "manifest.json").exists()
    done = command()
    assert done.exit_code == 0, done.stderr
    assert f"utta report {tmp_path / 'judge'}" in done.stdout.replace("\n", "") and "Epoch" in done.stdout


def test_a_disk_that_is_full_when_torch_saves_is_one_sentence_too(command, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")

    monkeypatch.setattr("utta.distill.loop.CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr("torch.save", full)
    done = command()
    assert done.exit_code == 1
    assert "failed (No space left on device); make room and run the same command again" in sentence(done.stderr)


def test_ctrl_c_is_one_sentence_and_the_run_goes_on(arguments, command, tmp_path):
    more = ("--epochs", "3")
    with start({"checkpoint_seconds": 0}, *arguments, *more, home=tmp_path / "home") as process:
        checkpoints = tmp_path / "judge" / "checkpoints"
        wait_for(process, lambda: any(checkpoints.glob("checkpoint-*/trainer_state.json")))
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 130 and shown == ""
    assert sentence(said) == "utta: Interrupted; nothing is lost, and the same command goes on where it was."
    assert not (tmp_path / "judge" / "manifest.json").exists() and any(checkpoints.iterdir())
    done = command(*more, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["history"][-1]["epoch"] <= 3


def test_help_imports_nothing_heavy():
    code = "import sys, utta.cli.distill; print(sorted({'torch', 'dspy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"
