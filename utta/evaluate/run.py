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
from utta.core.files import JsonLines, read_json, sha256, write_json
from utta.core.paths import home
from utta.core.runs import claim
from utta.evaluate.answers import Answers, by_decision
from utta.evaluate.edge_cases import edge_cases, swapped
from utta.evaluate.gates import judge_gates, parse_gate
from utta.evaluate.learning import learning_curve
from utta.evaluate.open import open_on, read, refuse_leak, unchanged, with_labels
from utta.evaluate.predict import predict, read_predictions
from utta.evaluate.results import comparison, figures
from utta.evaluate.reviewers import reviewers
from utta.programs.folder import Program, now, versions
from utta.records.chats import read_rows
from utta.records.kinds import AnyRecord
from utta.records.read import Fault, scan_records
from utta.records.review import Review

LEARNED_FROM = ("train", "validation", "rows_from")  # of a manifest


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
    edge_cases: int = 0  # replies to make edge cases of
    learning_curve: bool = False


def evaluate(asked: Asked) -> dict[str, Any]:
    """Run or finish an evaluation and return its results, also written to `out/results.json`.

    Raises `UttaError` for anything the user can mend; a gate that failed stands in `gates`, and raises nothing.
    """
    program, found = open_on(asked.program, asked.data, asked.model, asked.rubric, asked.criteria, purpose="evaluate")
    rubric, reviews = program.module.rubric, found.reviews
    gates = [parse_gate(text, rubric) for text in asked.gates]
    other = _other_run(asked.against, rubric) if asked.against else None
    train = _training_reviews(asked, program, reviews)
    known = with_labels(reviews, rubric)
    if asked.learning_curve and not train:
        raise UttaError("A learning curve needs the training reviews; name their file with --baseline-train.")
    model = program.load_model(asked.cache)
    config = _config(asked, program, model.version)
    claim(asked.out, config)
    started = time.monotonic()
    told = predict(program.module, reviews, asked.out)
    model.say_replaced()
    seconds = round(time.monotonic() - started, 2)
    answers = by_decision(told["predictions"])
    results = {
        "kind": "evaluation",
        "schema_version": 1,
        "created": now(),
        "seconds": seconds if told["judged"] else _seconds_before(asked.out, seconds),
        "program": asked.program,
        "model": model.version,
        "rubric": config["rubric"],
        "data": config["data"] | {"records": len(reviews), "problems": len({r.cluster for r in known or reviews})},
        "times_scored": times_scored(program, config),
        "seen_problems": seen_problems(program, {r.cluster for r in known or reviews}),
        "unseen_files": unseen_files(program),
        "counts": _counts(rubric, reviews, answers, len(told["errors"]))
        | {"rejects": found.rejects, "withheld": found.withheld},
        **figures(rubric, known, answers, train[0] if train else (), asked.seed),
        "reviewers": reviewers(rubric, known, answers, asked.seed),
        **_probes(asked, program, reviews, answers, known, train[0] if train else ()),
        "comparison": None,
        "baseline_train": train[1] if train else None,
        "seed": asked.seed,
        "versions": versions(),
        "paths": {name: str(asked.out / f"{name}.jsonl") for name in ("predictions", "errors")},
    }
    if other is not None:
        results["comparison"] = {"run": str(asked.against)} | comparison(
            rubric, known, answers, by_decision(other), asked.seed
        )
    results["gates"] = judge_gates(gates, results)
    write_json(asked.out / "results.json", results)
    return results


def _probes(
    asked: Asked,
    program: Program,
    reviews: Sequence[Review],
    answers: Answers,
    known: Sequence[Review],
    train: Sequence[Review],
) -> dict[str, Any]:
    """What is measured only when it is asked for, because it takes more judging: edge cases and the learning curve."""
    found: dict[str, Any] = {"edge_cases": None, "learning_curve": None}
    if asked.learning_curve:
        found["learning_curve"] = learning_curve(program, train, known, answers, asked.out, asked.seed)
    if asked.edge_cases:
        found["edge_cases"] = edge_cases(program.module, reviews, answers, asked.out, asked.edge_cases, asked.seed)
        program.load_model(cache=False)  # an answer from the cache would not show what another order does
        found["edge_cases"]["swapped"] = swapped(program.module, reviews, answers, asked.out, asked.edge_cases)
    return found


def _other_run(run: Path, rubric: Rubric) -> list[Any]:
    """The predictions of a finished run; `UttaError` where they are on other levels than the rubric's."""
    lines = read_predictions(run)
    if not (run / "results.json").is_file():
        raise UttaError(f"The run {run} is not finished; give the same command again to finish it, then compare.")
    labels = {c.id: c.labels for c in rubric.criteria}
    for line in lines:
        known = labels.get(line["criterion"], [])
        if known and {line["label"], *(line["probabilities"] or known)} != set(known):
            raise UttaError(
                f"The run {run} judged {line['criterion']} on other levels ({line['label']!r} among them) than "
                f"{', '.join(known)}; evaluate it on this rubric first."
            )
    return lines


def _training_reviews(
    asked: Asked, program: Program, held_out: Sequence[Review]
) -> tuple[list[Review], dict[str, str]] | None:
    """The reviews that baselines are fitted on: the named file, which must not share a problem with the data, or the one
    in the program's manifest if it is still that."""
    if path := asked.baseline_train:
        train = read(path, program.rubric, "train").reviews
        refuse_leak(train, held_out, (path, asked.data))
    elif path := unchanged(program, "train"):
        train = read(path, program.rubric, "train").reviews
    else:
        return None
    return train, {"file": str(path), "sha256": sha256(path)}


def seen_problems(program: Program, problems: set[str], record: type[AnyRecord] = Review) -> dict[str, int]:
    """How many of the problems stand in what the program was made from, whose records are of that kind;
    parts without any are left out."""
    shared = {part: len(there & problems) for part, there in learned_problems(program, record).items()}
    return {part: seen for part, seen in shared.items() if seen}


def unseen_files(program: Program) -> list[str]:
    """The files that the program was made from and that are gone or have changed: whether it has seen a problem cannot be told
    of these."""
    named = [part for part in LEARNED_FROM if program.manifest.get(part)]
    return [str(program.manifest[part]["file"]) for part in named if not unchanged(program, part)]


def learned_problems(program: Program, record: type[AnyRecord]) -> dict[str, set[str]]:
    """The problems of the program's own training and validation file, which hold that kind of record, and of the rows of text
    that it was given, as far as these files are still there and the same (see `unseen_files`)."""
    found = {
        part: {item.cluster for item in scan_records(path, record) if not isinstance(item, Fault)}
        for part in LEARNED_FROM[:2]
        if (path := unchanged(program, part))
    }
    if path := unchanged(program, LEARNED_FROM[2]):
        found["rows"] = {row.problem for row in read_rows(path)}
    return found


def _seconds_before(out: Path, seconds: float) -> float:
    """What the judging took, when this call found all of it done."""
    path = out / "results.json"
    return read_json(path)["seconds"] if path.is_file() else seconds


def _config(asked: Asked, program: Program, version: str) -> dict[str, Any]:
    rubric = program.module.rubric
    return {
        "kind": "evaluation",
        "program": asked.program,
        "state": program.state,
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


def times_scored(program: Program, config: dict[str, Any]) -> int:
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
