"""`utta quickstart`: the whole way on the sample data and the embedded model."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utta.cli import options

if TYPE_CHECKING:
    from rich.console import Console

MODEL = "smollm2-135m-q4"
MADE = ("split", "base", "calibrated", "calibrated-test", "judge", "judge-test")
STEPS = ("check and split", "baseline: the model as it is", "calibrate", "distil", "report")


@click.command()
@click.option(
    "--out", default="runs/quickstart", show_default=True, type=options.File, help="Folder for everything it makes."
)
@click.option("--fresh", is_flag=True, help="Start anew, in a folder that an earlier quickstart made.")
def quickstart(out: Path, fresh: bool) -> None:
    """Turn the sample reviews into a judge: baseline, calibrated, distilled, each held against the reviews.

    Everything runs on this machine, in a few minutes. The sample reviews were written for UTTA: the figures show the way,
    and say nothing about teaching.

    \b
    Example:
      utta quickstart --out runs/quickstart
    """
    import shutil

    from utta.core.errors import UttaError
    from utta.core.paths import data_dir
    from utta.distill.recipe import Recipe
    from utta.distill.run import Asked as Distill
    from utta.distill.run import distill
    from utta.evaluate.run import Asked as Evaluate
    from utta.evaluate.run import evaluate
    from utta.models.catalogue import pull
    from utta.optimize.run import Asked as Optimize
    from utta.optimize.run import optimize
    from utta.prepare.check import check
    from utta.prepare.split import split_file
    from utta.records.rubrics import find_rubric
    from utta.reports.layout import open_console
    from utta.reports.terminal import render

    if fresh and (out / "split").is_dir():
        for made in MADE:
            shutil.rmtree(out / made, ignore_errors=True)
    console = open_console()
    step = _steps(console)
    pull(MODEL)
    reviews = data_dir() / "samples" / "reviews.jsonl"

    step()
    found = check(reviews, find_rubric("utta"))
    if found.faults:
        raise UttaError(f"The sample reviews are damaged ({found.faults[0]}); install UTTA anew.")
    parts = split_file(reviews, out / "split", ratios=(60, 15, 25))["parts"]
    train, validation, test = (out / "split" / f"{name}.jsonl" for name in ("train", "validation", "test"))
    console.print(
        ", ".join(f"{name}: {part['records']} reviews of {part['problems']} scenarios" for name, part in parts.items())
    )

    step()
    base = evaluate(Evaluate("evaluator", test, out / "base", MODEL, baseline_train=train))
    console.print(_line(base))

    step()
    optimize(Optimize("evaluator", train, validation, out / "calibrated", MODEL, optimizer="calibrate"))
    calibrated = evaluate(Evaluate(str(out / "calibrated"), test, out / "calibrated-test", against=out / "base"))
    console.print(_line(calibrated))

    step()
    recipe = Recipe(epochs=12, upper=0.5, patience=12)  # a few minutes, for a look at the way
    distill(Distill("evaluator", train, validation, out / "judge", MODEL, recipe=recipe))
    results = evaluate(Evaluate(str(out / "judge"), test, out / "judge-test", against=out / "base"))
    console.print(_line(results))

    step()
    render(results, console, out / "judge-test")
    console.print("\nWith your own reviews (data/schemas/review.json says what a line holds):")
    console.print("  [bold]utta data import utta my-reviews.jsonl --out reviews.jsonl[/bold]")


def _steps(console: "Console") -> Callable[[], None]:
    """Each call prints the next step's number and title."""
    numbered = iter(enumerate(STEPS, 1))

    def step() -> None:
        number, title = next(numbered)
        console.print(f"\n[bold]{number}/{len(STEPS)}  {title}[/bold]")

    return step


def _line(results: dict[str, Any]) -> str:
    """One run in one line: mean agreement with its interval."""
    figure = results["mean"]["metrics"]["macro_f1"]
    if figure["value"] is None:
        return "mean macro-F1: too few labels"
    interval = f" [{figure['low']:.2f} {figure['high']:.2f}]" if figure["low"] is not None else ""
    return f"mean macro-F1 {figure['value']:.2f}{interval} on {results['counts']['scored']} decisions"
