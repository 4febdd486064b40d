"""`evaluate_student`: an evaluation run of a program that plays a student, over a file of dialogues.

run.json            what was asked: program, model, data, hashes; a second call with the same goes on where it was
predictions.jsonl, scores.jsonl, errors.jsonl     see `utta.evaluate.student.replies`
results.json        the figures (`utta.evaluate.student.figures`), beside those of the real students and of a baseline
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics.bootstrap import Draws, draw_clusters
from metrics.groups import few
from utta.core.errors import UttaError
from utta.core.files import JsonLines, read_json, sha256, write_json
from utta.core.runs import claim
from utta.evaluate.answers import number, plain
from utta.evaluate.gates import COMPARE, Gate, parse_figure_gate
from utta.evaluate.open import read_records
from utta.evaluate.run import seen_problems, times_scored, unseen_files
from utta.evaluate.student import figures as fig
from utta.evaluate.student.figures import Measured, Said, Scores
from utta.evaluate.student.replies import replies, scores
from utta.evaluate.student.scenes import Scene, scenes
from utta.programs.folder import Program, now, open_program, versions
from utta.records.dialogue import Dialogue

KIND = "student_evaluation"
SLICES = ("source", "grade_level", "subject")
REDUCTION = "nll_reduction"


@dataclass(frozen=True)
class Asked:
    """What an evaluation of a student is asked to do; `limit` takes only so many dialogues, from the file's beginning."""

    program: str
    data: Path
    out: Path
    model: str | None = None
    against: Path | None = None
    gates: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0
    cache: bool = True


@dataclass(frozen=True)
class Answers:
    """What a run wrote down: what was said in each scene, and the line of scores of each dialogue."""

    said: Said
    scores: Scores


@dataclass(frozen=True)
class Opened:
    """What an evaluation works on: the student, the dialogues with their scenes, and how many records were put aside."""

    program: Program
    dialogues: list[Dialogue]
    put_aside: dict[str, Any]
    scenes: list[Scene]


def open_all(asked: Asked) -> Opened:
    """What `asked` names, before a model is loaded; `UttaError` for what the user can mend."""
    program = open_program(asked.program, model=asked.model)
    dialogues, put_aside = read_records(asked.data, Dialogue, "evaluate")
    dialogues = dialogues[: asked.limit]
    if not (places := scenes(dialogues)):
        raise UttaError(f"No student says a word in {asked.data}; give dialogues with turns of a student.")
    return Opened(program, dialogues, put_aside, places)


def evaluate_student(asked: Asked) -> dict[str, Any]:
    """Run or finish an evaluation and return its results, also written to `out/results.json`.

    Raises `UttaError` for anything the user can mend; a gate that failed stands in `gates`, and raises nothing.
    """
    known = (*fig.FIGURES, *((REDUCTION,) if asked.against else ()))
    gates = [parse_figure_gate(text, known) for text in asked.gates]
    opened = open_all(asked)
    program, dialogues, places = opened.program, opened.dialogues, opened.scenes
    model = program.load_model(asked.cache)
    config = _config(asked, program, model.version)
    other = _against(asked.against, config) if asked.against else None
    claim(asked.out, config)
    (asked.out / "errors.jsonl").unlink(missing_ok=True)
    scored, failed = scores(program.module, dialogues, asked.out)
    played, failed_too = replies(program.module, places, asked.out)
    model.say_replaced()
    draws = draw_clusters([scene.dialogue.cluster for scene in places], seed=asked.seed)
    answers = _answers(played, scored)
    problems = {dialogue.cluster for dialogue in dialogues}
    results: dict[str, Any] = {
        "kind": KIND,
        "schema_version": 1,
        "created": now(),
        "program": asked.program,
        "model": model.version,
        "data": config["data"] | {"records": len(dialogues), "problems": len(problems)},
        "times_scored": times_scored(program, config),
        "seen_problems": seen_problems(program, problems, Dialogue),
        "unseen_files": unseen_files(program),
        "counts": {
            "dialogues": len(dialogues),
            **_counts(places),
            "errors": len(failed) + len(failed_too),
            **opened.put_aside,
        },
        "figures": _figures(places, answers, draws),
        "slices": _slices(places, answers, draws),
        "comparison": other and _comparison(asked.against, places, answers, other, draws),
        "seed": asked.seed,
        "versions": versions(),
        "paths": {name: str(asked.out / f"{name}.jsonl") for name in ("predictions", "scores", "errors")},
    }
    results["gates"] = [_judged(gate, results) for gate in gates]
    write_json(asked.out / "results.json", results)
    return results


