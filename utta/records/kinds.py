"""The three kinds of records by the words of the command line, and which of them a file holds.

kind = kind_of("talk.jsonl")  # "dialogues"
for item in scan_records("talk.jsonl", KINDS[kind]): ...
"""

import json
from pathlib import Path

from utta.core.errors import UttaError, shorten
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.read import no_records, numbered_lines, read_object, told_kind
from utta.records.review import Review

AnyRecord = Review | Dialogue | TeachingExample
KINDS: dict[str, type[AnyRecord]] = {"reviews": Review, "dialogues": Dialogue, "examples": TeachingExample}
BY_NAME = {record.model_fields["kind"].default: kind for kind, record in KINDS.items()}


def kind_of(path: Path, asked: str | None = None) -> str:
    """The kind of records in a file: what its first line says that says one, or `asked` where that is the same.

    Raises `UttaError` when the file cannot be read, holds no record of any kind, or another kind than `asked`.
    """
    seen = ""
    for _, line, size in numbered_lines(path):
        try:
            value = read_object(line, size)
        except (ValueError, RecursionError):
            value = None
        if told := told_kind(value):
            found = BY_NAME[told]
            if asked not in (None, found):
                raise UttaError(f"{path} holds {found}, not {asked}; type --as {found}, or give a file of {asked}.")
            return found
        seen = seen or _shown(line, value)
    if not seen:
        raise no_records(path, [], KINDS[asked or "reviews"])
    raise UttaError(
        f"{path} holds no records of UTTA: {seen}; bring it in with 'utta data import SOURCE {path} --out FILE' first."
    )


def _shown(line: bytes, value: object) -> str:
    """What a line is that is no record."""
    if isinstance(value, dict):
        return f"its first line has the fields {shorten(', '.join(value) or '(none)')}"
    if line.lstrip().startswith(b"["):
        return "it is a JSON list, not one record a line"
    what = line[:200].decode("utf-8", "backslashreplace") if value is None else json.dumps(value)
    return f"its first line is no JSON object, seen {shorten(what)!r}"
