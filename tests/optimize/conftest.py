from pathlib import Path

import dspy
import pytest

from tests.evaluate.scripted import ScriptedJudge
from utta.models.load import use_own_cache
from utta.programs.folder import Program


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch) -> Path:
    """A user's folder and an empty cache for each test."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")
    monkeypatch.setattr(dspy, "cache", dspy.cache)  # to be put back
    use_own_cache()
    return tmp_path / "home"


@pytest.fixture
def judge(monkeypatch):
    """Puts a scripted judge in the place of every model, and gives it back."""

    def put(answer=None, **settings) -> ScriptedJudge:
        scripted = ScriptedJudge(*([answer] if answer else []), **settings)
        monkeypatch.setattr(Program, "load_model", scripted.load_model())
        return scripted

    return put
