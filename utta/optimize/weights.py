"""`optimize --optimizer bootstrap-finetune | better-together`: a program that writes, tuned on its own good answers or on
those of a teacher.

    out/run.json             what was asked; a second call with the same goes on where it was
    out/rows.jsonl           what was written on the training examples, with scores: to look at, edit and use again
    out/validation-rows.jsonl
    out/training/            while it trains
    out/program.json, adapter/, manifest.json     the finished program

An objective says what is good: a judge's effectiveness, or the words shared with the experts'. The figures before and after
are on validation, where an epoch was chosen (and with better-together the program too); how good the program is, an evaluation
on other data says.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dspy
import numpy as np
from dspy.teleprompt import BootstrapFewShotWithRandomSearch

from metrics.bootstrap import cluster_bootstrap
from utta.core.errors import UttaError
from utta.core.files import read_json, replacing, sha256
from utta.core.runs import claim
from utta.distill.recipe import TextRecipe
from utta.evaluate.answers import number
from utta.evaluate.open import data_rubric, read, refuse_leak
from utta.evaluate.tutor.replies import inputs_of
from utta.models.catalogue import tokenizer_hash
from utta.models.text import adapter_of
from utta.optimize.finetune import BetterTogether, Finetune, one_model
from utta.optimize.objectives import Objective, judged, like_the_experts
from utta.optimize.provider import trainable
from utta.optimize.traces import Attempt, adapter, attempt, quiet
from utta.programs.coach import ResponseCoach
from utta.programs.evaluator import THREADS
from utta.programs.folder import Program, open_judge, open_program, program_name, save_program
from utta.programs.inputs import coach_inputs, judge_inputs
from utta.programs.tutor import Tutor
from utta.records.chats import apart, read_rows
from utta.records.review import Review

OPTIMIZERS = ("bootstrap-finetune", "better-together")
STRATEGY = "prompts -> weights"
DEMONSTRATIONS = 2  # of each kind in a prompt: the experts' where they wrote all that the program writes, and its own
PROMPTS = 2  # sets of demonstrations that are drawn at random


@dataclass(frozen=True)
class Asked:
    """What a tuning is asked to do. `judge` is the program whose effectiveness is the objective; `teacher` is what writes the
    answers on `train`, by default the program itself; `rows` is a file of rows to learn from instead."""

    program: str
    train: Path
    validation: Path
    out: Path
    model: str | None = None
    rubric: str | None = None
    optimizer: str = OPTIMIZERS[0]
    judge: str | None = None
    teacher: str | None = None
    teacher_model: str | None = None
    threshold: float = 0.5
    samples: int = 1
    rows: Path | None = None
    recipe: TextRecipe = field(default_factory=TextRecipe)


@dataclass(frozen=True)
class Work:
    """How a program meets records: what it is given of one, and the field of it that an objective scores."""

    example: Callable[[Review], Any]
    written: str


def _of_review(review: Review) -> Any:
    inputs = coach_inputs(review)
    experts = {"rationale": review.rationale, "improved_response": review.improved_response}
    known = {"record_id": review.id, "problem": review.cluster}
    return dspy.Example(**inputs, **experts, **known).with_inputs(*inputs)


def _of_place(review: Review) -> Any:
    inputs = inputs_of(review)
    known = {"judged": judge_inputs(review), "record_id": review.id, "problem": review.cluster}
    return dspy.Example(**inputs, teacher_response=review.improved_response, **known).with_inputs(*inputs)


WORK = {
    ResponseCoach.name: Work(_of_review, "improved_response"),
    Tutor.name: Work(_of_place, "teacher_response"),
}


@dataclass(frozen=True)
class Opened:
    """What a tuning works on: the program, the field that is scored, its teacher and judge if it has any, and the examples."""

    program: Program
    written: str
    teacher: Program | None
    judge: Program | None
    train: list[Any]
    validation: list[Any]


def open_all(asked: Asked) -> Opened:
    """What `asked` names, before a model is loaded; `UttaError` for what the user can mend."""
    name = program_name(asked.program)
    if name not in WORK:
        raise UttaError(
            f"{asked.optimizer} tunes programs that write ({', '.join(WORK)}), and {asked.program!r} is none; a judge's "
            "weights are trained by 'utta distill'."
        )
    if (asked.rows or asked.teacher) and asked.optimizer != OPTIMIZERS[0]:
        raise UttaError(
            f"--rows and --teacher are for {OPTIMIZERS[0]}; in {asked.optimizer} the program writes for itself."
        )
    if asked.rows and asked.teacher:
        raise UttaError("--rows are learned from instead of what a --teacher would write; give one of the two.")
    program = open_program(asked.program, model=asked.model)
    if program.adapter:
        raise UttaError(
            f"{asked.program} has an adapter already; tune {name!r} or a program without one, with it as the --teacher."
        )
    teacher = _teacher(asked, name)
    judge = open_judge(asked.judge, data_rubric(asked.train, asked.rubric)) if asked.judge else None
    train, validation = _examples(asked, WORK[name])
    written = WORK[name].written
    if judge is None and not any(example.get(written) for example in validation):
        raise UttaError(
            f"No review in {asked.validation} has an expert's {written} to hold the {name} against; name a program "
            "that judges with --judge."
        )
    return Opened(program, written, teacher, judge, train, validation)


def tune(asked: Asked) -> dict[str, Any]:
    """Tune, score before and after, save; returns the manifest. The same request again goes on where it was."""
    opened = open_all(asked)
    program, teacher, judge = opened.program, opened.teacher, opened.judge
    train, validation, written = opened.train, opened.validation, opened.written
    lm = trainable(program.load_model())
    objective = judged(judge, written, asked.threshold) if judge else like_the_experts(written, asked.threshold)
    if teacher:
        teacher.load_model()
    others = {"judge": judge and _version(judge), "teacher": teacher and _version(teacher)}
    claim(asked.out, _config(asked, program.state, lm.model, objective) | others)
    if not (asked.out / "manifest.json").is_file():
        program.module.set_lm(lm)
        before = attempt(program.module, validation, objective, "Scoring it as it was")
        module, chosen = _tuned(asked, program.module, objective, train, validation, teacher)
        after = attempt(module, validation, objective, "Scoring it tuned")
        told = chosen | {"before": _figure(before), "after": _figure(after), "gain": _gain(before, after)}
        _save(asked, module, lm, objective, told, (train, validation))
    shutil.rmtree(asked.out / "training", ignore_errors=True)
    return read_json(asked.out / "manifest.json")


def _teacher(asked: Asked, name: str) -> Program | None:
    """The program that writes in the place of the one that is tuned."""
    if not asked.teacher:
        return None
    if (kind := program_name(asked.teacher)) not in (name, ""):
        raise UttaError(
            f"The teacher {asked.teacher} is of the kind {kind!r}; give one of the kind that is tuned, {name!r}."
        )
    return open_program(asked.teacher, model=asked.teacher_model)


def _version(program: Program) -> dict[str, Any]:
    """What tells a program that helps from another one of the same folder or name."""
    return {
        "program": str(program.folder or program.name),
        "state": program.state,
        "model": one_model(program.module).model,
    }


def _examples(asked: Asked, work: Work) -> tuple[list[Any], list[Any]]:
    rubric = data_rubric(asked.train, asked.rubric)
    train, validation = (read(path, rubric, "train").reviews for path in (asked.train, asked.validation))
    refuse_leak(train, validation, (asked.train, asked.validation))
    return _different(map(work.example, train)), _different(map(work.example, validation))


def _different(examples: Iterable[Any]) -> list[Any]:
    """The examples with different inputs: many reviews may be of replies to one student, whom a tutor answers once."""
    return list({tuple(example.inputs().items()): example for example in examples}.values())


def _config(asked: Asked, state: dict[str, Any], model: str, objective: Objective) -> dict[str, Any]:
    return {
        "kind": "tuning",
        "program": asked.program,
        "state": state,
        "model": model,
        "train": _file(asked.train),
        "validation": _file(asked.validation),
        "optimizer": asked.optimizer,
        "objective": {"name": objective.name, "threshold": objective.threshold},
        "samples": asked.samples,
        "rows": asked.rows and _file(asked.rows),
        "recipe": asdict(asked.recipe),
    }


def _file(path: Path) -> dict[str, str]:
    return {"file": str(path), "sha256": sha256(path)}


def _tuned(
    asked: Asked, module: Any, objective: Objective, train: list[Any], validation: list[Any], teacher: Program | None
) -> tuple[Any, dict[str, Any]]:
    """The tuned program, and what the manifest says of how it was chosen."""
    held_out = {example.problem for example in validation}
    given = apart(read_rows(asked.rows), held_out, asked.rows) if asked.rows else []
    if asked.rows and not given:
        raise UttaError(f"All rows in {asked.rows} are about problems of {asked.validation}; give others.")
    weights = Finetune(objective, asdict(asked.recipe), asked.samples, asked.out, given)
    if asked.optimizer == OPTIMIZERS[0]:
        writer = teacher and teacher.module
        return weights.compile(module.deepcopy(), trainset=train, teacher=writer, valset=validation), {}
    return _together(asked, module, objective, weights, train, validation)


def _together(
    asked: Asked, module: Any, objective: Objective, weights: Finetune, train: list[Any], validation: list[Any]
) -> tuple[Any, dict[str, Any]]:
    """The best of what prompts and weights in turn make of the program, and the validation scores of each step."""
    written = {name for predictor in module.predictors() for name in predictor.signature.output_fields}
    labelled = all(example.get(name) for example in train for name in written)
    with quiet():
        prompts = BootstrapFewShotWithRandomSearch(
            metric=objective,
            max_bootstrapped_demos=DEMONSTRATIONS,
            max_labeled_demos=DEMONSTRATIONS if labelled else 0,
            num_candidate_programs=PROMPTS,
            num_threads=THREADS,
        )
    together = BetterTogether(objective, prompts=prompts, weights=weights)
    best = together.compile(
        module.deepcopy(),
        trainset=train,
        valset=validation,
        strategy=STRATEGY,
        num_threads=THREADS,
        seed=asked.recipe.seed,
    )
    tried = [{"strategy": each["strategy"] or "as it was", "score": each["score"]} for each in best.candidate_programs]
    return best, {"chosen": tried[0]["strategy"], "strategies": tried}


def _figure(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """The mean score with its interval by problem, the number of answers that it is of, and of those that failed."""
    scored = [(each.score, each.example.problem) for each in attempts if each.score is not None]
    return _mean(*zip(*scored, strict=True)) | {"errors": len(attempts) - len(scored)}


def _gain(before: Sequence[Attempt], after: Sequence[Attempt]) -> dict[str, Any]:
    """The mean difference on the same examples."""
    both = [
        (b.score - a.score, a.example.problem)
        for a, b in zip(before, after, strict=True)
        if a.score is not None and b.score is not None
    ]
    if not both:
        raise UttaError("No validation example was answered both before and after; give more of them.")
    return _mean(*zip(*both, strict=True))


def _mean(scores: Sequence[float], problems: Sequence[str]) -> dict[str, Any]:
    values = np.array(scores)
    found = cluster_bootstrap(lambda rows: {"mean": float(values[rows].mean())}, problems)["mean"]
    return {"mean": number(found.value), "low": number(found.low), "high": number(found.high), "n": len(scores)}


def _save(
    asked: Asked, module: Any, lm: Any, objective: Objective, told: dict[str, Any], parts: Sequence[list[Any]]
) -> None:
    """Write the program's folder: prompts, adapter, and what it must be asked with."""
    found = one_model(module)
    located = lm.provider.engine.located
    manifest: dict[str, Any] = {
        "model": located.name,
        "model_version": found.model.removeprefix("local/"),
        "base_fingerprint": located.fingerprint,
        "tokenizer": tokenizer_hash(located.folder),
        "output_adapter": type(adapter(module)).__name__,
    }
    if tuned := lm.provider.tuned.get(adapter_of(found.model)):
        with replacing(asked.out / "adapter") as copy:
            shutil.copytree(tuned.adapter, copy)
        manifest |= {"adapter": adapter_of(found.model), "history": tuned.history, "rows": tuned.rows}
    manifest |= {
        name: _file(path) | {"records": len(part)}
        for name, path, part in zip(("train", "validation"), (asked.train, asked.validation), parts, strict=True)
    }
    manifest |= {
        "optimizer": asked.optimizer,
        "objective": {"name": objective.name, "threshold": objective.threshold},
        **({"written_by": asked.teacher} if asked.teacher else {}),
        **({"rows_from": _file(asked.rows)} if asked.rows else {}),
        "recipe": asdict(asked.recipe),
    }
    save_program(asked.out, module, manifest | told)
