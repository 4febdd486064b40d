"""`utta optimize`: a better-prompted judge."""

from pathlib import Path

import click

from utta.cli import options


@click.command()
@click.argument("program")
@options.data_file("train", "Reviews that demonstrations are taken from.")
@options.data_file("val", "Reviews that candidates are chosen and calibrated on.")
@options.out("Folder for the program; the same command again goes on where it was.")
@options.model
@options.rubric
@options.criteria
@click.option("--optimizer", default="fewshot", show_default=True, metavar="NAME",
              help="fewshot (demonstrations, then calibration) or calibrate (calibration alone).")  # fmt: skip
@click.option("--shots", default="2,4", show_default=True, metavar="N,N", help="Numbers of demonstrations to try.")
@click.option(
    "--tries", default=2, type=options.Count, show_default=True, help="Sets of demonstrations to try of each number."
)
@options.seed
@options.as_json
def optimize(
    program: str,
    train: Path,
    val: Path,
    out: Path,
    model: str | None,
    rubric: str | None,
    criteria: str,
    optimizer: str,
    shots: str,
    tries: int,
    seed: int,
    as_json: bool,
) -> None:
    """Choose demonstrations for PROGRAM and calibrate how its probabilities become levels.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
      utta optimize evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/prompted
    """
    from utta.core.errors import UttaError
    from utta.optimize.run import Asked
    from utta.optimize.run import optimize as run
    from utta.reports.layout import open_console
    from utta.reports.program import render_program

    try:
        numbers = tuple(int(n) for n in options.names(shots))
    except ValueError:
        raise UttaError(f"The numbers of demonstrations {shots!r} are not numbers like 2,4.") from None
    manifest = run(
        Asked(program, train, val, out, model, rubric, options.names(criteria), optimizer, numbers, tries, seed)
    )
    if as_json:
        import json

        click.echo(json.dumps(manifest, indent=2))
    else:
        render_program(manifest, open_console(), out)
