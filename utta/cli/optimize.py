"""`utta optimize`: a better-prompted judge, or a simulated student."""

from pathlib import Path
from typing import Any

import click

from utta.cli import options


@click.command()
@click.argument("program")
@click.option("--train", type=options.File, metavar="FILE",
              help="Reviews that a judge's demonstrations are taken from; a student needs none.")  # fmt: skip
@options.data_file("val", "Reviews that candidates are chosen and calibrated on; for a student, dialogues.")
@options.out("Folder for the program; the same command again goes on where it was.")
@options.model
@options.rubric
@options.criteria
@click.option("--optimizer", metavar="NAME",
              help="For a judge fewshot (demonstrations, then calibration; the default) or calibrate (that alone); for a "
                   "student prompts (the wording of its instructions).")  # fmt: skip
@click.option("--shots", default="2,4", show_default=True, metavar="N,N", help="Numbers of demonstrations to try.")
@click.option(
    "--tries", default=2, type=options.Count, show_default=True, help="Sets of demonstrations to try of each number."
)
@options.seed
@options.as_json
def optimize(
    program: str,
    train: Path | None,
    val: Path,
    out: Path,
    model: str | None,
    rubric: str | None,
    criteria: str,
    optimizer: str | None,
    shots: str,
    tries: int,
    seed: int,
    as_json: bool,
) -> None:
    """Choose demonstrations for PROGRAM and calibrate how its probabilities become levels; for a student, choose the
    wording under which the model finds what real students said likeliest.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
      utta optimize evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/prompted
      utta optimize student --val data/samples/dialogues.jsonl --out runs/student
    """
    from utta.programs.folder import program_name
    from utta.reports.layout import open_console
    from utta.reports.program import render_program

    if program_name(program) == "student":
        if optimizer not in (None, "prompts") or train or rubric or criteria:
            raise click.UsageError("--train, --rubric, --criteria and other optimizers than prompts are for a judge.")
        manifest = _student(program, val, out, model)
    else:
        manifest = _judge(program, train, val, out, model, rubric, criteria, optimizer or "fewshot", shots, tries, seed)
    if as_json:
        import json

        click.echo(json.dumps(manifest, indent=2))
    else:
        render_program(manifest, open_console(), out)


def _student(program: str, val: Path, out: Path, model: str | None) -> dict[str, Any]:
    from utta.optimize.student import Asked, optimize_student

    return optimize_student(Asked(program, val, out, model))


def _judge(
    program: str,
    train: Path | None,
    val: Path,
    out: Path,
    model: str | None,
    rubric: str | None,
    criteria: str,
    optimizer: str,
    shots: str,
    tries: int,
    seed: int,
) -> dict[str, Any]:
    from utta.core.errors import UttaError
    from utta.optimize.run import Asked
    from utta.optimize.run import optimize as run

    if train is None:
        raise click.UsageError("Missing option '--train': a judge's demonstrations are taken from it.")
    try:
        numbers = tuple(int(n) for n in options.names(shots))
    except ValueError:
        raise UttaError(f"The numbers of demonstrations {shots!r} are not numbers like 2,4.") from None
    return run(Asked(program, train, val, out, model, rubric, options.names(criteria), optimizer, numbers, tries, seed))
