"""Where a file of records comes from: a manifest beside it, and the way back through the manifests of its inputs.

    leave_manifest(out, "dedupe", {"near": 0.8}, [path], records=45, rejects=0)
    for step in history(out): ...

The manifest of `clean.jsonl` is `clean.jsonl.manifest.json`: the whole name, because `clean.csv` may stand beside it. The
parts of a split have one in common, `split.json`. A manifest holds hashes and counts and no text of the records. Inputs are
named as seen from the manifest's folder, so that folders may move together; a data set of the hub has its name and no hash.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

import utta
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json

SPLIT = "split.json"


class _MadeBy(BaseModel):
    command: str
    options: dict[str, Any]


class _Made(BaseModel):
    """A file that a manifest tells of: an input, or a part of a split."""

    file: str
    sha256: str | None
    records: int | None = None


class _Manifest(BaseModel):
    """What the manifests of a file and of a split have in common, as far as the way back needs it."""

    kind: Literal["manifest", "split"]
    made_by: _MadeBy
    inputs: list[_Made]
    created: str
    records: int
    sha256: str | None = None
    parts: dict[str, _Made] = {}

    def about(self, path: Path) -> tuple[str | None, int | None]:
        """The hash and the number of records that a file had when it was made; a `split.json` holds no hash of itself."""
        part = next((part for part in self.parts.values() if part.file == path.name), None)
        return (part.sha256, part.records) if part else (self.sha256, self.records)


@dataclass(frozen=True)
class Step:
    """One file on the way back, `depth` steps before the one that was asked for.

    `state` is empty, or what is wrong: "missing", "changed since it was made", "changed since it was used", "not made by a
    data command". `made_by`, `created`, `records` are those of its manifest, None without one.
    """

    depth: int
    file: str
    state: str
    made_by: str | None = None
    created: str | None = None
    records: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def leave_manifest(
    out: Path, command: str, options: Mapping[str, Any], inputs: Sequence[Path], records: int, rejects: int
) -> None:
    """Write the manifest of `out`, which is whole by now; `options` are JSON values, without the paths in and out."""
    value = {
        "kind": "manifest",
        "schema_version": 1,
        "file": out.name,
        "sha256": _hash(out),
        "records": records,
        "rejects": rejects,
    }
    write_json(_beside(out), {**value, **origin(out.parent, command, options, inputs)})


def origin(folder: Path, command: str, options: Mapping[str, Any], inputs: Sequence[Path]) -> dict[str, Any]:
    """What every manifest in `folder` says of how its files were made: by which command and options, out of what, when."""
    return {
        "made_by": {"command": command, "options": dict(options)},
        "inputs": [{"file": _seen_from(folder, path), "sha256": _hash(path)} for path in inputs],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "utta": utta.__version__,
    }


def history(path: Path) -> list[Step]:
    """The file (or the folder of a split) and all that it was made of, each before its own inputs.

    The way ends at what no data command made, and at a file that was made anew after it was used. Raises `UttaError` when
    there is neither such a file nor a manifest of it, or a manifest is broken.
    """
    path = path / SPLIT if (path / SPLIT).is_file() else path
    if not path.exists() and _manifest(path) is None:
        raise UttaError(f"There is no file {path}, nor a manifest that tells of it; check the path.")
    return list(_steps(path, None, 0, set()))


def _steps(path: Path, used: str | None, depth: int, passed: set[Path]) -> Iterator[Step]:
    """`used` is the hash that the file had when it was used, None for the one that was asked for."""
    now = _hash(path)
    manifest = _manifest(path)
    if manifest is None:
        yield Step(depth, str(path), _state(now, used, now) or "not made by a data command")
        return
    made, records = manifest.about(path)
    by = _spelled(manifest.made_by)
    yield Step(depth, str(path), _state(now, used, made), by, manifest.created, records)
    if used in (None, now, made) and path.resolve() not in passed:
        passed.add(path.resolve())
        for each in manifest.inputs:
            if each.sha256 is None:
                yield Step(depth + 1, each.file, "not on this machine when it was used")
                continue
            place = Path(os.path.normpath(path.parent.resolve() / each.file))
            here = Path.cwd()
            shown = place.relative_to(here) if place.is_relative_to(here) else place
            yield from _steps(shown, each.sha256, depth + 1, passed)


def _state(now: str | None, used: str | None, made: str | None) -> str:
    if now is None:
        return "missing"
    if used not in (None, now):
        return "changed since it was used"
    return "changed since it was made" if made not in (None, now) else ""


def _spelled(made_by: _MadeBy) -> str:
    """The command with the options that say something."""
    said = {
        name: value for name, value in made_by.options.items() if value not in (None, "", []) and value is not False
    }
    return " ".join([made_by.command, *(f"{name}={_plain(value)}" for name, value in said.items())])


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "/".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _manifest(path: Path) -> _Manifest | None:
    """The manifest that tells of a file: its own, or that of the split which it is a part of, or which it is."""
    own, split = _beside(path), path.with_name(SPLIT)
    if own.is_file():
        return _read(own)
    if not split.is_file():
        return None
    try:
        found = _read(split)
    except UttaError:
        if path.name == SPLIT:
            raise
        return None
    parts = [part.file for part in found.parts.values()]
    return found if path.name in (SPLIT, *parts) else None


def _read(place: Path) -> _Manifest:
    try:
        return _Manifest.model_validate(read_json(place))
    except ValidationError:
        raise UttaError(f"{place} is not a manifest of UTTA; move it away, or make its file anew.") from None


def _hash(path: Path) -> str | None:
    """The SHA-256 of a file; of a folder, that of its files' names and hashes; None where there is neither."""
    if path.is_file():
        return sha256(path)
    if not path.is_dir():
        return None
    files = sorted(each for each in path.rglob("*") if each.is_file())
    told = "".join(f"{each.relative_to(path).as_posix()} {sha256(each)}\n" for each in files)
    return hashlib.sha256(told.encode()).hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _seen_from(folder: Path, path: Path) -> str:
    """The path as seen from a folder; the name of what is no path, and a path on another drive, stay as they are."""
    if not path.exists():
        return str(path)
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return str(path.resolve())
