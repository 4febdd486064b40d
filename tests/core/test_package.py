"""What `import utta` gives, and that it refuses another package in the place of `metrics` or `signatures`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import utta

ROOT = Path(__file__).resolve().parents[2]


def python(code, *path):
    """Run `code` with the folders of `path` first on Python's search path."""
    setup = f"import sys; sys.path[:0] = {[str(p) for p in (*path, ROOT)]!r}; "
    return subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", utta.__all__)
def test_every_name_is_there(name):
    assert name in dir(utta)
    first, second = getattr(utta, name), getattr(utta, name)
    assert first is second
    assert isinstance(first, str) or callable(first)


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'judge'"):
        utta.judge  # noqa: B018


def test_import_is_light():
    code = "import utta; print({'torch', 'transformers', 'dspy', 'pydantic', 'click', 'yaml'} & set(sys.modules))"
    assert python(code).stdout == "set()\n"


def test_the_version_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", utta.__version__)


@pytest.mark.parametrize("place", ["metrics.py", "metrics/__init__.py", "signatures/__init__.py"])
def test_a_package_of_the_same_name_is_refused_in_one_sentence(place, tmp_path):
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    said = python("import utta", tmp_path).stderr
    name = place.split("/")[0].removesuffix(".py")
    sentence = f"UTTA needs its own package '{name}' in {ROOT}, but Python finds {file}; rename or remove that one, "
    assert said.splitlines()[-1].startswith(f"ImportError: {sentence}")


def test_a_folder_of_the_same_name_without_code_is_no_obstacle(tmp_path):
    (tmp_path / "metrics").mkdir()
    assert python("import utta; print('fine')", tmp_path).stdout == "fine\n"
