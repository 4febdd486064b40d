"""Reviews in a table (CSV): one judged response in a row, columns named by the user.

    read(path, Table({"response": "Reply", "levels.accuracy": "Accuracy (1-5)"}, {"Ms Lee": "teacher"}))

A column that has the name of a field needs no mapping; a level's field is `levels.CRITERION`. A conversation is a cell of
lines like "Student: …", or JSON turns; without any name before a colon the whole cell is the student's. Columns that are
nowhere named go into the metadata. The delimiter (comma, semicolon, tab) is found from the header.
"""

import csv
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError, shorten
from utta.records.read import LINE_LIMIT, Fault, plain
from utta.records.record import Turn, content_id, spoken
from utta.records.review import Review
from utta.sources.aita import SPEAKERS
from utta.sources.entries import Entry, as_written

LEVELS = "levels."
FIELDS = [name for name in Review.model_fields if name not in ("kind", "schema_version", "id", "levels", "metadata")]
NAMED = re.compile(r"\s*([^\W\d_][\w .'-]{0,24}?)\s*:(?=\s|$)")
JSON_TURNS = re.compile(r"\s*\[\s*[\[{\]]")
ESCAPED = re.compile("[\udc80-\udcff]")  # how bytes that are not UTF-8 come through


@dataclass(frozen=True)
class Table:
    """How to read a table: `columns` maps a field to a column, `speakers` a name in a conversation to "student" or
    "teacher" (nothing: no speaker at all), and `rubric` is the id for rows that name none."""

    columns: Mapping[str, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    rubric: str = "utta"

    def __post_init__(self) -> None:
        for name, who in self.speakers.items():
            if who not in ("student", "teacher", ""):
                raise UttaError(f"The speaker {name!r} is to be {who!r}; it can be student, teacher, or nothing.")

    def who(self, name: str) -> str | None:
        """Who a name is; None where nobody said."""
        wanted = name.strip().casefold()
        own = (who for each, who in self.speakers.items() if each.casefold() == wanted)
        return next(own, SPEAKERS.get(wanted))


def read(path: Path, layout: Table) -> Iterator[list[Review | Fault]]:
    """One list per row: its review, or what is wrong with it; faults name the line on which the row begins.

    Raises `UttaError` when the file cannot be read, a mapped field does not exist, or a mapped column or the response's is
    missing.
    """
    csv.field_size_limit(LINE_LIMIT)
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file, dialect=_dialect(file.readline()))
            file.seek(0)
            mapping = _mapping(path, _header(path, rows), layout.columns)
            while True:
                line = rows.line_num + 1
                try:
                    row = next(rows, None)
                    if row is None:
                        return
                    yield Entry([_review(row, mapping, layout, path.stem)], line)
                except (ValueError, csv.Error) as error:
                    seen = "" if isinstance(error, csv.Error) else as_written(row)
                    yield Entry([Fault(str(path), line, plain(error), seen)], line)
    except FileNotFoundError:
        raise UttaError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise UttaError(f"{path} cannot be read ({error.strerror or error}).") from None


def _dialect(header: str) -> type[csv.Dialect]:
    class Found(csv.excel):
        delimiter = max(",;\t", key=header.count)

    return Found


def _header(path: Path, rows: "csv.DictReader[str]") -> Sequence[str]:
    try:
        header = rows.fieldnames or ()
    except csv.Error as error:
        raise UttaError(f"{path} is not a table ({error}); save it as CSV in UTF-8.") from None
    if any(ESCAPED.search(name) or not name.isprintable() for name in header):
        raise UttaError(f"{path} is not a table in UTF-8; in a spreadsheet program, save it as 'CSV UTF-8'.")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise UttaError(f"{path} has two columns {shorten(twice)!r}; rename one, or one of the two would be lost.")
    return header


def _mapping(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Field to column, for all columns that have one."""
    mapping = {name: name for name in header if name in FIELDS or name.startswith(LEVELS)}
    for name, column in columns.items():
        if name not in FIELDS and not name.startswith(LEVELS):
            known = ", ".join(FIELDS)
            raise UttaError(
                f"There is no field {name!r} to fill from a column; there are {known} and {LEVELS}CRITERION."
            )
        if column not in header:
            raise UttaError(f"{path} has no column {column!r}; it has {shorten(', '.join(header), 200)}.")
        mapping[name] = column
    if "response" not in mapping:
        example = shlex.quote(header[-1] if header else "REPLY")
        raise UttaError(
            f"{path} has no column 'response'; name the one with the reply, for example response={example}."
        )
    return mapping


def _review(row: Mapping[str, Any], mapping: Mapping[str, str], layout: Table, stem: str) -> Review:
    """The review of one row; raises `ValueError` (pydantic's included)."""
    if None in row:
        raise ValueError(f"the row has more cells than the header, seen {shorten(row[None])!r}")  # type: ignore[index]
    cells = {name: row[column] for name, column in mapping.items()}
    if short := next((mapping[name] for name, cell in cells.items() if cell is None), None):
        raise ValueError(f"the row has fewer cells than the header: there is none for {short!r}")
    if any(ESCAPED.search(cell or "") for cell in row.values()):
        raise ValueError("the row is not UTF-8 text; save the file as UTF-8")
    turns = _turns(cells.get("conversation", ""), layout)
    fields = {name: cell for name, cell in cells.items() if name in FIELDS and name != "conversation" and cell.strip()}
    fields.setdefault("source", stem)
    fields.setdefault("dialogue_id", content_id(spoken(turns)))
    fields.setdefault("rubric", layout.rubric)
    fields["response"] = cells["response"]
    levels = {name.removeprefix(LEVELS): cell.strip() for name, cell in cells.items() if name.startswith(LEVELS)}
    used = set(mapping.values())
    return Review(
        **fields,
        conversation=turns,
        levels={name: label for name, label in levels.items() if label},
        metadata={column: cell for column, cell in row.items() if column not in used and cell and cell.strip()},
    )


def _turns(cell: str, layout: Table) -> list[Turn]:
    """The turns of a conversation's cell; a line without a speaker goes on with the turn before it.

    Raises `ValueError` for a name that is nobody's: taken for text, it would put the teacher's words into the student's mouth.
    """
    if JSON_TURNS.match(cell):
        try:
            turns = json.loads(cell)
            return [Turn(speaker=_speaker(t, layout), utterance=t.get("utterance", t.get("content"))) for t in turns]
        except (json.JSONDecodeError, AttributeError, RecursionError):
            raise ValueError(f"the conversation is not a JSON list of turns, seen {shorten(cell)!r}") from None
    said: list[tuple[str, list[str]]] = []
    for line in cell.strip().splitlines():
        match = NAMED.match(line)
        who = layout.who(match[1]) if match else ""
        if match and who is None:
            raise ValueError(
                f"the conversation has a line by {match[1]!r}, who is neither student nor teacher here; say who it is "
                f"with --speaker '{match[1]}=teacher', or '{match[1]}=' if nobody"
            )
        if match and who:
            said.append((who, [line[match.end() :].strip()]))
        elif said:
            said[-1][1].append(line.strip())
        else:
            said.append(("student", [line.strip()]))
    return [Turn(speaker=speaker, utterance="\n".join(lines).strip()) for speaker, lines in said]


def _speaker(turn: Mapping[str, Any], layout: Table) -> str:
    name = str(turn.get("speaker", turn.get("role")))
    return layout.who(name) or name
