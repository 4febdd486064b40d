"""An evaluation run of a tutor for people: how its replies are judged beside other people's, and whether it can be pressed.

    utta report RUN

It computes no figure: all of them come from the run's `results.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from rich.console import Console

from utta.core.errors import UttaError, shorten
from utta.reports.agreement import difference_column
from utta.reports.layout import Column, Grid, Pairs, Section, draw_section, note, notes
from utta.reports.numbers import MISSING, counted, interval, number
from utta.reports.results import Figure, Gate
from utta.reports.text import text
from utta.reports.verdict import FEW_PROBLEMS, unseen

NAMES = {
    "handed_over": "Replies that state the answer",
    "gave_in": "Students who got it in the end",
    "takes_up": "Replies that name something of the exercise",
}
TACTICS = 6


class Responder(BaseModel):
    """How the replies of one responder are judged; `difference` is the tutor's less theirs, on the `both` conversations that
    both answered."""

    responder: str
    n: int
    both: int = 0
    effectiveness: Figure
    difference: Figure | None = None


class TutorGroup(BaseModel):
    """A group of `n` conversations; nothing is said of one with `few`."""

    value: str
    n: int
    problems: int
    few: bool
    judged: list[Responder] = []


class Tactic(BaseModel):
    tactic: str
    n: int
    handed_over: float


class Pressed(BaseModel):
    students: int
    n: int
    handed_over: Figure
    gave_in: Figure
    takes_up: Figure
    tactics: list[Tactic] = []


class TutorComparison(BaseModel):
    run: str
    figures: dict[str, Figure | None]


class TutorData(BaseModel):
    file: str
    sha256: str
    conversations: int
    problems: int


class TutorCounts(BaseModel):
    replies: int
    errors: int
    rejects: int = 0
    withheld: dict[str, int] = {}
    left_out: dict[str, int] = {}


class TutorResults(BaseModel):
    """What of `results.json` is shown."""

    program: str
    model: str
    judge: dict[str, str]
    data: TutorData
    unseen_files: list[str] = []
    counts: TutorCounts
    judged: list[Responder]
    slices: dict[str, list[TutorGroup]] = {}
    pressed: Pressed
    comparison: TutorComparison | None = None
    gates: list[Gate] = []
    seed: int
    created: str
    versions: dict[str, str] = {}
    paths: dict[str, str] = {}


def check_tutor(results: Any, where: str = "The results") -> TutorResults:
    """`results` checked; `UttaError` naming the first key that is missing or wrong."""
    try:
        return TutorResults.model_validate(results)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the top"
        raise UttaError(
            f"{where} cannot be shown: at {key} the report needs something else than "
            f"{shorten(repr(first['input']), 40)} ({first['msg']}), so make the run anew with `utta evaluate`."
        ) from None


def render_tutor(results: Mapping[str, Any], console: Console, run: Path) -> None:
    """Draw the report of the content of a tutor's `results.json`."""
    checked = check_tutor(results)
    console.print(text(f"utta report {run}", style="bold"))
    console.print()
    note(console, verdict(checked))
    notes(console, warnings(checked), style="bold yellow")
    slices = [_slice(name, groups) for name, groups in checked.slices.items()]
    for section in (_judged(checked), *slices, _pressed(checked), _origin(checked)):
        draw_section(console, section)


def verdict(results: TutorResults) -> str:
    """How the tutor is judged and whether it holds out, in one sentence; no more than the figures say."""
    tutor, *others = results.judged
    beside = "; ".join(
        f"{each.difference.side.replace('unclear', 'not clearly apart from')} {each.responder} "
        f"({number(each.effectiveness.value)})"
        for each in others
        if each.difference
    )
    pressed = results.pressed
    return (
        f"On {counted(results.data.conversations, 'conversation')} about {counted(results.data.problems, 'problem')} the judge "
        f"gives the tutor's replies an effectiveness of {interval(tutor.effectiveness)}"
        + (f", {beside}" if beside else "")
        + f"; pressed by {counted(pressed.students, 'student')}, it states the answer in {interval(pressed.handed_over)} of "
        f"{counted(pressed.n, 'reply', 'replies')}."
    )


def warnings(results: TutorResults) -> list[str]:
    """What a reader must know before believing the figures."""
    lines = unseen(results.unseen_files)
    if results.data.problems < FEW_PROBLEMS:
        lines.append(
            f"Warning: the data is about {counted(results.data.problems, 'problem')} only, so take every figure here as a "
            "first impression."
        )
    if errors := results.counts.errors:
        lines.append(
            f"Warning: {counted(errors, 'answer')} failed and count in no figure; "
            f"{results.paths.get('errors', 'errors.jsonl')} says why."
        )
    failed = [gate for gate in results.gates if not gate.passed]
    return lines + [f"Gate failed: {gate.gate}, seen {number(gate.value)}." for gate in failed]


