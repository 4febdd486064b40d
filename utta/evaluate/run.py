"""`evaluate`: an evaluation run — a program over a file of reviews, in a folder that tells the whole story.

run.json            what was asked: program, model, data, hashes; a second call with the same goes on where it was
predictions.jsonl   one line per decision
errors.jsonl        reviews that could not be judged
results.json        the figures
"""

import hashlib
import json
import sys
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
from utta.evaluate.predict import predict, read_predictions
from utta.evaluate.results import by_decision, cluster, comparison, figures
from utta.programs.folder import UNOPTIMISED, Program, now, open_program, versions
from utta.records.read import ReadResult, read_reviews, scan_reviews
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

    Raises `UttaError` for anything the user can mend; a gate that failed stands in `gates`, and raises nothing.
    """
    from utta.evaluate.gates import judge_gates, parse_gate

    gates = [parse_gate(text) for text in asked.gates]
    other = read_predictions(asked.against) if asked.against else None
    program, whole, found = open_on(asked.program, asked.data, asked.model, asked.rubric, asked.criteria)
    reviews = labelled(found.reviews, program.module.rubric, asked.data)
    train = _training_reviews(asked, program, whole)
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
    first = next((found for found in scan_reviews(data) if isinstance(found, Review)), None)
    named = (first or read_reviews(data).reviews[0]).rubric  # without a good review, reading says why in one sentence
    if named not in rubric_names():
        raise UttaError(
            f"The reviews in {data} are on the rubric {named!r}, which does not ship; give its file with --rubric."
        )
    return find_rubric(named)


def open_on(
    program: str, data: Path, model: str | None = None, rubric: str | None = None, criteria: Sequence[str] = ()
) -> tuple[Program, Rubric, ReadResult]:
    """The program asked for, the whole rubric that labels are held against, and what was read of `data`.

    A plain evaluator judges the criteria that the data labels, or those named in `criteria`; a saved program judges its
    own. Lines that cannot be used are put aside, which standard error says.
    """
    if program in UNOPTIMISED:
        whole = data_rubric(data, rubric)
        found = read(data, whole)
        names = labelled_criteria(whole, found.reviews, criteria)
        if not names:
            raise UttaError(
                f"No review in {data} has a label of the rubric {whole.id}; name the right one with --rubric."
            )
        return open_program(program, whole.only(names), model), whole, found
    opened = open_program(program, model=model)
    own = opened.module.rubric
    if criteria and set(criteria) != {c.id for c in own.criteria}:
        raise UttaError(
            f"{program} judges {', '.join(c.id for c in own.criteria)} and nothing else; leave --criteria out."
        )
    whole = _whole_rubric(own, rubric)
    return opened, whole, read(data, whole)


def read(path: Path, rubric: Rubric) -> ReadResult:
    """The reviews of a file whose labels are in the rubric; what was put aside is said on standard error."""
    found = read_reviews(path, rubric)
    if found.note:
        print(found.note, file=sys.stderr)
    return found


def labelled(reviews: Sequence[Review], rubric: Rubric, path: Path) -> list[Review]:
    """The reviews of the file `path` that have a label on one of the rubric's criteria; `UttaError` when none has."""
    kept = [r for r in reviews if any(c.id in r.levels for c in rubric.criteria)]
    if not kept:
        names = ", ".join(c.id for c in rubric.criteria)
        raise UttaError(f"No review in {path} has a label on the program's criteria: {names}.")
    return kept


def refuse_leak(train: Sequence[Review], validation: Sequence[Review], files: tuple[Path, Path]) -> None:
    """`UttaError` when a problem stands in both parts: what was learnt from one would be tested on the other."""
    if shared := sorted({cluster(r) for r in train} & {cluster(r) for r in validation}):
        raise UttaError(
            f"{len(shared)} problems stand in both {files[0]} and {files[1]} (the first: {shared[0]}); "
            "split by problem with 'utta data split'."
        )


def labelled_criteria(rubric: Rubric, reviews: Sequence[Review], wanted: Sequence[str] = ()) -> list[str]:
    """The criteria of the rubric that the reviews label, or those wanted; `UttaError` for an unknown one."""
    known = [c.id for c in rubric.criteria]
    if unknown := [name for name in wanted if name not in known]:
        raise UttaError(f"The rubric {rubric.id} has no criterion {unknown[0]!r}; it has {', '.join(known)}.")
    return list(wanted) or [name for name in known if any(name in r.levels for r in reviews)]


def _whole_rubric(own: Rubric, name: str | None) -> Rubric:
    """The rubric that labels are held against: a saved program may judge only some criteria of one that ships."""
    if name is None and own.id not in rubric_names():
        return own
    whole = find_rubric(name or own.id)
    if all(criterion in whole.criteria for criterion in own.criteria):
        return whole
    if name:
        raise UttaError(
            f"The rubric {name} has not the criteria that the program judges; give the one it was made for."
        )
    return own


def _training_reviews(asked: Asked, program: Program, rubric: Rubric) -> tuple[list[Review], dict[str, str]] | None:
    """The reviews that baselines are fitted on: the named file, or the one in the program's manifest if it is still that."""
    trained = program.manifest.get("train")
    path = asked.baseline_train
    if (
        path is None
        and trained
        and Path(trained["file"]).is_file()
        and sha256(Path(trained["file"])) == trained["sha256"]
    ):
        path = Path(trained["file"])
    return (read(path, rubric).reviews, {"file": str(path), "sha256": sha256(path)}) if path else None


def _config(asked: Asked, program: Program, version: str) -> dict[str, Any]:
    rubric = program.module.rubric
    return {
        "kind": "evaluation",
        "program": asked.program,
        "state": _state(program),
        "model": version,
        "rubric": {"id": rubric.id, "hash": rubric.hash},
        "data": {"file": str(asked.data), "sha256": sha256(asked.data)},
        "seed": asked.seed,
    }


def _state(program: Program) -> dict[str, Any]:
    """What tells two states of one program apart: the level weights, and a hash of the demonstrations where it has any."""
    judge = program.module.dump_state()["judge"]
    demos = judge["demos"] and hashlib.sha256(json.dumps(judge["demos"], sort_keys=True).encode()).hexdigest()[:16]
    return judge.get("fields", {}) | ({"demos": demos} if demos else {})


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
