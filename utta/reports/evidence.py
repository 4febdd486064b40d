"""Where a judge's figures hold and where they do not: groups of responses, confidence, reviewers, edge cases, more data.

    sections = evidence(results, full=False)

Content only, like `utta.reports.agreement`. A part that the run does not hold (older runs hold none) is left out.
Without `full` a section is as short as it can honestly be, and says what is left out.
"""

from collections.abc import Sequence
from math import isclose
from typing import Any

from rich.text import Text

from utta.reports.agreement import difference_column
from utta.reports.layout import Column, Grid, Section
from utta.reports.numbers import MISSING, counted, interval, number
from utta.reports.results import (
    Confidence,
    Deferral,
    EdgeCases,
    Figure,
    Form,
    Group,
    LearningCurve,
    Results,
    Reviewers,
)
from utta.reports.text import text
from utta.reports.verdict import NAMED

ROWS = 12
NAMED_SHARE = 0.2
MORE = "more with --full"
SAYS = {"above": "excludes 0", "below": "lies wholly below 0", "unclear": "does not exclude 0"}


def evidence(results: Results, full: bool) -> list[Section]:
    """The sections that the run holds, in the order of the report."""
    sections = []
    if results.slices:
        sections.append(_slices(results.slices, full))
    if results.confidence:
        sections.append(_confidence(results.confidence, full))
    if results.reviewers:
        sections.append(_reviewers(results.reviewers, full))
    if results.edge_cases:
        sections.append(_edge_cases(results.edge_cases, full))
    if results.learning_curve:
        sections.append(_learning_curve(results.learning_curve))
    return sections


def _slices(slices: dict[str, list[Group]], full: bool) -> Section:
    groups = [(name.replace("_", " "), group) for name, found in slices.items() for group in found]
    tested = [(name, group) for name, group in groups if group.gap and group.gap.known]
    flagged = [f"{name} {group.value}" for name, group in tested if group.biased]
    lead = f"None of {counted(len(tested), 'group')} stands out: the interval of every gap holds 0."
    if flagged:
        named = ", ".join(flagged[:NAMED]) + (f" and {len(flagged) - NAMED} more" if len(flagged) > NAMED else "")
        lead = f"{len(flagged)} of {counted(len(tested), 'group')} {'stands' if len(flagged) == 1 else 'stand'} out: {named}."
    notes = [
        "Gap: how much more teaching effectiveness (0 to 1) the judge sees in a group than the experts do, beside the "
        "other groups of its slice; the 99% intervals hold for all groups at once, and above or below means that 0 is outside."
    ]
    if few := sum(group.few for _, group in groups):
        notes.append(f"{counted(few, 'group')} under 20 responses or 5 problems: too few for figures.")
    title = "Groups of responses: does the judge give some of them more than the experts do?"
    if full:
        grids = [
            _groups(name.replace("_", " ").capitalize(), [("", g) for g in found]) for name, found in slices.items()
        ]
        return Section("slices", title, [lead, *grids, *notes])
    order = sorted(tested, key=lambda each: (not each[1].biased, -_width(each[1])))
    shown = order[:ROWS]
    if len(shown) < len(groups):
        notes.append(f"{len(shown)} of {counted(len(groups), 'group')} shown, those with the widest gaps; {MORE}.")
    return Section("slices", title, [lead, *([_groups("Group", shown)] if shown else []), *notes])


def _width(group: Group) -> float:
    return abs(group.gap.value or 0) if group.gap else 0


def _groups(header: str, rows: Sequence[tuple[str, Group]]) -> Grid:
    names = [f"{slice_}: {group.value}" if slice_ else group.value for slice_, group in rows]
    groups = [group for _, group in rows]
    gaps = difference_column("Gap", [group.gap or Figure() for group in groups])
    columns = [
        Column("n", [text(f"{group.n:,}", _dim(group)) for group in groups]),
        Column("Problems", [text(f"{group.problems:,}", _dim(group)) for group in groups]),
        Column("Agreement", [text("few" if group.few else _figure(group.agreement), _dim(group)) for group in groups]),
    ]
    return Grid(header, names, [[*columns, gaps]])


def _dim(group: Group) -> str:
    return "dim" if group.few else ""


def _confidence(confidence: Confidence, full: bool) -> Section:
    named = [row for row in confidence.deferral if isclose(row.share, NAMED_SHARE)]
    parts: list[str | Grid] = [_deferral_sentence(row) for row in named]
    if full and confidence.deferral:
        rows = confidence.deferral
        kept = Column("Decisions left", [text(f"{row.kept:,}") for row in rows])
        agreement = Column("Agreement on them", [text(interval(row.agreement)) for row in rows])
        gain = difference_column("Gain over all", [row.gain for row in rows])
        parts.append(Grid("Given to a person", [f"{row.share:.0%}" for row in rows], [[kept, agreement, gain]]))
    if full and confidence.bins:
        bins = confidence.bins
        columns = [
            Column("n", [text(f"{each.n:,}") for each in bins]),
            Column("Mean confidence", [text(number(each.confidence)) for each in bins]),
            Column("Agreement", [text(number(each.agreement)) for each in bins]),
        ]
        names = [f"{number(each.low)} to {number(each.high)}" for each in bins]
        parts.append(Grid("Confidence", names, [columns]))
        parts.append("Confidence is honest where agreement equals it.")
    elif not full:
        parts.append(f"Confidence against agreement, and other shares: {MORE}.")
    return Section("confidence", "What the judge's confidence is worth", parts)


