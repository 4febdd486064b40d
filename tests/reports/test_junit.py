import unicodedata
from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utta.reports.junit import junit
from utta.reports.results import check_results


def suite_of(results):
    root = ElementTree.fromstring(junit(check_results(results), "runs/judge-test"))
    assert root.tag == "testsuites" and [child.tag for child in root] == ["testsuite"]
    return root[0]


def test_what_ci_systems_read(results):
    suite = suite_of(results)
    assert suite.get("name") == "utta runs/judge-test"
    assert suite.get("timestamp") == "2026-03-14T09:26:53"
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "7", "failures": "1", "errors": "1", "skipped": "0", "time": "61.240"}
    for case in suite.iter("testcase"):
        assert case.get("classname").startswith("utta.") and case.get("name") and case.get("time") == "0"


def test_a_failed_gate_says_the_value_seen(results):
    cases = {case.get("name"): case for case in suite_of(results).iter("testcase")}
    failure = cases["kappa >= 0.6"].find("failure")
    assert failure.get("message") == "The gate 'kappa >= 0.6' failed: the value is .41."
    assert cases["macro_f1 >= 0.5"].find("failure") is None


def test_decisions_that_failed_are_an_error(results):
    error = suite_of(results).find("testcase/error")
    assert error.get("message") == "3 decisions of 1,200 failed; see runs/judge-test/errors.jsonl."
    results["counts"]["errors"] = 0
    suite = suite_of(results)
    assert suite.find("testcase/error") is None and suite.get("errors") == "0" and suite.get("tests") == "7"


def test_a_criterion_passes_and_holds_its_figures(results):
    case = next(case for case in suite_of(results).iter("testcase") if case.get("name") == "Tutor_Tone")
    assert {child.tag for child in case} == {"properties", "system-out"}
    values = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert values["macro_f1"] == "0.742000" and "lenient_macro_f1" not in values
    assert "macro_f1 .74 [.68 .80]" in case.find("system-out").text.splitlines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(name=st.text(max_size=30))
def test_any_text_gives_xml_that_parses(results, name):
    changed = results | {"criteria": {name: results["criteria"]["Tutor_Tone"]}}
    changed |= {"gates": [{"gate": name, "value": None, "passed": False}], "created": name or None}
    suite = suite_of(changed)
    text = "".join(suite.itertext()) + "".join(value for each in suite.iter() for value in each.attrib.values())
    assert {unicodedata.category(c) for c in text.replace("\n", "")}.isdisjoint({"Cc", "Cs"})
    assert suite.get("failures") == "1"
