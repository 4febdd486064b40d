"""Read and write files of records: JSON Lines, one record a line, UTF-8.

    result = read_reviews("reviews.jsonl", rubric)
    write_records("copy.jsonl", result.reviews)
    dialogues = list(scan_records("dialogues.jsonl", Dialogue))

Reading streams and drops nothing in silence: a bad line becomes a `Fault` that says `file:line: what is wrong, what was
seen`, is put aside in a rejects file and counted. Blank lines are skipped. It does not mend anything, and it does not
read other layouts: that is `utta.sources`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from utta.core.errors import UttaError, shorten
from utta.core.files import write_lines
from utta.core.store import Store
from utta.records.record import Record
from utta.records.review import Review

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from signatures.rubric import Rubric

R = TypeVar("R", bound=Record)

LINE_LIMIT = 5_000_000
"""The longest line that is read, in bytes; a longer one is a fault, and no more than this of it is held in memory."""

KEPT_OF_LONG_LINE = 1000
TELLING = {"review": ("response",), "dialogue": ("dialogue_turns",), "teaching_example": ("input", "output")}
"""The fields that tell a kind of record where a line does not name its kind."""

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Fault:
    """One thing in a file that could not be used. `line` counts from 1: lines, or `unit` "entry" in a JSON list."""

    file: str
    line: int
    fault: str
    raw: str
    unit: str = "line"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.unit == "line" else f"{self.file}: {self.unit} {self.line}"
        return f"{place}: {self.fault}"

    def as_json(self) -> dict[str, Any]:
        """The fault as a line of a rejects file."""
        return {"file": self.file, self.unit: self.line, "fault": self.fault, "raw": self.raw}


@dataclass(frozen=True)
class ReadResult:
    """The good reviews of a file, and what was put aside: how many lines, where, and what was wrong with each."""

    reviews: list[Review]
    rejects: int
    rejects_path: Path | None
    faults: list[str]

    @property
    def note(self) -> str:
        """One sentence on what was put aside, for the user; empty when nothing was."""
        return rejects_note(self.faults, self.rejects_path)


def read_reviews(path: Path | str, rubric: "Rubric | None" = None, rejects: Path | None = None) -> ReadResult:
    """Read every review of a file.

    With a `rubric`, a criterion or label outside it is a fault. Bad lines are written to `rejects`, by default
    `NAME.rejects.jsonl` beside the file; it is written only when there are any, and good ones too. Raises `UttaError` when
    the file is missing, empty or without a single good review.
    """
    path = Path(path)
    reviews: list[Review] = []
    faults: list[Fault] = []
    for item in scan_reviews(path, rubric):
        if isinstance(item, Fault):
            faults.append(item)
        else:
            reviews.append(item)
    if not reviews:  # of a file of another kind nothing is put aside: it would be a copy of it
        raise no_records(path, faults)
    place = put_aside(faults, rejects or path.with_name(f"{path.stem}.rejects.jsonl"))
    return ReadResult(reviews, len(faults), place, [str(fault) for fault in faults])


def scan_reviews(path: Path | str, rubric: "Rubric | None" = None) -> Iterator[Review | Fault]:
    """Each line of a file as a review or a fault, in order; with a `rubric`, a criterion or label outside it is a fault."""
    return scan_records(path, Review, lambda review: check_labels(review, rubric))


def scan_records(path: Path | str, record: type[R], check: Callable[[R], None] | None = None) -> Iterator[R | Fault]:
    """Each line of a file as a record of that kind or a fault, in order; `UttaError` when the file cannot be opened.

    `check` raises `ValueError` for a record that cannot be used all the same.
    """
    return (item for _, item in numbered_records(path, record, check))


def numbered_records(
    path: Path | str, record: type[R], check: Callable[[R], None] | None = None
) -> Iterator[tuple[int, R | Fault]]:
    """What `scan_records` gives, each with the number of its line, from 1."""
    path = Path(path)
    lines = Store()
    for number, line, size in numbered_lines(path):
        try:
            value = read_object(line, size)
            if not isinstance(value, dict):
                raise ValueError(f"the line is not a JSON object {{…}}, seen {shorten(json.dumps(value))!r}")
            read = record.model_validate(value)
            if check:
                check(read)
            if earlier := lines.add(read.id, str(number)):
                raise ValueError(f"the {_words(record)} {read.id} already stands on line {earlier}")
        except (ValueError, RecursionError) as error:
            raw = line if size == len(line) else line[:KEPT_OF_LONG_LINE]
            text = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
            yield number, Fault(str(path), number, plain(error), text)
        else:
            yield number, read


def write_records(path: Path | str, records: Iterable[Record]) -> int:
    """Write records as JSON Lines, whole or not at all; returns how many."""
    return write_lines(Path(path), (record.model_dump(mode="json") for record in records))


def put_aside(faults: list[Fault], place: Path) -> Path | None:
    """Write the faulty lines to `place`, whole or not at all; returns the place, or None when there are no faults."""
    if not faults:
        return None
    try:
        write_lines(place, (fault.as_json() for fault in faults))
    except OSError as error:
        raise UttaError(
            f"{len(faults)} faulty lines (the first: {faults[0]}) cannot be put aside in {place} "
            f"({error.strerror or error}); free some space, or work on a copy in a folder you may write to."
        ) from None
    return place


def rejects_note(faults: list[str], place: Path | None) -> str:
    """One sentence on what was put aside; empty when nothing was."""
    if not faults:
        return ""
    return f"{put_aside_note(len(faults), place)}; the first: {faults[0]}."


def put_aside_note(count: int, place: Path | None) -> str:
    """How many faulty lines were put aside and where, without a word of them."""
    return f"{'1 faulty line was' if count == 1 else f'{count} faulty lines were'} put aside in {place}"


def no_records(path: Path, faults: list[Fault], record: type[Record] = Review) -> UttaError:
    """The error for a file that holds no good record of a kind."""
    what = _words(record)
    if not faults:
        return UttaError(f"{path} holds no {what}s: it is empty; give a file with one {what} (JSON) a line.")
    if (told := _kind_of_raw(faults[0].raw)) not in (None, what):
        return UttaError(
            f"{path} holds {told}s, not {what}s; give a file of {what}s (--as says what 'utta data import' makes of a source)."
        )
    count = "its only one is" if len(faults) == 1 else f"all {len(faults)} are"
    return UttaError(f"{path} holds no usable {what}: {count} faulty, the first: {faults[0]}.")


def _words(record: type[Record]) -> str:
    """What a kind of record is called in a sentence."""
    return str(record.model_fields["kind"].default).replace("_", " ")


def told_kind(value: Any) -> str | None:
    """The `kind` of record that a JSON value is meant to be: by that field, else by fields that only one kind has."""
    if not isinstance(value, dict):
        return None
    if (kind := value.get("kind")) in [*TELLING]:  # a list of them: what stands there need not be a word
        return str(kind)
    return next((kind for kind, fields in TELLING.items() if all(field in value for field in fields)), None)


def _kind_of_raw(raw: str) -> str | None:
    """The kind of a faulty line, in words."""
    try:
        kind = told_kind(json.loads(raw))
    except (ValueError, RecursionError):
        return None
    return kind and kind.replace("_", " ")


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Each line that is not blank: its number, its bytes (at most `LINE_LIMIT` + 1), its full size in bytes."""
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(LINE_LIMIT + 1):
                number += 1
                size, piece = len(line), line
                while len(line) > LINE_LIMIT and piece and not piece.endswith(b"\n"):
                    piece = file.readline(LINE_LIMIT)
                    size += len(piece)
                if number == 1 and line.startswith(BOM):
                    line, size = line[len(BOM) :], size - len(BOM)
                if line.strip():
                    yield number, line, size
    except FileNotFoundError:
        raise UttaError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise UttaError(f"{path} cannot be read ({error.strerror or error}); give a file of reviews.") from None


