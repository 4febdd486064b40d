"""Texts under keys, kept on disk in the order they came: what a million records need that must not fill the memory."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class Store:
    """A temporary database that is gone when the program ends. Raises `OSError` when the disk is full."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for line in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE kept (place INTEGER PRIMARY KEY, key TEXT UNIQUE, value TEXT)",
            "BEGIN",  # one transaction for all: it is never looked at by anybody else
        ):
            self._database.execute(line)

    def add(self, key: str, value: str = "") -> str | None:
        """Keep `value` under `key`, unless there is one already: that one stays and is returned."""
        with _full_disk():
            new = self._database.execute("INSERT OR IGNORE INTO kept (key, value) VALUES (?, ?)", (key, value))
            if new.rowcount:
                return None
            return self.get(key)

    def get(self, key: str) -> str | None:
        """What stands under `key`."""
        found = self._database.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def replace(self, key: str, value: str) -> None:
        """Put `value` in the place of what stands under `key`."""
        with _full_disk():
            self._database.execute("UPDATE kept SET value = ? WHERE key = ?", (value, key))

    def __iter__(self) -> Iterator[str]:
        """The values, in the order their keys came."""
        yield from (value for _, value in self.items())

    def items(self) -> Iterator[tuple[str, str]]:
        """Keys and values, in the order the keys came."""
        yield from self._database.execute("SELECT key, value FROM kept ORDER BY place")

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM kept").fetchone()[0])


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(
            errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({error})", "the folder for temporary files"
        ) from error
