"""A report's sections as content, tables that stack instead of being cut, and the console that they are drawn on.

A section is drawn by the terminal and by the page alike, so that both show the same figures. On a terminal its columns
are packed into as many tables as the width asks for; without one the rules are plain hyphens. Colour only repeats what
a word already says.
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
    """One column of a table: a header and a cell for each row."""

    header: str
    cells: Sequence[Text]
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        words = max((cell_len(word) for word in self.header.split()), default=0)
        return max([words, *(cell.cell_len for cell in self.cells)])


@dataclass(frozen=True)
class Grid:
    """A table of figures: what its rows are, their names, and groups of columns that stay together where they fit.

    With `mean` the last row is the mean of the others.
    """

    header: str
    names: Sequence[str]
    groups: Sequence[Sequence[Column]]
    mean: bool = False


@dataclass(frozen=True)
class Pairs:
    """Names, each with words about it."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """One part of a report: sentences and tables in the order they are read. `key` is its one-word name."""

    key: str
    title: str
    parts: Sequence[str | Grid | Pairs]


def draw_section(console: Console, section: Section) -> None:
    """The title, then the parts; from the first table on, a blank line sets tables apart."""
    heading(console, section.title)
    previous: str | Grid | Pairs = ""
    tables = 0
    for part in section.parts:
        if tables and not (isinstance(part, str) and isinstance(previous, str)):
            console.print()
        if isinstance(part, str):
            note(console, part)
        elif isinstance(part, Pairs):
            pairs(console, part.rows)
        else:
            draw_grid(console, part)
        tables += not isinstance(part, str)
        previous = part


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


def draw_grid(console: Console, grid: Grid) -> None:
    """A table, or several below each other where one would be too wide."""
    widest = max(cell_len(name) for name in (*grid.names, grid.header))
    first = min(widest, max(12, console.width - 26))
    for index, columns in enumerate(pack(grid.groups, console.width - first)):
        if index:
            console.print()
        table = ruled_table(console)
        table.add_column(text(grid.header), overflow="fold", max_width=first)
        for column in columns:
            table.add_column(text(column.header), justify=column.justify, max_width=column.width, overflow="fold")
        for row, name in enumerate(grid.names):
            last, before_last = row == len(grid.names) - 1, row == len(grid.names) - 2
            style = "bold" if grid.mean and last else ""
            cells = [column.cells[row] for column in columns]
            table.add_row(text(name, style=style), *cells, end_section=grid.mean and before_last)
        console.print(table)


def heading(console: Console, title: str) -> None:
    """A blank line, then the title of a part of the report."""
    console.print()
    console.print(text(title, style="bold"))


def unbroken(words: str) -> str:
    """`words` with no line end possible between a figure and its interval."""
    return FIGURE.sub(lambda match: match[0].replace(" ", NO_BREAK), words)


def note(console: Console, words: str, style: str = "") -> None:
    """A sentence, in lines no longer than is good to read; a figure is not parted from its interval."""
    lines = textwrap.wrap(unbroken(safe(words)), prose_width(console), break_on_hyphens=False)
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
