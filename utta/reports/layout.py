"""Tables that stack instead of being cut, and the console that they are drawn on.

A report's columns are packed into as many tables as the width asks for. Without a terminal the rules are plain
hyphens. Colour only repeats what a word already says.
"""

import io
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from utta.reports.text import safe, text

PIPED_WIDTH = 80
PICTURE_WIDTH = 100
PROSE_WIDTH = 100
GAP = 2
NO_BREAK = "\u00a0"
FIGURE = re.compile(r"\S+ \[\S+ \S+\]")
HEAD_RULE = Box("    \n    \n ── \n    \n ── \n    \n    \n    \n")
HEAD_RULE_ASCII = Box("    \n    \n -- \n    \n -- \n    \n    \n    \n", ascii=True)
WORD_STYLES = {"above": "green", "below": "red"}


@dataclass(frozen=True)
class Column:
    """One column of a table: a header and a cell for each row, the last row being the mean."""

    header: str
    cells: Sequence[Text]
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        words = max((cell_len(word) for word in self.header.split()), default=0)
        return max(words, *(cell.cell_len for cell in self.cells))


def ruled_table(console: Console) -> Table:
    """An empty table without vertical lines."""
    plain = not console.is_terminal or not console.encoding.startswith("utf")
    box = HEAD_RULE_ASCII if plain else HEAD_RULE
    return Table(box=box, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")


def pack(groups: Iterable[Sequence[Column]], room: int) -> list[list[Column]]:
    """The columns of `groups` as tables of at most `room` characters; a group too wide for one is split evenly."""
    tables: list[list[Column]] = []
    left = 0
    for group in groups:
        whole = sum(column.width + GAP for column in group)
        if whole <= left:
            tables[-1].extend(group)
            left -= whole
        elif group:
            widest = max(column.width for column in group) + GAP
            pieces = ceil(len(group) / max(1, room // widest)) if whole > room else 1
            size = ceil(len(group) / pieces)
            tables.extend(list(group[start : start + size]) for start in range(0, len(group), size))
            left = room - sum(column.width + GAP for column in tables[-1])
    return tables


def criterion_tables(console: Console, names: Sequence[str], groups: Iterable[Sequence[Column]]) -> list[Table]:
    """Tables with a row for each of `names`, then the mean; `groups` of columns stay together where they fit."""
    widest = max(cell_len(name) for name in (*names, "Criterion"))
    first = min(widest, max(12, console.width - 26))
    tables = []
    for columns in pack(groups, console.width - first):
        table = ruled_table(console)
        table.add_column(Text("Criterion"), overflow="fold", max_width=first)
        for column in columns:
            table.add_column(text(column.header), justify=column.justify, max_width=column.width, overflow="fold")
        for row, name in enumerate(names):
            table.add_row(text(name), *(column.cells[row] for column in columns), end_section=row == len(names) - 1)
        table.add_row(Text("Mean", style="bold"), *(column.cells[len(names)] for column in columns))
        tables.append(table)
    return tables


def heading(console: Console, title: str) -> None:
    """A blank line, then the title of a part of the report."""
    console.print()
    console.print(text(title, style="bold"))


def note(console: Console, words: str, style: str = "") -> None:
    """A sentence, in lines no longer than is good to read; a figure is not parted from its interval."""
    joined = FIGURE.sub(lambda match: match[0].replace(" ", NO_BREAK), safe(words))
    lines = textwrap.wrap(joined, prose_width(console), break_on_hyphens=False)
    for line in lines:
        console.print(text(line, style=style))


def notes(console: Console, lines: Sequence[str], style: str = "") -> None:
    """A blank line and `lines` as sentences; nothing when there are none."""
    if lines:
        console.print()
    for line in lines:
        note(console, line, style)


def prose_width(console: Console) -> int:
    """The length of a line of running text, in columns."""
    return min(console.width, PROSE_WIDTH)


def pairs(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(text(name), text(value))
    console.print(Padding(grid, (0, 0, 0, GAP)))


def open_console(width: int | None = None) -> Console:
    """The console for standard output; without a terminal 80 columns wide unless `COLUMNS` says otherwise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal's encoding lacks is replaced: a student's π must not end the report.
        sys.stdout.reconfigure(errors="replace")
    console = Console(width=width, highlight=False)
    if width is None and not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = PIPED_WIDTH
    return console


def picture(draw: Callable[[Console], None], width: int | None = None) -> str:
    """What `draw` prints, as an SVG picture that loads nothing from the network."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere,
            record=True,
            force_terminal=True,
            color_system="truecolor",
            no_color=False,
            legacy_windows=False,
            width=width or PICTURE_WIDTH,
            highlight=False,
        )
        draw(console)
        svg = console.export_svg(title="utta report")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
