"""Gates: conditions on a run's figures that make a script stop, such as `macro_f1 >= 0.5` or `accuracy.kappa > 0.2`.

The left side is a metric of the mean over criteria, or CRITERION.METRIC.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.agreement import METRICS, ORDINAL_METRICS
from signatures.rubric import Rubric
from utta.core.errors import UttaError

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Gate:
    text: str
    criterion: str | None
    metric: str
    compare: str
    bound: float


def parse_gate(text: str, rubric: Rubric) -> Gate:
    """A gate from its text; `UttaError` when it is none, or names a figure that no run on the rubric has."""
    gate = _parsed(text, (*METRICS, *ORDINAL_METRICS), "'macro_f1 >= 0.5' or 'accuracy.kappa > 0.2'")
    criterion, metric = gate.criterion, gate.metric
    of = {c.id: (*METRICS, *(ORDINAL_METRICS if c.scale == "ordinal" else ())) for c in rubric.criteria}
    if criterion and metric not in of.get(criterion, ()):
        raise UttaError(
            f"The gate {text!r} names a figure that this run will not have; its criteria are {', '.join(of)}, and "
            "correlations are for ordinal ones."
        )
    return gate


def parse_figure_gate(text: str, known: Sequence[str]) -> Gate:
    """A gate on one of the known figures of a run that has no criteria; `UttaError` when it is none."""
    gate = _parsed(text, known, f"'{known[0]} <= 0.5'")
    if gate.criterion:
        raise UttaError(f"The gate {text!r} names a criterion, and this run has none; leave {gate.criterion!r} out.")
    return gate


def _parsed(text: str, known: Sequence[str], like: str) -> Gate:
    found = re.fullmatch(r"\s*(?:(\w+)\.)?(\w+)\s*(>=|<=|>|<)\s*(-?\d*\.?\d+)\s*", text)
    if not found:
        raise UttaError(f"The gate {text!r} is not a condition like {like}.")
    criterion, metric, compare, bound = found.groups()
    if metric not in known:
        raise UttaError(f"The gate {text!r} names no metric; choose one of {', '.join(known)}.")
    return Gate(text.strip(), criterion, metric, compare, float(bound))


def judge_gates(gates: Sequence[Gate], results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each gate with the value it met and whether it passed; a figure that could not be computed does not pass."""
    judged = []
    for gate in gates:
        where = results["criteria"].get(gate.criterion, {}) if gate.criterion else results["mean"]
        value = where.get("metrics", {}).get(gate.metric, {}).get("value")
        passed = value is not None and COMPARE[gate.compare](value, gate.bound)
        judged.append({"gate": gate.text, "value": value, "passed": passed})
    return judged
