"""Where things live: the data that ships with the package, and the user's own folder.

`UTTA_HOME` moves the user's folder (downloaded models, the answer cache) away from `~/.cache/utta`.
"""

import os
import shutil
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """The shipped `data` folder: inside the package in a wheel, beside it in a checkout."""
    inside = PACKAGE / "data"
    return inside if inside.is_dir() else PACKAGE.parent / "data"


def home() -> Path:
    """The user's folder for models and caches, made when missing."""
    folder = Path(os.environ.get("UTTA_HOME") or Path.home() / ".cache" / "utta")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def answers_folder() -> Path:
    """Where models' answers are kept; they hold the text of students, so `utta cache clear` empties it."""
    return home() / "answers"


def empty_answers() -> int:
    """Delete every kept answer; returns how many bytes they were."""
    folder = answers_folder()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return size
