"""Part reviews into training, validation and test data, so that no problem stands in two parts.

    train, validation, test = split_by(reviews, "problem", (70, 10, 20), seed=0)

The same reviews, ratios and seed give the same parts on every machine. A split folder holds `train.jsonl`,
`validation.jsonl`, `test.jsonl`, or `fold-1.jsonl` and so on, and the manifest `split.json`, which is written last: without
it, a split is not whole. With `stratify`, each label stands in the parts by their shares, as far as whole problems allow.
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json
from utta.records.read import read_reviews, write_records
from utta.records.review import Review

PARTS = ("train", "validation", "test")
RATIOS = (70.0, 10.0, 20.0)
KEYS = ("problem", "dialogue_id")


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
    if key not in KEYS:
        raise UttaError(f"Reviews cannot be split by {key!r}; use {' or '.join(KEYS)}.")
    if len(ratios) < 2 or not all(0 < ratio < float("inf") for ratio in ratios):
        raise UttaError(f"The ratios {'/'.join(f'{r:g}' for r in ratios)} are not positive numbers; use 70/10/20.")
    groups = _groups(reviews, key)
    sizes = Counter(groups)
    if len(sizes) < len(ratios):
        raise UttaError(
            f"The reviews have {len(sizes)} distinct {key} values, and a split into {len(ratios)} parts needs as many; "
            "add reviews, or set the field on each."
        )
    part_of = _fill(sizes, ratios, seed, _label_counts(reviews, groups) if stratify else None)
    parts: tuple[list[Review], ...] = tuple([] for _ in ratios)
    for review, group in zip(reviews, groups, strict=True):
        parts[part_of[group]].append(review)
    return parts


def _groups(reviews: Sequence[Review], key: str) -> list[str]:
    """What each review must stay together with, by name. By problem, a dialogue is never parted either: one that is
    about two problems makes them one, under the first name."""
    if key == "dialogue_id":
        return [review.dialogue_id for review in reviews]
    from scipy.cluster.hierarchy import DisjointSet

    together = DisjointSet(review.cluster for review in reviews)
    first: dict[tuple[str, str], str] = {}
    for review in reviews:
        together.merge(review.cluster, first.setdefault((review.source, review.dialogue_id), review.cluster))
    named = {member: min(subset) for subset in together.subsets() for member in subset}
    return [named[review.cluster] for review in reviews]


def _label_counts(reviews: Sequence[Review], groups: Sequence[str]) -> dict[str, Counter[str]]:
    """How often each label of each criterion stands in each group."""
    counts: dict[str, Counter[str]] = {group: Counter() for group in groups}
    for review, group in zip(reviews, groups, strict=True):
        counts[group].update(f"{criterion}: {label}" for criterion, label in review.levels.items())
    return counts


def _fill(
    sizes: Counter[str], ratios: Sequence[float], seed: int, labels: dict[str, Counter[str]] | None = None
) -> dict[str, int]:
    """Deal the groups, in an order drawn from `seed`, each to the part that lacks the most reviews; with `labels`, to the
    one that lacks the most of the group's labels, each by its share of all labels of its kind.

    Without labels no part ends above its share by more than one group, because a part that lacks the most lacks something.
    The last groups go to the parts that have none.
    """
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    lack = [sizes.total() * ratio / sum(ratios) for ratio in ratios]
    totals = sum((labels or {}).values(), Counter())
    wanted = [{label: n * ratio / sum(ratios) for label, n in totals.items()} for ratio in ratios]

    def need(part: int, group: str) -> float:
        if not labels or not labels[group]:
            return lack[part]
        return sum(n * wanted[part][label] / totals[label] for label, n in labels[group].items())

    empty = list(range(len(ratios)))
    part_of: dict[str, int] = {}
    for dealt, group in enumerate(order):
        choice = empty if len(order) - dealt <= len(empty) else range(len(ratios))
        part = max(choice, key=lambda i: need(i, group))
        empty = [i for i in empty if i != part]
        part_of[group] = part
        lack[part] -= sizes[group]
        for label, n in (labels or {}).get(group, Counter()).items():
            wanted[part][label] -= n
    return part_of


def split_file(
    path: Path | str,
    out: Path | str,
    key: str = "problem",
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    stratify: bool = False,
    folds: int | None = None,
) -> dict[str, Any]:
    """Split a file of reviews into a folder; returns the manifest, which `split.json` holds.

    `folds` equal parts take the place of the three. The manifest names the input and each part with its SHA-256, seed,
    ratios, counts and problems. Bad lines are put aside in `rejects.jsonl` in the folder. Raises `UttaError` as
    `read_reviews` and `split_by` do.
    """
    path, out = Path(path), Path(out)
    result = read_reviews(path, rejects=out / "rejects.jsonl")
    names = PARTS if folds is None else [f"fold-{number + 1}" for number in range(folds)]
    ratios = ratios if folds is None else [1.0] * folds
    if len(ratios) != len(names):
        raise UttaError(f"{len(ratios)} ratios cannot be those of {' / '.join(names)}; use 70/10/20.")
    parts = split_by(result.reviews, key, ratios, seed, stratify)
    manifest = out / "split.json"
    if manifest.is_file():
        before = read_json(manifest)
        if not isinstance(before, dict) or before.get("kind") != "split":
            raise UttaError(f"{manifest} was not written by a split; give another --out.")
        for name in before["parts"]:
            (out / f"{name}.jsonl").unlink(missing_ok=True)
        manifest.unlink()  # a kill between two parts must not leave a manifest that vouches for both
    value = {
        "kind": "split",
        "schema_version": 1,
        "input": {"file": str(path), "sha256": sha256(path), "reviews": len(result.reviews), "rejects": result.rejects},
        "by": key,
        "seed": seed,
        "ratios": list(ratios),
        "stratified": stratify,
        "parts": {name: _write_part(out / f"{name}.jsonl", part, key) for name, part in zip(names, parts, strict=True)},
        "note": result.note,
    }
    write_json(manifest, value)
    return value


def _write_part(path: Path, reviews: list[Review], key: str) -> dict[str, Any]:
    """Write one part; returns what the manifest says of it."""
    write_records(path, reviews)
    return {
        "file": path.name,
        "sha256": sha256(path),
        "reviews": len(reviews),
        "dialogues": len({review.dialogue_id for review in reviews}),
        "problems": len({review.cluster for review in reviews}),
        "names": sorted({review.dialogue_id if key == "dialogue_id" else review.cluster for review in reviews}),
    }
