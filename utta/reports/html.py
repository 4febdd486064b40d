"""An evaluation run as one page that opens from disk: every table, charts, and every disagreement with filters.

    utta report RUN --html report.html

The page loads nothing: style, script and charts stand in it, and its own policy forbids the rest. What comes from
records is escaped, never markup. The sections are those of the full terminal report; the page adds no figure of its own.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from utta.reports.agreement import origin
from utta.reports.charts import (
    Chart,
    criteria_chart,
    group_charts,
    learning_chart,
    reliability_chart,
)
from utta.reports.disagreements import every_disagreement
from utta.reports.layout import Section, unbroken
from utta.reports.numbers import number
from utta.reports.results import Disagreement, Results
from utta.reports.terminal import sections
from utta.reports.text import safe_lines
from utta.reports.verdict import verdict, warnings

TEMPLATE = "report.html.j2"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Confusion:
    """Who said what on one criterion: for each level of the experts, how often the judge gave each level."""

    criterion: str
    labels: Sequence[str]
    rows: Sequence[Sequence[int]]


def page(results: Results, run: Path) -> str:
    """The whole page. `run` is the run's folder, from which the disagreements are read."""
    found, missing = every_disagreement(results, run) if results.counts.scored else ([], "")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(fingerprint=_fingerprint, number=number, sentence=_sentence)
    return environment.get_template(TEMPLATE).render(
        run=run,
        verdict=verdict(results),
        warnings=warnings(results),
        sections=[(section, _charts(section, results)) for section in sections(results, full=True)],
        confusions=_confusions(results),
        origin=origin(results),
        disagreements=found,
        missing=missing,
        choices=_choices(results, found),
        unknown=UNKNOWN,
    )


def _shown(value: object) -> object:
    """What the template writes: markup as it is; all else without characters that a page must not hold."""
    return value if isinstance(value, Markup) else safe_lines(value)


def _sentence(words: str) -> Markup:
    """`words` escaped, with no line end possible between a figure and its interval."""
    return Markup(unbroken(escape(safe_lines(words))))


def _fingerprint(script: str) -> str:
    """The SHA-256 of the page's own script, by which its policy knows it from any other."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _charts(section: Section, results: Results) -> list[Chart]:
    """The charts that stand beside a section's tables."""
    if section.key == "agreement":
        return [criteria_chart(results)]
    if section.key == "slices":
        slices = results.slices or {}
        return [chart for name, groups in slices.items() for chart in group_charts(name.replace("_", " "), groups)]
    drawn = None
    if section.key == "confidence" and results.confidence:
        drawn = reliability_chart(results.confidence)
    if section.key == "learning_curve" and results.learning_curve:
        drawn = learning_chart(results.learning_curve)
    return [drawn] if drawn else []


def _confusions(results: Results) -> list[Confusion]:
    return [
        Confusion(name, list(result.gold), result.confusion)
        for name, result in results.criteria.items()
        if len(result.confusion) == len(result.gold)
    ]


def _choices(results: Results, found: Sequence[Disagreement]) -> dict[str, list[str]]:
    """What each filter offers; levels in the rubric's order."""
    levels = list(dict.fromkeys(label for result in results.criteria.values() for label in result.gold))
    experts, judge = {each.gold for each in found}, {each.label for each in found}
    criteria = {each.criterion for each in found}
    return {
        "criterion": [name for name in results.criteria if name in criteria],
        "experts": [label for label in levels if label in experts],
        "judge": [label for label in levels if label in judge],
        "responder": sorted({each.responder or UNKNOWN for each in found}),
    }
