import shutil
from pathlib import Path

import pytest

from utta.core.files import sha256
from utta.records.read import read_reviews, write_records
from utta.reports.disagreements import every_disagreement
from utta.reports.results import check_results


def test_all_of_them_with_the_least_likely_first(results, run):
    found, missing = every_disagreement(check_results(results), run)
    assert missing == "" and len(found) == 5
    assert [each.gold_probability for each in found] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.45])
    last = found[-1]
    assert (last.gold, last.label, last.responder) == ("To some extent", "Yes", None)
    assert last.confidence == pytest.approx(0.1)
    assert last.conversation[0] == ("student", "Is it 8?\nOr not?")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda: Path("test.jsonl").unlink(), "test.jsonl is not there, seen from the working folder"),
        (lambda: Path("test.jsonl").write_text("{}", encoding="utf-8"), "test.jsonl has changed since the run"),
        (lambda: Path("run/predictions.jsonl").unlink(), "run has no predictions.jsonl"),
    ],
)
def test_without_the_files_those_of_the_results_are_left(results, run, spoil, why):
    spoil()
    found, missing = every_disagreement(check_results(results), run)
    assert len(found) == len(results["disagreements"])
    assert missing == f"These are the worst 6 alone: {why}."


@pytest.mark.parametrize("line", ["not JSON", "[1]", '"text"', "{"])
def test_damaged_predictions_are_said_to_be(results, run, line):
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8")
    (run / "predictions.jsonl").write_text(f"{lines}{line}\n", encoding="utf-8")
    found, missing = every_disagreement(check_results(results), run)
    assert len(found) == 6 and "alone: run/predictions.jsonl is damaged (" in missing


def test_what_may_be_kept_no_longer_is_not_shown_and_counted(results, run):
    reviews = read_reviews("test.jsonl").reviews
    reviews[0].keep_until = "2020-01-31"
    reviews[1].keep_until = "2999-01-31"
    write_records(Path("test.jsonl"), reviews)
    results["data"]["sha256"] = sha256(Path("test.jsonl"))
    found, missing = every_disagreement(check_results(results), run)
    assert len(found) == 4 and reviews[0].id not in [each.record_id for each in found]
    assert missing == "1 response past the last day to keep left out."


def test_a_criterion_that_the_experts_left_out_is_no_disagreement(results, run):
    del results["criteria"]["Tutor_Tone"]
    before, _ = every_disagreement(check_results(results), run)
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8")
    more = lines + lines.splitlines()[0].replace("Mistake_Location", "Tutor_Tone") + "\n"
    (run / "predictions.jsonl").write_text(more, encoding="utf-8")
    after, _ = every_disagreement(check_results(results), run)
    assert len(after) == len(before)


def test_a_copied_run_reads_the_same(results, run):
    shutil.copytree(run, "copy")
    assert every_disagreement(check_results(results), Path("copy")) == every_disagreement(check_results(results), run)
