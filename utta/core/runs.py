"""A run's folder: it belongs to one request, which its `run.json` holds; the same request again goes on with it."""

from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import read_json, write_json


def claim(out: Path, config: dict[str, Any]) -> None:
    """Take the folder for a request, or go on with it; `UttaError` when it holds something else."""
    kept = out / "run.json"
    if kept.is_file():
        before = read_json(kept)
        if changed := [key for key in before | config if before.get(key) != config.get(key)]:
            raise UttaError(
                f"{out} holds a run with another {' and '.join(changed)}; give another --out, or remove that folder."
            )
    elif out.is_dir() and any(not path.match(".*.part") for path in out.iterdir()):
        raise UttaError(f"{out} is not empty and holds no run; give another --out.")
    else:
        write_json(kept, config)
