"""An evaluation run for people: what a researcher reads first, drawn with rich.

    utta report RUN

In this order: the verdict in one sentence, the figures by criterion, the counts, the worst disagreements, where the
figures come from, and what to type next. It computes no figure: all of them come from the run's `results.json`.
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

from metrics.agreement import THIN
from utta.reports.layout import (
    GAP,
    WORD_STYLES,
    Column,
    criterion_tables,
    heading,
    note,
    notes,
    pairs,
    prose_width,
    ruled_table,
)
from utta.reports.numbers import MISSING, counted, interval, number
from utta.reports.results import Figure, Figures, Paired, Results, check_results
from utta.reports.text import clipped, safe, text
from utta.reports.verdict import thin_notes, verdict, warnings

WORST = 5
SIDES = "above, below: the interval of the paired difference excludes 0; unclear: it does not."
CONFUSION_FROM_WIDTH = 120


def render(results: dict[str, Any], console: Console, run: Path | None = None) -> None:
    """Draw the report of an evaluation run on `console`.

    `results` is the content of `results.json`; `run` its folder as the user typed it, else it is taken from the path
    of the predictions. Raises `UttaError` when a key is missing or wrong.
    """
    checked = check_results(results)
    folder = str(run) if run else str(Path(checked.paths.get("predictions") or "RUN/predictions.jsonl").parent)
    console.print(text(f"utta report {folder}", style="bold"))
    console.print()
    note(console, verdict(checked))
    notes(console, warnings(checked), style="bold yellow")
    if checked.counts.scored:
        _macro_f1(checked, console)
        _other_measures(checked, console)
    _counts(checked, console)
    if checked.counts.scored:
        _disagreements(checked, console)
    _origin(checked, console)
    _next(checked, console, folder)


def figure_column(header: str, rows: Sequence[Figures], metric: str) -> Column:
    """A column of figures with their intervals."""
    return Column(header, [text(interval(figures.get(metric, Figure()))) for figures in rows])


def difference_column(header: str, paired: Paired, names: Sequence[str]) -> Column:
    """A column of paired differences, each with the word for what its interval says."""
    figures = [*(paired.criteria.get(name, Figure()) for name in names), paired.mean]
    numbers = [interval(figure, signed=True) for figure in figures]
    widest = max(len(words) for words in numbers)
    cells = []
    for figure, words in zip(figures, numbers, strict=True):
        cell = text(words)
        cell.pad_left(widest - len(words))
        if figure.known:
            cell.append(f" {figure.side}", style=WORD_STYLES.get(figure.side, ""))
        cells.append(cell)
    return Column(header, cells, justify="left")


def _macro_f1(results: Results, console: Console) -> None:
    names = list(results.criteria)
    judged = [*(result.metrics for result in results.criteria.values()), results.mean.metrics]
    figures = [figure_column("Judge", judged, "macro_f1")]
    for key, header in (("tfidf", "TF-IDF"), ("commonest", "Commonest level")):
        if key in results.mean.baselines:
            rows = [*(result.baselines.get(key, {}) for result in results.criteria.values())]
            figures.append(figure_column(header, [*rows, results.mean.baselines[key]], "macro_f1"))
    differences = []
    if results.against_tfidf:
        differences.append(difference_column("Judge minus TF-IDF", results.against_tfidf, names))
    if results.comparison:
        other = Path(results.comparison.run).name or results.comparison.run
        differences.append(difference_column(f"Judge minus {other}", results.comparison.paired, names))
    heading(console, "Agreement with the experts: macro-F1 [95% interval]")
    print_tables(console, criterion_tables(console, names, [figures, differences]))
    lines = [SIDES] if differences else []
    if not results.mean.baselines:
        lines.append("No baseline: name the training file with `utta evaluate … --baseline-train FILE`.")
    notes(console, [*lines, *thin_notes(results)])


def _other_measures(results: Results, console: Console) -> None:
    names = list(results.criteria)
    rows = [*(result.metrics for result in results.criteria.values()), results.mean.metrics]
    scales = {result.scale for result in results.criteria.values()}
    columns = [figure_column("Weighted kappa", rows, "quadratic_kappa")] if "ordinal" in scales else []
    if "nominal" in scales:
        columns.append(figure_column("Kappa", rows, "kappa"))
    columns.append(figure_column("Lenient F1", rows, "lenient_macro_f1"))
    columns.append(figure_column("Accuracy", rows, "accuracy"))
    if "ordinal" in scales:
        columns.append(figure_column("Spearman", rows, "spearman"))
    columns.append(figure_column("Calibration error", rows, "calibration_error"))
    heading(console, "Other measures [95% interval]")
    print_tables(console, criterion_tables(console, names, [columns]))
    lines = [
        "Macro-F1 counts every level alike; lenient F1 only asks good or not good; kappa is agreement beyond chance"
        + (" (weighted: near misses count less)" if "ordinal" in scales else "")
        + "; calibration error is how far the stated confidence is off, lower is better."
    ]
    if len(scales) > 1:
        lines.append("Weighted kappa and Spearman are for criteria whose levels have an order; – is not applicable.")
    if made := results.effectiveness:
        lines.append(
            f"Teaching effectiveness (0 to 1): judge {number(made.mean)}, experts {number(made.gold_mean)}; "
            f"rank correlation {interval(made.spearman)}."
        )
    notes(console, lines)


def print_tables(console: Console, tables: Sequence[Table]) -> None:
    """Tables below each other, with a blank line between."""
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(table)


def _counts(results: Results, console: Console) -> None:
    counts = results.counts
    withheld = sum(counts.withheld.values())
    heading(console, "What was judged")
    note(
        console,
        f"{counted(counts.decisions, 'decision')} on {counted(results.data.records, 'response')}: "
        f"{counts.scored:,} scored, {counts.unscored:,} unscored (without an expert's label), "
        f"{counted(counts.errors, 'error')}."
        + (f" {counted(withheld, 'response')} withheld by consent or date." if withheld else ""),
    )
    table = ruled_table(console)
    table.add_column(Text("Criterion"), overflow="fold", max_width=max(12, console.width // 2))
    table.add_column(Text("n"), justify="right")
    table.add_column(Text("The experts' levels"), overflow="fold")
    for name, result in results.criteria.items():
        thin = set(result.thin_levels)
        levels = " · ".join(f"{safe(label)} {n:,}{'*' * (label in thin)}" for label, n in result.gold.items())
        table.add_row(text(name), text(f"{result.n:,}"), text(levels or MISSING))
    console.print(table)
    if any(result.thin_levels for result in results.criteria.values()):
        note(console, f"* fewer than {THIN} labels")
    if console.width >= CONFUSION_FROM_WIDTH:
        _confusion(results, console)


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
        note(console, f"{more} more in results.json.")


def _judgement(label: str, confidence: float | None, gold_probability: float | None) -> Text:
    rest = f", confidence {number(confidence)}; it gave the experts' level {number(gold_probability)}"
    return Text.assemble(text(label, style="bold"), rest, overflow="fold")


def _origin(results: Results, console: Console) -> None:
    data, train = results.data, results.baseline_train
    scored = counted(results.times_scored, "tuned program") if results.times_scored else "no tuned program"
    versions = ", ".join(f"{name} {version or MISSING}" for name, version in results.versions.items())
    seconds = MISSING if results.seconds is None else f"{results.seconds:,.1f} s"
    heading(console, "Where the figures come from")
    pairs(
        console,
        [
            *([("Scored", f"{scored} on this data so far")] if results.counts.scored else []),
            ("Program", results.program),
            ("Model", results.model or MISSING),
            ("Rubric", f"{results.rubric.id} ({results.rubric.hash[:12]})"),
            ("Data", f"{data.file} ({data.sha256[:12]})"),
            ("Baselines", f"fitted on {train.file} ({train.sha256[:12]})" if train else "no baseline"),
            *((f"Gate {gate.gate}", _gate(gate.passed, gate.value)) for gate in results.gates),
            ("Seed", MISSING if results.seed is None else str(results.seed)),
            ("Versions", versions or MISSING),
            ("Made", f"{results.created or MISSING}, in {seconds}"),
            *((name.capitalize(), path or MISSING) for name, path in results.paths.items()),
        ],
    )


def _gate(passed: bool, value: float | None) -> str:
    return f"{'passed' if passed else 'failed'}, seen {number(value)}"


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
        ("Every figure, for a script", ["utta", "report", folder, "--json"]),
        (
            "Another program on the same data, held against this run",
            ["utta", "evaluate", "PROGRAM", "--data", results.data.file, "--out", "DIR", "--against", folder],
        ),
    ]
    for purpose, words in commands:
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
