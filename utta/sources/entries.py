"""The entries of a JSON file, whichever way it holds them: one list, JSON Lines, or a single object.

A source turns each entry into records with `each_entry`, which gives what cannot be used as a fault with its place.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from utta.core.errors import UttaError, shorten
from utta.records.read import KEPT_OF_LONG_LINE, LINE_LIMIT, Fault, numbered_lines, plain, read_object, without_repeats
from utta.records.record import Record

R = TypeVar("R", bound=Record)


class Entry(list[R | Fault]):
    """What one entry of a file gave, and where that stands: its number, from 1, of a "line" or an "entry"."""

    def __init__(self, items: Iterable[R | Fault], number: int, unit: str = "line") -> None:
        super().__init__(items)
        self.number, self.unit = number, unit


@dataclass(frozen=True)
class Unusable:
    """A part of an entry that cannot be used: what is wrong with it, and the part itself."""

    wrong: str
    part: Any


def each_entry(path: Path, make: Callable[[dict[str, Any]], Sequence[R | Unusable]]) -> Iterator[list[R | Fault]]:
    """One list per entry: what `make` makes of it, where a part that cannot be used is a fault, or what is wrong with it.

    `make` raises `ValueError` (pydantic's included) with what is wrong. Raises `UttaError` when the file cannot be read.
    """
    for number, entry, unit in _entries(path):
        if isinstance(entry, Fault):
            yield Entry([entry], number, unit)
            continue
        try:
            if not isinstance(entry, dict):
                raise ValueError(f"it is not a JSON object {{…}}, seen {shorten(json.dumps(entry))!r}")
            items = [
                Fault(str(path), number, each.wrong, as_written(each.part), unit)
                if isinstance(each, Unusable)
                else each
                for each in make(entry)
            ]
            yield Entry(items, number, unit)
        except (ValueError, RecursionError) as error:
            yield Entry([Fault(str(path), number, plain(error), as_written(entry), unit)], number, unit)


def as_written(entry: Any) -> str:
    """An entry as text for a rejects file; half of a surrogate pair is spelled out, and what JSON has not is its text."""
    return json.dumps(entry, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()


def field(entry: dict[str, Any], name: str, kind: type = str) -> Any:
    """A field that must be there; `ValueError` says what is seen in its place."""
    if not isinstance(value := entry.get(name), kind):
        raise ValueError(f"{name} is missing or not {_KINDS[kind]}, seen {shorten(value)!r}")
    return value


_KINDS = {str: "text", list: "a list", dict: "an object", int: "a whole number"}


def _entries(path: Path) -> Iterator[tuple[int, Any, str]]:
    """Number, value and unit ("line" or "entry") of each entry."""
    start = _starts_with(path)
    if start == b"[":
        try:
            entries = json.loads(path.read_bytes().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UttaError(f"{path} is not valid JSON ({error}); it may be cut off, so fetch it anew.") from None
        for number, entry in enumerate(entries, start=1):
            yield number, entry, "entry"
    elif start == b"{" and (whole := _one_object(path)) is not None:
        yield 1, whole, "entry"
    else:
        for number, line, size in numbered_lines(path):
            try:
                entry = read_object(line, size)
            except (ValueError, RecursionError) as error:
                raw = line[:KEPT_OF_LONG_LINE].decode("utf-8", "backslashreplace")
                entry = Fault(str(path), number, plain(error), raw)
            yield number, entry, "line"


def _one_object(path: Path) -> Any:
    """The only object of a file, which may spread it over several lines; None where there are several or it is broken."""
    if path.stat().st_size > LINE_LIMIT:
        return None
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=without_repeats)
    except (ValueError, RecursionError):
        return None


def _starts_with(path: Path) -> bytes:
    """The first byte of the file that is not white space or a byte order mark."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    except FileNotFoundError:
        raise UttaError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise UttaError(f"{path} cannot be read ({error.strerror or error}).") from None
    return start[:1]
