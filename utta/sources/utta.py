"""UTTA's own files of records (JSON Lines) as a source: checked line by line and kept as they are.

It is used to join files, and to bring in records that other tools wrote by the schemas in `data/schemas`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from utta.records.read import Fault, numbered_records
from utta.records.record import Record
from utta.sources.entries import Entry

R = TypeVar("R", bound=Record)


def read(path: Path, record: type[R]) -> Iterator[list[R | Fault]]:
    """One list per line: its record, or what is wrong with it."""
    for number, item in numbered_records(path, record):
        yield Entry([item], number)
