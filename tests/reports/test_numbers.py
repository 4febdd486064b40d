import pytest

from utta.reports.numbers import counted, interval, number
from utta.reports.results import Figure


@pytest.mark.parametrize(
    ("value", "signed", "shown"),
    [
        (0.612, False, ".61"),
        (1.0, False, "1.00"),
        (0.999, False, "1.00"),
        (0.0, True, ".00"),
        (-0.04, False, "-.04"),
        (0.031, True, "+.03"),
        (-0.001, True, "-.00"),
        (12.5, True, "+12.50"),
        (None, False, "–"),
        (float("nan"), False, "–"),
    ],
)
def test_number(value, signed, shown):
    assert number(value, signed) == shown


@pytest.mark.parametrize(
    ("figure", "signed", "shown"),
    [
        ((0.61, 0.55, 0.66), False, ".61 [.55 .66]"),
        ((0.03, -0.01, 0.08), True, "+.03 [-.01 +.08]"),
        ((0.06, 0.002, 0.12), True, "+.06 [+.002 +.12]"),  # the bound reads as it is: above 0
        ((0.06, -0.002, 0.12), True, "+.06 [-.00 +.12]"),
        ((0.61, None, None), False, ".61 [–]"),
        ((None, None, None), False, "–"),
    ],
)
def test_interval(figure, signed, shown):
    value, low, high = figure
    assert interval(Figure(value=value, low=low, high=high), signed) == shown


def test_counted():
    assert [counted(n, "decision") for n in (0, 1, 1200)] == ["0 decisions", "1 decision", "1,200 decisions"]
    assert counted(2, "criterion", "criteria") == "2 criteria"
