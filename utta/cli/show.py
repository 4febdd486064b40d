"""`utta show`: one program, one run, or one review with what was decided on it."""

from pathlib import Path

import click

from utta.cli import options


@click.command()
@click.argument("what")
@click.option(
    "--run", type=options.File, metavar="RUN", help="The run whose decisions to show; needed for a record id."
)
def show(what: str, run: Path | None) -> None:
    """Show WHAT: the folder of a program or a run, or a record id with --run: what was decided on it, or what a student or a
    tutor said there beside what people said.

    \b
    Example:
      utta quickstart --out runs/quickstart
      utta show runs/quickstart/judge
    """
    from utta.core.errors import UttaError
    from utta.core.files import read_json
    from utta.reports.layout import open_console
    from utta.reports.program import render_program
    from utta.reports.record import render_record
    from utta.reports.said import render_student_record, render_tutor_record

    folder = Path(what)
    if run is not None:
        of = {"student_evaluation": render_student_record, "tutor_evaluation": render_tutor_record}
        asked = read_json(run / "run.json") if (run / "run.json").is_file() else {}
        of.get(asked.get("kind", ""), render_record)(what, run, open_console())
    elif folder.is_dir():
        manifest = folder / "manifest.json"
        render_program(read_json(manifest if manifest.is_file() else folder / "run.json"), open_console(), folder)
    else:
        raise UttaError(f"{what!r} is no folder; to show a record, name its run too: utta show {what} --run RUN.")
