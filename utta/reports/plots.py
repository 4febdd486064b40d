"""Plots of a run in the terminal: agreement by criterion, the reliability curve and the learning curve.

    utta report RUN --plot

Drawn by plotext without colour: a series is told by its mark. Where the encoding has no box characters the frames are
of plain ASCII.
"""

from collections.abc import Sequence
from typing import Any

import plotext
from rich.console import Console
from rich.text import Text

from utta.reports.layout import heading
from utta.reports.results import Confidence, Figure, LearningCurve, Results
from utta.reports.terminal import opening
from utta.reports.text import safe

WIDEST = 100
HEIGHT = 20
NAMES_SHARE = 3  # at most a third of the width for the names of criteria
ASCII = str.maketrans("─│┌┐└┘├┤┬┴┼…", "-|+++++++++.")
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
JUDGE, TFIDF, FORECAST, INTERVAL, HONEST = "o", "x", "?", "-", "."
SERIES = ((JUDGE, "judge"), (TFIDF, "TF-IDF"))


def render_plots(results: Results, console: Console, folder: str) -> None:
    """The verdict, then each plot that the run has figures for; `folder` is the run's as the user typed it."""
    opening(results, console, folder)
    if results.counts.scored:
        _criteria(results, console)
    if results.confidence and results.confidence.bins:
        _reliability(results.confidence, console)
    if results.learning_curve and results.learning_curve.points:
        _learning_curve(results.learning_curve, console)


def _criteria(results: Results, console: Console) -> None:
    rows = [(name, result.metrics, result.baselines) for name, result in results.criteria.items()]
    rows.append(("Mean", results.mean.metrics, results.mean.baselines))
    figure = _start(console, 3 * len(rows) + 4)
    room = min(console.width, WIDEST) // NAMES_SHARE
    for place, (_, metrics, baselines) in enumerate(reversed(rows)):
        _across(figure, metrics.get("macro_f1"), place + 0.15, JUDGE)
        _across(figure, baselines.get("tfidf", {}).get("macro_f1"), place - 0.2, TFIDF)
    figure.ruler("x").lim(0, 1).ticks(list(TICKS), [f"{tick:.2f}" for tick in TICKS])
    names = [_fitting(name, room) for name, *_ in reversed(rows)]
    figure.ruler("y").lim(-0.5, len(rows) - 0.5).ticks(list(range(len(rows))), names)
    marks = SERIES if results.mean.baselines.get("tfidf") else SERIES[:1]
    title = "Agreement with the experts: macro-F1"
    _show(console, figure, title, [*marks, (INTERVAL * 3, "95% interval")])


def _across(figure: Any, value: Figure | None, place: float, mark: str) -> None:
    """A figure with its interval, along the x axis."""
    if value is None or not value.known:
        return
    if value.low is not None and value.high is not None:
        figure.draw(figure.segment((value.low, value.high), (place, place), marker=INTERVAL))
    figure.draw(figure.signal([value.value], [place], marker=mark))


def _reliability(confidence: Confidence, console: Console) -> None:
    known = [each for each in confidence.bins if each.confidence is not None and each.agreement is not None]
    figure = _start(console, HEIGHT)
    figure.draw(figure.segment((0, 1), (0, 1), marker=HONEST))
    figure.draw(figure.signal([b.confidence for b in known], [b.agreement for b in known], marker=JUDGE))
    figure.ruler("x").lim(0, 1).ticks(list(TICKS), [f"{tick:.2f}" for tick in TICKS])
    _upright(figure)
    figure.label("mean confidence", axis="x")
    _show(console, figure, "Agreement by confidence", [(JUDGE, "judge"), (HONEST * 3, "where confidence is honest")])


def _learning_curve(curve: LearningCurve, console: Console) -> None:
    figure = _start(console, HEIGHT)
    sides: dict[str, list[tuple[int, Figure | None]]] = {
        TFIDF: [(point.reviews, point.tfidf) for point in curve.points],
        JUDGE: [(point.reviews, point.judge) for point in curve.points],
    }
    ends = [point.reviews for point in curve.points]
    for mark, points in sides.items():
        for reviews, value in points:
            if value is not None and value.known:
                figure.draw(figure.signal([reviews], [value.value], marker=mark))
    marks = [each for each in SERIES if any(value is not None for _, value in sides[each[0]])]
    if len(marks) > 1:
        marks.append((JUDGE, "also where both meet"))
    if curve.forecast:
        figure.draw(figure.signal([curve.forecast.reviews], [curve.forecast.value], marker=FORECAST))
        ends.append(curve.forecast.reviews)
        marks.append((FORECAST, "forecast for TF-IDF"))
    places = [round(tick * max(ends)) for tick in TICKS]
    figure.ruler("x").lim(0, max(ends)).ticks(places, [f"{place:,}" for place in places])
    _upright(figure)
    figure.label("reviews", axis="x")
    _show(console, figure, "Macro-F1 by the number of reviews to train on", marks)


def _start(console: Console, height: int) -> Any:
    """An empty plot inside the console's width."""
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(min(console.width, WIDEST), height)
    return figure


def _upright(figure: Any) -> None:
    """A y axis from 0 to 1."""
    figure.ruler("y").lim(0, 1).ticks(list(TICKS), [f"{tick:.2f}" for tick in TICKS])


def _fitting(name: str, room: int) -> str:
    """`name` without characters that a terminal obeys, cut to `room` columns."""
    cut = Text(safe(name))
    cut.truncate(room, overflow="ellipsis")
    return cut.plain


def _show(console: Console, figure: Any, title: str, marks: Sequence[tuple[str, str]]) -> None:
    drawn = figure.build().string(colorless=True)
    if not console.encoding.startswith("utf"):
        drawn = drawn.translate(ASCII)
    heading(console, title)
    for line in drawn.splitlines():
        console.print(Text(line.rstrip()), no_wrap=True, crop=True)
    console.print(Text("   ".join(f"{mark} {words}" for mark, words in marks)))