def read_object(line: bytes, size: int) -> Any:
    """The JSON value on one line; raises `ValueError` (pydantic's included) or `RecursionError`."""
    if size > LINE_LIMIT + 1:
        raise ValueError(f"the line is {size / 1e6:.1f} MB long, over the limit of {LINE_LIMIT / 1e6:g} MB")
    if b"\0" in line:
        raise ValueError(
            f"the line holds {line.count(0)} NUL bytes, as UTF-16 text or a damaged file does; save the file as UTF-8"
        )
    return json.loads(line.rstrip().decode("utf-8"), object_pairs_hook=without_repeats)


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a field that stands twice is a fault, because one of the two would vanish."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {shorten(twice)!r} stands twice in one object")
    return fields


def check_labels(review: Review, rubric: "Rubric | None") -> None:
    """Raise `ValueError` when a level's criterion or label is not in the rubric."""
    if rubric is None:
        return
    known = {criterion.id: criterion.labels for criterion in rubric.criteria}
    for criterion, label in review.levels.items():
        if criterion not in known:
            has = ", ".join(known) + _meant(criterion, known)
            raise ValueError(f"the criterion {shorten(criterion)!r} is not in the rubric {rubric.id}, which has {has}")
        if label not in known[criterion]:
            has = ", ".join(repr(x) for x in known[criterion]) + _meant(label, known[criterion])
            raise ValueError(
                f"the label {shorten(label)!r} of {criterion} is not in the rubric {rubric.id}, which has {has}"
            )


