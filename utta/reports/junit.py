"""A run's gates and figures as JUnit XML, which CI systems show beside the tests of the code.

    utta report RUN --junit report.xml

One suite: a case for each gate, which fails where the gate did; a case for the decisions, an error where some could not
be judged; and a case for each criterion, which holds its figures and always passes. It sets no gate: `utta evaluate
--gate` does.
"""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from utta.reports.numbers import counted, interval, number
from utta.reports.results import CriterionResult, Gate, Results
from utta.reports.text import safe
from utta.reports.verdict import verdict


def junit(results: Results, run: str) -> str:
    """The XML text, for the run folder as the user typed it."""
    root = Element("testsuites")
    suite = SubElement(root, "testsuite", name=safe(f"utta {run}"))
    for gate in results.gates:
        _gate(suite, gate)
    _decisions(suite, results)
    for name, result in results.criteria.items():
        _criterion(suite, name, result)
    SubElement(suite, "system-out").text = safe(verdict(results))
    totals = {
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": "0",
        "time": f"{results.seconds or 0:.3f}",
    }
    root.attrib.update(totals)
    suite.attrib.update(totals)
    if results.created:
        suite.set("timestamp", safe(results.created).removesuffix("Z"))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, group: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=f"utta.{group}", name=safe(name), time="0")


def _gate(suite: Element, gate: Gate) -> None:
    case = _case(suite, "gates", gate.gate)
    if not gate.passed:
        seen = f"The gate {gate.gate!r} failed: the value is {number(gate.value)}."
        SubElement(case, "failure", type="gate", message=safe(seen)).text = safe(seen)


def _decisions(suite: Element, results: Results) -> None:
    counts = results.counts
    case = _case(suite, "decisions", "every decision was judged")
    if counts.errors:
        log = results.paths.get("errors")
        seen = f"{counted(counts.errors, 'decision')} of {counts.decisions:,} failed" + (
            f"; see {log}." if log else "."
        )
        SubElement(case, "error", type="decisions", message=safe(seen)).text = safe(seen)


def _criterion(suite: Element, name: str, result: CriterionResult) -> None:
    """The figures twice: as properties for a script, and as text that every CI system shows."""
    case = _case(suite, "criteria", name)
    known = {metric: figure for metric, figure in result.metrics.items() if figure.known}
    properties = SubElement(case, "properties")
    for metric, figure in known.items():
        SubElement(properties, "property", name=safe(metric), value=f"{figure.value:.6f}")
    lines = [f"{safe(metric)} {interval(figure)}" for metric, figure in known.items()]
    SubElement(case, "system-out").text = "\n".join([f"n {result.n:,}", *lines])
