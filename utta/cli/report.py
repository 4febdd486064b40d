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
@click.option("--full", is_flag=True, help="Show every table, not only what is read first.")
@click.option("--plot", is_flag=True, help="Draw the figures as plots instead of tables.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, for a script.")
@click.option("--html", type=options.File, metavar="FILE",
              help="Write FILE, a page with every table, charts and all disagreements.")  # fmt: skip
@click.option(
    "--junit", type=options.File, metavar="FILE", help="Write the gates and figures to FILE, for a CI system."
)
@click.option("--svg", type=options.File, metavar="FILE", help="Write the report to FILE as a picture.")
@click.option("--width", type=click.IntRange(min=NARROWEST), metavar="N", help="Draw N columns wide, at least 50.")
def report(
    run: Path,
    other: Path | None,
    full: bool,
    plot: bool,
    as_json: bool,
    html: Path | None,
    junit: Path | None,
    svg: Path | None,
    width: int | None,
) -> None:
    """Show what a run found: the verdict first, then the figures, the worst disagreements and what to type next.

    RUN is a folder that `utta evaluate` wrote. With a second one, both stand side by side. A folder that `utta
    optimize` or `utta distill` wrote is shown as what the program was made from.

    The page of --html is one file that opens without a network; its filters can be part of a link, as in
    report.html#criterion=accuracy&judge=good. The gates of --junit are those that `utta evaluate … --gate` was given.

    \b
    Example:
      utta evaluate evaluator --data data/samples/reviews.jsonl --out runs/base
      utta report runs/base
      utta report runs/base --html report.html --junit report.xml
      utta report runs/base --svg report.svg --width 100
    """
    files = {name: file for name, file in (("--html", html), ("--junit", junit), ("--svg", svg)) if file}
    if as_json and files:
        raise click.UsageError(f"--json and {next(iter(files))} cannot be used together.")
    if other and (html or junit or plot or full):
        raise click.UsageError("--html, --junit, --plot and --full show one run; name only one.")
    if as_json:
        _print_json([run, other] if other else [run])
    elif files:
        _write(files, run, other, full, width)
    else:
        from utta.reports.layout import open_console

        _draw(run, other, open_console(width), full, plot)


def _write(files: dict[str, Path], run: Path, other: Path | None, full: bool, width: int | None) -> None:
    """Write the report to each of the files, which stand under the option that names them."""
    from utta.core.files import refuse_overwriting, write_text
    from utta.reports.layout import picture
    from utta.reports.results import run_inputs

    for option, file in files.items():
        refuse_overwriting(file, run_inputs(run), option)
        if option == "--svg":
            content = picture(lambda console: _draw(run, other, console, full), width)
        else:
            content = _page(run) if option == "--html" else _junit(run)
        write_text(file, content)
        click.echo(f"Wrote {file}", err=True)


def _page(run: Path) -> str:
    from utta.reports.html import page
    from utta.reports.results import open_evaluation

    return page(open_evaluation(run), run)


def _junit(run: Path) -> str:
    from utta.reports.junit import junit
    from utta.reports.results import open_evaluation

    return junit(open_evaluation(run), str(run))


def _draw(run: Path, other: Path | None, console: "Console", full: bool = False, plot: bool = False) -> None:
    from utta.reports.program import render_program
    from utta.reports.results import open_evaluation, open_run
    from utta.reports.terminal import render
    from utta.reports.two import report_two

    if other:
        report_two(run, other, console)
    elif plot:
        from utta.reports.plots import render_plots

        render_plots(open_evaluation(run), console, str(run))
    else:
        kind, content = open_run(run)
        if kind == "evaluation":
            render(content, console, run, full)
        elif kind == "student_evaluation":
            from utta.reports.student import render_student

            render_student(content, console, run)
        elif kind == "tutor_evaluation":
            from utta.reports.tutor import render_tutor

            render_tutor(content, console, run)
        else:
            render_program(content, console, run)


def _print_json(runs: list[Path]) -> None:
    """The content of one run, or a list of two; escaped to ASCII, so that no control character reaches a terminal."""
    import json

    from utta.reports.results import open_run

    contents = [open_run(run)[1] for run in runs]
    click.echo(json.dumps(contents if len(contents) > 1 else contents[0], indent=2))
