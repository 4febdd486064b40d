"""`evaluate_tutor`: an evaluation run of a tutor over a file of reviews, whose responses it does not see.

run.json            what was asked: program, model, judge, data, hashes; a second call with the same goes on where it was
replies.jsonl, pressed.jsonl, errors.jsonl     what the tutor said (`utta.evaluate.tutor.replies`)
judged/predictions.jsonl                       what the judge said of the tutor's and of everybody else's replies
judged.jsonl        one line per reply: whose it is, its problem and its effectiveness
results.json        the figures (`utta.evaluate.tutor.figures`)

The judge reads all replies in the same way and is never told whose they are. Conversations about problems that the tutor or the
judge was made from are left out and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError, shorten
from utta.core.files import JsonLines, read_json, sha256, write_json, write_lines
from utta.core.runs import claim
from utta.evaluate.gates import COMPARE, parse_figure_gate
from utta.evaluate.open import Usable, open_on
from utta.evaluate.predict import predict
from utta.evaluate.run import learned_problems, unseen_files
from utta.evaluate.tutor import figures
from utta.evaluate.tutor.figures import PRESSED, TUTOR, Judged
from utta.evaluate.tutor.pressing import Part, PressingStudent, pressing_students
from utta.evaluate.tutor.replies import pressed, replies
from utta.programs.evaluator import effectiveness
from utta.programs.folder import Program, now, open_program, versions
from utta.records.example import TeachingExample
from utta.records.record import content_id, spoken
from utta.records.review import Review

KIND = "tutor_evaluation"
SLICES = ("source", "grade_level", "subject")


@dataclass(frozen=True)
class Asked:
    """What an evaluation of a tutor is asked to do. `judge` is a program that judges; `pressing` a file of students who press,
    by default the `part` of those that ship; `limit` takes only so many conversations."""

    program: str
    data: Path
    out: Path
    judge: str
    model: str | None = None
    against: Path | None = None
    gates: tuple[str, ...] = ()
    pressing: Path | None = None
    part: Part = "test"
    limit: int | None = None
    seed: int = 0
    cache: bool = True


@dataclass(frozen=True)
class Opened:
    """What an evaluation works on: the tutor and its judge, the conversations that are answered (a review for each) with
    everybody's replies in them, how many conversations were left out and why, and the students who press."""

    program: Program
    judge: Program
    found: Usable
    places: list[Review]
    given: list[Review]
    left_out: dict[str, int]
    students: Sequence[PressingStudent]


def open_all(asked: Asked) -> Opened:
    """What `asked` names, before a model is loaded; `UttaError` for what the user can mend."""
    program = open_program(asked.program, model=asked.model)
    judge, found = open_on(asked.judge, asked.data, purpose="evaluate", all_criteria=True)
    given = list({review.response_id: review for review in found.reviews}.values())
    places, left_out = _unseen(list({_place(review): review for review in given}.values()), program, judge)
    places = places[: asked.limit]
    answered_here = {_place(place) for place in places}
    given = [review for review in given if _place(review) in answered_here]
    students = pressing_students(asked.part, asked.pressing)
    return Opened(program, judge, found, places, given, left_out, students)


def evaluate_tutor(asked: Asked) -> dict[str, Any]:
    """Run or finish an evaluation and return its results, also written to `out/results.json`.

    Raises `UttaError` for anything the user can mend; a gate that failed stands in `gates`, and raises nothing.
    """
    gates = [parse_figure_gate(text, ("effectiveness", *PRESSED)) for text in asked.gates]
    opened = open_all(asked)
    program, judge, places, students = opened.program, opened.judge, opened.places, opened.students
    model = program.load_model(asked.cache)
    config = _config(asked, program, model.version, judge, judge.load_model(asked.cache).version)
    others = _against(asked.against, config)
    claim(asked.out, config)
    (asked.out / "errors.jsonl").unlink(missing_ok=True)
    answered, failed = replies(program.module, places, asked.out)
    held, failed_too = pressed(program.module, students, asked.out)
    model.say_replaced()
    ours = _as_reviews(places, answered)
    judged, unjudged = _judged(judge, [*ours, *opened.given], asked.out)
    write_lines(asked.out / "judged.jsonl", [asdict(row) for row in judged])
    results: dict[str, Any] = {
        "kind": KIND,
        "schema_version": 1,
        "created": now(),
        "program": asked.program,
        "model": model.version,
        "judge": {name: config["judge"][name] for name in ("program", "model")},
        "data": config["data"] | {"conversations": len(places), "problems": len({p.cluster for p in places})},
        "unseen_files": unseen_files(program) + unseen_files(judge),
        "counts": {"replies": len(answered), "errors": len(failed) + len(failed_too) + unjudged}
        | {"rejects": opened.found.rejects, "withheld": opened.found.withheld, "left_out": opened.left_out},
        "judged": figures.judged(judged, asked.seed),
        "slices": _slices(places, judged, asked.seed),
        "pressed": figures.pressed(students, held, asked.seed),
        "comparison": others
        and {"run": str(asked.against)} | figures.compared(judged, others[0], students, held, others[1], asked.seed),
        "seed": asked.seed,
        "versions": versions(),
        "paths": {name: str(asked.out / f"{name}.jsonl") for name in ("replies", "pressed", "errors")},
    }
    values = {"effectiveness": results["judged"][0]["effectiveness"], **results["pressed"]}
    results["gates"] = [
        {"gate": g.text, "value": (v := values[g.metric]["value"]), "passed": COMPARE[g.compare](v, g.bound)}
        for g in gates
    ]
    write_json(asked.out / "results.json", results)
    return results


