"""`utta evaluate`: hold a judge against the experts."""

from pathlib import Path

import click

from utta.cli import options


@click.command()
@click.argument("program")
@options.data_file("data", "The reviews to judge.")
@options.out("Folder for the run; the same command again goes on where it was.")
@options.model
@options.rubric
@options.criteria
@click.option("--baseline-train", type=options.File, metavar="FILE",
              help="Training reviews for the baselines; by default the file that the program was trained on.")  # fmt: skip
@click.option(
    "--against", type=options.File, metavar="RUN", help="An earlier run to compare with, decision by decision."
)
@click.option(
    "--gate", "gates", multiple=True, metavar="CONDITION", help="Exit with 100 unless it holds: 'macro_f1 >= 0.5'."
)
@click.option("--edge-cases", type=options.Count, metavar="N",
              help="Also judge what should not fool it, made of N replies: empty ones, instructions to the judge.")  # fmt: skip
@click.option(
    "--learning-curve", is_flag=True, help="Also say how agreement grows with the number of training reviews."
)
@options.seed
@click.option("--dry-run", is_flag=True, help="Say what would be asked, and what an API would charge; ask nothing.")
@click.option("--no-cache", is_flag=True, help="Ask the model again even where an answer is kept.")
@options.as_json
def evaluate(
    program: str,
    data: Path,
    out: Path,
    model: str | None,
    rubric: str | None,
    criteria: str,
    baseline_train: Path | None,
    against: Path | None,
    gates: tuple[str, ...],
    edge_cases: int | None,
    learning_curve: bool,
    seed: int,
    dry_run: bool,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Judge the reviews of a file with PROGRAM and measure the agreement with the experts.

    PROGRAM is the folder of an optimised or distilled program, or 'evaluator' for the plain one.

    \b
    Example:
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base --edge-cases 4
    """
    import json

    from utta.core.errors import GateFailed
    from utta.evaluate.run import Asked
    from utta.evaluate.run import evaluate as run

    wanted = options.names(criteria)
    asked = Asked(
        program, data, out, model, rubric, wanted, baseline_train, against, gates, seed,
        cache=not no_cache, edge_cases=edge_cases or 0, learning_curve=learning_curve,
    )  # fmt: skip
    if dry_run:
        from utta.evaluate.plan import plan

        planned = plan(asked)
        if as_json:
            click.echo(json.dumps(planned, indent=2))
        else:
            for name, value in planned.items():
                click.echo(f"{name.replace('_', ' '):22}{'unknown' if value is None else value}")
        return
    results = run(asked)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    else:
        from utta.reports.layout import open_console
        from utta.reports.terminal import render

        render(results, open_console(), out)
    if failed := [g for g in results["gates"] if not g["passed"]]:
        raise GateFailed(f"The gate {failed[0]['gate']!r} failed: the value is {failed[0]['value']}.")
