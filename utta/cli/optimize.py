"""`utta optimize`: a better-prompted judge or student, or a program that writes tuned on its own good answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from utta.cli import options

OF_WEIGHTS = ("bootstrap-finetune", "better-together")
OF_WRITERS = {"student": ("prompts",), "tutor": OF_WEIGHTS, "coach": OF_WEIGHTS}


@click.command()
@click.argument("program")
@click.option("--train", type=options.File, metavar="FILE",
              help="Reviews that demonstrations are taken from, or on which a program that writes is tried; the wording of a "
                   "student needs none.")  # fmt: skip
@options.data_file("val", "Reviews that candidates are chosen and calibrated on; for a student, dialogues.")
@options.out("Folder for the program; the same command again goes on where it was.")
@options.model
@options.rubric
@options.criteria
@click.option("--optimizer", metavar="NAME",
              help="For a judge fewshot (demonstrations, then calibration; the default) or calibrate (that alone); for a "
                   "student prompts (the wording of its instructions); for a program that writes bootstrap-finetune (LoRA "
                   "weights from its own good answers) or better-together (demonstrations, then weights).")  # fmt: skip
@click.option("--shots", default="2,4", show_default=True, metavar="N,N", help="Numbers of demonstrations to try.")
@click.option(
    "--tries", default=2, type=options.Count, show_default=True, help="Sets of demonstrations to try of each number."
)
@click.option(
    "--judge",
    metavar="PROGRAM",
    help="What good writing is: this judge's effectiveness; by default the words shared with the experts'.",
)
@click.option(
    "--teacher",
    metavar="PROGRAM",
    help="What writes the answers that are learned from: a program of the same kind, such as one with an adapter; by default "
    "the program itself.",
)
@click.option(
    "--teacher-model", metavar="NAME", help="What a teacher without weights of its own runs on: local, or an API model."
)
@options.threshold
@click.option(
    "--samples", default=1, type=options.Count, show_default=True, help="Answers to try for each training example."
)
@click.option(
    "--rows",
    type=options.File,
    metavar="FILE",
    help="Learn from these rows, such as an earlier run's rows.jsonl that you edited, instead of writing new ones.",
)
@click.option("--epochs", default=3, type=options.Count, show_default=True, help="Passes over the rows, at most.")
@options.rank
@options.seed
@options.dry_run
@options.as_json
def optimize(program: str, optimizer: str | None, out: Path, dry_run: bool, as_json: bool, **asked: Any) -> None:
    """Choose demonstrations for PROGRAM and calibrate how its probabilities become levels; for a student, choose the
    wording under which the model finds what real students said likeliest.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
      utta optimize evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/prompted
      utta optimize student --val data/samples/dialogues.jsonl --out runs/worded

    A program that writes is tuned on those of its answers that score at least the threshold:

    \b
      utta optimize coach --optimizer bootstrap-finetune --threshold 0.2 \\
        --train split/train.jsonl --val split/validation.jsonl --out runs/coach
    """
    from utta.programs.folder import program_name
    from utta.reports.layout import open_console
    from utta.reports.program import render_program

    kind = program_name(program)
    optimizer = optimizer or {"student": "prompts"}.get(kind)
    allowed = OF_WRITERS.get(kind)
    if allowed and optimizer not in allowed:
        seen = f", not {optimizer!r}" if optimizer else ""
        raise click.UsageError(f"For the {kind}, --optimizer is {' or '.join(allowed)}{seen}; name one of these.")
    work = _weights if optimizer in OF_WEIGHTS else _student if kind == "student" else _judge
    run, plan, wanted = work(program=program, optimizer=optimizer, out=out, **asked)
    if dry_run:
        options.show_bills(plan(wanted), as_json)
    elif as_json:
        import json

        click.echo(json.dumps(run(wanted), indent=2))
    else:
        render_program(run(wanted), open_console(), out)


# Each gives what optimises, what plans it, and what both are asked.
Work = tuple[Callable[[Any], dict[str, Any]], Callable[[Any], dict[str, Any]], Any]


def _student(*, program: str, val: Path, out: Path, model: str | None, **asked: Any) -> Work:
    from utta.optimize.plan import plan_student
    from utta.optimize.student import Asked, optimize_student

    if given := [name for name in ("train", "rubric", "criteria") if asked[name]]:
        raise click.UsageError(
            f"--{given[0]} is not for a student, whose wording is chosen on --val alone; leave it out."
        )
    return optimize_student, plan_student, Asked(program, val, out, model)


def _judge(*, val: Path, criteria: str, optimizer: str | None, shots: str, **asked: Any) -> Work:
    from utta.core.errors import UttaError
    from utta.optimize.plan import plan
    from utta.optimize.run import Asked
    from utta.optimize.run import optimize as run

    if asked["train"] is None:
        raise click.UsageError("Missing option '--train': a judge's demonstrations are taken from it.")
    try:
        numbers = tuple(int(n) for n in options.names(shots))
    except ValueError:
        raise UttaError(f"The numbers of demonstrations {shots!r} are not numbers like 2,4.") from None
    known = {name: asked[name] for name in ("program", "train", "out", "model", "rubric", "tries", "seed")}
    chosen: dict[str, Any] = {
        "criteria": options.names(criteria),
        "optimizer": optimizer or "fewshot",
        "shots": numbers,
    }
    return run, plan, Asked(validation=val, **chosen, **known)


def _weights(*, val: Path, epochs: int, rank: int, seed: int, **asked: Any) -> Work:
    from utta.distill.recipe import TextRecipe
    from utta.optimize.plan import plan_tuning
    from utta.optimize.weights import Asked, tune

    if asked["train"] is None:
        raise click.UsageError("Missing option '--train': a program that writes is tried on it.")
    if asked["teacher_model"] and not asked["teacher"]:
        raise click.UsageError("--teacher-model is what a --teacher PROGRAM runs on.")
    known = {name: value for name, value in asked.items() if name not in ("criteria", "shots", "tries")}
    recipe = TextRecipe(epochs=epochs, rank=rank, seed=seed)
    return tune, plan_tuning, Asked(validation=val, recipe=recipe, **known)