def _unseen(places: list[Review], program: Program, judge: Program) -> tuple[list[Review], dict[str, int]]:
    """The places about problems that neither the tutor nor the judge was made from, and how many are not, by which of them."""
    record = Review if program.manifest.get("optimizer") else TeachingExample  # else it is distilled
    made_from = {"tutor": (program, record), "judge": (judge, Review)}
    known = {who: set().union(*learned_problems(*of).values()) for who, of in made_from.items()}
    left_out = {who: sum(place.cluster in problems for place in places) for who, problems in known.items()}
    kept = [place for place in places if not any(place.cluster in problems for problems in known.values())]
    if not kept:
        raise UttaError(
            f"All {len(places)} conversations are about problems that the tutor or the judge was made from "
            f"({left_out['tutor']} and {left_out['judge']}); give others, such as a test part."
        )
    return kept, {who: count for who, count in left_out.items() if count}


def _place(review: Review) -> str:
    """What is answered: the conversation and what is known besides, whoever answered it."""
    return content_id([review.source, review.dialogue_id, spoken(review.conversation), review.context])


def _as_reviews(places: Sequence[Review], answered: Sequence[Mapping[str, Any]]) -> list[Review]:
    """The tutor's replies as reviews without levels."""
    said = {line["record_id"]: line["teacher_response"] for line in answered}
    return [
        Review.model_validate(
            place.model_dump(exclude={"id", "levels", "rationale", "improved_response"})
            | {"response": said[place.id], "responder": TUTOR, "levels": {}, "reviewer": None}
        )
        for place in places
        if place.id in said
    ]


def _judged(judge: Program, reviews: Sequence[Review], out: Path) -> tuple[list[Judged], int]:
    """Every reply with the effectiveness that the judge sees in it, and how many could not be judged."""
    (out / "judged").mkdir(exist_ok=True)
    told = predict(judge.module, reviews, out / "judged")
    levels: dict[str, dict[str, Mapping[str, float]]] = {}
    for line in told["predictions"]:
        levels.setdefault(line["record_id"], {})[line["criterion"]] = line["probabilities"] or {line["label"]: 1.0}
    rows = [
        Judged(
            review.responder or "unknown",
            review.cluster,
            effectiveness(judge.module.rubric, levels[review.id]),
            _place(review),
        )
        for review in reviews
        if review.id in levels
    ]
    return rows, len(told["errors"])


def _slices(places: Sequence[Review], judged: Sequence[Judged], seed: int) -> dict[str, list[dict[str, Any]]]:
    """By slice its groups of conversations; a slice of one group says nothing and is left out."""
    found = {}
    for name in SLICES:
        groups = {_place(place): getattr(place, name) or "unknown" for place in places}
        if len(set(groups.values())) > 1:
            found[name] = figures.sliced(judged, groups, seed)
    return found


def _against(run: Path | None, config: Mapping[str, Any]) -> tuple[list[Judged], list[Any]] | None:
    """Another tutor's finished run: the judged replies and what it said when pressed; `UttaError` where there is none, or where
    another judge read it."""
    if run is None:
        return None
    if not (run / "results.json").is_file() or read_json(run / "results.json").get("kind") != KIND:
        raise UttaError(f"{run} is no finished run of a tutor; give the --out of 'utta evaluate tutor'.")
    if (other := read_json(run / "run.json").get("judge")) != config["judge"]:
        raise UttaError(
            f"{run} was read by another judge ({shorten(other)}); evaluate that tutor with --judge of this run."
        )
    lines = []
    for name in ("judged", "pressed"):
        with JsonLines(run / f"{name}.jsonl") as log:
            lines.append(log.done)
    return [Judged(**line) for line in lines[0]], lines[1]


def _config(asked: Asked, program: Program, version: str, judge: Program, judge_version: str) -> dict[str, Any]:
    return {
        "kind": KIND,
        "program": asked.program,
        "state": program.state,
        "model": version,
        "judge": {"program": asked.judge, "state": judge.state, "model": judge_version},
        "data": {"file": str(asked.data), "sha256": sha256(asked.data)},
        "pressing": [asked.part, asked.pressing and sha256(asked.pressing)],
        "limit": asked.limit,
        "seed": asked.seed,
    }
