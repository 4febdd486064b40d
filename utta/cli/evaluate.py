"""`utta evaluate`: hold a judge against the experts, a simulated student against real ones, a tutor against teachers."""

from collections.abc import Callable
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
@click.option("--limit", type=options.Count, metavar="N",
              help="For a student or tutor: only the first N dialogues or conversations; of the students who press for the "
                   "answer all are asked.")  # fmt: skip
@click.option(
    "--judge", metavar="PROGRAM", help="For a tutor: the program that judges the replies, blind to who wrote them."
)
@click.option("--pressing", type=options.File, metavar="FILE",
              help="For a tutor: students who press for the answer; by default those that ship.")  # fmt: skip
@click.option("--edge-cases", type=options.Count, metavar="N",
              help="Also judge what should not fool it, made of N replies: empty ones, instructions to the judge.")  # fmt: skip
@click.option(
    "--learning-curve", is_flag=True, help="Also say how agreement grows with the number of training reviews."
)
@options.seed
@options.dry_run
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
    judge: str | None,
    pressing: Path | None,
    edge_cases: int | None,
    learning_curve: bool,
    seed: int,
    dry_run: bool,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Hold PROGRAM against people: a judge against the experts' labels on reviews, a simulated student against what the
    real students of dialogues said, a tutor against those who answered the same students.

    PROGRAM is the folder of an optimised or distilled program, or 'evaluator', 'student' or 'tutor' for the plain one.

    \b
    Example:
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base --edge-cases 4
      utta evaluate student --data data/samples/dialogues.jsonl --out runs/student-test --limit 4
      utta evaluate tutor --data data/samples/reviews.jsonl --judge evaluator --out runs/tutor-test --limit 8
    """
    from utta.evaluate.run import Asked
    from utta.evaluate.run import evaluate as run
    from utta.programs.folder import program_name

    name = program_name(program)
    if name in ("student", "tutor"):
        _refuse(name, {"--rubric": rubric, "--criteria": criteria, "--baseline-train": baseline_train,
                       "--edge-cases": edge_cases, "--learning-curve": learning_curve})  # fmt: skip
        shared = {"program": program, "data": data, "out": out, "model": model, "against": against, "gates": gates,
                  "limit": limit, "seed": seed, "cache": not no_cache}  # fmt: skip
        if name == "student":
            _refuse(name, {"--judge": judge, "--pressing": pressing})
            _student(as_json, dry_run, shared)
        else:
            _tutor(as_json, dry_run, shared | {"judge": judge, "pressing": pressing})
        return
    _refuse("judge", {"--limit": limit, "--judge": judge, "--pressing": pressing})
    wanted = options.names(criteria)
    asked = Asked(
        program, data, out, model, rubric, wanted, baseline_train, against, gates, seed,
        cache=not no_cache, edge_cases=edge_cases or 0, learning_curve=learning_curve,
    )  # fmt: skip
    if dry_run:
        from utta.evaluate.plan import plan

        options.show_bills(plan(asked), as_json)
        return
    from utta.reports.terminal import render

    _show(run(asked), render, as_json, out)


def _refuse(program: str, others: dict[str, Any]) -> None:
    """Refuse options that only other programs have."""
    if given := [option for option, value in others.items() if value]:
        raise click.UsageError(f"{given[0]} is not for a {program}; leave it out.")


def _student(as_json: bool, dry_run: bool, asked: dict[str, Any]) -> None:
    from utta.evaluate.student.run import Asked, evaluate_student
    from utta.reports.student import render_student

    if dry_run:
        from utta.evaluate.plan import plan_student

        options.show_bills(plan_student(Asked(**asked)), as_json)
    else:
        _show(evaluate_student(Asked(**asked)), render_student, as_json, asked["out"])


def _tutor(as_json: bool, dry_run: bool, asked: dict[str, Any]) -> None:
    from utta.evaluate.tutor.run import Asked, evaluate_tutor
    from utta.reports.tutor import render_tutor

    if asked["judge"] is None:
        raise click.UsageError("A tutor's replies are judged: name a program that judges with --judge.")
    if dry_run:
        from utta.evaluate.plan import plan_tutor

        options.show_bills(plan_tutor(Asked(**asked)), as_json)
    else:
        _show(evaluate_tutor(Asked(**asked)), render_tutor, as_json, asked["out"])


def _show(results: dict[str, Any], render: Callable[..., None], as_json: bool, out: Path) -> None:
    import json

    if as_json:
        click.echo(json.dumps(results, indent=2))
    else:
        from utta.reports.layout import open_console

        render(results, open_console(), out)
    _stop_at_gate(results)


def _stop_at_gate(results: dict[str, Any]) -> None:
    from utta.core.errors import GateFailed

    if failed := [g for g in results["gates"] if not g["passed"]]:
        raise GateFailed(f"The gate {failed[0]['gate']!r} failed: the value is {failed[0]['value']}.")
