import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from utta.cli import doctor as module
from utta.cli.main import cli
from utta.core import system
from utta.models.catalogue import CATALOGUE, DEFAULT

ROOT = Path(__file__).resolve().parents[2]
SECRET = "sk-do-not-show-this"


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A machine on which everything is in place: the project's requirements, a model, a folder, no GPU, no key."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path))
    for name in (*module.API_KEYS, "UTTA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [
        f'{line} {"and" if ";" in line else ";"} extra == "{extra}"'
        for extra, lines in project["optional-dependencies"].items()
        for line in lines
    ]
    versions = dict(
        re.findall(r"^([\w-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    versions = {name.lower().replace("_", "-"): value for name, value in versions.items()}
    versions["huggingface_hub"] = versions["huggingface-hub"]
    monkeypatch.setattr(metadata, "requires", lambda _: project["dependencies"] + extras)
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(system, "gpus", list)
    model = tmp_path / "models" / DEFAULT
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    return versions


def checks(code=0):
    """The checks by name, from a run that must exit with `code`."""
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert result.exit_code == code, result.output
    found = json.loads(result.stdout)
    assert found["ready"] == (code == 0)
    return {check["name"]: check for check in found["checks"]}


def test_everything_in_place(here):
    del here["bitsandbytes"]  # only the extra for a GPU asks for it
    found = checks()
    assert {check["status"] for check in found.values()} == {"ok", "optional"}
    assert found["packages"]["found"].startswith(f"accelerate {here['accelerate']}, click ")
    assert found["bitsandbytes"]["status"] == "optional"
    assert "pytest" not in found["packages"]["found"]
    text = CliRunner().invoke(cli, ["doctor"]).stdout
    assert text.rstrip().endswith("Everything that UTTA needs is here.")
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_pinned_versions_meet_the_requirements(here):
    assert "missing" not in {check.status for check in module._packages()}


def test_a_missing_package_and_a_wrong_version_are_named(here):
    del here["peft"]
    here["torch"] = "2.5.1"
    found = checks(code=1)
    assert found["peft"]["status"] == "missing"
    assert "scripts/quickstart" in found["peft"]["advice"]
    assert found["torch"]["found"] == "2.5.1, not <2.14,>=2.6"
    text = CliRunner().invoke(cli, ["doctor"]).stdout
    assert text.rstrip().endswith("Missing: peft, torch. See → for how to get it.")


def test_a_build_of_a_good_version_is_good(here):
    here["torch"] = "2.13.0+cpu"
    assert "torch 2.13.0+cpu" in checks()["packages"]["found"]


def test_running_without_an_installation_is_said(here, monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert checks(code=1)["packages"]["found"] == "utta is not installed"


def test_a_model_that_is_not_here_says_how_to_get_it(here, tmp_path):
    (tmp_path / "models" / DEFAULT / "config.json").unlink()
    found = checks(code=1)
    assert found[DEFAULT]["status"] == "missing"
    for name in CATALOGUE:
        assert found[name]["advice"] == f"utta models pull {name}"
    assert found["phi-3-mini"]["status"] == "optional"


def test_keys_are_named_and_never_shown(here, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    found = checks()["API keys"]
    assert found["status"] == "ok"
    assert found["found"].startswith("set: OPENAI_API_KEY; not set: ANTHROPIC_API_KEY, ")
    for args in (["doctor"], ["doctor", "--json"]):
        assert SECRET not in CliRunner().invoke(cli, args).output


def test_a_home_that_is_no_folder_is_missing(here, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "file"))
    found = checks(code=1)
    assert found["UTTA_HOME"]["status"] == "missing"
    assert "set UTTA_HOME" in found["UTTA_HOME"]["advice"]


def test_little_room_is_missing(here, monkeypatch):
    monkeypatch.setattr(system, "free_disk", lambda folder: 300 << 20)
    assert checks(code=1)["disk"]["found"] == "0.3 GiB free"


def test_a_gpu_that_torch_cannot_use_is_said(here, monkeypatch):
    monkeypatch.setattr(system, "gpus", lambda: ["NVIDIA H100, 81559 MiB"])
    assert checks()["GPU"] == {"name": "GPU", "status": "ok", "found": "NVIDIA H100, 81559 MiB", "advice": ""}
    here["torch"] = "2.13.0+cpu"
    assert checks()["GPU"]["advice"] == "install a CUDA build of torch"


def test_a_machine_without_bf16_still_works(here, monkeypatch):
    monkeypatch.setattr(system, "bf16_flags", list)
    assert checks()["bf16"]["status"] == "optional"


def test_an_old_python_is_missing(here, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert checks(code=1)["Python"]["found"] == "3.10.4"


def test_the_answer_cache_is_the_one_that_is_used(here, tmp_path):
    from utta.core.paths import answers_folder

    answers_folder().mkdir()
    (answers_folder() / "x").write_bytes(bytes(3 << 20))
    assert checks()["answer cache"]["found"].startswith(f"{tmp_path / 'answers'} (3 MiB)")
