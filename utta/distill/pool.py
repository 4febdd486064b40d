"""Replies without a label that may be learnt from: those that have nothing in common with what is scored.

held_out = find_held_out(train, validation, [test])
pool = read_pool("replies.jsonl", rubric, judged, reviews, held_out)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.core.files import sha256
from utta.evaluate.open import read, with_labels
from utta.prepare.manifest import SPLIT
from utta.prepare.parts import read_split
from utta.records.read import scan_reviews
from utta.records.record import content_id, spoken
from utta.records.review import Review


@dataclass(frozen=True)
class HeldOut:
    """The problems and dialogues that nothing is learnt about."""

    problems: set[str]
    dialogues: set[str]

    def holds(self, review: Review) -> bool:
        """Whether the review is about one of the problems, or from one of the dialogues."""
        return review.cluster in self.problems or _dialogue(review) in self.dialogues


@dataclass(frozen=True)
class Pool:
    """The replies, and for the manifest where they are from and how many others were left out, by reason."""

    replies: list[Review]
    told: dict[str, Any]


def find_held_out(train: Path, validation: Path, leave_out: Sequence[Path]) -> HeldOut:
    """What the validation file and those of `leave_out` are about, and where the training file is a part of a split, the
    split's other parts. A line that cannot be read is never scored, and holds nothing out."""
    files = [validation, *leave_out, *_other_parts(train)]
    held_out = HeldOut(set(), set())
    for path in {path.resolve(): path for path in files}.values():
        reviews = [item for item in scan_reviews(path) if isinstance(item, Review)]
        if not reviews:
            raise UttaError(f"{path} holds no reviews, so it names no problem to leave out; give a file of reviews.")
        held_out.problems.update(review.cluster for review in reviews)
        held_out.dialogues.update(map(_dialogue, reviews))
    return held_out


def _other_parts(train: Path) -> list[Path]:
    if not (train.parent / SPLIT).is_file():
        return []
    parts = [part.file for part in read_split(train.parent).manifest.parts.values()]
    return [train.parent / name for name in parts if train.name in parts and name != train.name]


def read_pool(path: Path, rubric: Rubric, judged: Rubric, train: Sequence[Review], held_out: HeldOut) -> Pool:
    """The replies of a file, whose labels would be on `rubric`, to learn the criteria of `judged` from.

    Left out and counted are those held out, those with a label of their own, and those that stand in `train`. Raises
    `UttaError` when nothing is left.
    """
    found = read(path, rubric, "train")
    labelled = {id(review) for review in with_labels(found.reviews, judged)}
    known = {_words(review) for review in train}
    parts: dict[str, list[Review]] = {"": [], "held_out": [], "labelled": [], "in_training": []}
    for review in found.reviews:
        why = "held_out" if held_out.holds(review) else "labelled" if id(review) in labelled else ""
        parts[why or ("in_training" if _words(review) in known else "")].append(review)
    replies = parts.pop("")
    left_out = {why: len(reviews) for why, reviews in parts.items()}
    if not replies:
        told = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in left_out.items() if n)
        raise UttaError(
            f"No reply in {path} may be learnt from ({told}); give replies to other problems, without labels."
        )
    return Pool(
        replies,
        {
            "file": str(path),
            "sha256": sha256(path),
            "records": len(replies),
            "problems": len({review.cluster for review in replies}),
            "withheld": found.withheld,
            "left_out": left_out,
            "problems_held_out": len({review.cluster for review in parts["held_out"]}),
        },
    )


def _dialogue(review: Review) -> str:
    return f"{review.dialogue_id} of {review.source}"


def _words(review: Review) -> str:
    """What was said, whoever said it: a file without labels may give the responders other names."""
    return content_id([spoken(review.conversation), review.response])
