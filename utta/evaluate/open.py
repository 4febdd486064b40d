"""What a command works on: a program, the rubric that labels belong to, and the reviews of a file.

`evaluate`, `optimize` and `distill` open their inputs here, so that all three refuse the same faults with the same words,
and that none of them sees a record that its student's consent or its last day withholds.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.core.files import sha256
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import Program, open_judge
from utta.records.read import (
    Fault,
    ReadResult,
    no_records,
    put_aside,
    put_aside_note,
    read_reviews,
    scan_records,
    scan_reviews,
)
from utta.records.record import Purpose, Record
from utta.records.review import Review
from utta.records.rubrics import find_rubric, rubric_names

R = TypeVar("R", bound=Record)

WITHHELD = {"consent": "by consent", "keep_until": "past the day until which they may be kept"}


@dataclass(frozen=True)
class Usable(ReadResult):
    """What of a file may be used; `withheld` says how many reviews may not, by reason."""

    withheld: dict[str, int] = field(default_factory=dict)


def open_on(
    program: str,
    data: Path,
    model: str | None = None,
    rubric: str | None = None,
    criteria: Sequence[str] = (),
    *,
    purpose: Purpose,
    all_criteria: bool = False,
) -> tuple[Program, Usable]:
    """The program asked for, and what of `data` may be used for the purpose.

    A plain evaluator judges the criteria that the data labels, or those named in `criteria`; where the data labels none, with
    `all_criteria` those of its rubric. A saved program judges its own. Lines that cannot be used are put aside, which
    standard error says.
    """
    if program == TeachingEvaluator.name:
        whole = data_rubric(data, rubric)
        found = read(data, whole, purpose)
        names = labelled_criteria(whole, found.reviews, criteria) or [c.id for c in whole.criteria if all_criteria]
        if not names:
            raise UttaError(
                f"No review in {data} has a label of the rubric {whole.id}; name the right one with --rubric, or say "
                f"what to judge with --criteria: {', '.join(c.id for c in whole.criteria)}."
            )
        return open_judge(program, whole, model, names), found
    opened = open_judge(program, model=model)
    own = opened.module.rubric.criteria
    if criteria and set(criteria) != {c.id for c in own}:
        raise UttaError(f"{program} judges {', '.join(c.id for c in own)} and nothing else; leave --criteria out.")
    if rubric:
        opened.whole = find_rubric(rubric)
    if not all(criterion in opened.rubric.criteria for criterion in own):
        raise UttaError(
            f"The rubric {rubric} has not the criteria that the program judges; give the one it was made for."
        )
    return opened, read(data, opened.rubric, purpose)


def data_rubric(data: Path, name: str | None) -> Rubric:
    """The rubric to use on a file: the named one, or the shipped one that the file's first review names."""
    if name:
        return find_rubric(name)
    first = next((found for found in scan_reviews(data) if isinstance(found, Review)), None)
    named = (first or read_reviews(data).reviews[0]).rubric  # without a good review, reading says why in one sentence
    if named not in rubric_names():
        raise UttaError(
            f"The reviews in {data} are on the rubric {named!r}, which does not ship; give its file with --rubric."
        )
    return find_rubric(named)


def labelled_criteria(rubric: Rubric, reviews: Sequence[Review], wanted: Sequence[str] = ()) -> list[str]:
    """The criteria of the rubric that the reviews label, or those wanted; `UttaError` for an unknown one."""
    known = [c.id for c in rubric.criteria]
    if unknown := [name for name in wanted if name not in known]:
        raise UttaError(f"The rubric {rubric.id} has no criterion {unknown[0]!r}; it has {', '.join(known)}.")
    return list(wanted) or [name for name in known if any(name in r.levels for r in reviews)]


