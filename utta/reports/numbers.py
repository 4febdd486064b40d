"""Figures as short text: `.61 [.55 .66]`, `+.03 [-.01 +.08]`, `1,200 decisions`.

All functions are pure. A figure that could not be computed reads `–`.
"""

from math import isfinite

from utta.reports.results import Figure

MISSING = "–"


def number(value: float | None, signed: bool = False) -> str:
    """`value` with two decimals and no leading zero, as `.61` or `1.00`; `signed` also writes the plus, as `+.03`."""
    return _written(value, signed, places=2)


def _written(value: float | None, signed: bool, places: int) -> str:
    if value is None or not isfinite(value):
        return MISSING
    text = f"{value:.{places}f}".removeprefix("-")
    sign = "-" if value < 0 else "+" if signed and value > 0 else ""
    return sign + text.removeprefix("0")


def interval(figure: Figure, signed: bool = False) -> str:
    """A figure with its 95% interval, as `.61 [.55 .66]`.

    A bound of a `signed` figure gets a third decimal where two would round it to 0 and the interval excludes 0: else
    it would not read so.
    """
    if not figure.known:
        return MISSING
    if figure.low is None or figure.high is None:
        return f"{number(figure.value, signed)} [{MISSING}]"
    low, high = (
        _written(bound, signed, 3 if signed and figure.side != "unclear" and abs(bound) < 0.005 else 2)
        for bound in (figure.low, figure.high)
    )
    return f"{number(figure.value, signed)} [{low} {high}]"


def counted(n: int, noun: str, plural: str = "") -> str:
    """`1 decision`, `1,200 decisions`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
