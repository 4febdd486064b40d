"""Fixtures that more than one folder of tests uses."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data, which is not part of the project; a test that asks for it is skipped without."""
    folder = Path(os.environ.get("UTTA_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing; set UTTA_SHARED_DATA to a folder that holds mrbench_v3.json")
    return folder
