"""Remove a student from files: every record of theirs, and what was written down about these records.

    found = purge("Alejandra", [Path("data"), Path("runs")], dry_run=True)

A record is a student's when its `student` says so, or when the name stands in one of its texts as a whole word. With the
record go the lines of other files that quote the student or point to the record: rejects, changes, duplicates, predictions,
errors, and the quotes in `results.json`. Kept answers of models are deleted, all of them. Weights and prompts cannot be
purged: programs made from a purged file are named, and so are other files that still hold the name.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import atomic, read_json, sha256, write_json
from utta.core.names import People
from utta.core.paths import empty_answers
from utta.core.surrogates import Surrogates
from utta.records.schema import RECORDS

POINTERS = ("id", "record_id", "new_record_id", "of")  # fields that may hold the id of a record
LARGEST = 100_000_000  # bytes; a larger file beside the records is weights, not text


class _Student:
    """Tells whether a JSON value is about the student: by name, by id, or by the surrogate of either."""

    def __init__(self, who: str) -> None:
        known = Surrogates.of_this_machine()
        self.who = " ".join(who.split()).casefold()
        if not self.who:
            raise UttaError("The student to remove has no name; give a name or an id with --student.")
        self._people = People([self.who])
        self._fields = {self.who, known.of("id", self.who)}
        self._surrogate = known.of("name", known.people.key(self.who))
        edge = r"[\w-]" if re.search(r"\d", self.who) else r"\w"
        self._whole = re.compile(rf"(?<!{edge}){re.escape(self.who)}(?!{edge})")

    def within(self, value: Any) -> bool:
        if isinstance(value, str):
            return self._named(value)
        if isinstance(value, dict):
            student = value.get("student")
            return (isinstance(student, str) and student.casefold() in self._fields) or self.within([*value.values()])
        return isinstance(value, list) and any(self.within(each) for each in value)

    def _named(self, text: str) -> bool:
        """A number is no name: it stands in too many problems. A name that is a word must stand as a name."""
        if self._surrogate in text:
            return True
        folded = " ".join(text.split()).casefold()
        if not re.search(r"[^\W\d_]", self.who) or not self._whole.search(folded):
            return False
        if not self.who.isalpha():
            return True
        return any(text[f.start : f.end].casefold() == self.who for f in self._people.names(text, set()))


def purge(who: str, paths: Sequence[Path], dry_run: bool = False) -> dict[str, Any]:
    """Remove the student from the files and folders; returns counts by file, and no text.

    `records` is how many different records go, `files` how many lines or quotes of each file, `programs` what was made
    from a purged file, `still_named_in` other files in the folders that hold the name. With `dry_run` nothing is changed.
    Raises `UttaError` for a path that is not there. A stopped purge leaves each file as it was or purged; do it again.
    """
    student = _Student(who)
    there = list(_files(paths))
    lines = [path for path in there if path.suffix == ".jsonl"]
    results = [path for path in there if path.name == "results.json"]
    gone = {id_ for path in lines for _, value in _lines(path) if student.within(value) for id_ in _ids(value)}
    files: dict[str, int] = {}
    hashes: set[str] = set()
    for path in lines:
        if count := sum(_goes(value, student, gone) for _, value in _lines(path)):
            files[str(path)] = count
            hashes.add(sha256(path))
            if not dry_run:
                _rewrite(path, student, gone)
    for path in results:
        kept, count = _without(read_json(path), student, gone)
        if count:
            files[str(path)] = count
            if not dry_run:
                write_json(path, kept)
    return {
        "dry_run": dry_run,
        "records": len(gone),
        "files": files,
        "programs": [
            str(path.parent) for path in there if path.name == "manifest.json" and _made_of(path, hashes, files)
        ],
        "still_named_in": [str(path) for path in there if path not in lines + results and _holds(path, student)],
        "answers_bytes": 0 if dry_run else empty_answers(),
    }


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files given and those in the folders given, each once, hidden ones left out."""
    seen = set()
    for path in paths:
        if not path.exists():
            raise UttaError(f"There is no file or folder {path}; check the path.")
        inside = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for each in inside:
            hidden = path.is_dir() and any(part.startswith(".") for part in each.relative_to(path).parts)
            if not hidden and each.resolve() not in seen:
                seen.add(each.resolve())
                yield each


def _lines(path: Path) -> Iterator[tuple[bytes, Any]]:
    """Each line as it is, and its JSON value, or its text where it is none."""
    with open(path, "rb") as file:
        for line in file:
            text = line.decode("utf-8-sig", "replace")
            try:
                yield line, json.loads(text)
            except (ValueError, RecursionError):
                yield line, text


def _ids(value: Any) -> Iterator[str]:
    """The id of the record that a line is, or that it holds."""
    if not isinstance(value, dict):
        return
    if value.get("kind") in RECORDS or {"source", "conversation"} <= value.keys():
        record = RECORDS.get(value.get("kind", "review"))
        try:
            yield record.model_validate(value).id if record else value["id"]
        except (ValueError, KeyError):  # a faulty line has no id that anything could point to
            return
    else:
        yield from _ids(value.get("record"))


def _goes(value: Any, student: _Student, gone: set[str]) -> bool:
    points = isinstance(value, dict) and any(isinstance(value.get(f), str) and value[f] in gone for f in POINTERS)
    return points or student.within(value)


def _rewrite(path: Path, student: _Student, gone: set[str]) -> None:
    with atomic(path) as file:
        for line, value in _lines(path):
            if not _goes(value, student, gone):
                file.buffer.write(line)  # type: ignore[attr-defined]


def _without(value: Any, student: _Student, gone: set[str]) -> tuple[Any, int]:
    """A JSON value without the objects of its lists that are about the student, and how many they were."""
    if isinstance(value, dict):
        parts = {name: _without(each, student, gone) for name, each in value.items()}
        return {name: kept for name, (kept, _) in parts.items()}, sum(count for _, count in parts.values())
    if not isinstance(value, list):
        return value, 0
    stay = [each for each in value if not (isinstance(each, dict) and _goes(each, student, gone))]
    return stay, len(value) - len(stay)


def _made_of(manifest: Path, hashes: set[str], files: dict[str, int]) -> bool:
    """Whether a program learnt from one of the files, by its content or, where that was purged before, by its path."""
    told = read_json(manifest)
    if not isinstance(told, dict):
        return False
    parts = [part for name in ("train", "validation") if isinstance(part := told.get(name), dict)]
    paths = {Path(file).resolve() for file in files}
    return any(part.get("sha256") in hashes or Path(part.get("file", "")).resolve() in paths for part in parts)


def _holds(path: Path, student: _Student) -> bool:
    if path.stat().st_size > LARGEST:
        return False
    return student.within(path.read_bytes().decode("utf-8", "replace"))
