"""`utta evaluate`: hold a judge against the experts, or a simulated student against the real ones."""

from pathlib import Path
from typing import Any

import click

from utta.cli import options


@click.command()
@click.argument("program")
@options.data_file("data", "The reviews to judge, or the dialogues to play in.")
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
@click.option("--limit", type=options.Count, metavar="N", help="For a student: only the first N dialogues.")
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
    limit: int | None,
    edge_cases: int | None,
    learning_curve: bool,
    seed: int,
    dry_run: bool,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Hold PROGRAM against people: a judge against the experts' labels on reviews, a simulated student against what the
    real students of dialogues said.

    PROGRAM is the folder of an optimised or distilled program, or 'evaluator' or 'student' for the plain one.

    \b
    Example:
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base --edge-cases 4
      utta evaluate student --data data/samples/dialogues.jsonl --out runs/student --limit 4
    """
    import json

    from utta.evaluate.run import Asked
    from utta.evaluate.run import evaluate as run
    from utta.programs.folder import program_name

    if program_name(program) == "student":
        judges = {"--rubric": rubric, "--criteria": criteria, "--baseline-train": baseline_train,
                  "--edge-cases": edge_cases, "--learning-curve": learning_curve, "--dry-run": dry_run}  # fmt: skip
        _student(judges, as_json, program, data, out, model, against, gates, limit, seed, not no_cache)
        return
    if limit:
        raise click.UsageError("--limit is for a student; a judge judges the whole file.")
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
    _stop_at_gate(results)


def _student(judges: dict[str, Any], as_json: bool, *asked: Any) -> None:
    """Evaluate a program that plays a student; `judges` are the options that only a judge has."""
    import json

    from utta.evaluate.student.run import Asked, evaluate_student

    if given := [option for option, value in judges.items() if value]:
        raise click.UsageError(f"{given[0]} is for a judge; leave it out for a student.")
    wanted = Asked(*asked)
    results = evaluate_student(wanted)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    else:
        from utta.reports.layout import open_console
        from utta.reports.student import render_student

        render_student(results, open_console(), wanted.out)
    _stop_at_gate(results)


def _stop_at_gate(results: dict[str, Any]) -> None:
    from utta.core.errors import GateFailed

    if failed := [g for g in results["gates"] if not g["passed"]]:
        raise GateFailed(f"The gate {failed[0]['gate']!r} failed: the value is {failed[0]['value']}.")