def _against(run: Path, config: Mapping[str, Any]) -> Answers:
    """What another student's finished run wrote down; `UttaError` where there is none, or where it played other scenes: the
    misaligned words of a scene come from the other dialogues of its file."""
    if not (run / "results.json").is_file() or read_json(run / "results.json").get("kind") != KIND:
        raise UttaError(f"{run} is no finished run of a student; give the --out of 'utta evaluate student'.")
    before = read_json(run / "run.json")
    if before["data"]["sha256"] != config["data"]["sha256"] or before["limit"] != config["limit"]:
        raise UttaError(
            f"{run} played other scenes ({before['data']['file']}, --limit {before['limit']}); evaluate that student on this "
            "data first."
        )
    lines = []
    for name in ("predictions", "scores"):
        with JsonLines(run / f"{name}.jsonl") as log:
            lines.append(log.done)
    return _answers(*lines)


def _answers(played: Sequence[Mapping[str, Any]], scored: Sequence[Mapping[str, Any]]) -> Answers:
    said = {(line["record_id"], line["turn"], line["teacher"]): line["student_turn"] for line in played}
    return Answers(said, {line["record_id"]: line for line in scored})


def _figures(places: Sequence[Scene], answers: Answers, draws: Draws, words: bool = True) -> dict[str, dict[str, Any]]:
    """By figure its `n` and the values of the program, of the real students and of the baseline, where they have one."""
    real, copied = fig.real_words(places), fig.copied_words(places)
    of: dict[str, dict[str, Measured]] = {"program": {"nll": fig.nll(answers.scores, places, draws)}}
    of["program"] |= fig.answer_figures(places, answers.said, draws)
    of["real"] = fig.answer_figures(places, real, draws)
    of["copy"] = fig.answer_figures(places, copied, draws)
    if words:
        of["program"] |= fig.word_figures(places, answers.said, draws)
        of["copy"] |= fig.word_figures(places, copied, draws)
    return {
        name: {"n": measured.n} | {who: _shown(found.get(name)) for who, found in of.items()}
        for name, measured in of["program"].items()
    }


def _shown(measured: Measured | None) -> dict[str, Any] | None:
    """A figure as JSON; None where there is none."""
    return plain(measured.interval) if measured and number(measured.value) is not None else None


def _slices(places: Sequence[Scene], answers: Answers, draws: Draws) -> dict[str, list[dict[str, Any]]]:
    """By slice its groups, the largest first, each with its figures if it is not `few`; what is measured of words only for
    sources, whose students talk in ways of their own. A slice of one group says nothing and is left out."""
    table: dict[str, list[dict[str, Any]]] = {}
    for name in SLICES:
        values = [getattr(scene.dialogue, name) or "unknown" for scene in places]
        groups = Counter(values).most_common()
        for value, _ in groups if len(groups) > 1 else ():
            inside = [scene for scene, each in zip(places, values, strict=True) if each == value]
            clusters = [scene.dialogue.cluster for scene in inside]
            less = few([True] * len(inside), clusters)
            found = {} if less else _figures(inside, answers, draws, words=name == "source")
            group = {"value": value, **_counts(inside), "problems": len(set(clusters)), "few": less}
            table.setdefault(name, []).append(group | {"figures": found})
    return table


def _comparison(
    run: Path | None, places: Sequence[Scene], ours: Answers, others: Answers, draws: Draws
) -> dict[str, Any]:
    """The paired differences to another run, ours less theirs, on what both did."""
    shared = [scene for scene in places if scene.key in ours.said and scene.key in others.said]
    if not shared:
        raise UttaError(f"The run {run} has none of these scenes; evaluate that program on this data first.")
    found: dict[str, Measured] = {}
    for measure in (fig.answer_figures, fig.word_figures):
        mine, theirs = (measure(shared, answers.said, draws) for answers in (ours, others))
        found |= {name: mine[name].minus(theirs[name]) for name in mine}
    reduction = fig.nll_reduction(ours.scores, others.scores, shared, draws)
    return {
        "run": str(run),
        "n": len(shared),
        "figures": {name: {"n": measured.n, "difference": _shown(measured)} for name, measured in found.items()},
        REDUCTION: _shown(reduction),
    }


def _counts(places: Sequence[Scene]) -> dict[str, int]:
    return {"turns": sum(scene.teacher == "real" for scene in places), "scenes": len(places)}


def _judged(gate: Gate, results: dict[str, Any]) -> dict[str, Any]:
    """A gate with the value it met and whether it passed; a figure that could not be computed does not pass."""
    if gate.metric == REDUCTION:
        found = (results["comparison"] or {}).get(REDUCTION)
    else:
        found = results["figures"][gate.metric]["program"]
    value = (found or {}).get("value")
    return {"gate": gate.text, "value": value, "passed": value is not None and COMPARE[gate.compare](value, gate.bound)}


def _config(asked: Asked, program: Program, version: str) -> dict[str, Any]:
    return {
        "kind": KIND,
        "program": asked.program,
        "state": program.state,
        "model": version,
        "data": {"file": str(asked.data), "sha256": sha256(asked.data)},
        "limit": asked.limit,
        "seed": asked.seed,
    }
