from pathlib import Path

import pytest

from utta.core import paths


def test_the_shipped_data_is_found():
    assert (paths.data_dir() / "rubrics" / "utta.yaml").is_file()


def test_data_inside_the_package_comes_first(monkeypatch, tmp_path):
    package = tmp_path / "utta"
    package.mkdir()
    monkeypatch.setattr(paths, "PACKAGE", package)
    assert paths.data_dir() == tmp_path / "data"
    (package / "data").mkdir()
    assert paths.data_dir() == package / "data"


def test_home_is_made_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "a" / "b"))
    assert paths.home() == tmp_path / "a" / "b"
    assert paths.home().is_dir()


@pytest.mark.parametrize("value", [None, ""])
def test_home_is_in_the_users_cache_by_default(value, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("UTTA_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("UTTA_HOME", value)
    assert paths.home() == tmp_path / ".cache" / "utta"