def _meant(seen: str, known: Iterable[str]) -> str:
    """A hint at the word that `seen` is but for case and white space."""
    bare = "".join(seen.split()).casefold()
    near = next((word for word in known if "".join(word.split()).casefold() == bare), None)
    return f"; did you mean {near!r}?" if near else ""


def plain(error: Exception) -> str:
    """What is wrong with a line, in plain words, and what was seen there."""
    if isinstance(error, ValidationError):
        return plain_faults(error)
    if isinstance(error, UnicodeDecodeError):
        seen = error.object[error.start]
        return (
            f"the line is not UTF-8 text, seen byte 0x{seen:02X} at position {error.start + 1}; save the file as UTF-8"
        )
    if isinstance(error, json.JSONDecodeError):
        what = error.msg.lower().removesuffix(" at")
        around = shorten(error.doc[max(0, error.pos - 20) : error.pos + 20])
        return f"the line is not valid JSON ({what} at column {error.colno}), seen {around!r}"
    if isinstance(error, RecursionError):
        return "the line is nested too deeply"
    return str(error)


def plain_faults(error: ValidationError) -> str:
    """A pydantic error as one plain sentence; at most three of its faults are spelled out."""
    details = error.errors(include_url=False)
    more = f"; and {len(details) - 3} more" if len(details) > 3 else ""
    return "; ".join(_field_fault(detail) for detail in details[:3]) + more


def _field_fault(detail: "ErrorDetails") -> str:
    """One fault of one field. The types are pydantic's names for what went wrong."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).removeprefix(".")
    field, seen = shorten(path), repr(shorten(detail["input"]))
    match detail["type"]:
        case "missing":
            return f"the field {field!r} is missing"
        case "extra_forbidden":
            return f"the field {field!r} is unknown, seen {seen}"
        case "string_type":
            return f"the field {field!r} is not text, seen {seen}"
        case "string_unicode":  # pydantic's own check, where a pattern is asked for
            return f"the field {field!r} holds half of a surrogate pair, which is not text"
        case "string_pattern_mismatch":
            return f"the field {field!r} is blank, seen {seen}"
        case "value_error":
            what = detail["msg"].removeprefix("Value error, ")
            return f"the field {field!r} {what}" if field else what
        case _:
            what = detail["msg"].removeprefix("Input ")
            return f"the field {field!r} {what}, seen {seen}"
