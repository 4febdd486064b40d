"""A teacher's levels on replies that no expert has judged, as far as they deserve to be learnt from.

The teacher is any program that judges the same criteria; several are one, whose probabilities are averaged. Its level weights
are applied first: what is learnt are its decisions, and the balance between the levels is theirs.

    out/teacher/1/predictions.jsonl   what the first teacher said; a call that was stopped goes on with the rest
    out/teacher/report.json           what is kept, and why; from then on no teacher is asked again

A decision is kept from a threshold of confidence on, by criterion. On validation a decision that is kept counts 1 where it is
right and -1 where it is wrong, one that is not kept 0: the threshold has the highest sum, and is the lowest of equals. So
decisions are kept for as long as they are more often right than wrong (Chow 1970, with a rejection that costs half an error).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signatures.rubric import Criterion, Rubric
from utta.core.errors import UttaError
from utta.core.files import write_json
from utta.distill.pool import HeldOut
from utta.distill.recipe import Teachers
from utta.distill.rows import Lessons
from utta.evaluate.answers import Answers, by_decision, distribution, number
from utta.evaluate.predict import predict, read_predictions
from utta.evaluate.run import seen_problems
from utta.programs.folder import Program, open_judge
from utta.records.review import Review

GRID = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

Said = Mapping[tuple[str, str], NDArray[np.float64]]  # (response id, criterion) → the chance of each level


def open_teachers(asked: Teachers, judged: Rubric, rubric: Rubric, held_out: HeldOut) -> list[Program]:
    """The teachers; `UttaError` for one that does not judge the criteria of `judged`, or that learnt from a problem held out,
    as far as its training file is still there: its agreement on validation would promise too much."""
    programs = []
    for name in asked.programs:
        program = open_judge(name, rubric, criteria=[c.id for c in judged.criteria])
        if asked.model and not program.adapter:
            program.model_name = asked.model
        if missing := [c.id for c in judged.criteria if c not in program.module.rubric.criteria]:
            raise UttaError(
                f"The teacher {name} does not judge {', '.join(missing)} on the levels of the rubric {judged.id}; "
                "give a program for the same criteria, or name those that it judges with --criteria."
            )
        if learnt := seen_problems(program, held_out.problems).get("train"):
            raise UttaError(
                f"The teacher {name} was trained on {learnt} problems that are held out here; give one that was not."
            )
        programs.append(program)
    return programs


def identity(programs: Sequence[Program]) -> list[dict[str, Any]]:
    """What tells teachers apart, as JSON."""
    return [
        {"program": p.name if p.folder is None else str(p.folder), "model": p.model_name, "state": p.state}
        | {"adapter": p.manifest.get("adapter")}
        for p in programs
    ]


def teach(
    out: Path,
    asked: Teachers,
    programs: Sequence[Program],
    judged: Rubric,
    replies: Sequence[Review],
    train: Sequence[Review],
    validation: Sequence[Review],
) -> tuple[Lessons, dict[str, Any]]:
    """Ask the teachers, or read what they said, in the folder `out`; returns what is to be learnt, and the report.

    Asked about are `replies` and `validation`, and `train` if labels are blended. A reply that one of the teachers could not
    judge teaches nothing. `chosen_on_validation` counts the teachers whose own epoch and level weights were chosen on these
    problems, which flatters their agreement there a little. Raises `UttaError` when nothing is kept and nothing blended.
    """
    blended = train if asked.blend else ()
    one_each = {review.response_id: review for review in (*replies, *validation, *blended)}
    said = _ask(out, programs, judged, one_each)
    criteria: dict[str, Any] = {}
    kept: dict[tuple[str, str], tuple[float, ...]] = {}
    for criterion in judged.criteria:
        threshold, agreement = _threshold(criterion, said, validation, asked.confidence)
        taught = _kept(criterion, said, replies, threshold)
        kept |= {(name, criterion.id): chances for name, chances in taught.items()}
        criteria[criterion.id] = {"threshold": threshold, "validation": agreement} | _counts(
            criterion, said, replies, taught
        )
    if replies and not kept and not asked.blend:
        raise UttaError(
            "No decision of the teacher is kept: at every confidence it is more often wrong than right on validation, or "
            "never as sure as --confidence asks; give a better teacher, or set --confidence."
        )
    of_labelled = {key: tuple(chances.tolist()) for key, chances in said.items()} if asked.blend else {}
    lessons = Lessons(replies, kept, of_labelled, asked.weight, asked.blend)
    report = {
        "asked": len(one_each),
        "not_judged": len(one_each) - len({name for name, _ in said}),
        "chosen_on_validation": sum(bool(seen_problems(each, {r.cluster for r in validation})) for each in programs),
        "criteria": criteria,
    }
    write_json(out / "report.json", report)
    return lessons, report


def _ask(out: Path, programs: Sequence[Program], judged: Rubric, reviews: Mapping[str, Review]) -> Said:
    """What the teachers say together of each response, where all of them have said something."""
    of_all: list[dict[tuple[str, str], NDArray[np.float64]]] = []
    for place, program in enumerate(programs, start=1):
        folder = out / str(place)
        if (out / "report.json").is_file():  # asked again, what failed then might be judged now, and the rows be others
            lines = read_predictions(folder)
        else:
            model = program.load_model()
            title = "Asking the teacher" if len(programs) == 1 else f"Asking teacher {place} of {len(programs)}"
            lines = predict(program.module, [*reviews.values()], folder, title)["predictions"]
            model.say_replaced()
        of_all.append(_chances(program, judged, by_decision(lines), reviews))
    common = set.intersection(*(set(each) for each in of_all))
    return {key: np.mean([each[key] for each in of_all], axis=0) for key in of_all[0] if key in common}


def _chances(
    program: Program, judged: Rubric, answers: Answers, reviews: Mapping[str, Review]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """One teacher's chance of each level, times the level's weight, in sum 1."""
    found = {}
    for criterion in judged.criteria:
        weights = program.module.judge.fields.get(criterion.id, {}).get("weights", {})
        by_level = np.array([weights.get(label, 1.0) for label in criterion.labels])
        for name, review in reviews.items():
            if line := answers.get((review.id, criterion.id)):
                chances = np.array(distribution(criterion, line))
                if line["probabilities"]:  # else the teacher named a level, and weighed nothing
                    chances = chances * by_level
                found[name, criterion.id] = chances / chances.sum()
    return found


def _threshold(
    criterion: Criterion, said: Said, validation: Sequence[Review], by_hand: float | None
) -> tuple[float | None, dict[str, Any]]:
    """The confidence from which on decisions are kept, None to keep none; and the agreement with the experts there."""
    pairs = [
        (said[key], criterion.labels.index(review.levels[criterion.id]))
        for review in validation
        if criterion.id in review.levels and (key := (review.response_id, criterion.id)) in said
    ]
    sure = np.array([chances.max() for chances, _ in pairs])
    right = np.array([chances.argmax() == gold for chances, gold in pairs], dtype=bool)
    threshold = choose_threshold(sure, right) if by_hand is None else by_hand
    kept = right[sure >= threshold] if threshold is not None else right[:0]
    return threshold, {
        "n": len(right),
        "agreement": number(right.mean()) if len(right) else None,
        "kept": len(kept),
        "agreement_kept": number(kept.mean()) if len(kept) else None,
    }


def choose_threshold(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """The lowest of `GRID` at which, of decisions `[n]` at least so `sure`, those that are `right` outnumber the others by
    the most; None where they nowhere do."""
    ahead = [int((2 * right[sure >= threshold].astype(int) - 1).sum()) for threshold in GRID]
    return GRID[ahead.index(max(ahead))] if max(ahead) > 0 else None


def _kept(
    criterion: Criterion, said: Said, replies: Sequence[Review], threshold: float | None
) -> dict[str, tuple[float, ...]]:
    """The chances of the decisions that are kept, by response."""
    if threshold is None:
        return {}
    of = {reply.response_id: said.get((reply.response_id, criterion.id)) for reply in replies}
    return {name: tuple(p.tolist()) for name, p in of.items() if p is not None and p.max() >= threshold}


def _counts(
    criterion: Criterion, said: Said, replies: Sequence[Review], taught: Mapping[str, tuple[float, ...]]
) -> dict[str, Any]:
    """How many decisions on the replies there are and how many are kept, in all and by the level decided on."""
    decided: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for name in {reply.response_id: None for reply in replies}:
        if (chances := said.get((name, criterion.id))) is not None:
            label = criterion.labels[int(chances.argmax())]
            decided[label] += 1
            kept[label] += name in taught
    return {
        "decisions": decided.total(),
        "kept": kept.total(),
        "levels": {label: {"decisions": decided[label], "kept": kept[label]} for label in criterion.labels},
    }
