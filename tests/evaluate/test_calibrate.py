"""Calibration of the read-out: a planted bias is found, and nothing is changed where it does not help."""

import numpy as np
import pytest

from tests.evaluate.scripted import RUBRIC, ScriptedJudge, grid, knowing, make_review
from utta.evaluate.answers import by_decision
from utta.evaluate.calibrate import beside_reanchor, calibrate, examples, item_agreement, weighted_macro_f1
from utta.evaluate.predict import predict
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import open_program, save_program
from utta.programs.inputs import judge_inputs

CLARITY = RUBRIC.criterion("clarity").labels
REVIEWS = [make_review(n, f"p{n % 12}", CLARITY[(n // 12) % 3], ("Cold", "Warm")[n % 2]) for n in range(72)]


def leaning(reviews, factor=20.0):
    """A judge that knows more than it says: whatever it sees, it leans to the last level by `factor`."""
    drawn = np.random.default_rng(1)
    hints = {r.response: {name: drawn.uniform(0, 0.3, size=3) for name in ("clarity", "tone")} for r in reviews}
    levels = {review.response: review.levels for review in reviews}

    def answer(state, criterion, labels):
        response = state["inputs"]["teacher_response"]
        p = np.array([float(label == levels[response].get(criterion)) for label in labels]) + 0.05
        p += hints[response][criterion][: len(labels)]
        p[-1] *= factor
        return (p / p.sum()).tolist()

    return answer


def judged(answer, reviews, folder, cache=False):
    """A program with a scripted judge, and its answers on the reviews."""
    program = TeachingEvaluator(RUBRIC)
    program.judge.lm = ScriptedJudge(answer, name=f"scripted-{folder.name}", cache=cache)
    return program, by_decision(predict(program, reviews, folder)["predictions"])


def test_a_level_too_rare_to_count_in_macro_f1_is_weighed_up_too(tmp_path):
    """Eight of 72 are fair, and the judge, which likes "Good", knows them from the others."""
    reviews = [make_review(n, f"p{n % 12}", "Fair" if n % 9 == 0 else CLARITY[n % 2 * 2]) for n in range(72)]
    levels = {review.response: review.levels["clarity"] for review in reviews}

    def shy(state, criterion, labels):
        if criterion != "clarity":
            return [0.5, 0.5]
        return {"Poor": [0.6, 0.1, 0.3], "Fair": [0.1, 0.4, 0.5], "Good": [0.1, 0.1, 0.8]}[
            levels[state["inputs"]["teacher_response"]]
        ]

    program, answers = judged(shy, reviews, tmp_path / "run")
    weights = calibrate(program, reviews, answers)["clarity"]["weights"]
    assert weights["Fair"] * 0.4 > weights["Good"] * 0.5


def test_a_planted_bias_is_found_and_kept_through_saving(tmp_path):
    program, answers = judged(leaning(REVIEWS), REVIEWS, tmp_path / "run")
    report = calibrate(program, REVIEWS, answers)
    for name, worst in (("clarity", "Good"), ("tone", "Warm")):
        told = report[name]
        assert told["n"] == 72
        assert told["macro_f1_weighted"] > told["macro_f1_likeliest"] + 0.2
        assert told["weights"][worst] == min(told["weights"].values()) < max(told["weights"].values()) == 1
        assert program.judge.fields[name] == {"weights": told["weights"]}
    assert weighted_macro_f1(program, REVIEWS, answers) == pytest.approx(
        np.mean([told["macro_f1_weighted"] for told in report.values()])
    )

    save_program(tmp_path / "program", program, {"model": "scripted"})
    opened = open_program(str(tmp_path / "program")).module
    assert opened.judge.fields == program.judge.fields and opened.judge.lm is None
    opened.judge.lm = program.judge.lm
    decided = [opened(**judge_inputs(review)) for review in REVIEWS]
    (tmp_path / "weighted").mkdir()
    for line in predict(opened, REVIEWS, tmp_path / "weighted")["predictions"]:
        assert line["confidence"] == line["probabilities"][line["label"]]
    right = np.mean([each["clarity"].value == r.levels["clarity"] for each, r in zip(decided, REVIEWS, strict=True)])
    likeliest = np.mean([answers[r.id, "clarity"]["label"] == r.levels["clarity"] for r in REVIEWS])
    assert right > likeliest + 0.2
    # DSPy decides by the weights and hands the raw probabilities through.
    review = REVIEWS[0]
    assert decided[0]["clarity"].probabilities == answers[review.id, "clarity"]["probabilities"]


def test_a_judge_that_needs_no_weights_decides_as_before(tmp_path):
    program, answers = judged(knowing(REVIEWS), REVIEWS, tmp_path / "run")
    program.judge.fields["tone"] = {"weights": {"Cold": 1e-9, "Warm": 1.0}}  # weights of before go
    report = calibrate(program, REVIEWS, answers)
    assert all(told["macro_f1_likeliest"] == told["macro_f1_weighted"] == 1.0 for told in report.values())
    decided = [program(**judge_inputs(review)) for review in REVIEWS]
    assert all(each[name].value == r.levels[name] for each, r in zip(decided, REVIEWS, strict=True) for name in report)


def test_trying_changes_nothing(tmp_path):
    program, answers = judged(leaning(REVIEWS), REVIEWS, tmp_path / "run")
    weighted_macro_f1(program, REVIEWS, answers)
    assert program.judge.fields == {}


def test_one_problem_is_too_few_to_fit_on(tmp_path):
    reviews = [make_review(n, "ants", CLARITY[n % 3]) for n in range(6)]
    program, answers = judged(leaning(reviews), reviews, tmp_path / "run")
    assert calibrate(program, reviews, answers) == {} and weighted_macro_f1(program, reviews, answers) == 0.0
    assert beside_reanchor(program, reviews, answers) == {}


def test_reviews_without_a_label_or_an_answer_are_left_out(tmp_path):
    reviews = [*REVIEWS[:24], make_review(998, "p1", clarity=None)]
    program, answers = judged(leaning(reviews), reviews, tmp_path / "run")
    report = calibrate(program, [*reviews, make_review(999, "p2")], answers)
    assert report["clarity"]["n"] == 24 and report["tone"]["n"] == 25


def test_reanchor_stands_beside_it(tmp_path, capsys):
    reviews = [make_review(n, f"p{n % 6}", CLARITY[(n // 6) % 3], ("Cold", "Warm")[n % 2]) for n in range(18)]
    program, answers = judged(leaning(reviews), reviews, tmp_path / "run", cache=True)
    asked = len(program.judge.lm.asked)
    capsys.readouterr()
    figures = beside_reanchor(program, [*reviews, make_review(999, "p2")], answers)
    assert list(figures) == ["likeliest", "reanchor", "weights"]
    assert figures["weights"] > figures["likeliest"] + 0.1 and figures["reanchor"] >= figures["likeliest"]
    assert len(program.judge.lm.asked) == asked  # every answer was kept
    assert program.judge.fields == {}
    assert capsys.readouterr() == ("", "")  # standard output belongs to --json


def test_examples_show_labels_only_and_agreement_counts_what_is_labelled():
    first, second = examples(TeachingEvaluator(RUBRIC), [make_review(1, "ants", tone=None), grid(["bees"], 1)[0]])
    assert first.inputs().toDict() == judge_inputs(make_review(1, "ants"))
    assert first.labels().toDict() == {"clarity": "Good", "tone": None}
    decided = {"clarity": type("Decided", (), {"value": "Good"}), "tone": type("Decided", (), {"value": "Cold"})}
    assert item_agreement(first, decided) == 1.0
    assert item_agreement(second, decided) == 0.5  # the experts say Poor and Cold
