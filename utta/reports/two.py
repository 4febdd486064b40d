"""Two evaluation runs side by side.

    utta report RUN RUN

The paired difference is shown only when one of the runs was made with `--against` the other: it needs the decisions
of both, and this module reads `results.json` alone.
"""

from pathlib import Path

from rich.console import Console

from utta.reports.agreement import SIDES, by_criterion, figure_column, paired_column
from utta.reports.layout import Pairs, Section, draw_section, note, notes
from utta.reports.numbers import MISSING, counted, interval
from utta.reports.results import Figure, Figures, Paired, Results, open_evaluation, same_run
from utta.reports.text import text
from utta.reports.verdict import held_against


def report_two(run_a: Path, run_b: Path, console: Console) -> None:
    """Draw macro-F1 of two runs by criterion, and the paired difference if one of them holds it.

    Raises `UttaError` when a folder is missing, broken or no evaluation.
    """
    a, b = open_evaluation(run_a), open_evaluation(run_b)
    console.print(text(f"utta report {run_a} {run_b}", style="bold"))
    console.print()
    paired, header, sentence = _stored_difference(run_a, a, run_b, b)
    note(console, sentence)
    notes(console, _differing(a, b), style="bold yellow")
    names = [*a.criteria, *(name for name in b.criteria if name not in a.criteria)]
    columns = [figure_column("A", _rows(a, names), "macro_f1"), figure_column("B", _rows(b, names), "macro_f1")]
    if paired:
        columns.append(paired_column(header, paired, names))
    title = "Agreement with the experts: macro-F1 [95% interval]"
    described = Pairs([("A", _described(run_a, a)), ("B", _described(run_b, b))])
    draw_section(console, Section("agreement", title, [by_criterion(names, [columns]), *([SIDES] if paired else [])]))
    draw_section(console, Section("runs", "The runs", [described]))


def _stored_difference(run_a: Path, a: Results, run_b: Path, b: Results) -> tuple[Paired | None, str, str]:
    """The difference that one run holds to the other, its column's header, and the opening sentence."""
    for mine, name, other, other_name, folder in ((a, "A", b, "B", run_b), (b, "B", a, "A", run_a)):
        if mine.comparison and same_run(mine.comparison.run, folder):
            paired = mine.comparison.paired
            sentence = (
                f"{name} reaches a mean macro-F1 of {_mean(mine)} and {other_name} {_mean(other)}; "
                f"{held_against(paired, other_name, subject=name)}."
            )
            return paired, f"{name} minus {other_name}", sentence
    sentence = (
        f"A reaches a mean macro-F1 of {_mean(a)} and B {_mean(b)}; whether they differ cannot be read off two "
        "intervals: `utta evaluate … --against RUN` gives the paired difference."
    )
    return None, "", sentence


def _mean(results: Results) -> str:
    return interval(results.mean.metrics.get("macro_f1", Figure()))


def _rows(results: Results, names: list[str]) -> list[Figures]:
    rows = [results.criteria[name].metrics if name in results.criteria else {} for name in names]
    return [*rows, results.mean.metrics]


def _differing(a: Results, b: Results) -> list[str]:
    lines = []
    if a.data.sha256 != b.data.sha256:
        lines.append("Warning: the runs judged different data files, so their figures do not stand beside each other.")
    if a.rubric.hash != b.rubric.hash:
        lines.append("Warning: the runs used different rubrics, so a criterion may not ask the same in both.")
    return lines


def _described(run: Path, results: Results) -> str:
    return (
        f"{run}: {results.program}, {results.model or MISSING}, {counted(results.counts.scored, 'decision')} "
        f"scored of {results.counts.decisions:,}, {results.data.file}"
    )
