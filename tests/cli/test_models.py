"""`utta models`: what is listed, what is said of a model, and that one that is here is not fetched again."""

import json
import subprocess

import pytest
from click.testing import CliRunner

from tests.evaluate.scripted import sentence
from tests.models.tiny import save_tiny
from utta.cli.main import cli
from utta.models.catalogue import CATALOGUE, DEFAULT, fingerprint


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's folder in which a small model stands in the embedded one's place."""
    folder = tmp_path_factory.mktemp("home")
    save_tiny(folder / "models" / DEFAULT)
    return folder


@pytest.fixture
def models(home, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(home))

    def run(*arguments):
        return CliRunner().invoke(cli, ["models", *map(str, arguments)], prog_name="utta")

    return run


def test_list_names_every_model_and_whether_it_is_here(models, home):
    shown = models("list").stdout
    print_ = fingerprint(home / "models" / DEFAULT)
    assert f"here, weights {print_}" in shown and "fetch with: utta models pull phi-3-mini" in shown
    rows = json.loads(models("list", "--json").stdout)
    assert [row["name"] for row in rows] == list(CATALOGUE)
    assert {row["name"]: row["fingerprint"] for row in rows if row["fingerprint"]} == {DEFAULT: print_}
    assert all(row["about"] and row["licence"] for row in rows)


def test_a_model_that_is_here_is_not_fetched(models, home, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    done = models("pull", DEFAULT)
    folder = home / "models" / DEFAULT
    assert (done.exit_code, done.stdout) == (0, f"{DEFAULT} is in {folder} (weights {fingerprint(folder)})\n")


def test_info(models, home):
    for name in (DEFAULT, home / "models" / DEFAULT):
        shown = models("info", name).stdout
        assert "llama, 2 layers, width 64" in shown and "reads         4,096 tokens" in shown
        assert "LoRA trains   q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj" in shown


def test_a_missing_model_is_one_sentence(models, tmp_path):
    done = models("info", "phi-3-mini")
    assert done.exit_code == 1 and "fetch it with 'utta models pull phi-3-mini'" in sentence(done.stderr)
    (tmp_path / "config.json").write_text("{}")
    done = models("info", tmp_path)
    assert done.exit_code == 1 and "holds no *.safetensors file" in sentence(done.stderr)
