"""`evaluate`: an evaluation run — a program over a file of reviews, in a folder that tells the whole story.

    run.json            what was asked: program, model, data, hashes; a second call with the same goes on where it was
    predictions.jsonl   one line per decision
    errors.jsonl        reviews that could not be judged
    results.json        the figures
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.core.files import JsonLines, sha256, write_json
from utta.core.paths import home
from utta.core.runs import claim
from utta.evaluate.predict import predict
from utta.evaluate.results import by_decision, cluster, comparison, figures
from utta.programs.folder import Program, now, open_program, versions
from utta.records.read import read_reviews
from utta.records.review import Review
from utta.records.rubrics import find_rubric, rubric_names


@dataclass(frozen=True)
class Asked:
    """What an evaluation is asked to do; `criteria` empty means those that the data labels."""

    program: str
    data: Path
    out: Path
    model: str | None = None
    rubric: str | None = None
    criteria: tuple[str, ...] = ()
    baseline_train: Path | None = None
    against: Path | None = None
    gates: tuple[str, ...] = ()
    seed: int = 0
    cache: bool = True


def evaluate(asked: Asked) -> dict[str, Any]:
    """Run or finish an evaluation and return its results, also written to `out/results.json`.

    Raises `UttaError` for anything the user can mend; gates are judged by the caller with `failed_gates`.
    """
    from utta.evaluate.gates import judge_gates, parse_gate

    gates = [parse_gate(text) for text in asked.gates]
    other = _predictions(asked.against) if asked.against else None
    rubric = data_rubric(asked.data, asked.rubric) if asked.program == "evaluator" else None
    found = read_reviews(asked.data)
    program = open_program(asked.program, rubric and rubric.only(_criteria(asked, rubric, found.reviews)), asked.model)
    reviews = _labelled(asked, program.module.rubric)
    train = _training_reviews(asked, program)
    model = program.load_model(asked.cache)
    config = _config(asked, program, model.version)
    claim(asked.out, config)
    started = time.monotonic()
    told = predict(program.module, reviews, asked.out)
    seconds = time.monotonic() - started
    answers = by_decision(told["predictions"])
    results = {
        "kind": "evaluation",
        "schema_version": 1,
        "created": now(),
        "seconds": round(seconds, 2),
        "program": asked.program,
        "model": model.version,
        "rubric": config["rubric"],
        "data": config["data"] | {"records": len(reviews), "problems": len({cluster(r) for r in reviews})},
        "times_scored": _times_scored(asked, program, config),
        "counts": _counts(program.module.rubric, reviews, answers, len(told["errors"])) | {"rejects": found.rejects},
        **figures(program.module.rubric, reviews, answers, train[0] if train else (), asked.seed),
        "comparison": None,
        "baseline_train": train[1] if train else None,
        "seed": asked.seed,
        "versions": versions(),
        "paths": {name: str(asked.out / f"{name}.jsonl") for name in ("predictions", "errors")},
    }
    if other is not None:
        results["comparison"] = {"run": str(asked.against)} | comparison(
            program.module.rubric, reviews, answers, by_decision(other), asked.seed
        )
    results["gates"] = judge_gates(gates, results)
    write_json(asked.out / "results.json", results)
    return results


def data_rubric(data: Path, name: str | None) -> Rubric:
    """The rubric to use on a file: the named one, or the shipped one that the file's first review names."""
    if name:
        return find_rubric(name)
    named = read_reviews(data).reviews[0].rubric
    if named not in rubric_names():
        raise UttaError(f"The reviews in {data} are on the rubric {named!r}, which does not ship; give its file with --rubric.")
    return find_rubric(named)


