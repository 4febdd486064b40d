"""`utta quickstart`: the whole way, on a model of random weights and with one epoch."""

from functools import partial

import pytest
from click.testing import CliRunner

from tests.models.tiny import random_llama
from utta.cli import quickstart
from utta.cli.main import cli
from utta.core.errors import UttaError
from utta.core.files import read_json
from utta.distill import recipe as distill_recipe


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, embedded):
    """Random weights behind the embedded model's tokenizer: the samples' prompts are long."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(embedded.folder, local_files_only=True)
    random_llama(len(tokenizer), tied=True).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def run(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(quickstart, "MODEL", str(tiny))
    recipe = partial(distill_recipe.Recipe, rank=4)
    monkeypatch.setattr(distill_recipe, "Recipe", lambda **given: recipe(**given | {"epochs": 1}))

    def call(*more):
        arguments = ["quickstart", "--out", str(tmp_path / "quickstart"), *more]
        return CliRunner().invoke(cli, arguments, prog_name="utta")

    return call


def test_a_new_start_takes_away_only_what_a_quickstart_made(tmp_path, monkeypatch):
    def stop(name):
        raise UttaError("No more of this.")

    monkeypatch.setattr("utta.models.catalogue.pull", stop)
    for made in (*quickstart.MADE, "thesis"):
        (tmp_path / made).mkdir()
        (tmp_path / made / "file").write_text("years of work")
    call = ["quickstart", "--out", str(tmp_path)]
    assert CliRunner().invoke(cli, call, prog_name="utta").stderr == "utta: No more of this.\n"
    assert len(list(tmp_path.iterdir())) == 7
    CliRunner().invoke(cli, [*call, "--fresh"], prog_name="utta")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_the_whole_way_and_again(run, tmp_path):
    out = tmp_path / "quickstart"
    done = run()
    assert done.exit_code == 0, done.stderr
    steps = [line for line in done.stdout.splitlines() if line[:1].isdigit() and line[1:2] == "/"]
    assert [line[:3] for line in steps] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    assert "train: 56 reviews of 14 scenarios" in done.stdout and done.stdout.count("mean macro-F1") >= 3
    assert "utta report" in done.stdout and "Traceback" not in done.stderr
    assert {path.name for path in out.iterdir()} == set(quickstart.MADE)
    results = read_json(out / "judge-test" / "results.json")
    assert results["comparison"]["run"] == str(out / "base")
    assert set(results["mean"]["baselines"]) == {"commonest", "tfidf"}
    assert read_json(out / "base" / "results.json")["times_scored"] == 0
    assert read_json(out / "calibrated" / "manifest.json")["calibration"]["halves"].keys() == {
        "likeliest", "reanchor", "weights",
    }  # fmt: skip

    # The same command goes on where it was: at the end.
    made = (out / "judge" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    again = run()
    assert again.exit_code == 0 and "Training" not in again.stderr
    assert (out / "judge" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == made
