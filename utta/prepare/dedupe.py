"""Find reviews that stand more than once, word for word or nearly, and say which and why.

    for duplicate in duplicates(reviews, near=0.8):
        print(duplicate.record_id, "is", duplicate.why, "to", duplicate.of)

Two reviews are the same when conversation and response are, apart from case, white space and punctuation, and the reviewer
is the same: two reviewers' judgements of one response are not. They are nearly the same when of their word 3-grams at
least the share `near` is common to both (Jaccard), in the conversation as well as in the response. Candidates come from
MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of Massive Datasets, ch. 3) and are then
compared in full, so that what is found is right; a pair just above the threshold may be missed. A review with a label on a
criterion that the earlier one lacks is no duplicate: dropping it would lose what an expert said.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import atomic, refuse_overwriting
from utta.core.store import Store
from utta.prepare.manifest import leave_manifest
from utta.records.read import Fault, no_records, put_aside, rejects_note, scan_reviews
from utta.records.record import content_id
from utta.records.review import Review

SHOWN = 5
GRAM = 3
PERMUTATIONS = 64


@dataclass(frozen=True)
class Duplicate:
    """A review that says again what an earlier one does: `exact` where word for word, else by the share `similarity` of
    word 3-grams in common; `labels_differ` where the two disagree on a criterion."""

    record_id: str
    of: str
    exact: bool
    similarity: float
    labels_differ: bool

    @property
    def why(self) -> str:
        alike = "the same words" if self.exact else f"{self.similarity:.0%} of the word 3-grams in common"
        return f"{alike}, other levels" if self.labels_differ else alike


def duplicates(reviews: Iterable[Review], near: float | None = None) -> Iterator[Duplicate]:
    """Each review that repeats an earlier one, in order. `near` in (0, 1] also finds what is nearly the same."""
    seen = Seen(near)
    yield from (found for review in reviews if (found := seen.add(review)))


class Seen:
    """The reviews so far. What is needed to know a repeat lies on disk; what finds near ones, in memory."""

    def __init__(self, near: float | None = None) -> None:
        self._exact, self._near = Store(), _Near(near) if near is not None else None

    def add(self, review: Review) -> Duplicate | None:
        """The earlier review that this one repeats; where there is none, this one is remembered."""
        said, response = _words(" ".join(turn.utterance for turn in review.conversation)), _words(review.response)
        key = content_id([said, response, review.reviewer])
        if before := self._exact.add(key, json.dumps([review.id, review.levels])):
            first, levels = json.loads(before)
            if review.levels.keys() <= levels.keys():
                return _duplicate(review, [first, levels], True, 1.0)
            self._exact.replace(key, json.dumps([first, review.levels | levels]))
            return None
        return self._near.add(review, said, response) if self._near else None


class _Near:
    """The reviews so far, to be searched for one that is nearly the same."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        if not 0 < threshold <= 1:
            raise UttaError(f"The similarity {threshold:g} is not in (0, 1]; 0.8 is usual.")
        self._threshold = threshold
        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._known = Store()

    def add(self, review: Review, said: list[str], response: list[str]) -> Duplicate | None:
        """The review that this one nearly repeats; where there is none, this one is remembered."""
        from datasketch import MinHash

        grams = _grams(said), _grams(response)
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([f"{part} {gram}".encode() for part, found in enumerate(grams) for gram in found])
        candidates = [json.loads(self._known.get(key) or "") for key in self._index.query(sketch)]
        alike = [
            (self._similarity(each, review, grams), each)
            for each in candidates
            if review.levels.keys() <= each[1].keys()
        ]
        similarity, nearest = max(alike, key=lambda pair: pair[0], default=(0.0, None))
        if nearest is not None and similarity >= self._threshold:
            return _duplicate(review, nearest, False, similarity)
        self._index.insert(review.id, sketch)
        held = [review.id, review.levels, *(sorted(found) for found in grams), review.reviewer]
        self._known.add(review.id, json.dumps(held))
        return None

    def _similarity(self, before: list[Any], review: Review, grams: tuple[set[str], set[str]]) -> float:
        if before[4] != review.reviewer:
            return 0.0
        return min(_jaccard(set(before[2]), grams[0]), _jaccard(set(before[3]), grams[1]))


def _duplicate(review: Review, before: list[Any], exact: bool, similarity: float) -> Duplicate:
    levels = before[1]
    differ = any(levels[key] != label for key, label in review.levels.items() if key in levels)
    return Duplicate(review.id, before[0], exact, round(similarity, 4), differ)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _grams(words: list[str]) -> set[str]:
    return {" ".join(words[i : i + GRAM]) for i in range(max(1, len(words) - GRAM + 1))}


def _jaccard(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second)


def dedupe_file(path: Path, out: Path, near: float | None = None) -> dict[str, Any]:
    """Write the reviews that stand for the first time to `out`, the others with their reason to `OUT.duplicates.jsonl`.

    Returns the counts and the first duplicates. Raises `UttaError` as reading does, and for a `near` outside (0, 1].
    """
    refuse_overwriting(out, [path])
    seen = Seen(near)
    faults: list[Fault] = []
    first: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    with atomic(out) as kept, atomic(out.with_name(f"{out.stem}.duplicates.jsonl")) as log:
        for item in scan_reviews(path):
            if isinstance(item, Fault):
                faults.append(item)
                continue
            counts["responses"] += 1
            record = item.model_dump(mode="json")
            if found := seen.add(item):
                line = {**asdict(found), "why": found.why}
                first += [line] if len(first) < SHOWN else []
                log.write(json.dumps({**line, "record": record}, ensure_ascii=False) + "\n")
                counts["same" if found.exact else "nearly_same"] += 1
                counts["labels_differ"] += found.labels_differ
            else:
                kept.write(json.dumps(record, ensure_ascii=False) + "\n")
        if not counts["responses"]:
            raise no_records(path, faults)
    place = put_aside(faults, out.with_name(f"{out.stem}.rejects.jsonl"))
    left = counts["responses"] - counts["same"] - counts["nearly_same"]
    leave_manifest(out, "dedupe", {"near": near}, [path], left, len(faults))
    names = ("responses", "same", "nearly_same", "labels_differ")
    return {
        "out": str(out),
        **{name: counts[name] for name in names},
        "kept": left,
        "note": rejects_note([str(fault) for fault in faults], place),
        "first": first,
    }
