"""Records as rows of typed columns, and rows as records: what Parquet files and Hugging Face data sets share.

A record's own columns have a type each, made from its pydantic model, whatever the rows hold: an empty column stays text.
Turns are lists of structs; what may be any JSON (metadata, profiles) is JSON as text, where None stays None. A review's
levels are columns `levels.CRITERION`. Rows that were made elsewhere are read as `utta.sources.table` reads a table, or,
for dialogues, as `utta.sources.aita` reads chat data.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from utta.core.errors import UttaError, shorten
from utta.records.dialogue import Dialogue
from utta.records.read import Fault, plain
from utta.records.record import Record
from utta.records.review import Review
from utta.sources import aita, table
from utta.sources.entries import as_written

if TYPE_CHECKING:
    import pyarrow

R = TypeVar("R", bound=Record)
Spec = Mapping[str, Any]

BATCH = 256  # rows held at once: a record is at most 5 MB, and Arrow's columns of text at most 2 GB


def schema(record: type[Record], criteria: Sequence[str]) -> "pyarrow.Schema":
    """The columns of a kind of record, with one for each of the `criteria` where it is reviews."""
    import pyarrow

    fields = [(name, _arrow(spec)) for name, spec in _specs(record).items() if name != "levels"]
    return pyarrow.schema(fields + [(table.LEVELS + name, pyarrow.string()) for name in criteria])


def row(record: Record) -> dict[str, Any]:
    """A record as the values of its columns."""
    specs = _specs(type(record))
    held = record.model_dump(mode="json")
    levels = {table.LEVELS + name: label for name, label in held.pop("levels", {}).items()}
    return {name: _encoded(value, specs[name]) for name, value in held.items()} | levels


def records(
    rows: Iterable[dict[str, Any]], columns: Sequence[str], place: Path, record: type[R], layout: table.Table
) -> Iterator[list[R | Fault]]:
    """One list per row: its record, or what is wrong with it.

    Raises `UttaError` when the columns are neither those of such records nor can be read as such.
    """
    make = _maker(columns, place, record, layout)
    for number, each in enumerate(rows, start=1):
        try:
            yield [make(each)]
        except (ValueError, TypeError, RecursionError) as error:
            yield [Fault(str(place), number, plain(error), as_written(each), unit="row")]


def _maker(columns: Sequence[str], place: Path, record: type[R], layout: table.Table) -> Any:
    if twice := next((name for name in columns if columns.count(name) > 1), None):
        raise UttaError(f"{place} has two columns {shorten(twice)!r}; rename one, or one of the two would be lost.")
    if {"kind", "schema_version"} <= {*columns}:
        return lambda row: _own(row, record)
    if record is Review:
        mapping = table.mapping(place, columns, layout.columns)
        stem = place.stem or place.name
        return lambda row: table.review({name: _cell(value) for name, value in row.items()}, mapping, layout, stem)
    if record is Dialogue:
        return lambda row: aita.dialogue(row)[0]
    raise UttaError(
        f"{place} has the columns {shorten(', '.join(columns), 200)}, which are not those of teaching examples; "
        "import it --as reviews or dialogues."
    )


def _own(row: Mapping[str, Any], record: type[R]) -> R:
    """The record of a row that `row` made; columns that were added since go into the metadata."""
    specs = _specs(record)
    held: dict[str, Any] = {"levels": {}} if "levels" in specs else {}
    added = {}
    for name, value in row.items():
        if name in specs:
            held[name] = _decoded(value, specs[name])
        elif "levels" in specs and name.startswith(table.LEVELS):
            held["levels"] |= {} if value is None else {name.removeprefix(table.LEVELS): value}
        elif value is not None and not name.startswith("__"):  # pandas keeps its index in such a column
            added[name] = value
    if added:
        held["metadata"] = added | (held.get("metadata") or {})
    return record.model_validate(held)


def _cell(value: Any) -> str:
    """A value of someone else's column as the cell of a table."""
    if value is None or value != value:  # NaN: what pandas makes of nothing
        return ""
    if isinstance(value, str):
        return table.guarded(value) if value.strip() else ""
    if isinstance(value, float) and value.is_integer():  # and this, of whole numbers in a column with gaps
        value = int(value)
    return json.dumps(value, ensure_ascii=False, default=str)


@cache
def _specs(record: type[Record]) -> dict[str, Spec]:
    """What each field holds, by its JSON Schema without references."""
    whole = record.model_json_schema()
    parts = whole.get("$defs", {})

    def resolved(spec: Any) -> Any:
        if isinstance(spec, list):
            return [resolved(each) for each in spec]
        if not isinstance(spec, dict):
            return spec
        if "$ref" in spec:
            return resolved(parts[spec["$ref"].rpartition("/")[2]])
        if "anyOf" in spec:  # something or nothing: every column may be empty
            return resolved(next(each for each in spec["anyOf"] if each.get("type") != "null"))
        return {key: resolved(value) for key, value in spec.items()}

    return {name: resolved(spec) for name, spec in whole["properties"].items()}


def _is_json(spec: Spec) -> bool:
    """Whether a field may hold any JSON, which becomes text."""
    return "type" not in spec or (spec["type"] == "object" and "properties" not in spec)


def _arrow(spec: Spec) -> "pyarrow.DataType":
    import pyarrow

    if _is_json(spec):
        return pyarrow.string()
    match spec["type"]:
        case "array":
            return pyarrow.list_(_arrow(spec["items"]))
        case "object":
            return pyarrow.struct([(name, _arrow(each)) for name, each in spec["properties"].items()])
        case kind:
            types = {"string": pyarrow.string, "integer": pyarrow.int64, "number": pyarrow.float64}
            return types.get(kind, pyarrow.bool_)()


def _encoded(value: Any, spec: Spec) -> Any:
    if value is None:
        return None
    if _is_json(spec):
        return json.dumps(value, ensure_ascii=False)
    match spec["type"]:
        case "array":
            return [_encoded(each, spec["items"]) for each in value]
        case "object":
            return {name: _encoded(each, spec["properties"][name]) for name, each in value.items()}
        case _:
            return value


def _decoded(value: Any, spec: Spec) -> Any:
    """`_encoded` undone; what does not fit is left as it is, for the record to refuse."""
    if _is_json(spec) and isinstance(value, str):
        return json.loads(value)
    match value:
        case list() if "items" in spec:
            return [_decoded(each, spec["items"]) for each in value]
        case dict() if "properties" in spec:
            return {name: _decoded(each, spec["properties"].get(name, {"type": ""})) for name, each in value.items()}
        case _:
            return value
