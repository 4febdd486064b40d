"""The folder of a split: its parts, read again.

    for part, item in read_split("split").scan(): ...

A split folder holds `train.jsonl`, `validation.jsonl`, `test.jsonl`, or `fold-1.jsonl` and so on, and the manifest
`split.json`, which is written last: without it, a split is not whole. Reading refuses a leak: a problem or a dialogue that
stands in two parts, however it got there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.core.store import Store
from utta.prepare.groups import Bond, bond_of
from utta.prepare.manifest import SPLIT
from utta.records.kinds import KINDS, AnyRecord
from utta.records.read import Fault, scan_records


class Part(BaseModel):
    """What the manifest says of a part; `names` are the problems that stand in it, or did in a split it continues."""

    file: str
    sha256: str
    records: int
    dialogues: int
    problems: int
    names: list[str]


class Manifest(BaseModel):
    """What `split.json` says, as far as a reader needs it."""

    kind: str
    holds: str
    by: str
    seed: int
    ratios: list[float]
    stratified: bool
    parts: dict[str, Part]


@dataclass(frozen=True)
class Split:
    """A split folder and what its manifest says of it."""

    folder: Path
    manifest: Manifest

    @property
    def changed(self) -> list[str]:
        """The files of parts that are not what they were when the split was made."""
        files = [(self.folder / part.file, part.sha256) for part in self.manifest.parts.values()]
        return [str(path) for path, made in files if sha256(path) != made]

    def scan(self) -> Iterator[tuple[str, AnyRecord | Fault]]:
        """Each part's name with a record or a fault; `UttaError` for a leak, as soon as it is seen."""
        stands = Store()
        for name, part in self.manifest.parts.items():
            for item in scan_records(self.folder / part.file, KINDS[self.manifest.holds]):
                if not isinstance(item, Fault):
                    self._refuse_leak(stands, name, bond_of(item, self.manifest.by))
                yield name, item

    def _refuse_leak(self, stands: Store, part: str, bond: Bond) -> None:
        for what, each in (("problem", bond.name), ("dialogue", bond.dialogue)):
            if each and (before := stands.add(json.dumps([what, each]), part)) not in (None, part):
                raise UttaError(
                    f"{self.folder} leaks: the {what} {each!r} stands in {before} and in {part}; "
                    "make the split anew with 'utta data split'."
                )


def read_split(folder: Path) -> Split:
    """The split in a folder; `UttaError` when there is none, it is not whole, or a problem is named in two of its parts."""
    place = folder / SPLIT
    if not place.is_file():
        raise UttaError(f"{folder} holds no {SPLIT}, so it is no split, or one that was interrupted; make it anew.")
    try:
        manifest = Manifest.model_validate(read_json(place))
    except ValidationError:
        manifest = None
    if manifest is None or manifest.kind != "split" or manifest.holds not in KINDS or not manifest.parts:
        raise UttaError(f"{place} was not written by a split; give the folder that 'utta data split' made.")
    named: dict[str, str] = {}
    for name, part in manifest.parts.items():
        if not (folder / part.file).is_file():
            raise UttaError(f"{folder} has no {part.file}, which {SPLIT} tells of; make the split anew.")
        for each in part.names:
            if named.setdefault(each, name) != name:
                raise UttaError(
                    f"{place} leaks: the problem {each!r} is named in {named[each]} and in {name}; make it anew."
                )
    return Split(folder, manifest)
