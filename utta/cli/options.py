"""Options that several commands share, so that one word means one thing everywhere."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

File = click.Path(path_type=Path)
Count = click.IntRange(min=1)

model = click.option(
    "--model",
    metavar="NAME",
    help="A model of 'utta models list', a local folder, a hub id, or an API model (openai/…).",
)
rubric = click.option("--rubric", metavar="NAME|FILE", help="The rubric; by default the one that the data names.")
criteria = click.option(
    "--criteria", metavar="A,B", default="", help="Only these criteria; by default those that the data labels."
)
seed = click.option(
    "--seed",
    default=0,
    type=click.IntRange(0, 2**32 - 1),
    show_default=True,
    help="Another number gives other random choices.",
)
threshold = click.option(
    "--threshold",
    default=0.5,
    type=click.FloatRange(0, 1),
    show_default=True,
    help="The score from which on what a program wrote is good enough to learn from.",
)
rank = click.option("--rank", default=16, type=Count, show_default=True, help="LoRA's r.")
dry_run = click.option(
    "--dry-run", is_flag=True, help="Say what would be asked, and what an API would charge; ask nothing."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON, for a script.")


def data_file(name: str, help: str) -> Callable[[Any], Any]:
    """A required option that names a file of reviews."""
    return click.option(f"--{name}", required=True, type=File, metavar="FILE", help=help)


def out(help: str) -> Callable[[Any], Any]:
    """The required folder for what a command makes."""
    return click.option("--out", required=True, type=File, metavar="DIR", help=help)


def show_bills(bills: Mapping[str, Any], as_json: bool) -> None:
    """Print what a dry run found: one bill, or several by name."""
    if as_json:
        click.echo(json.dumps(bills, indent=2))
        return
    for name, value in bills.items():
        if isinstance(value, Mapping):
            click.echo(f"{name}:")
            for of, part in value.items():
                click.echo(f"  {_line(of, part)}")
        else:
            click.echo(_line(name, value))


def _line(name: str, value: Any) -> str:
    shown = "unknown" if value is None else ("no", "yes")[value] if isinstance(value, bool) else value
    return f"{name.replace('_', ' '):22}{f'{shown:,}' if isinstance(shown, int | float) else shown}"


def names(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated option."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