def read(path: Path, rubric: Rubric, purpose: Purpose, today: date | None = None) -> Usable:
    """The reviews of a file whose labels are in the rubric and that may be used for the purpose on the day `today`.

    What was put aside or withheld is said on standard error, which may be a log: as counts, without a word of it.
    Raises `UttaError` when nothing is left.
    """
    found = read_reviews(path, rubric)
    if found.rejects:
        print(f"{put_aside_note(found.rejects, found.rejects_path)}, with the reason.", file=sys.stderr)
    usable, withheld = allowed(found.reviews, path, purpose, today)
    return Usable(usable, found.rejects, found.rejects_path, found.faults, withheld)


def read_records(path: Path, kind: type[R], purpose: Purpose) -> tuple[list[R], dict[str, Any]]:
    """The records of a file that may be used for the purpose today, and how many lines were `rejects` and records `withheld`
    by reason. Says and raises what `read` does."""
    items = list(scan_records(path, kind))
    faults = [item for item in items if isinstance(item, Fault)]
    found = [item for item in items if not isinstance(item, Fault)]
    if not found:
        raise no_records(path, faults, kind)
    if place := put_aside(faults, path.with_name(f"{path.stem}.rejects.jsonl")):
        print(f"{put_aside_note(len(faults), place)}, with the reason.", file=sys.stderr)
    usable, withheld = allowed(found, path, purpose)
    return usable, {"rejects": len(faults), "withheld": withheld}


def allowed(
    records: Sequence[R], path: Path, purpose: Purpose, today: date | None = None
) -> tuple[list[R], dict[str, int]]:
    """The records of a file that may be used for the purpose, and how many may not, by reason."""
    reasons = [record.withheld(purpose, today or date.today()) for record in records]
    withheld = Counter(reason for reason in reasons if reason)
    why = ", ".join(f"{n:,} {WITHHELD[reason]}" for reason, n in sorted(withheld.items()))
    usable = [record for record, reason in zip(records, reasons, strict=True) if not reason]
    if not usable:
        kind = records[0].kind.replace("_", " ")
        raise UttaError(f"No {kind} in {path} may be used to {purpose} ({why}); give records with that consent.")
    if withheld:
        print(f"{path}: withheld from what is used to {purpose}: {why}.", file=sys.stderr)
    return usable, dict(withheld)


def labelled(reviews: Sequence[Review], rubric: Rubric, path: Path) -> list[Review]:
    """The reviews of the file `path` that have a label on one of the rubric's criteria; `UttaError` when none has."""
    if not (kept := with_labels(reviews, rubric)):
        names = ", ".join(c.id for c in rubric.criteria)
        raise UttaError(f"No review in {path} has a label on the program's criteria: {names}.")
    return kept


def with_labels(reviews: Sequence[Review], rubric: Rubric) -> list[Review]:
    """The reviews that have a label on one of the rubric's criteria."""
    return [r for r in reviews if any(c.id in r.levels for c in rubric.criteria)]


def unchanged(program: Program, part: str) -> Path | None:
    """The file of that part that the program was made from, if it is still there and the same. A relative path is tried from
    here and from the folders above the program, for it may have been made from another one."""
    kept = program.manifest.get(part)
    if not kept:
        return None
    above = program.folder.absolute().parents if program.folder else ()
    found = (folder / kept["file"] for folder in (Path(), *above))
    return next((path for path in found if path.is_file() and sha256(path) == kept["sha256"]), None)


def refuse_leak(train: Sequence[Any], held_out: Sequence[Any], files: tuple[Path, Path]) -> None:
    """`UttaError` when a problem or a dialogue stands in both parts: what was learnt from one would be tested on the
    other."""
    for what, names in (
        ("problems", [{r.cluster for r in part} for part in (train, held_out)]),
        (
            "dialogues",
            [{f"{r.dialogue_id} of {r.source}" for r in part if r.dialogue_id} for part in (train, held_out)],
        ),
    ):
        if shared := sorted(names[0] & names[1]):
            raise UttaError(
                f"{len(shared)} {what} stand in both {files[0]} and {files[1]} (the first: {shared[0]}); "
                "split by problem with 'utta data split'."
            )
