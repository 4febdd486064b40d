"""`utta report`: a run or a program for people to read, or its figures as JSON."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from utta.cli import options

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 50


@click.command()
@click.argument("run", type=options.File)
@click.argument("other", required=False, type=options.File, metavar="[RUN]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, for a script.")
@click.option("--svg", type=options.File, metavar="FILE", help="Write the report to FILE as a picture.")
@click.option("--width", type=click.IntRange(min=NARROWEST), metavar="N", help="Draw N columns wide, at least 50.")
def report(run: Path, other: Path | None, as_json: bool, svg: Path | None, width: int | None) -> None:
    """Show what a run found: the verdict first, then the figures, the worst disagreements and what to type next.

    RUN is a folder that `utta evaluate` wrote. With a second one, both stand side by side. A folder that `utta
    optimize` or `utta distill` wrote is shown as what the program was made from.

    \b
    Example:
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base
      utta report runs/base
      utta report runs/base --svg report.svg --width 100
    """
    if as_json and svg:
        raise click.UsageError("--json and --svg cannot be used together.")
    from utta.reports.layout import open_console, picture

    if as_json:
        _print_json([run, other] if other else [run])
    elif svg:
        from utta.core.files import write_text

        write_text(svg, picture(lambda console: _draw(run, other, console), width))
        click.echo(f"Wrote {svg}", err=True)
    else:
        _draw(run, other, open_console(width))


def _draw(run: Path, other: Path | None, console: "Console") -> None:
    from utta.reports.program import render_program
    from utta.reports.results import open_run
    from utta.reports.terminal import render
    from utta.reports.two import report_two

    if other:
        report_two(run, other, console)
        return
    kind, content = open_run(run)
    if kind == "evaluation":
        render(content, console, run)
    else:
        render_program(content, console, run)


def _print_json(runs: list[Path]) -> None:
    """The content of one run, or a list of two; escaped to ASCII, so that no control character reaches a terminal."""
    import json

    from utta.reports.results import open_run

    contents = [open_run(run)[1] for run in runs]
    click.echo(json.dumps(contents if len(contents) > 1 else contents[0], indent=2))
