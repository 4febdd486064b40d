"""Records of any content, made from their JSON Schema: a field that is added to a record is drawn as well."""

from hypothesis import strategies as st
from pydantic import ValidationError

ODD = ["", " ", "'", "''", "'=1", "=1+1", "+1", "-1", "@SUM(A1)", "＝1", "\t=1", "a\r\nb", "a\rb", "\x00", "\u2028", "\ufeff",
       "null", "{}", "[]", '[["a", "b"]]', "Student: 5", "Teacher: a\nStudent: b", "Ms Lee: x", '"', ";;;,\t", "🙂", "\u200f",
       "'tis", "- no", "5", "1e5", "x" * 40]  # fmt: skip
TEXTS = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def records(record, **fields):
    """Any record of a kind; `fields` says what some of its fields are drawn from."""
    whole = record.model_json_schema()
    drawn = {
        name: fields[name] if name in fields else _values(spec, whole.get("$defs", {}))
        for name, spec in whole["properties"].items()
        if name not in ("kind", "schema_version", "id")
    }
    return st.fixed_dictionaries(drawn).map(lambda held: _valid(record, held))


def _valid(record, held):
    """The record, with a name where a text must not be blank, which a schema does not tell."""
    try:
        return record.model_validate(held)
    except ValidationError as error:
        for detail in error.errors():
            *way, last = detail["loc"]
            part = held
            for step in way:
                part = part[step]
            part[last] = "name"
        return record.model_validate(held)


def _values(spec, parts):
    if "$ref" in spec:
        return _values(parts[spec["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in spec:
        return st.one_of([_values(each, parts) for each in spec["anyOf"]])
    if "enum" in spec:
        return st.sampled_from(spec["enum"])
    match spec.get("type"):
        case "null":
            return st.none()
        case "string" if spec.get("format") == "date":
            return st.dates().map(str)
        case "string":
            return TEXTS
        case "integer":
            return st.integers(0, 9)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(_values(spec["items"], parts), max_size=3)
        case "object" if "properties" in spec:
            return st.fixed_dictionaries({name: _values(each, parts) for name, each in spec["properties"].items()})
        case "object":
            return st.dictionaries(TEXTS, JSON, max_size=2)
        case _:
            return JSON
