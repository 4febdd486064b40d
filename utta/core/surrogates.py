"""Surrogates: what points to a person is replaced before a text leaves this machine.

    surrogates = Surrogates.of_this_machine()
    surrogates.replace(["Great catch, Alejandra!", "alejandra@example.org"])   # ["Great catch, Person-kqtbmd!", …]

The same thing has the same surrogate in every text and every run: it is a keyed hash, and nothing that could be turned
around is stored. The key is made once in the user's own folder. Replacing twice changes nothing more; a text in which
nothing is found stays as it is, byte for byte. What patterns cannot see is not replaced: `data/privacy/README.md` says
how much that is.
"""

import hashlib
import hmac
import os
import re
import secrets
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.identifiers import TYPES, Found, identifiers, without_overlaps
from utta.core.names import People, heard, name_words, shown_names
from utta.core.paths import home

LABELS = {"name": "Person"}
LETTERS = "bcdfghjkmnpqrstv"  # no vowel and no digit: what people write never looks like a surrogate
SURROGATE = re.compile(rf"(?:{'|'.join(LABELS.get(type_, type_) for type_ in TYPES)})-[{LETTERS}]{{6}}")
KEY_BYTES = 32

Persons = Callable[[str], Iterable[tuple[int, int]]]
"""Where else persons are named in a text: start and end of each, which are whole words."""


class Surrogates:
    """Replaces what points to a person. `counts` says how often, by type."""

    def __init__(self, key: bytes, roster: Iterable[str] = (), persons: Persons | None = None) -> None:
        self.people = People(roster)
        self.counts: Counter[str] = Counter()
        self._key = key
        self._persons = persons
        self._counting = threading.Lock()  # a gate is asked from many threads

    @classmethod
    def of_this_machine(cls, roster: Path | None = None, persons: Persons | None = None) -> "Surrogates":
        """With the user's key, and the names of a roster: the file given, else the user's own, if there is one."""
        return cls(own_key(), read_roster(roster), persons)

    def replace(self, texts: Sequence[str], student: str = "") -> list[str]:
        """The texts, which belong together, with surrogates: who is named in one is known in all, and so is the student of
        that name."""
        replaced = list(texts)
        while any(found := find(replaced, self.people, self._persons, name_words(student))):
            replaced = [self._put(text, each) for text, each in zip(replaced, found, strict=True)]
        return replaced

    def inside(self, value: Any, skip: Container[str] = (), student: str = "") -> Any:
        """A copy of a JSON value with surrogates in all its texts, but for keys of objects and what stands under `skip`."""
        texts: list[str] = []
        each_text(value, skip, texts.append)
        replaced = iter(self.replace(texts, student))
        return each_text(value, skip, lambda _: next(replaced))

    def of(self, type_: str, key: str) -> str:
        """The surrogate of a thing of a type."""
        digest = hmac.new(self._key, f"{type_}\0{key}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        return f"{LABELS.get(type_, type_)}-{''.join(LETTERS[int(digit, 16)] for digit in digest[:6])}"

    def _put(self, text: str, found: Sequence[Found]) -> str:
        for each in reversed(found):
            text = text[: each.start] + self.of(each.type, each.key) + text[each.end :]
        with self._counting:
            self.counts.update(each.type for each in found)
        return text


def each_text(value: Any, skip: Container[str], do: Callable[[str], Any]) -> Any:
    """A copy of a JSON value in which each text is what `do` made of it."""
    if isinstance(value, str):
        return do(value)
    if isinstance(value, dict):
        return {name: each if name in skip else each_text(each, skip, do) for name, each in value.items()}
    return [each_text(each, skip, do) for each in value] if isinstance(value, list | tuple) else value


def find(
    texts: Sequence[str], people: People, persons: Persons | None = None, names: Iterable[str] = ()
) -> list[list[Found]]:
    """What points to a person in each of the texts, in order and without overlaps; surrogates are left alone. `names` are
    words, in lower case, that are names here."""
    known = set(names)
    for text in texts:
        known |= heard(text, shown_names(text))
    return [_find(text, people, known, persons) for text in texts]


def _find(text: str, people: People, known: set[str], persons: Persons | None) -> list[Found]:
    there = [Found(*match.span(), "", "") for match in SURROGATE.finditer(text)]
    more = (Found(start, end, "name", people.key(text[start:end])) for start, end in (persons(text) if persons else ()))
    found = without_overlaps(text, there, (*identifiers(text), *people.names(text, known), *more))
    return [each for each in found if each.type]


def read_roster(path: Path | None = None) -> list[str]:
    """The names of a roster, one a line; without a path that of `UTTA_ROSTER`, else `roster.txt` in the user's folder."""
    named = path or os.environ.get("UTTA_ROSTER")
    place = Path(named) if named else home() / "roster.txt"
    if not named and not place.is_file():
        return []
    try:
        lines = place.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UttaError(
            f"The roster {place} cannot be read ({error}); give a text file with one name a line."
        ) from None
    return [line.strip() for line in lines if line.strip()]


def own_key() -> bytes:
    """The user's key, made at the first call and readable by the user alone."""
    path = home() / "surrogates.key"
    if not path.is_file():
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".surrogates.")  # only its owner may read it
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(name, path)
        except FileExistsError:
            pass  # another process was quicker, and its key is as good
        finally:
            os.unlink(name)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise UttaError(
            f"The key {path} has {len(key)} bytes instead of {KEY_BYTES}; put it back from a copy, or remove it: "
            "a new one is made, and with it other surrogates."
        )
    return key
