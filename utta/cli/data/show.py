"""How the data commands print: counts on a line, plain tables, JSON."""

from collections.abc import Mapping
from typing import Any

import click


def print_counts(counts: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """One line of counts: those that were counted; "unlabelled" and "merged" only where there are any."""
    shown = [name for name in names if name in counts and (counts[name] or name not in ("unlabelled", "merged"))]
    click.echo(", ".join(f"{counts[name]:,} {name}" for name in shown))


def print_table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
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
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else printable(cell)) for cell in cells))
        before = first
    Console(highlight=False).print(table)


def printable(text: str) -> str:
    """Text of the data as it may go to a terminal: control characters are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_json(value: Any) -> None:
    """One JSON object, escaped to ASCII so that no control character of the data reaches a terminal."""
    import json

    click.echo(json.dumps(value, indent=2))
