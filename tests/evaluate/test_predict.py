"""A run that is stopped in any way goes on where it was, loses nothing and asks nothing twice."""

import json
import signal

import pytest
from dspy.utils.exceptions import LMUnexpectedError

from tests.evaluate.scripted import (
    RUBRIC,
    ScriptedJudge,
    decisions,
    grid,
    hashed,
    make_review,
    put_down,
    start,
    wait_for,
)
from utta.core.errors import UttaError
from utta.core.files import JsonLines
from utta.evaluate.predict import predict, read_predictions
from utta.evaluate.run import Asked, evaluate
from utta.programs.evaluator import TeachingEvaluator

REVIEWS = grid(["ants", "bees", "cats"], 4)


def program(judge):
    evaluator = TeachingEvaluator(RUBRIC)
    evaluator.judge.lm = judge
    return evaluator


@pytest.fixture
def unbroken(tmp_path):
    """The folder of a run that nothing stopped."""
    predict(program(ScriptedJudge()), REVIEWS, tmp_path / "unbroken")
    return tmp_path / "unbroken"


def test_a_line_for_each_decision(unbroken):
    lines = [json.loads(line) for line in decisions(unbroken)]
    assert {(line["record_id"], line["criterion"]) for line in lines} == {
        (review.id, name) for review in REVIEWS for name in ("clarity", "tone")
    }
    assert len(lines) == 24
    for line in lines:
        criterion = RUBRIC.criterion(line["criterion"])
        assert list(line["probabilities"]) == criterion.labels and criterion.labels[line["level"]] == line["label"]
        assert line["confidence"] == max(line["probabilities"].values()) == line["probabilities"][line["label"]]
    assert {line["dialogue_id"] for line in lines} == {"dialogue-ants", "dialogue-bees", "dialogue-cats"}


def test_an_interrupted_run_goes_on(unbroken, tmp_path, monkeypatch):
    append, written = JsonLines.append, []

    def interrupted(log, values):
        if len(written) == 5:
            raise KeyboardInterrupt
        append(log, values)
        written.append(values)

    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            predict(program(stopped := ScriptedJudge()), REVIEWS, tmp_path)
    assert stopped.cancelled  # nobody waits for what is still queued
    kept = {line["record_id"] for line in read_predictions(tmp_path)}
    assert len(kept) == 5
    judge = ScriptedJudge()
    told = predict(program(judge), REVIEWS, tmp_path)
    assert sorted(judge.asked) == sorted(review.response for review in REVIEWS if review.id not in kept)
    assert decisions(tmp_path) == decisions(unbroken) and len(told["predictions"]) == 24
    judge = ScriptedJudge()
    assert predict(program(judge), REVIEWS, tmp_path)["errors"] == [] and judge.asked == []


def test_a_review_that_was_cut_short_is_asked_again_and_stands_once(unbroken, tmp_path):
    raw = (unbroken / "predictions.jsonl").read_bytes()
    lines = raw.splitlines(keepends=True)
    for cut in (len(raw) - 9, len(raw) - len(lines[-1]), len(raw) - len(lines[-1]) - 1):
        (tmp_path / "predictions.jsonl").write_bytes(raw[:cut])
        judge = ScriptedJudge()
        predict(program(judge), REVIEWS, tmp_path)
        assert len(judge.asked) == 1
        assert decisions(tmp_path) == decisions(unbroken)


def test_a_review_that_fails_is_counted_and_tried_again(unbroken, tmp_path):
    def failing(state, criterion, labels):
        if "bees" in state["inputs"]["conversation"]:
            raise ValueError("no bees")
        return hashed(state, criterion, labels)

    told = predict(program(ScriptedJudge(failing)), REVIEWS, tmp_path)
    assert {error["error"] for error in told["errors"]} == {"ValueError"}
    assert {error["record_id"] for error in told["errors"]} == {r.id for r in REVIEWS if r.problem == "bees"}
    assert len((tmp_path / "errors.jsonl").read_text(encoding="utf-8").splitlines()) == 4
    judge = ScriptedJudge()
    assert predict(program(judge), REVIEWS, tmp_path)["errors"] == []
    assert len(judge.asked) == 4 and (tmp_path / "errors.jsonl").read_text(encoding="utf-8") == ""
    assert decisions(tmp_path) == decisions(unbroken)


def test_a_sentence_of_ours_that_comes_through_dspy_is_said(tmp_path):
    def failing(state, criterion, labels):
        if "bees" in state["inputs"]["conversation"]:
            raise LMUnexpectedError("of a student's text") from UttaError(
                "The prompt has 9 tokens too many: shorten it."
            )
        return hashed(state, criterion, labels)

    told = predict(program(ScriptedJudge(failing)), REVIEWS, tmp_path)
    assert {error["error"] for error in told["errors"]} == {"The prompt has 9 tokens too many: shorten it."}


def test_a_run_without_any_answer_stops_with_the_first_reason(tmp_path):
    def failing(state, criterion, labels):
        raise UttaError("The model is tired; let it rest.")

    many = [make_review(n, f"problem {n}") for n in range(30)]
    with pytest.raises(UttaError) as caught:
        predict(program(ScriptedJudge(failing)), many, tmp_path)
    assert str(caught.value) == "No response could be judged: The model is tired; let it rest."
    assert len((tmp_path / "errors.jsonl").read_text(encoding="utf-8").splitlines()) == 10


def test_reading_the_predictions_of_a_run_in_progress_leaves_them_alone(unbroken):
    path = unbroken / "predictions.jsonl"
    growing = path.read_bytes() + b'{"record_id": "abc'
    path.write_bytes(growing)
    assert len(read_predictions(unbroken)) == 24
    assert path.read_bytes() == growing


def test_a_folder_that_is_no_run_has_no_predictions(tmp_path):
    with pytest.raises(UttaError, match=r"is no evaluation run: it has no predictions\.jsonl; give the --out of"):
        read_predictions(tmp_path)


def test_sigkill_loses_nothing(tmp_path, judge):
    data, rubric = put_down(tmp_path, REVIEWS)
    out = tmp_path / "run"
    log = out / "predictions.jsonl"
    arguments = ("evaluate", "evaluator", "--data", data, "--rubric", rubric, "--out", out)
    with start({"seconds": 0.2}, *arguments, home=tmp_path / "home") as process:
        wait_for(process, lambda: log.is_file() and log.read_bytes().count(b"\n") >= 6)
        process.send_signal(signal.SIGKILL)
    assert not (out / "results.json").exists()
    kept = {line["record_id"] for line in read_predictions(out)}
    assert 3 <= len(kept) < len(REVIEWS)
    scripted = judge()
    asked = Asked("evaluator", data, out, rubric=str(rubric))
    results = evaluate(asked)
    assert not {review.response for review in REVIEWS if review.id in kept} & set(scripted.asked)
    assert len(scripted.asked) == len(REVIEWS) - len(kept)
    unbroken = evaluate(Asked("evaluator", data, tmp_path / "unbroken", rubric=str(rubric)))
    assert decisions(out) == decisions(tmp_path / "unbroken")
    same = ("counts", "criteria", "mean", "effectiveness", "disagreements")
    assert {name: results[name] for name in same} == {name: unbroken[name] for name in same}
