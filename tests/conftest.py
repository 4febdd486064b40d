"""Fixtures that more than one folder of tests uses."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Ten thousand cases over the readers of all sources: HYPOTHESIS_PROFILE=thorough pytest tests/sources/test_any_input.py
settings.register_profile("thorough", max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ROOT = Path(__file__).resolve().parents[1]

Script = Callable[[Mapping[str, Any], Mapping[str, Any]], list[list[float]]]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data, which is not part of the project; a test that asks for it is skipped without."""
    folder = Path(os.environ.get("UTTA_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing; set UTTA_SHARED_DATA to a folder that holds mrbench_v3.json")
    return folder


@pytest.fixture(scope="session")
def embedded() -> Any:
    """Where the embedded model lies; a test that asks for it is skipped until it has been pulled."""
    from utta.core.errors import UttaError
    from utta.models.catalogue import DEFAULT, locate

    try:
        return locate(DEFAULT)
    except UttaError as error:
        pytest.skip(f"no embedded model: {error}")


@pytest.fixture(scope="session")
def embedded_model(embedded: Any) -> Any:
    """The embedded model loaded, without the answer cache: one engine for the whole session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UTTA_CACHE", "off")
        from utta.models.load import load

        return load(embedded.name, cache=False)


@pytest.fixture
def scripted() -> Callable[[Script], Any]:
    """Makes a model whose decisions a function gives: (state, questions) to the probabilities of each question."""
    from utta.models.decisions import DecisionClient
    from utta.models.load import Model

    class Scripted(DecisionClient):
        def __init__(self, script: Script):
            super().__init__("scripted", cache=False)
            self.script = script

        def probabilities(self, state: Mapping[str, Any], questions: Mapping[str, Any]) -> list[list[float]]:
            return self.script(state, questions)

    return lambda script: Model("scripted", Scripted(script), None, local=False)


@pytest.fixture
def memory_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """DSPy's answer cache empty and in memory, for one test."""
    import dspy
    from dspy.clients.cache import Cache

    monkeypatch.setattr(dspy, "cache", Cache(enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None))
