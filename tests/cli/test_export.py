"""`utta export` from the command line, on a judge of random weights."""

import json
import shutil
import signal

import pytest
from click.testing import CliRunner

from tests.distill.exported import VALIDATION, save_base, save_judge
from tests.evaluate.scripted import put_down, sentence, start, wait_for
from utta.cli.main import cli


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    return save_judge(folder / "judge", save_base(folder / "base"))


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")
    return lambda *arguments: CliRunner().invoke(cli, list(map(str, arguments)), prog_name="utta")


def test_an_export_prints_its_figures_and_runs(command, judge, tmp_path):
    out = tmp_path / "merged"
    done = command("export", judge, "--to", "merged", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert f"{out} holds " in done.stdout and "The base is a local folder" in done.stdout
    n = 2 * len(VALIDATION)
    assert f"merged in float32: the same level in {n} of {n} decisions, log-probabilities differ by" in done.stdout
    data, rubric = put_down(tmp_path, VALIDATION)
    run = command("evaluate", out, "--data", data, "--rubric", rubric, "--out", tmp_path / "run", "--json")
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["counts"]["scored"] == n


def test_without_data_it_says_so(command, judge, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(judge, alone)
    manifest = json.loads((alone / "manifest.json").read_text(encoding="utf-8"))
    del manifest["validation"]
    (alone / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = command("export", alone, "--to", "peft", "--out", tmp_path / "peft")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith(
        "\nadapter: not checked: the program's own data is not here; name reviews with --data\n"
    )


def test_json_is_the_manifest(command, judge, tmp_path):
    done = command("export", judge, "--to", "peft", "--out", tmp_path / "peft", "--rows", 2, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "peft" / "manifest.json").read_text(encoding="utf-8"))
    assert told["parity"]["decisions"] == 4


def test_an_export_that_decides_otherwise_is_a_gate_that_failed(command, judge, tmp_path, monkeypatch):
    monkeypatch.setattr("utta.distill.export.parity.MEAN", 0.0)
    done = command("export", judge, "--to", "merged", "--out", tmp_path / "out", "--rows", 1)
    assert done.exit_code == 100 and (tmp_path / "out" / "manifest.json").is_file()
    assert "does not decide as the program does (merged in_float32)" in sentence(done.stderr)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(judge, tmp_path):
    """A limit on the size of files stands for a full disk: the adapter does not fit."""
    arguments = ("export", judge, "--to", "peft", "--out", tmp_path / "out", "--rows", 1)
    with start({"limit": 10_000}, *arguments, home=tmp_path / "home") as process:
        shown, said = process.communicate(timeout=120)
    assert process.returncode == 1 and shown == ""
    assert "make room" in sentence(said)
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}


def test_faults_are_one_sentence(command, judge, tmp_path):
    for arguments, said in (
        ((tmp_path / "nowhere", "--to", "peft", "--out", tmp_path / "out"), "is no program"),
        ((judge, "--to", "peft", "--out", judge), "exists already; give another --out"),
        ((judge, "--to", "peft", "--out", tmp_path / "out", "--data", tmp_path / "none"), "none"),
    ):
        done = command("export", *arguments)
        assert (done.exit_code, done.stdout) == (1, "") and said in sentence(done.stderr)
    assert command("export", judge, "--to", "onnx", "--out", tmp_path / "out").exit_code == 2
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_nothing(judge, tmp_path):
    with start({}, "export", judge, "--to", "gguf", "--out", tmp_path / "out", home=tmp_path / "home") as process:
        wait_for(process, lambda: any(tmp_path.glob(".out.*.part")))
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 130 and shown == "", said
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}
