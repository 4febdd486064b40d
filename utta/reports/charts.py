"""Charts as shapes with places: what the page's template writes down as SVG.

Places across are percent of the width and places down are pixels, so that a chart fills a phone or a sheet of paper
and its words keep their size. A series is told by the shape of its mark; colour only repeats it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from utta.core.errors import shorten
from utta.reports.numbers import interval, number
from utta.reports.results import Confidence, CriterionResult, Figure, Group, LearningCurve, MeanResult, Results

SERIES = {"judge": "Judge", "tfidf": "TF-IDF", "commonest": "Commonest level"}
LEFT, RIGHT = 3.0, 97.0
AXIS_LEFT = 11.0
LANE, LABEL, BETWEEN, FOOT = 15, 20, 8, 36
NAME_LENGTH = 44
PLOT_HEIGHT, PLOT_TOP = 300, 12
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float
    kind: str


@dataclass(frozen=True)
class Mark:
    series: str
    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Words:
    x: float
    y: float
    anchor: str
    words: str


@dataclass
class Chart:
    """One chart. `title` says what it shows, in a sentence that stands alone for who cannot see it."""

    title: str
    height: int
    series: Mapping[str, str]
    lines: list[Line] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)


def criteria_chart(results: Results) -> Chart:
    """Macro-F1 by criterion and of the mean, beside the baselines."""
    keys = {"judge": "Judge", **{key: SERIES[key] for key in SERIES if key in results.mean.baselines}}
    judged: dict[str, CriterionResult | MeanResult] = {**results.criteria, "Mean": results.mean}
    rows = []
    for name, result in judged.items():
        figures = {"judge": result.metrics, **result.baselines}
        rows.append((name, {key: figures.get(key, {}).get("macro_f1", Figure()) for key in keys}))
    return interval_chart("Macro-F1 by criterion, with 95% intervals", rows, keys)


def group_charts(name: str, groups: Sequence[Group]) -> list[Chart]:
    """The agreement of a slice's groups, and the gaps; groups without a figure are left out."""
    judge = {"judge": "Judge"}
    agreement = [(g.value, {"judge": g.agreement}) for g in groups if g.agreement and g.agreement.known]
    gaps = [(g.value, {"judge": g.gap}) for g in groups if g.gap and g.gap.known]
    reach = max((abs(bound or 0) for _, row in gaps for bound in (row["judge"].low, row["judge"].high)), default=0)
    charts = []
    if agreement:
        charts.append(interval_chart(f"Agreement by {name}, with 95% intervals", agreement, judge))
    if gaps and reach:
        title = f"Gap by {name}: above 0 the judge gives more than the experts"
        charts.append(interval_chart(title, gaps, {"judge": "Judge minus experts"}, -reach, reach))
    return charts