def _deferral_sentence(row: Deferral) -> str:
    return (
        f"With the least confident {row.share:.0%} of the decisions given to a person, the judge is on the experts' level in "
        f"{interval(row.agreement)} of the {row.kept:,} others; the gain over all, {interval(row.gain, signed=True)}, "
        f"{SAYS[row.gain.side]}."
    )


def _reviewers(reviewers: Reviewers, full: bool) -> Section:
    rows = reviewers.criteria
    columns = [
        Column("Judged twice", [text(f"{row.judged_twice:,}") for row in rows.values()]),
        Column("Alpha", [text(number(row.alpha)) for row in rows.values()]),
        Column("With the judge", [_range([each.judge for each in row.each]) for row in rows.values()]),
        Column("With each other", [_range([each.others for each in row.each]) for row in rows.values()]),
    ]
    parts: list[str | Grid] = [
        f"{counted(reviewers.n, 'reviewer')}; {counted(reviewers.responses, 'response')} judged by two of them or more.",
        Grid("Criterion", list(rows), [columns]),
        "Judged twice: responses with a level of two reviewers or more. Alpha (Krippendorff): agreement between reviewers, "
        "1 is full and 0 is chance. The last two columns: the lowest and highest share of equal levels of a reviewer"
        + ("." if full else f"; each reviewer, with intervals: {MORE}."),
    ]
    for name, row in rows.items():
        if full and row.each:
            each = [
                Column("n", [text(f"{one.n:,}") for one in row.each]),
                Column("With the judge", [text(interval(one.judge)) for one in row.each]),
                Column("With other reviewers", [text(_figure(one.others)) for one in row.each]),
            ]
            parts.append(Grid(f"{name}: reviewer", [one.reviewer for one in row.each], [each]))
    return Section("reviewers", "The reviewers, the judge and each other", parts)


def _range(figures: Sequence[Figure | None]) -> Text:
    values = [figure.value for figure in figures if figure and figure.value is not None]
    return text(f"{number(min(values))} to {number(max(values))}" if values else MISSING)


def _edge_cases(cases: EdgeCases, full: bool) -> Section:
    forms = sorted(cases.forms, key=lambda form: -(form.fooled.value or 0))
    made = (
        f"Each form was put in the place of {counted(cases.replies, 'reply', 'replies')}, or added to it, and judged."
    )
    parts: list[str | Grid] = [made]
    if cases.fooled_instructions:
        parts.append(f"Instructions to the judge fooled it in {interval(cases.fooled_instructions)} of the replies.")
    for group, header in (("edge", "Reply that deserves no good level"), ("instruction", "Instruction to the judge")):
        found = [form for form in forms if form.group == group]
        if shown := found if full else found[: ROWS // 2]:
            parts.append(_forms(header, shown))
        if len(shown) < len(found):
            parts.append(f"{len(shown)} of {len(found)} forms shown, those that fooled it most; {MORE}.")
    parts.append(
        "Fooled: the share judged at half the effectiveness or more although it deserves none; for an instruction, the "
        "share whose level rose on any criterion against the same reply without it."
    )
    parts += _swapped_and_cost(cases)
    if full:
        parts += [_levels(form) for form in forms if form.levels]
    return Section("edge_cases", "Edge cases: can the judge be fooled?", parts)


def _forms(header: str, forms: Sequence[Form]) -> Grid:
    n = Column("n", [text(f"{form.n:,}") for form in forms])
    fooled = Column("Fooled", [text(interval(form.fooled)) for form in forms])
    return Grid(header, [form.form for form in forms], [[n, fooled]])


def _swapped_and_cost(cases: EdgeCases) -> list[str]:
    lines = []
    if swapped := cases.swapped:
        lines.append(
            f"Asked again in the reverse order, the judge gave the same level in {interval(swapped.same_level)} of "
            f"{counted(swapped.n, 'decision')}; the level's probability moved by {number(swapped.mean_difference)} on average."
        )
    if cases.cost:
        told = ", ".join(f"{name.replace('_', ' ')} {_cost(value)}" for name, value in cases.cost.items())
        lines.append(f"Cost: {told}.")
    return lines


def _cost(value: Any) -> str:
    if isinstance(value, dict) and "value" in value:
        return interval(Figure.model_validate(value))
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _levels(form: Form) -> Grid:
    """How often each level was given, by criterion."""
    cells = [text(" · ".join(f"{label} {n:,}" for label, n in levels.items())) for levels in form.levels.values()]
    return Grid(f"Given to: {form.form}", list(form.levels), [[Column("Levels", cells, justify="left")]])


def _learning_curve(curve: LearningCurve) -> Section:
    points = curve.points
    columns = [
        Column("Problems", [text(f"{point.problems:,}") for point in points]),
        Column("TF-IDF", [text(interval(point.tfidf)) for point in points]),
    ]
    if any(point.judge for point in points):
        columns.append(Column("Judge", [text(_figure(point.judge)) for point in points]))
    parts: list[str | Grid] = [Grid("Reviews", [f"{point.reviews:,}" for point in points], [columns])]
    if curve.forecast:
        reached = f"{number(curve.forecast.value)} with {counted(curve.forecast.reviews, 'review')}"
        parts.append(f"Forecast for TF-IDF, if its curve goes on as it did: {reached}.")
    if curve.note:
        parts.append(curve.note)
    return Section("learning_curve", "More reviews: macro-F1 by the number to train on", parts)


def _figure(figure: Figure | None) -> str:
    return interval(figure or Figure())
