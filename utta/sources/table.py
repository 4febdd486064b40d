"""Reviews in a table (CSV): one judged response in a row, columns named by the user.

    read(path, Table({"response": "Reply", "levels.accuracy": "Accuracy (1-5)"}, {"Ms Lee": "teacher"}))
    write(path, reviews, ["accuracy", "engagement"])

A column that has the name of a field needs no mapping; a level's field is `levels.CRITERION`, and ratings in other
words or numbers are explained by `labels`. A conversation is a cell of lines like "Student: …", perhaps with a time
before it, or JSON: turns, or pairs of speaker and words, which are taken as they stand. Without any name before a colon
the whole cell is the student's. Columns that are nowhere named go into the metadata, and so does what a column
`metadata` holds as a JSON object. The delimiter (comma, semicolon, tab) is found from the header.

A cell that a spreadsheet would run as a formula, or that reading would take for an empty one, is written with an
apostrophe before it, as in a spreadsheet itself; reading takes it away again. So what is written is read back equal.
"""

import csv
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utta.core.errors import UttaError, shorten
from utta.core.files import atomic
from utta.records.read import LINE_LIMIT, Fault, plain, read_object
from utta.records.record import Turn, content_id, spoken
from utta.records.review import Review
from utta.sources.aita import SPEAKERS
from utta.sources.entries import Entry, as_written

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

LEVELS = "levels."
FIELDS = [name for name in Review.model_fields if name not in ("kind", "schema_version", "id", "levels", "metadata")]
TIME = r"[\[(]?(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4},?[ T])?\d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp]\.?[Mm]\.?)?[\])]?"
NAMED = re.compile(rf"\s*(?:{TIME}\s*[-–]?\s*(?![a-z]))?([^\W\d_][\w .'-]{{0,24}}?)\s*:(?=\s|$)")
JSON_TURNS = re.compile(r"\s*\[\s*[\[{\]]")
FORMULA = tuple("=+-@＝＋－＠")  # how a cell starts that a spreadsheet runs; the wide ones count in some languages
ESCAPED = re.compile("[\udc80-\udcff]")  # how bytes that are not UTF-8 come through


