"""The JSON Schema of each record, as shipped in `data/schemas`, for users who write records with other tools.

Run `python -m utta.records.schema` after a change of a record; a test says when the shipped file is out of date. The
schema cannot say everything that reading checks: not that an id fits the content, nor that a label is in the rubric.
"""

import json

from utta.core.files import write_text
from utta.core.paths import data_dir
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.record import Record
from utta.records.review import Review

RECORDS: dict[str, type[Record]] = {"review": Review, "dialogue": Dialogue, "teaching_example": TeachingExample}


def schema_text(kind: str) -> str:
    """The schema file's content for one kind of record; `KeyError` when there is no such kind."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **RECORDS[kind].model_json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def write_schemas() -> None:
    """Write the schema of every record to `data/schemas/KIND.json`."""
    for kind in RECORDS:
        write_text(data_dir() / "schemas" / f"{kind}.json", schema_text(kind))


if __name__ == "__main__":
    write_schemas()
