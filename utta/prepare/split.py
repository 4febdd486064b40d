"""Part records into training, validation and test data, so that no problem stands in two parts.

    train, validation, test = split_by(reviews, "problem", (70, 10, 20), seed=0)
    split_file("reviews.jsonl", "split")
    grow_split("more-reviews.jsonl", "split", "split-2")

The same records, ratios and seed give the same parts on every machine, in whatever order they come. A split that grows keeps
each problem and dialogue in the part where it stood, and deals only what is new. With `stratify`, each label stands in the
parts by their shares, as far as whole problems allow. What a split folder holds says `utta.prepare.parts`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import atomic, read_json, refuse_overwriting, sha256, write_json
from utta.core.store import Store
from utta.prepare.groups import KEYS, Bond, Groups, bond_of
from utta.prepare.manifest import SPLIT, origin
from utta.prepare.parts import NAMES, Split, read_split
from utta.records.kinds import KINDS, kind_of
from utta.records.read import Fault, no_records, numbered_records, put_aside, rejects_note
from utta.records.review import Review

PARTS = ("train", "validation", "test")
RATIOS = (70.0, 10.0, 20.0)


def split_by(
    reviews: Sequence[Review],
    key: str = "problem",
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    stratify: bool = False,
) -> tuple[list[Review], ...]:
    """Reviews for each part, in the order given: for training, validation and test, if nothing else is said.

    `key` is what must not stand in two parts, "problem" or "dialogue_id"; a review without a problem counts as one
    problem with the rest of its dialogue. `ratios` are the parts' positive shares of the reviews, of any sum; each part
    comes near to its share and has at least one problem. Raises `UttaError` when there are fewer problems than parts, or
    when the key or the ratios cannot be used.
    """
    groups = Groups(*_checked(key, ratios, stratify))
    for review in reviews:
        groups.add(review)
    groups.deal(ratios, seed)
    parts: tuple[list[Review], ...] = tuple([] for _ in ratios)
    for review in reviews:
        part = groups.part(bond_of(review, key))
        assert part is not None  # only a split that is continued has ties to refuse
        parts[part].append(review)
    return parts


def _checked(key: str, ratios: Sequence[float], stratify: bool) -> tuple[str, bool]:
    if key not in KEYS:
        raise UttaError(f"Records cannot be split by {key!r}; use {' or '.join(KEYS)}.")
    if len(ratios) < 2 or not all(0 < ratio < float("inf") for ratio in ratios):
        raise UttaError(f"The ratios {'/'.join(f'{r:g}' for r in ratios)} are not positive numbers; use 70/10/20.")
    return key, stratify


def split_file(
    path: Path | str,
    out: Path | str,
    key: str = "problem",
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    stratify: bool = False,
    folds: int | None = None,
) -> dict[str, Any]:
    """Split a file of records into a folder; returns the manifest, which `split.json` holds.

    Two `ratios` are those of training and validation, where the test part lies in a file of its own; `folds` equal parts take
    the place of all three. The manifest names the input and each part with its SHA-256, seed,
    ratios and counts. Bad lines are put aside in `rejects.jsonl` in the folder. Raises `UttaError` as reading
    and `split_by` do.
    """
    names = PARTS[: max(2, len(ratios))] if folds is None else [f"fold-{number + 1}" for number in range(folds)]
    ratios = ratios if folds is None else [1.0] * folds
    if len(ratios) != len(names):
        raise UttaError(f"{len(ratios)} ratios cannot be those of {' / '.join(names)}; use 70/10/20.")
    _checked(key, ratios, stratify)
    return _Plan(names, key, seed, ratios, stratify).carry_out(Path(path), Path(out))


def grow_split(path: Path | str, keep: Path | str, out: Path | str) -> dict[str, Any]:
    """Split a file that holds the records of an earlier split and more, with its seed and shares; returns the manifest.

    Every problem and every dialogue of the split in the folder `keep` stays in its part, also where its text was mended
    since; new problems go to the parts that lack the most. New records that tie problems of two parts together (one dialogue
    about both) are put aside with the reason. Raises `UttaError` as `split_file` does, and when `keep` is no split or leaks.
    """
    old = read_split(Path(keep))
    told = old.manifest
    return _Plan(list(told.parts), told.by, told.seed, told.ratios, told.stratified, old).carry_out(
        Path(path), Path(out)
    )


@dataclass(frozen=True)
class _Plan:
    """How to split: the parts by name with their shares, what stays together, and the split that is continued."""

    names: Sequence[str]
    by: str
    seed: int
    ratios: Sequence[float]
    stratify: bool
    old: Split | None = None

    def carry_out(self, path: Path, out: Path) -> dict[str, Any]:
        """Read the file, deal, write the parts and the manifest; returns the manifest."""
        if self.old:
            refuse_overwriting(out, [self.old.folder])
        kind = kind_of(path, self.old.manifest.holds if self.old else None)
        if self.stratify and kind != "reviews":
            raise UttaError(f"Only reviews have labels to stratify by, and {path} holds {kind}; leave --stratify out.")
        groups, lines, faults = Groups(self.by, self.stratify), Store(), list[Fault]()
        for number, item in numbered_records(path, KINDS[kind]):
            if isinstance(item, Fault):
                faults.append(item)
            else:
                groups.add(item)
                text = json.dumps(item.model_dump(mode="json"), ensure_ascii=False)
                lines.add(item.id, json.dumps([number, bond_of(item, self.by), text]))
        if not len(lines):
            raise no_records(path, faults, KINDS[kind])
        remarks = self._keep(groups, lines, path)
        groups.deal(self.ratios, self.seed)
        _make_room(out, self.names, path)
        parts, aside = self._write(out, groups, lines, path)
        self._write_names(out, groups, parts)
        faults += aside
        place = put_aside(faults, out / "rejects.jsonl")
        value = {
            "kind": "split",
            "schema_version": 1,
            "holds": kind,
            **self._origin(path, out),
            "records": len(lines) - len(aside),
            "rejects": len(faults),
            **self._options(),
            "parts": parts,
            "names": {"file": NAMES, "sha256": sha256(out / NAMES)},
            "note": " ".join(filter(None, [rejects_note([str(fault) for fault in faults], place), *remarks])),
        }
        write_json(out / SPLIT, value)
        return value

    def _options(self) -> dict[str, Any]:
        return {"by": self.by, "seed": self.seed, "ratios": list(self.ratios), "stratified": self.stratify}

    def _origin(self, path: Path, out: Path) -> dict[str, Any]:
        """What the manifest says of where the split comes from; `continues` is the manifest of the split it goes on with."""
        inputs = [path, self.old.folder / SPLIT] if self.old else [path]
        found = origin(out, "split", self._options(), inputs)
        return {**found, "continues": found["inputs"][1] if self.old else None}

    def _keep(self, groups: Groups, lines: Store, path: Path) -> list[str]:
        """Tell of what must stay where it is; returns what the user should know of the old split."""
        if self.old is None:
            return []
        numbers = {name: number for number, name in enumerate(self.names)}
        for name, part in self.old.names():
            groups.keep(Bond(name), numbers[part])
        gone = 0
        for name, item in self.old.scan():
            if isinstance(item, Fault):
                raise UttaError(
                    f"{item}; mend that line of the old split, for its problem could come into another part."
                )
            groups.keep(bond_of(item, self.by), numbers[name])
            gone += lines.get(item.id) is None
        remarks = [f"{file} has changed since the old split was made." for file in self.old.changed]
        if gone:
            count = "1 record" if gone == 1 else f"{gone:,} records"
            remarks.append(f"{path} lacks {count} of {self.old.folder}, and so does the new split.")
        return remarks

    def _write(self, out: Path, groups: Groups, lines: Store, path: Path) -> tuple[dict[str, Any], list[Fault]]:
        """Write the parts; returns what the manifest says of them, and the records that would have been a leak."""
        records, dialogues = Counter[int](), Counter[int]()
        seen, aside = Store(), list[Fault]()
        with ExitStack() as stack:
            files = [stack.enter_context(atomic(out / f"{name}.jsonl")) for name in self.names]
            for number, bond, text in map(json.loads, lines):
                bond = Bond(*bond)
                if (part := groups.part(bond)) is None:
                    aside.append(Fault(str(path), number, _tie(bond), text))
                    continue
                files[part].write(text + "\n")
                records[part] += 1
                dialogues[part] += seen.add(json.dumps([part, bond.dialogue or bond.name])) is None
        return {
            name: {
                "file": f"{name}.jsonl",
                "sha256": sha256(out / f"{name}.jsonl"),
                "records": records[part],
                "dialogues": dialogues[part],
                "problems": 0,
            }
            for part, name in enumerate(self.names)
        }, aside

    def _write_names(self, out: Path, groups: Groups, parts: dict[str, Any]) -> None:
        """Write where each problem stands, or stood in the split that is continued; counts those of each part's records."""
        found = Store()
        for name, part, n in groups.names():
            if before := found.add(name, json.dumps([part, n])):
                found.replace(name, json.dumps([part, n + json.loads(before)[1]]))
        with atomic(out / NAMES) as file:
            for name, (part, n) in ((name, json.loads(text)) for name, text in found.items()):
                line = {"name": name, "part": self.names[part], "records": n}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                parts[self.names[part]]["problems"] += bool(n)


def _tie(bond: Bond) -> str:
    _, dialogue = json.loads(bond.dialogue)
    return (
        f"the dialogue {dialogue!r} is about {bond.name!r} and others, which stand in several parts of the split that is "
        "continued: a leak; give it one problem, or leave it out"
    )


def _make_room(out: Path, names: Sequence[str], path: Path) -> None:
    """Take an earlier split out of the folder, its manifest first: a kill must not leave one that vouches for a mixture."""
    manifest = out / SPLIT
    before = read_json(manifest) if manifest.is_file() else {"kind": "split", "parts": {}}
    if not isinstance(before, dict) or before.get("kind") != "split":
        raise UttaError(f"{manifest} was not written by a split; give another --out.")
    old = [out / f"{name}.jsonl" for name in before.get("parts", ())]
    for file in (*old, out / NAMES, *(out / f"{name}.jsonl" for name in names)):
        refuse_overwriting(file, [path])
    manifest.unlink(missing_ok=True)
    for file in (*old, out / NAMES, out / "rejects.jsonl") if old else ():
        file.unlink(missing_ok=True)
