"""`optimize`: a better-prompted judge from expert labels, without training weights.

Few-shot selection tries sets of labelled demonstrations, drawn from the training file by DSPy's `LabeledFewShot`, against
no demonstrations at all; the objective is what calibration can promise on validation: macro-F1 with level weights that
were fitted on other problems. Then the winner's weights are fitted on validation. `calibrate` does the last step alone.

    out/run.json, out/candidate-0 …   what was asked, and each candidate's predictions: a killed run goes on with them
    out/program.json, rubric.yaml, manifest.json     the finished program
"""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy.teleprompt import LabeledFewShot

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.core.runs import claim
from utta.evaluate.answers import Answers, by_decision, number
from utta.evaluate.calibrate import beside_reanchor, calibrate, examples, weighted_macro_f1
from utta.evaluate.open import Usable, labelled, open_on, read, refuse_leak
from utta.evaluate.predict import predict
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import Program, save_program
from utta.records.review import Review

OPTIMIZERS = ("calibrate", "fewshot")


@dataclass(frozen=True)
class Asked:
    """What an optimisation is asked to do. `shots` are the numbers of demonstrations tried, `tries` the sets of each."""

    program: str
    train: Path
    validation: Path
    out: Path
    model: str | None = None
    rubric: str | None = None
    criteria: tuple[str, ...] = ()
    optimizer: str = "fewshot"
    shots: tuple[int, ...] = (2, 4)
    tries: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Opened:
    """What an optimisation works on: the program, and what of both files may be used; `validation` has labels."""

    program: Program
    found: Usable
    held_out: Usable
    validation: Sequence[Review]


def open_all(asked: Asked) -> Opened:
    """What `asked` names, before a model is loaded; `UttaError` for what the user can mend."""
    if asked.optimizer not in OPTIMIZERS:
        raise UttaError(f"There is no optimizer {asked.optimizer!r}; choose {' or '.join(OPTIMIZERS)}.")
    program, found = open_on(asked.program, asked.train, asked.model, asked.rubric, asked.criteria, purpose="train")
    held_out = read(asked.validation, program.rubric, "train")
    validation = labelled(held_out.reviews, program.module.rubric, asked.validation)
    refuse_leak(found.reviews, validation, (asked.train, asked.validation))
    return Opened(program, found, held_out, validation)


def optimize(asked: Asked) -> dict[str, Any]:
    """Choose demonstrations, calibrate, save; returns the manifest. The same request again goes on where it was."""
    opened = open_all(asked)
    program, train, validation = opened.program, opened.found.reviews, opened.validation
    model = program.load_model()
    config = _config(asked, program, model.version)
    claim(asked.out, config)
    if (asked.out / "manifest.json").is_file():
        return read_json(asked.out / "manifest.json")
    tried: list[tuple[float, str, TeachingEvaluator, Answers]] = []
    for number_, (name, candidate) in enumerate(candidates(asked, program.module, train)):
        folder = asked.out / f"candidate-{number_}"
        folder.mkdir(exist_ok=True)
        told = predict(candidate, validation, folder, f"Trying {name}", patient=bool(tried))
        if told["errors"] and tried:  # as a rule, its demonstrations are too long for some conversations
            print(f"Left out: {name}. {told['errors'][0]['error']}", file=sys.stderr)
            continue
        answers = by_decision(told["predictions"])
        tried.append((weighted_macro_f1(candidate, validation, answers), name, candidate, answers))
    model.say_replaced()
    # Demonstrations must earn their tokens: among equals the first, with the fewest, wins.
    _, name, best, answers = max(tried, key=lambda t: t[0])
    calibration = calibrate(best, validation, answers)
    manifest = {
        "model": program.model_name,
        "model_version": model.version,
        "adapter": program.manifest.get("adapter"),
        "train": config["train"] | {"records": len(train), "withheld": opened.found.withheld},
        "validation": config["validation"] | {"records": len(validation), "withheld": opened.held_out.withheld},
        "optimizer": asked.optimizer,
        "chosen": name,
        "candidates": [{"demonstrations": n, "macro_f1_weighted": number(s)} for s, n, *_ in tried],
        "calibration": {
            "on": "validation",
            "criteria": calibration,
            "halves": beside_reanchor(best, validation, answers),
        },
    }
    if program.adapter:
        _copy_adapter(program.adapter, asked.out)
    save_program(asked.out, best, manifest, program.rubric)
    return read_json(asked.out / "manifest.json")


def candidates(
    asked: Asked, program: TeachingEvaluator, train: Sequence[Review]
) -> list[tuple[str, TeachingEvaluator]]:
    """The program as it is, and for few-shot the same with sets of demonstrations: fully labelled, from many problems."""
    found = [("as it was", program.deepcopy())]
    if asked.optimizer == "calibrate":
        return found
    full = [r for r in train if all(c.id in r.levels for c in program.rubric.criteria)]
    for shots in asked.shots:
        for attempt in range(asked.tries):
            order = random.Random(f"{asked.seed}-{attempt}").sample(full, len(full))
            # One response per problem, so that demonstrations differ.
            several = list({r.cluster: r for r in order}.values())[: max(shots, 1)]
            if len(several) == shots:
                compiled = LabeledFewShot(k=shots).compile(program, trainset=examples(program, several), sample=False)
                compiled.judge.lm = program.judge.lm  # DSPy resets what it compiles
                found.append((f"{shots} demonstrations, set {attempt + 1}", compiled))
    return found


def _config(asked: Asked, program: Program, version: str) -> dict[str, Any]:
    return {
        "kind": "optimization",
        "program": asked.program,
        "state": program.state,
        "model": version,
        "rubric": {"hash": program.module.rubric.hash},
        "train": {"file": str(asked.train), "sha256": sha256(asked.train)},
        "validation": {"file": str(asked.validation), "sha256": sha256(asked.validation)},
        "optimizer": [asked.optimizer, list(asked.shots), asked.tries, asked.seed],
    }


def _copy_adapter(adapter: Path, out: Path) -> None:
    import shutil

    shutil.copytree(adapter, out / "adapter", dirs_exist_ok=True)
