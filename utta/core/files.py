"""Files that survive a kill: written whole or not at all, or appended line by line.

A run that is killed leaves either the old file or the new one, and at most one unfinished last line in a log of
JSON lines, which `JsonLines` mends when it opens the file again.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from utta.core.errors import UttaError


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """Open a text file that takes `path`'s place only when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to make a file or folder at, which takes `path`'s place only when the block ends without an
    error; a folder in the way must be empty."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".part") as folder:
        made = Path(folder) / path.name
        yield made
        os.replace(made, path)


def refuse_overwriting(out: Path, inputs: Iterable[Path]) -> None:
    """`UttaError` when `out` is one of the inputs: what is read must still be there afterwards."""
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise UttaError(f"{out} is an input and would be overwritten; name another file with --out.")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_lines(path: Path, values: Iterable[Any]) -> int:
    """Write one JSON value a line to `path`, whole or not at all; returns the number of lines."""
    count = 0
    with atomic(path) as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_list(path: Path, values: Iterable[Any]) -> None:
    """Write one JSON list to `path`, an entry a line, whole or not at all."""
    with atomic(path) as file:
        file.write("[")
        for number, value in enumerate(values):
            file.write((",\n" if number else "\n") + json.dumps(value, ensure_ascii=False, allow_nan=False))
        file.write("\n]\n")


def read_json(path: Path) -> Any:
    """The JSON value in `path`; `UttaError` when it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UttaError(f"There is no file {path}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UttaError(f"{path} is not valid JSON ({error}); it may be cut off, so make it anew.") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class JsonLines:
    """A log of JSON values, one a line, that may be appended to after a kill.

    Opening cuts off an unfinished last line (a write that a kill interrupted); `append` writes and flushes one or more
    lines in a single call.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.done = self._mend()
        self._file = open(self.path, "a", encoding="utf-8", newline="\n")  # noqa: SIM115 — it stays open

    def _mend(self) -> list[Any]:
        if not self.path.exists():
            return []
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            with open(self.path, "r+b") as file:
                file.truncate(len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, values: Iterable[Any]) -> None:
        try:
            self._file.write("".join(json.dumps(v, ensure_ascii=False, allow_nan=False) + "\n" for v in values))
            self._file.flush()
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise

    def close(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