@dataclass(frozen=True)
class Table:
    """How to read a table: `columns` maps a field to a column, `speakers` a name in a conversation to "student" or
    "teacher" (nothing: no speaker at all), `rubric` is the id for rows that name none, and `labels` maps what stands for a
    level to its label (nothing: not rated); case does not count."""

    columns: Mapping[str, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    rubric: str = "utta"
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, who in self.speakers.items():
            if who not in ("student", "teacher", ""):
                raise UttaError(f"The speaker {name!r} is to be {who!r}; it can be student, teacher, or nothing.")

    def label(self, rating: str) -> str:
        """The label that a rating stands for; the rating itself where nobody said."""
        wanted = rating.strip().casefold()
        return next((label for each, label in self.labels.items() if each.casefold() == wanted), rating)

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
            columns = mapping(path, _header(path, rows), layout.columns)
            while True:
                line = rows.line_num + 1
                try:
                    row = next(rows, None)
                    if row is None:
                        return
                    yield Entry([review(row, columns, layout, path.stem)], line)
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


def mapping(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Field to column, for all columns that have one; `UttaError` for a field or column that does not exist."""
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


def review(row: Mapping[str, Any], mapping: Mapping[str, str], layout: Table, stem: str) -> Review:
    """The review of one row of cells; raises `ValueError` (pydantic's included)."""
    if None in row:
        raise ValueError(f"the row has more cells than the header, seen {shorten(row[None])!r}")  # type: ignore[index]
    cells = {name: row[column] for name, column in mapping.items()}
    if short := next((mapping[name] for name, cell in cells.items() if cell is None), None):
        raise ValueError(f"the row has fewer cells than the header: there is none for {short!r}")
    if any(ESCAPED.search(cell or "") for cell in row.values()):
        raise ValueError("the row is not UTF-8 text; save the file as UTF-8")
    turns = _turns(_bare(cells.get("conversation", "")), layout)
    fields: dict[str, Any] = {
        name: _bare(cell) for name, cell in cells.items() if name in FIELDS and name != "conversation" and cell.strip()
    }
    fields.setdefault("source", stem)
    fields.setdefault("dialogue_id", content_id(spoken(turns)))
    fields.setdefault("rubric", layout.rubric)
    fields["response"] = _bare(cells["response"])
    rated = {name.removeprefix(LEVELS): _label(cell) for name, cell in cells.items() if name.startswith(LEVELS)}
    levels = {name: layout.label(rating) for name, rating in rated.items()}
    used = set(mapping.values())
    others = {column: _bare(cell) for column, cell in row.items() if column not in used and cell and cell.strip()}
    return Review(
        **fields,
        conversation=turns,
        levels={name: label for name, label in levels.items() if label},
        metadata=_metadata(others),
    )


def _metadata(others: dict[str, str]) -> dict[str, Any]:
    """What columns without a field hold; the JSON object in a column `metadata` counts as such columns."""
    try:
        held = read_object(others.get("metadata", "").encode(), 0)
    except (ValueError, RecursionError):
        return others
    if not isinstance(held, dict):
        return others
    return held | {name: cell for name, cell in others.items() if name != "metadata"}


def _label(cell: str) -> str:
    """The label in a cell; space around it counts only where it was guarded."""
    return cell.strip() if (text := _bare(cell)) == cell else text


def _turns(cell: str, layout: Table) -> list[Turn]:
    """The turns of a conversation's cell; a line without a speaker goes on with the turn before it.

    Raises `ValueError` for a name that is nobody's: taken for text, it would put the teacher's words into the student's mouth.
    """
    if JSON_TURNS.match(cell):
        try:
            return [_turn(turn, layout) for turn in json.loads(cell)]
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


def _turn(turn: Any, layout: Table) -> Turn:
    """A turn of JSON; a pair is exact, an object's speaker is anyone's word for student or teacher."""
    if isinstance(turn, list) and len(turn) == 2:
        return Turn(speaker=turn[0], utterance=turn[1])
    name = str(turn.get("speaker", turn.get("role")))
    return Turn(speaker=layout.who(name) or name, utterance=turn.get("utterance", turn.get("content")))


def write(out: Path, reviews: Iterable[Review], criteria: Sequence[str]) -> None:
    """Write reviews as CSV, whole or not at all, with a column for each of `criteria`, which must hold every criterion.

    Raises `UttaError` for a criterion that no header can hold.
    """
    if odd := next((name for name in criteria if not name.isprintable()), None):
        raise UttaError(f"The criterion {odd!r} cannot be the name of a column; export to jsonl or parquet.")
    # No id: an edited text would no longer fit it, and a spreadsheet makes a number of some.
    header = [*FIELDS, *(LEVELS + name for name in criteria), "metadata"]
    with atomic(out) as file:
        file.write("\ufeff")  # a spreadsheet program takes a file without it for another encoding
        rows = csv.writer(file)
        rows.writerow(header)
        for each in reviews:
            held = each.model_dump(mode="json", include={*FIELDS})
            held |= {LEVELS + name: label for name, label in each.levels.items()}
            held["conversation"] = _conversation(each.conversation)
            held["metadata"] = json.dumps(each.metadata, ensure_ascii=False) if each.metadata else None
            rows.writerow([_cell(held.get(name), Review.model_fields.get(name)) for name in header])


def _conversation(turns: Sequence[Turn]) -> str | None:
    """Lines for people where they read back as the same turns, else pairs in JSON."""
    if not turns:
        return None
    lines = "\n".join(f"{turn.speaker.capitalize()}: {turn.utterance}" for turn in turns)
    try:
        if _turns(lines, Table()) == turns:
            return lines
    except ValueError:  # a line that looks like the words of someone else
        pass
    return json.dumps(spoken(turns), ensure_ascii=False)


def _cell(value: str | None, field: "FieldInfo | None") -> str:
    """A value as a cell; an empty cell is what the field is when nothing is said."""
    return "" if value is None or (field and value == field.default) else guarded(value)


def guarded(text: str) -> str:
    """A text as a cell that no spreadsheet runs and that reads back as it is."""
    return f"'{text}" if _needs_guard(text) else text


def _bare(cell: str) -> str:
    """The text of a cell that `guarded` wrote."""
    return cell[1:] if cell.startswith("'") and _needs_guard(cell) else cell


def _needs_guard(text: str) -> bool:
    """Whether a text, any apostrophes before it aside, is blank, has space around it or starts a formula."""
    core = text.lstrip("'")
    return core != core.strip() or not core or core.startswith(FORMULA)