def _judged(results: TutorResults) -> Section:
    rows = results.judged
    groups = [
        [_column("Effectiveness", [row.effectiveness for row in rows])],
        [difference_column("Tutor minus", [row.difference or Figure() for row in rows])],
        [Column("n", [text(f"{row.n:,}") for row in rows])],
        [Column("both", [text(f"{row.both:,}" if row.difference else MISSING) for row in rows])],
    ]
    parts: list[str | Grid | Pairs] = [
        Grid("Who answered", [row.responder for row in rows], groups),
        "Effectiveness in [0, 1] as the judge sees it, which is not told who wrote a reply; 95% intervals draw whole problems. "
        "The difference is on the conversations that both answered.",
    ]
    return Section(
        "judged", "Beside the people who answered the same students", [*parts, *_beside(results, ("effectiveness",))]
    )


def _slice(name: str, groups: Sequence[TutorGroup]) -> Section:
    shown = [group for group in groups if not group.few]
    responders = list(dict.fromkeys(each.responder for group in shown for each in group.judged))
    columns = []
    for responder in responders:
        theirs = [{each.responder: each.effectiveness for each in group.judged} for group in shown]
        columns.append([_column(responder.capitalize(), [found.get(responder) or Figure() for found in theirs])])
    parts: list[str | Grid | Pairs] = []
    if shown:
        parts.append(Grid(name.replace("_", " ").capitalize(), [f"{g.value} ({g.n:,})" for g in shown], columns))
    if less := [group.value for group in groups if group.few]:
        parts.append(f"Too few conversations or problems to say anything about: {', '.join(less)}.")
    return Section(name, f"Effectiveness by {name.replace('_', ' ')} (conversations)", parts)


def _pressed(results: TutorResults) -> Section:
    pressed = results.pressed
    figures = [pressed.handed_over, pressed.gave_in, pressed.takes_up]
    counts = [pressed.n, pressed.students, pressed.n]
    parts: list[str | Grid | Pairs] = [
        Grid("Share", list(NAMES.values()), [[_column("", figures)], [Column("n", [text(f"{n:,}") for n in counts])]]),
        "An answer counts as stated where one of its written forms stands in the reply.",
    ]
    if through := [t for t in pressed.tactics if t.handed_over][:TACTICS]:
        told = "; ".join(f"{t.tactic} {number(t.handed_over)} of {t.n}" for t in through)
        parts.append(f"What it gave in to: {told}.")
    return Section("pressed", "Pressed for the answer", [*parts, *_beside(results, tuple(NAMES))])


def _beside(results: TutorResults, names: Sequence[str]) -> list[str]:
    """The differences to the other run, a sentence each."""
    if not results.comparison:
        return []
    found = {name: results.comparison.figures.get(name) for name in names}
    said = ", ".join(f"{NAMES.get(name, name).lower()} {interval(f, signed=True)}" for name, f in found.items() if f)
    return [f"Difference to {results.comparison.run}, on what both answered: {said or MISSING}."]


def _column(header: str, figures: Sequence[Figure]) -> Column:
    return Column(header, [text(interval(figure)) for figure in figures])


def _origin(results: TutorResults) -> Section:
    counts, data = results.counts, results.data
    rows = [
        ("Done", f"{counted(counts.replies, 'reply', 'replies')}, {counted(results.pressed.n, 'reply', 'replies')} under "
                 f"pressure, {counted(counts.errors, 'error')}"),
        *([("Withheld", ", ".join(f"{n:,} by {why}" for why, n in counts.withheld.items()))] if counts.withheld else []),
        *([("Left out", "conversations about problems that were learned from: "
                        + ", ".join(f"{n:,} by the {who}" for who, n in counts.left_out.items()))] if counts.left_out else []),
        ("Program", results.program),
        ("Model", results.model),
        ("Judge", f"{results.judge['program']} ({results.judge['model']})"),
        ("Data", f"{data.file} ({data.sha256[:12]})"),
        *((f"Gate {g.gate}", f"{'passed' if g.passed else 'failed'}, seen {number(g.value)}") for g in results.gates),
        ("Seed", str(results.seed)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in results.versions.items()) or MISSING),
        ("Made", results.created),
        *((name.capitalize(), path) for name, path in results.paths.items()),
    ]  # fmt: skip
    return Section("origin", "Where the figures come from", [Pairs(rows)])
