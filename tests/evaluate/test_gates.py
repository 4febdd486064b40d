import pytest

from tests.evaluate.scripted import RUBRIC
from utta.core.errors import UttaError
from utta.evaluate.gates import judge_gates, parse_gate

RESULTS = {
    "criteria": {"clarity": {"metrics": {"macro_f1": {"value": 0.6}, "kappa": {"value": None}}}},
    "mean": {"metrics": {"macro_f1": {"value": 0.5}}},
}


@pytest.mark.parametrize(
    ("text", "passed", "value"),
    [
        ("macro_f1 >= 0.5", True, 0.5),
        ("macro_f1 > 0.5", False, 0.5),
        ("macro_f1<=.5", True, 0.5),
        ("  macro_f1 < 1  ", True, 0.5),
        ("clarity.macro_f1 > 0.55", True, 0.6),
        ("clarity.macro_f1 < -0.2", False, 0.6),
        ("clarity.kappa > -1", False, None),  # it could not be computed
        ("tone.kappa > -1", False, None),  # the data had no label of it
        ("spearman > -1", False, None),
    ],
)
def test_a_gate(text, passed, value):
    assert judge_gates([parse_gate(text, RUBRIC)], RESULTS) == [
        {"gate": text.strip(), "value": value, "passed": passed}
    ]


@pytest.mark.parametrize("text", ["macro_f1", "macro_f1 = 0.5", "macro_f1 >= half", "", "macro_f1 >= 0.5; kappa > 0"])
def test_what_is_no_gate(text):
    with pytest.raises(UttaError, match=r"is not a condition like 'macro_f1 >= 0\.5'"):
        parse_gate(text, RUBRIC)


def test_an_unknown_metric_is_known_before_anything_runs():
    with pytest.raises(UttaError, match=r"'f1 > 0' names no metric; choose one of macro_f1, accuracy, .*spearman\.$"):
        parse_gate("f1 > 0", RUBRIC)


@pytest.mark.parametrize("text", ["warmth.macro_f1 > 0", "tone.spearman > 0"])
def test_a_figure_that_the_run_will_not_have(text):
    with pytest.raises(UttaError, match=r"a figure that this run will not have; its criteria are clarity, tone, and"):
        parse_gate(text, RUBRIC)
