"""The folder of a split: its parts, read again.

    for part, item in read_split("split").scan(): ...

A split folder holds `train.jsonl`, `validation.jsonl`, `test.jsonl`, or `fold-1.jsonl` and so on; `names.jsonl`, which says of
each problem where it stands; and the manifest `split.json`, which is written last: without it, a split is not whole. Reading
refuses a leak: a problem or a dialogue that stands in two parts, however it got there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.core.store import Store
from utta.prepare.groups import bond_of
from utta.prepare.manifest import SPLIT
from utta.records.kinds import KINDS, AnyRecord
from utta.records.read import Fault, numbered_lines, read_object, scan_records

NAMES = "names.jsonl"


class Held(BaseModel):
    """What the manifest says of a file in the folder."""

    file: str
    sha256: str


class Manifest(BaseModel):
    """What `split.json` says, as far as a reader needs it."""

    kind: Literal["split"]
    holds: Literal["reviews", "dialogues", "examples"]
    by: str
    seed: int
    ratios: list[float]
    stratified: bool
    parts: dict[str, Held]
    names: Held


@dataclass(frozen=True)
class Split:
    """A split folder and what its manifest says of it."""

    folder: Path
    manifest: Manifest

    @property
    def changed(self) -> list[str]:
        """The files that are not what they were when the split was made."""
        files = [*self.manifest.parts.values(), self.manifest.names]
        return [str(self.folder / each.file) for each in files if sha256(self.folder / each.file) != each.sha256]

    def scan(self) -> Iterator[tuple[str, AnyRecord | Fault]]:
        """Each part's name with a record or a fault; `UttaError` for a leak, as soon as it is seen."""
        stands = Store()
        for name, part in self.manifest.parts.items():
            for item in scan_records(self.folder / part.file, KINDS[self.manifest.holds]):
                if not isinstance(item, Fault):
                    bond = bond_of(item, self.manifest.by)
                    self._stands(stands, "problem", bond.name, name)
                    if bond.dialogue:
                        self._stands(stands, "dialogue", bond.dialogue, name)
                yield name, item

    def names(self) -> Iterator[tuple[str, str]]:
        """Each problem by name with its part, also where no record of it is left; `UttaError` for a leak, or a line that
        cannot be read."""
        stands = Store()
        place = self.folder / self.manifest.names.file
        for number, line, size in numbered_lines(place):
            try:
                value = read_object(line, size)
                name, part = value["name"], value["part"]
            except (ValueError, RecursionError, LookupError, TypeError):
                name = part = None
            if not isinstance(name, str) or part not in [*self.manifest.parts]:
                raise UttaError(f"{place}:{number} names no problem and its part; make the split anew.")
            self._stands(stands, "problem", name, part)
            yield name, part

    def _stands(self, stands: Store, what: str, name: str, part: str) -> None:
        if (before := stands.add(json.dumps([what, name]), part)) not in (None, part):
            raise UttaError(
                f"{self.folder} leaks: the {what} {name!r} stands in {before} and in {part}; "
                "make the split anew with 'utta data split'."
            )


def read_split(folder: Path) -> Split:
    """The split in a folder; `UttaError` when there is none, or it is not whole."""
    place = folder / SPLIT
    if not place.is_file():
        raise UttaError(f"{folder} holds no {SPLIT}, so it is no split, or one that was interrupted; make it anew.")
    try:
        manifest = Manifest.model_validate(read_json(place))
    except ValidationError:
        raise UttaError(f"{place} was not written by a split; give the folder that 'utta data split' made.") from None
    for each in (*manifest.parts.values(), manifest.names):
        if not (folder / each.file).is_file():
            raise UttaError(f"{folder} has no {each.file}, which {SPLIT} tells of; make the split anew.")
    return Split(folder, manifest)
