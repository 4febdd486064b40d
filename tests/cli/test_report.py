import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from utta.cli.report import report
from utta.core.errors import UttaError

ROOT = Path(__file__).resolve().parents[2]


def figure(value):
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


RESULTS = {
    "kind": "evaluation",
    "schema_version": 1,
    "program": "evaluator",
    "rubric": {"id": "utta", "hash": "ab12"},
    "data": {"file": "test.jsonl", "sha256": "cd34", "records": 20, "problems": 5},
    "times_scored": 0,
    "counts": {"decisions": 20, "scored": 20, "unscored": 0, "errors": 0},
    "criteria": {
        "accuracy": {
            "n": 20,
            "scale": "ordinal",
            "gold": {"wrong": 8, "right": 12},
            "metrics": {"macro_f1": figure(0.6)},
        }
    },
    "mean": {"metrics": {"macro_f1": figure(0.6)}},
    "disagreements": [
        {"record_id": "r1", "criterion": "accuracy", "gold": "wrong", "label": "right", "response": "\u202e\x9b <x> é"}
    ],
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run's folder, named as from the folder above it."""
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("run/results.json").write_text(json.dumps(RESULTS), encoding="utf-8")
    return Path("run")


def invoke(*arguments):
    result = CliRunner().invoke(report, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def fails(*arguments):
    """The sentence that a command stops with."""
    result = CliRunner().invoke(report, [str(argument) for argument in arguments])
    assert isinstance(result.exception, UttaError), (result.output, result.exception)
    return str(result.exception)


def test_a_run(run):
    shown = invoke(run).output
    assert shown.startswith("utta report run\n\nOn 20 decisions about 5 problems the judge agrees with the experts")
    assert "\x1b" not in shown and "utta evaluate PROGRAM" in shown


def test_width(run):
    assert max(map(len, invoke(run, "--width", 60).output.splitlines())) <= 60
    assert CliRunner().invoke(report, [str(run), "--width", "20"]).exit_code == 2


def test_json_is_what_the_run_holds_and_harmless_on_a_terminal(run):
    printed = invoke(run, "--json").stdout
    assert json.loads(printed) == RESULTS and printed.isascii()
    assert json.loads(invoke(run, run, "--json").stdout) == [RESULTS, RESULTS]


def test_svg_is_a_whole_picture_that_loads_nothing(run):
    result = invoke(run, "--svg", "pictures/report.svg", "--width", 90)
    assert (result.stdout, result.stderr) == ("", "Wrote pictures/report.svg\n")
    svg = Path("pictures/report.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert "utta&#160;report" in svg or "utta report" in svg
    assert "url(http" not in svg and "@font-face" not in svg and "cdnjs" not in svg


@pytest.mark.parametrize("option", ["--svg", "--html", "--junit"])
def test_a_file_and_json_together_are_refused(run, option):
    result = CliRunner().invoke(report, [str(run), "--json", option, "x"])
    assert result.exit_code == 2 and f"--json and {option} cannot be used together" in result.output


def test_a_page_and_junit_are_written_together(run):
    result = invoke(run, "--html", "out/report.html", "--junit", "out/report.xml")
    assert (result.stdout, result.stderr) == ("", "Wrote out/report.html\nWrote out/report.xml\n")
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!DOCTYPE html>") and page.count("<article") == 1 and "\u202e" not in page
    assert ElementTree.parse("out/report.xml").find("testsuite").get("tests") == "2"


def test_full_and_plot(run):
    assert "Other measures [95% interval]" in invoke(run, "--full").output
    plotted = invoke(run, "--plot", "--width", 60).output
    assert "o judge" in plotted and max(map(len, plotted.splitlines())) <= 60


@pytest.mark.parametrize("option", ["--html", "--junit", "--svg"])
@pytest.mark.parametrize("place", ["run/results.json", "test.jsonl"])
def test_no_file_that_is_read_is_overwritten(run, option, place):
    Path("test.jsonl").write_text("{}", encoding="utf-8")
    before = Path(place).read_text(encoding="utf-8")
    assert fails(run, option, place) == (
        f"{place} is an input and would be overwritten; name another file with {option}."
    )
    assert Path(place).read_text(encoding="utf-8") == before


@pytest.mark.parametrize("option", [["--html", "x"], ["--junit", "x"], ["--plot"]])
def test_a_program_has_no_page_and_no_plot(run, option):
    Path("judge").mkdir()
    Path("judge/manifest.json").write_text("{}", encoding="utf-8")
    assert fails("judge", *option).startswith("judge holds a program and no evaluation; give")
    assert not Path("x").exists()


@pytest.mark.parametrize("option", [["--html", "x"], ["--junit", "x"], ["--plot"], ["--full"]])
def test_what_is_for_one_run_is_refused_with_two(run, option):
    assert CliRunner().invoke(report, ["run", "run", *option]).exit_code == 2


def test_two_runs(run):
    shown = invoke(run, run).output
    assert shown.startswith("utta report run run\n") and "gives the paired difference" in " ".join(shown.split())


def test_a_program(run):
    Path("judge").mkdir()
    Path("judge/manifest.json").write_text('{"program": "evaluator", "model": "m"}', encoding="utf-8")
    assert "Model    m" in invoke("judge").output


def test_a_character_that_the_encoding_lacks_is_replaced(run):
    changed = RESULTS | {"model": "πολύ"}
    Path("run/results.json").write_text(json.dumps(changed), encoding="utf-8")
    result = CliRunner(charset="cp1252").invoke(report, ["run"])
    assert result.exit_code == 0 and b"????" in result.stdout_bytes


def test_a_missing_folder(run):
    assert fails("nowhere").startswith("There is no run folder nowhere; give")


def test_an_unfinished_run(run):
    Path("run/results.json").unlink()
    assert fails("run").startswith("run holds neither results.json nor manifest.json")
    Path("run/run.json").write_text("{}", encoding="utf-8")
    assert fails("run").startswith("The run in run is unfinished (no results.json)")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"kind": "evaluation"', "run/results.json is not valid JSON"),
        ("[1]", "run/results.json holds [1] and not a run's figures"),
        (json.dumps(RESULTS | {"kind": "other"}), "run/results.json cannot be shown: at kind"),
        (json.dumps(RESULTS | {"schema_version": 2}), "run/results.json cannot be shown: at schema_version"),
        (json.dumps(RESULTS | {"criteria": {"accuracy": 3}}), "run/results.json cannot be shown: at criteria.accuracy"),
    ],
)
def test_a_broken_run(run, content, sentence):
    Path("run/results.json").write_text(content, encoding="utf-8")
    for arguments in (["run"], ["run", "run"], ["run", "--json"]):
        assert fails(*arguments).startswith(sentence)


def test_help_has_an_example_and_imports_nothing_heavy():
    assert "Example:\n    utta evaluate" in invoke("--help").output
    heavy = {"rich", "pydantic", "torch", "dspy", "jinja2", "plotext"}
    code = f"import sys, utta.cli.report; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"
