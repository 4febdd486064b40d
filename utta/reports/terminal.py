"""An evaluation run for people: what a researcher reads first, drawn with rich.

    utta report RUN [--full]

In this order: the verdict in one sentence, the figures by criterion, where they hold and where not, the counts, the worst
disagreements, where the figures come from, and what to type next. It computes no figure: all of them come from the
run's `results.json`.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from utta.reports.agreement import agreement, counts, origin, other_measures
from utta.reports.evidence import evidence
from utta.reports.layout import GAP, Section, draw_section, heading, note, notes, prose_width, ruled_table
from utta.reports.numbers import MISSING, number
from utta.reports.results import Results, check_results
from utta.reports.text import clipped, safe, text
from utta.reports.verdict import verdict, warnings

WORST = 5
CONFUSION_FROM_WIDTH = 120


def render(results: dict[str, Any], console: Console, run: Path | None = None, full: bool = False) -> None:
    """Draw the report of an evaluation run on `console`, in brief or `full`.

    `results` is the content of `results.json`; `run` its folder as the user typed it, else it is taken from the path
    of the predictions. Raises `UttaError` when a key is missing or wrong.
    """
    checked = check_results(results)
    folder = run_folder(checked, run)
    opening(checked, console, folder)
    for section in sections(checked, full):
        draw_section(console, section)
    if full or console.width >= CONFUSION_FROM_WIDTH:
        _confusion(checked, console)
    if checked.counts.scored:
        _disagreements(checked, console)
    draw_section(console, origin(checked))
    _next(checked, console, folder)


def run_folder(results: Results, run: Path | None) -> str:
    """The run's folder as the user typed it, else as the run's own paths name it."""
    return str(run) if run else str(Path(results.paths.get("predictions") or "RUN/predictions.jsonl").parent)


def opening(results: Results, console: Console, folder: str) -> None:
    """What was typed, the verdict, and what must be known before believing it."""
    console.print(text(f"utta report {folder}", style="bold"))
    console.print()
    note(console, verdict(results))
    notes(console, warnings(results), style="bold yellow")


def sections(results: Results, full: bool) -> list[Section]:
    """The figures in the order they are read; with nothing scored there are counts alone."""
    if not results.counts.scored:
        return [counts(results)]
    return [agreement(results), other_measures(results, full), *evidence(results, full), counts(results)]


def _confusion(results: Results, console: Console) -> None:
    """A small square for each criterion, as many side by side as fit; left out where even one would not fit."""
    squares = []
    for name, result in results.criteria.items():
        if len(result.confusion) != len(result.gold):
            continue
        square = ruled_table(console)
        square.title, square.title_justify, square.title_style = text(name), "left", ""
        square.add_column(Text("Experts \\ judge"), no_wrap=True)
        for position in range(len(result.gold)):
            square.add_column(Text(str(position + 1)), justify="right", no_wrap=True)
        for position, (label, row) in enumerate(zip(result.gold, result.confusion, strict=True)):
            square.add_row(text(f"{position + 1} {label}"), *(text(f"{n:,}") for n in row))
        if console.measure(square).maximum <= console.width:
            squares.append(square)
    if squares:
        heading(console, "Who said what: a row for each level of the experts, a column for each level of the judge")
        console.print(Columns(squares, padding=(0, 5, 1, 0)))


def _disagreements(results: Results, console: Console) -> None:
    worst = results.disagreements[:WORST]
    heading(console, "Worst disagreements")
    if not worst:
        note(console, "None: the judge gave the experts' level everywhere.")
    for rank, item in enumerate(worst, start=1):
        grid = Table.grid(padding=(0, GAP, 0, 0))
        room = prose_width(console) - 3 - len("Response") - GAP
        grid.add_row(Text("Experts"), text(item.gold, style="bold"))
        grid.add_row(Text("Judge"), _judgement(item.label, item.confidence, item.gold_probability))
        grid.add_row(Text("Student"), clipped(item.student or MISSING, console, room, lines=1))
        grid.add_row(Text("Response"), clipped(item.response or MISSING, console, room, lines=2))
        console.print(text(f"{rank}. {item.criterion}, record {item.record_id}"))
        console.print(Padding(grid, (0, 0, 0, 3)))
    if more := len(results.disagreements) - len(worst):
        note(console, f"{more} more in results.json; all of them on the page that --html makes.")


def _judgement(label: str, confidence: float | None, gold_probability: float | None) -> Text:
    rest = f", confidence {number(confidence)}; it gave the experts' level {number(gold_probability)}"
    return Text.assemble(text(label, style="bold"), rest, overflow="fold")


def _next(results: Results, console: Console, folder: str) -> None:
    worst = results.disagreements[0].record_id if results.disagreements else None
    heading(console, "Next")
    commands = [
        *(
            (("The whole dialogue of the worst disagreement", ["utta", "show", worst, "--run", folder]),)
            if worst
            else ()
        ),
        ("What the run was made from", ["utta", "show", folder]),
        ("Every table; or a page with charts and all disagreements", ["utta", "report", folder, "--full"]),
        ("", ["utta", "report", folder, "--html", "report.html"]),
        ("Every figure, for a script", ["utta", "report", folder, "--json"]),
        (
            "Another program on the same data, held against this run",
            ["utta", "evaluate", "PROGRAM", "--data", results.data.file, "--out", "DIR", "--against", folder],
        ),
    ]
    for purpose, words in commands:
        if purpose:
            note(console, f"{purpose}:")
        for line in command_lines([shlex.quote(safe(word)) for word in words], console.width - 2):
            # An over-long path may run over the edge: broken by us, it could not be pasted.
            console.print(Text(f"  {line}", style="bold"), no_wrap=True, overflow="ignore", crop=False)


def command_lines(words: Sequence[str], width: int) -> list[str]:
    """A command as lines of at most `width` characters that a shell reads as one, each but the last ending in `\\`."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 3 <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word if not lines else f"    {word}")
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]
