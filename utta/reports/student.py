"""An evaluation run of a simulated student for people: the verdict, its figures beside the real students', what was done.

    utta report RUN

It computes no figure: all of them come from the run's `results.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from rich.console import Console

from utta.core.errors import UttaError, shorten
from utta.reports.agreement import difference_column
from utta.reports.layout import Column, Grid, Pairs, Section, draw_section, note, notes
from utta.reports.numbers import MISSING, counted, interval, number
from utta.reports.results import DataRef, Figure, Gate
from utta.reports.text import text
from utta.reports.verdict import FEW_PROBLEMS, unseen

NAMES = {
    "nll": "NLL per token of real turns",
    "wrong_first": "Own wrong answer on the first turn",
    "premature": "Right answer too early",
    "flip_targeted": "Right answer after targeted words",
    "flip_misaligned": "… after misaligned words",
    "flip_generic": "… after generic words",
    "selective_flip": "Selective Flip Score",
    "rouge_l": "ROUGE-L with the real turn",
    "rouge_l_gain": "… above saying the last turn again",
    "words": "Length, off by words",
    "distinct_1": "Different words, off by a share of",
    "distinct_2": "Different pairs of words, off by",
    "auc": "Told from real by a classifier (AUC)",
}
IN_SLICES = ("nll", "wrong_first", "premature", "selective_flip", "words", "auc")


class StudentFigure(BaseModel):
    """A figure over `n` of the program, the real students and the baseline; None where one has none."""

    n: int
    program: Figure | None = None
    real: Figure | None = None
    copied: Figure | None = Field(default=None, alias="copy")


class Difference(BaseModel):
    n: int
    difference: Figure | None = None


class StudentComparison(BaseModel):
    run: str
    n: int
    figures: dict[str, Difference]
    nll_reduction: Figure | None = None


class StudentGroup(BaseModel):
    value: str
    turns: int
    problems: int
    few: bool
    figures: dict[str, StudentFigure]


class StudentCounts(BaseModel):
    dialogues: int
    turns: int
    scenes: int
    errors: int
    rejects: int = 0
    withheld: dict[str, int] = {}


class StudentResults(BaseModel):
    """What of `results.json` is shown."""

    program: str
    model: str
    data: DataRef
    times_scored: int = 0
    seen_problems: dict[str, int] = {}
    unseen_files: list[str] = []
    counts: StudentCounts
    figures: dict[str, StudentFigure]
    slices: dict[str, list[StudentGroup]] = {}
    comparison: StudentComparison | None = None
    gates: list[Gate] = []
    seed: int
    created: str
    versions: dict[str, str] = {}
    paths: dict[str, str] = {}


def check_student(results: Any, where: str = "The results") -> StudentResults:
    """`results` checked; `UttaError` naming the first key that is missing or wrong."""
    try:
        return StudentResults.model_validate(results)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the top"
        raise UttaError(
            f"{where} cannot be shown: at {key} the report needs something else than "
            f"{shorten(repr(first['input']), 40)} ({first['msg']}), so make the run anew with `utta evaluate`."
        ) from None


def render_student(results: Mapping[str, Any], console: Console, run: Path) -> None:
    """Draw the report of the content of a student's `results.json`."""
    checked = check_student(results)
    console.print(text(f"utta report {run}", style="bold"))
    console.print()
    note(console, verdict(checked))
    notes(console, warnings(checked), style="bold yellow")
    draw_section(console, _figures(checked))
    for name, groups in checked.slices.items():
        draw_section(console, _slice(name, groups))
    draw_section(console, _origin(checked))


def verdict(results: StudentResults) -> str:
    """What the simulated student does beside the real ones, in one sentence; no more than the figures say."""
    basis = f"On {counted(results.counts.turns, 'turn')} about {counted(results.data.problems, 'problem')}"
    nll, first, early = (results.figures[name] for name in ("nll", "wrong_first", "premature"))
    parts = []
    if nll.program:
        parts.append(f"what the real students said has a negative log-likelihood of {interval(nll.program)} a token")
    if first.program:
        parts.append(
            f"the simulated student states its own wrong answer on {interval(first.program)} of first turns (real "
            f"students: {_of(first.real)})"
        )
    if early.program:
        parts.append(f"and the right answer too early on {interval(early.program)} of turns (real: {_of(early.real)})")
    if not parts:
        return f"{basis} no figure can be computed."
    if results.comparison and (less := results.comparison.nll_reduction):
        value, low, high = (None if each is None else -each for each in (less.value, less.high, less.low))
        change = interval(Figure(value=value, low=low, high=high), signed=True)
        parts.append(f"its NLL differs from that of {results.comparison.run} by {change} of it (less is better)")
    return f"{basis} " + "; ".join(parts) + "."