def labelled_criteria(rubric: Rubric, reviews: Sequence[Review], wanted: Sequence[str] = ()) -> list[str]:
    """The criteria of the rubric that the reviews label, or those wanted; `UttaError` for an unknown one."""
    known = [c.id for c in rubric.criteria]
    if unknown := [name for name in wanted if name not in known]:
        raise UttaError(f"The rubric {rubric.id} has no criterion {unknown[0]!r}; it has {', '.join(known)}.")
    return list(wanted) or [name for name in known if any(name in r.levels for r in reviews)]


def _criteria(asked: Asked, rubric: Rubric, reviews: Sequence[Review]) -> list[str]:
    criteria = labelled_criteria(rubric, reviews, asked.criteria)
    if not criteria:
        raise UttaError(f"No review in {asked.data} has a label of the rubric {rubric.id}; name the right one with --rubric.")
    return criteria


def _labelled(asked: Asked, rubric: Rubric) -> list[Review]:
    """The reviews with a label on one of the program's criteria; a label outside the rubric is put aside as a fault."""
    found = read_reviews(asked.data, _whole_rubric(rubric, asked))
    reviews = [r for r in found.reviews if any(c.id in r.levels for c in rubric.criteria)]
    if not reviews:
        raise UttaError(f"No review in {asked.data} has a label on the program's criteria: {', '.join(c.id for c in rubric.criteria)}.")
    return reviews


def _whole_rubric(rubric: Rubric, asked: Asked) -> Rubric:
    """The rubric that labels are held against: with all its criteria where it ships, for the program may ask only some."""
    name = asked.rubric or (rubric.id if rubric.id in rubric_names() else None)
    return find_rubric(name) if name else rubric


def _training_reviews(asked: Asked, program: Program) -> tuple[list[Review], dict[str, str]] | None:
    """The reviews that baselines are fitted on, checked by hash when the program's manifest names the file."""
    trained = program.manifest.get("train")
    path = asked.baseline_train or (Path(trained["file"]) if trained and Path(trained["file"]).is_file() else None)
    if path is None:
        return None
    reviews = read_reviews(path).reviews
    seen = sha256(path)
    if asked.baseline_train is None and trained and seen != trained["sha256"]:
        return None
    return reviews, {"file": str(path), "sha256": seen}


def _config(asked: Asked, program: Program, version: str) -> dict[str, Any]:
    rubric = program.module.rubric
    return {
        "kind": "evaluation",
        "program": asked.program,
        "state": program.module.dump_state()["judge"].get("fields", {}),
        "model": version,
        "rubric": {"id": rubric.id, "hash": rubric.hash},
        "data": {"file": str(asked.data), "sha256": sha256(asked.data)},
        "seed": asked.seed,
    }


def _counts(rubric: Rubric, reviews: Sequence[Review], answers: Any, failed: int) -> dict[str, int]:
    """Decisions asked; of these scored (answered, with an expert's label), unscored (no label), errors (no answer)."""
    asked = len(reviews) * len(rubric.criteria)
    scored = sum((r.id, c.id) in answers and c.id in r.levels for r in reviews for c in rubric.criteria)
    errors = failed * len(rubric.criteria)
    return {"decisions": asked, "scored": scored, "unscored": asked - scored - errors, "errors": errors}


def _times_scored(asked: Asked, program: Program, config: dict[str, Any]) -> int:
    """How many tuned programs were scored on this very file on this machine, this one included; a tuned program that is
    chosen by looking at the test part is chosen on the test part."""
    if program.folder is None:
        return 0
    entry = {"data": config["data"]["sha256"], "model": config["model"], "state": config["state"]}
    with JsonLines(home() / "scored.jsonl") as log:
        before = [e for e in log.done if e["data"] == entry["data"]]
        if entry not in before:
            log.append([entry])
            before.append(entry)
    return len(before)


def _predictions(run: Path) -> list[Any]:
    if not (run / "predictions.jsonl").is_file():
        raise UttaError(f"{run} is no evaluation run: it has no predictions.jsonl; give the --out of an earlier 'utta evaluate'.")
    with JsonLines(run / "predictions.jsonl") as log:
        return log.done
