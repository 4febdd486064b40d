"""Where a file of records comes from: a manifest beside it, and the way back through the manifests of its inputs.

    leave_manifest(out, "dedupe", {"near": 0.8}, [path], records=45, rejects=0)
    for step in history(out): ...

The manifest of `clean.jsonl` is `clean.jsonl.manifest.json`: the whole name, because `clean.csv` may stand beside it. The
parts of a split have one in common, `split.json`. A manifest holds hashes and counts and no text of the data. Inputs are
named as seen from the manifest's folder, so that a folder may move as a whole.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import utta
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json

SPLIT = "split.json"


def origin(folder: Path, command: str, options: Mapping[str, Any], inputs: Sequence[Path]) -> dict[str, Any]:
    """What every manifest in `folder` says of how its files were made: by which command and options, out of what, when."""
    return {
        "made_by": {"command": command, "options": dict(options)},
        "inputs": [{"file": _seen_from(folder, path), "sha256": sha256(path)} for path in inputs],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "utta": utta.__version__,
    }


def leave_manifest(
    out: Path, command: str, options: Mapping[str, Any], inputs: Sequence[Path], records: int, rejects: int
) -> None:
    """Write the manifest of `out`, which is whole by now; `options` are JSON values, without the paths in and out."""
    value = {
        "kind": "manifest",
        "schema_version": 1,
        "file": out.name,
        "sha256": sha256(out),
        "records": records,
        "rejects": rejects,
    }
    write_json(_beside(out), {**value, **origin(out.parent, command, options, inputs)})


@dataclass(frozen=True)
class Step:
    """One file on the way back, `depth` steps before the one that was asked for.

    `state` is empty, or what is wrong: "missing", "changed since it was made", "changed since it was used", "not made by a
    data command". `made_by`, `created`, `records` are those of its manifest, None without one.
    """

    depth: int
    file: str
    state: str
    made_by: str | None
    created: str | None
    records: int | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def history(path: Path) -> list[Step]:
    """The file (or the folder of a split) and all that it was made of, each before its own inputs.

    The way ends at what no data command made, and at a file that was made anew after it was used. Raises `UttaError` when
    there is neither such a file nor a manifest of it, or a manifest is broken.
    """
    path = path / SPLIT if path.is_dir() else path
    if not path.exists() and _manifest(path) is None:
        raise UttaError(f"There is no file {path}, nor a manifest that tells of it; check the path.")
    return list(_steps(path, None, 0, set()))


def _steps(path: Path, used: str | None, depth: int, passed: set[Path]) -> Iterator[Step]:
    """`used` is the hash that the file had when it was used, None for the one that was asked for."""
    manifest = _manifest(path)
    now = sha256(path) if path.is_file() else None
    made = _hash_in(manifest, path) if manifest else None
    by, options = (manifest["made_by"]["command"], manifest["made_by"]["options"]) if manifest else (None, {})
    yield Step(
        depth=depth,
        file=str(path),
        state=_state(now, used, made, manifest is not None),
        made_by=by and " ".join([by, *(f"{name}={value}" for name, value in options.items())]),
        created=manifest["created"] if manifest else None,
        records=_records(manifest, path) if manifest else None,
    )
    again = path.resolve() in passed
    if manifest and not again and (used is None or used in (now, made)):
        passed.add(path.resolve())
        for each in manifest["inputs"]:
            place = Path(os.path.normpath(path.parent / each["file"]))
            yield from _steps(place, each["sha256"], depth + 1, passed)


def _state(now: str | None, used: str | None, made: str | None, known: bool) -> str:
    if now is None:
        return "missing"
    if used not in (None, now):
        return "changed since it was used"
    if made not in (None, now):
        return "changed since it was made"
    return "" if known else "not made by a data command"


def _manifest(path: Path) -> dict[str, Any] | None:
    """The manifest that tells of a file: its own, or that of the split which it is a part of or which it is."""
    for place, kind in ((_beside(path), "manifest"), (path.with_name(SPLIT), "split")):
        if not place.is_file():
            continue
        value = read_json(place)
        if not isinstance(value, dict) or value.get("kind") != kind or not {"made_by", "inputs"} <= value.keys():
            raise UttaError(f"{place} is not a manifest of UTTA; move it away, or make {path} anew.")
        if kind == "manifest" or path.name == SPLIT or _part(value, path):
            return value
    return None


def _part(manifest: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """What the manifest of a split says of one of its parts."""
    return next((part for part in manifest["parts"].values() if part["file"] == path.name), None)


def _hash_in(manifest: dict[str, Any], path: Path) -> str | None:
    """The hash that the file had when it was made; a `split.json` holds none of itself."""
    return (_part(manifest, path) or {}).get("sha256") if manifest["kind"] == "split" else manifest["sha256"]


def _records(manifest: dict[str, Any], path: Path) -> int:
    part = _part(manifest, path) if manifest["kind"] == "split" else None
    return int((part or manifest)["records"])


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _seen_from(folder: Path, path: Path) -> str:
    """The path as seen from a folder; on another drive there is no such way, and it stays as it is."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return str(path.resolve())
