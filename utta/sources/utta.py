"""UTTA's own files of reviews (JSON Lines) as a source: checked line by line and kept as they are.

It is used to join files, and to bring in reviews that other tools wrote by `data/schemas/review.json`.
"""

from collections.abc import Iterator
from pathlib import Path

from utta.records.read import Fault, scan_reviews
from utta.records.review import Review


def read(path: Path) -> Iterator[list[Review | Fault]]:
    """One list per line: its review, or what is wrong with it."""
    for item in scan_reviews(path):
        yield [item]