def _of(figure: Figure | None) -> str:
    return number(figure.value) if figure else MISSING


def warnings(results: StudentResults) -> list[str]:
    """What a reader must know before believing the figures."""
    lines = []
    if results.times_scored >= 2:
        lines.append(
            f"Warning: {results.times_scored} tuned programs were scored on this data, this one included; if it is your "
            "test part, choosing between them by these figures makes the chosen one look better than it is."
        )
    for part, problems in results.seen_problems.items():
        lines.append(
            f"Warning: {counted(problems, 'problem')} of {results.data.problems:,} stood in the program's own {part} data."
        )
    lines += unseen(results.unseen_files)
    if results.data.problems < FEW_PROBLEMS:
        lines.append(
            f"Warning: the data is about {counted(results.data.problems, 'problem')} only, so take every figure here as a "
            "first impression."
        )
    if errors := results.counts.errors:
        stands = "stands" if errors == 1 else "stand"
        lines.append(f"Warning: {counted(errors, 'scene or dialogue', 'scenes or dialogues')} failed and {stands} in no "
                     f"figure; {results.paths.get('errors', 'errors.jsonl')} says why.")  # fmt: skip
    failed = [gate for gate in results.gates if not gate.passed]
    return lines + [f"Gate failed: {gate.gate}, seen {number(gate.value)}." for gate in failed]


def _figures(results: StudentResults) -> Section:
    names = [name for name in NAMES if name in results.figures]
    rows = [results.figures[name] for name in names]
    groups = [
        [_column("Simulated", [row.program for row in rows])],
        [_column("Real", [row.real for row in rows], plain=True)],
        [_column("Copy", [row.copied for row in rows], plain=True)],
        [Column("n", [text(f"{row.n:,}") for row in rows])],
    ]
    parts: list[str | Grid | Pairs] = []
    if results.comparison:
        differences = [results.comparison.figures.get(name, Difference(n=0)).difference or Figure() for name in names]
        groups.insert(1, [difference_column("Difference", differences)])
    parts.append(Grid("Figure", [NAMES[name] for name in names], groups))
    parts.append(
        "Simulated: with its 95% interval, which draws whole problems. Real: the students of the data. Copy: a student who "
        "says again what it said before, its written solution at first. NLL in nats; n counts tokens there, else turns."
    )
    if results.comparison:
        parts.append(f"Difference: to {results.comparison.run}, on what both runs did.")
    return Section("figures", "Beside the real students", parts)


def _column(header: str, figures: Sequence[Figure | None], plain: bool = False) -> Column:
    shown = [MISSING if f is None else number(f.value) if plain else interval(f) for f in figures]
    return Column(header, [text(each) for each in shown])


def _slice(name: str, groups: Sequence[StudentGroup]) -> Section:
    shown = [group for group in groups if not group.few]
    columns = [
        [_column(NAMES[figure], [found.program if (found := g.figures.get(figure)) else None for g in shown])]
        for figure in IN_SLICES
        if any(figure in g.figures for g in shown)
    ]
    parts: list[str | Grid | Pairs] = []
    if shown:
        parts.append(Grid(name.replace("_", " ").capitalize(), [f"{g.value} ({g.turns:,})" for g in shown], columns))
    if less := [g.value for g in groups if g.few]:
        parts.append(f"Too few turns or problems to say anything about: {', '.join(less)}.")
    return Section(name, f"By {name.replace('_', ' ')} (turns)", parts)


def _origin(results: StudentResults) -> Section:
    counts, data = results.counts, results.data
    rows = [
        ("Done", f"{counted(counts.dialogues, 'dialogue')}, {counted(counts.turns, 'real turn')}, "
                 f"{counted(counts.scenes, 'scene')}, {counted(counts.errors, 'error')}"),
        *([("Withheld", ", ".join(f"{n:,} by {why}" for why, n in counts.withheld.items()))] if counts.withheld else []),
        ("Program", results.program),
        ("Model", results.model),
        ("Data", f"{data.file} ({data.sha256[:12]})"),
        *((f"Gate {g.gate}", f"{'passed' if g.passed else 'failed'}, seen {number(g.value)}") for g in results.gates),
        ("Seed", str(results.seed)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in results.versions.items()) or MISSING),
        ("Made", results.created),
        *((name.capitalize(), path) for name, path in results.paths.items()),
    ]  # fmt: skip
    return Section("origin", "Where the figures come from", [Pairs(rows)])
