"""What a command works on: a program, the rubric that labels belong to, and the reviews of a file.

`evaluate`, `optimize` and `distill` open their inputs here, so that all three refuse the same faults with the same words.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.programs.folder import UNOPTIMISED, Program, open_program
from utta.records.read import ReadResult, read_reviews, scan_reviews
from utta.records.review import Review
from utta.records.rubrics import find_rubric, rubric_names


def open_on(
    program: str, data: Path, model: str | None = None, rubric: str | None = None, criteria: Sequence[str] = ()
) -> tuple[Program, ReadResult]:
    """The program asked for, and what was read of `data`.

    A plain evaluator judges the criteria that the data labels, or those named in `criteria`; a saved program judges its
    own. Lines that cannot be used are put aside, which standard error says.
    """
    if program in UNOPTIMISED:
        whole = data_rubric(data, rubric)
        found = read(data, whole)
        names = labelled_criteria(whole, found.reviews, criteria)
        if not names:
            raise UttaError(
                f"No review in {data} has a label of the rubric {whole.id}; name the right one with --rubric, or say "
                f"what to judge with --criteria: {', '.join(c.id for c in whole.criteria)}."
            )
        return open_program(program, whole, model, names), found
    opened = open_program(program, model=model)
    own = opened.module.rubric.criteria
    if criteria and set(criteria) != {c.id for c in own}:
        raise UttaError(f"{program} judges {', '.join(c.id for c in own)} and nothing else; leave --criteria out.")
    if rubric:
        opened.rubric = find_rubric(rubric)
    if not all(criterion in opened.rubric.criteria for criterion in own):
        raise UttaError(
            f"The rubric {rubric} has not the criteria that the program judges; give the one it was made for."
        )
    return opened, read(data, opened.rubric)


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


def read(path: Path, rubric: Rubric) -> ReadResult:
    """The reviews of a file whose labels are in the rubric; what was put aside is said on standard error."""
    found = read_reviews(path, rubric)
    if found.note:
        print(found.note, file=sys.stderr)
    return found


def labelled(reviews: Sequence[Review], rubric: Rubric, path: Path) -> list[Review]:
    """The reviews of the file `path` that have a label on one of the rubric's criteria; `UttaError` when none has."""
    if not (kept := with_labels(reviews, rubric)):
        names = ", ".join(c.id for c in rubric.criteria)
        raise UttaError(f"No review in {path} has a label on the program's criteria: {names}.")
    return kept


def with_labels(reviews: Sequence[Review], rubric: Rubric) -> list[Review]:
    """The reviews that have a label on one of the rubric's criteria."""
    return [r for r in reviews if any(c.id in r.levels for c in rubric.criteria)]


def refuse_leak(train: Sequence[Review], held_out: Sequence[Review], files: tuple[Path, Path]) -> None:
    """`UttaError` when a problem or a dialogue stands in both parts: what was learnt from one would be tested on the
    other."""
    for what, names in (
        ("problems", [{r.cluster for r in part} for part in (train, held_out)]),
        ("dialogues", [{f"{r.dialogue_id} of {r.source}" for r in part} for part in (train, held_out)]),
    ):
        if shared := sorted(names[0] & names[1]):
            raise UttaError(
                f"{len(shared)} {what} stand in both {files[0]} and {files[1]} (the first: {shared[0]}); "
                "split by problem with 'utta data split'."
            )
