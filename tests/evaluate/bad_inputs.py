"""Files of reviews that cannot be used, and what the error must say of each."""

import json
from pathlib import Path

from utta.records.review import Review

BAD = {
    "truncated JSON": "not valid JSON",
    "wrong encoding": "not UTF-8 text",
    "UTF-16": "NUL bytes",
    "missing field": "the field 'response' is missing",
    "label outside the rubric": "the label 'Splendid' of",
    "empty": "it is empty",
    "a line of 10 MB": "over the limit of 5 MB",
    "missing": "There is no file",
    "a folder": "cannot be read",
}


def write_bad(kind: str, path: Path, good: Review) -> Path:
    """Make the bad input of that kind from a good review."""
    line = json.dumps(good.model_dump(mode="json"), ensure_ascii=False)
    fields = json.loads(line)
    without = {name: value for name, value in fields.items() if name not in ("response", "id")}
    outside = fields | {"levels": dict.fromkeys(fields["levels"], "Splendid")}
    content = {
        "truncated JSON": line[: len(line) // 2].encode(),
        "wrong encoding": line.replace("Response", "Réponse").encode("latin-1"),
        "UTF-16": line.encode("utf-16"),
        "missing field": json.dumps(without).encode(),
        "label outside the rubric": json.dumps(outside).encode(),
        "empty": b"",
        "a line of 10 MB": line.replace("Response", "x" * 10_000_000).encode(),
    }
    if kind == "a folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(content[kind] + b"\n" * bool(content[kind]))
    return path
