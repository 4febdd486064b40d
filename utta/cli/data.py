"""`utta data`: bring reviews in, look them through, split them by problem."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utta.core.errors import UttaError

if TYPE_CHECKING:
    from utta.prepare.check import Check

SHOWN_FAULTS = 20


@click.group()
def data() -> None:
    """Bring expert reviews in, check them, and split them by problem."""


@data.command("import")
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The reviews, as JSON Lines."
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, for a script.")
def import_(source: str, files: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Turn the FILEs of a SOURCE into reviews.

    SOURCE is mrbench (MRBench V1, V2, V3, or V3 without labels) or utta (UTTA's own files, to check or join them).
    A review that stands in several files becomes one. What cannot be used is put aside beside the reviews and counted.

    \b
    Example:
      utta data import utta data/samples/reviews.jsonl --out reviews.jsonl
    """
    from utta.records.read import put_aside, rejects_note, write_reviews
    from utta.sources import import_reviews

    imported = import_reviews(source, files)
    place = put_aside(imported.faults, out.with_name(f"{out.stem}.import-rejects.jsonl"))
    write_reviews(out, imported.reviews)
    counts = imported.summary()
    if as_json:
        rejects_file = str(place) if place else None
        names = [str(file) for file in files]
        _print_json({"source": source, "files": names, "out": str(out), **counts, "rejects_file": rejects_file})
        return
    _print_counts(counts, ("entries", "dialogues", "problems", "responses", "unlabelled", "merged"))
    if counts["labels"]:
        _print_table(("criterion", "labels"), [(criterion, n) for criterion, n in counts["labels"].items()])
    if note := rejects_note([str(fault) for fault in imported.faults], place):
        click.echo(_printable(note))
    click.echo(f"Wrote {out}")


@data.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rubric", metavar="NAME|FILE", help="Also hold the labels against this rubric.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a script.")
def check_(file: Path, rubric: str | None, as_json: bool) -> None:
    """Look a FILE of reviews through: faulty lines, repeats, unknown problems, thin labels.

    Changes nothing. Exits with 1 when a line is faulty; warnings alone exit with 0.

    \b
    Example:
      utta data check data/samples/reviews.jsonl --rubric utta
    """
    from utta.prepare.check import check
    from utta.records.rubrics import find_rubric

    found = check(file, find_rubric(rubric) if rubric else None)
    if as_json:
        _print_json(found.as_json())
    else:
        _print_check(found)
    if found.faults:
        count = "1 faulty line" if len(found.faults) == 1 else f"{len(found.faults)} faulty lines"
        raise UttaError(f"{file} has {count}; mend them, or go on without them: every command puts them aside.")


@data.command("split")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", "key", default="problem", show_default=True, metavar="FIELD",
              help="What must not stand in two parts: problem, or dialogue_id where problems are unknown.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Another number gives other parts.")
@click.option("--ratios", default="70/10/20", show_default=True, help="Shares of training, validation and test.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the parts.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON, for a script.")
def split_(file: Path, key: str, seed: int, ratios: str, out: Path, as_json: bool) -> None:
    """Split a FILE of reviews into train.jsonl, validation.jsonl and test.jsonl.

    No problem stands in two parts, and the same seed gives the same parts everywhere. split.json says what is where.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
    """
    from utta.prepare.split import split_file

    manifest = split_file(file, out, key, _numbers(ratios), seed)
    if as_json:
        _print_json(manifest)
        return
    total = manifest["input"]["reviews"]
    rows = [
        (name, part["reviews"], f"{part['reviews'] / total:.0%}", part["problems"])
        for name, part in manifest["parts"].items()
    ]
    _print_table(("part", "reviews", "share", "problems"), rows)
    if manifest["note"]:
        click.echo(_printable(manifest["note"]))
    click.echo(f"Wrote {out} (by {key}, seed {seed})")


def _numbers(ratios: str) -> list[float]:
    try:
        return [float(part) for part in ratios.split("/")]
    except ValueError:
        raise UttaError(f"The ratios {ratios!r} are not numbers like 70/10/20.") from None


def _print_check(found: "Check") -> None:
    _print_counts(vars(found), ("responses", "labelled", "dialogues", "problems"))
    rows = [(criterion, label, n) for criterion, labels in found.labels.items() for label, n in labels.items()]
    if rows:
        _print_table(("criterion", "level", "labels"), rows)
    for warning in found.warnings:
        click.echo(_printable(f"warning: {warning}"))
    for fault in found.faults[:SHOWN_FAULTS]:
        click.echo(_printable(f"fault: {fault}"))
    if len(found.faults) > SHOWN_FAULTS:
        click.echo(f"… and {len(found.faults) - SHOWN_FAULTS} more faults (all of them with --json)")
    if not found.faults:
        click.echo("No faults.")


def _print_counts(counts: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """One line of counts; "unlabelled" and "merged" only where there are any."""
    shown = [name for name in names if counts[name] or name not in ("unlabelled", "merged")]
    click.echo(", ".join(f"{counts[name]:,} {name}" for name in shown))


def _print_table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A plain table: numbers to the right, a repeated first cell left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if isinstance(rows[0][i], str) and column != "share" else "right")
    before = None
    for first, *rest in rows:
        cells = ["" if first == before else first, *rest]
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else _printable(cell)) for cell in cells))
        before = first
    Console(highlight=False).print(table)


def _printable(text: str) -> str:
    """Text of the data as it may go to a terminal: control characters are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _print_json(value: Any) -> None:
    """One JSON object, escaped to ASCII so that no control character of the data reaches a terminal."""
    import json

    click.echo(json.dumps(value, indent=2))