def interval_chart(
    title: str,
    rows: Sequence[tuple[str, Mapping[str, Figure]]],
    series: Mapping[str, str],
    low: float = 0,
    high: float = 1,
) -> Chart:
    """A mark with its interval for each series, in a lane of its own under the row's name; from `low` to `high`."""
    block = LABEL + LANE * len(series) + BETWEEN
    foot = block * len(rows) + BETWEEN
    chart = Chart(title, foot + FOOT, series)
    signed = low < 0

    def across(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (min(max(value, low), high) - low) / (high - low)

    for tick in TICKS:
        value = low + tick * (high - low)
        middle = signed and tick == 0.5
        chart.lines.append(Line(across(value), 0, across(value), foot, "zero" if middle else "grid"))
        anchor = {0.0: "start", 1.0: "end"}.get(tick, "middle")
        chart.words.append(Words(across(value), foot + 18, anchor, "0" if middle else number(value, signed)))
    for place, (name, figures) in enumerate(rows):
        chart.words.append(Words(LEFT, place * block + LABEL - 4, "start", shorten(name, NAME_LENGTH)))
        for lane, key in enumerate(series):
            y = place * block + LABEL + lane * LANE + LANE // 2
            _interval(chart, key, figures[key], across, y, f"{name}, {series[key]}: {interval(figures[key], signed)}")
    return chart


def _interval(chart: Chart, key: str, figure: Figure, across: Callable[[float], float], y: float, words: str) -> None:
    if figure.value is None or not figure.known:
        return
    if figure.low is not None and figure.high is not None:
        chart.lines.append(Line(across(figure.low), y, across(figure.high), y, key))
    chart.marks.append(Mark(key, across(figure.value), y, words))


@dataclass(frozen=True)
class Axes:
    """Where a pair of figures stands in a plot whose x runs to `right` and whose y runs from 0 to 1."""

    right: float

    def x(self, value: float) -> float:
        return AXIS_LEFT + (RIGHT - AXIS_LEFT) * value / self.right

    def y(self, value: float) -> float:
        return PLOT_TOP + (PLOT_HEIGHT - PLOT_TOP - FOOT - LABEL) * (1 - value)


def reliability_chart(confidence: Confidence) -> Chart | None:
    """Agreement against confidence, with the line of an honest judge; None without decisions."""
    known = [
        (b, b.confidence, b.agreement) for b in confidence.bins if b.confidence is not None and b.agreement is not None
    ]
    if not known:
        return None
    axes = Axes(right=1)
    title = "Agreement by confidence; on the dotted line confidence is honest"
    chart = _plot(title, {"judge": "Judge"}, axes, [(tick, number(tick)) for tick in TICKS], "mean confidence")
    chart.lines.append(Line(axes.x(0), axes.y(0), axes.x(1), axes.y(1), "honest"))
    points = []
    for each, sure, right in known:
        words = f"confidence {number(sure)}, agreement {number(right)}, n = {each.n:,}"
        points.append(Mark("judge", axes.x(sure), axes.y(right), words))
    _joined(chart, points)
    return chart


def learning_chart(curve: LearningCurve) -> Chart | None:
    """Macro-F1 against the reviews trained on, with the forecast as a mark of its own; None without points."""
    ends = [point.reviews for point in curve.points] + ([curve.forecast.reviews] if curve.forecast else [])
    if not ends or max(ends) <= 0:
        return None
    axes = Axes(right=max(ends))
    sides: dict[str, list[tuple[int, Figure | None]]] = {
        "judge": [(point.reviews, point.judge) for point in curve.points],
        "tfidf": [(point.reviews, point.tfidf) for point in curve.points],
    }
    series = {key: SERIES[key] for key, points in sides.items() if any(figure for _, figure in points)}
    if curve.forecast:
        series["forecast"] = "Forecast for TF-IDF"
    ticks = [(tick * max(ends), f"{round(tick * max(ends)):,}") for tick in TICKS]
    chart = _plot("Macro-F1 by the number of reviews trained on, with 95% intervals", series, axes, ticks, "reviews")
    for key, points in sides.items():
        _curve(chart, axes, key, points)
    if curve.forecast:
        reviews, value = curve.forecast.reviews, curve.forecast.value
        words = f"Forecast for TF-IDF, {reviews:,} reviews: {number(value)}"
        chart.marks.append(Mark("forecast", axes.x(reviews), axes.y(value), words))
    return chart


def _curve(chart: Chart, axes: Axes, key: str, points: Sequence[tuple[int, Figure | None]]) -> None:
    """One series of figures by the number of reviews, each with its interval."""
    marks = []
    for reviews, figure in points:
        if figure is None or figure.value is None:
            continue
        x = axes.x(reviews)
        if figure.low is not None and figure.high is not None:
            chart.lines.append(Line(x, axes.y(figure.low), x, axes.y(figure.high), key))
        marks.append(Mark(key, x, axes.y(figure.value), f"{SERIES[key]}, {reviews:,} reviews: {interval(figure)}"))
    _joined(chart, marks)


def _plot(title: str, series: Mapping[str, str], axes: Axes, ticks: Sequence[tuple[float, str]], below: str) -> Chart:
    """An empty plot with its grid, and what runs along its foot."""
    chart = Chart(title, PLOT_HEIGHT, series)
    for tick in TICKS:
        chart.lines.append(Line(AXIS_LEFT, axes.y(tick), RIGHT, axes.y(tick), "grid"))
        chart.words.append(Words(AXIS_LEFT - 1.5, axes.y(tick) + 4, "end", number(tick)))
    for value, words in ticks:
        chart.lines.append(Line(axes.x(value), axes.y(0), axes.x(value), axes.y(1), "grid"))
        anchor = "end" if value == axes.right else "middle"
        chart.words.append(Words(axes.x(value), axes.y(0) + 18, anchor, words))
    chart.words.append(Words(AXIS_LEFT, axes.y(0) + 40, "start", f"{below} →"))
    return chart


def _joined(chart: Chart, marks: Sequence[Mark]) -> None:
    """Marks with a line from each to the next."""
    for one, other in pairwise(marks):
        chart.lines.append(Line(one.x, one.y, other.x, other.y, f"{one.series} joined"))
    chart.marks.extend(marks)
