"""Figures held against numbers worked out by hand."""

import pytest
from sklearn.metrics import f1_score

from tests.evaluate.scripted import RUBRIC, make_review
from utta.evaluate.answers import by_decision
from utta.evaluate.results import comparison, figures

CLARITY = [  # gold, judged
    ("Poor", "Poor"), ("Poor", "Fair"), ("Fair", "Fair"), ("Fair", "Fair"), ("Good", "Good"), ("Good", "Poor"),
]  # fmt: skip
TONE = [("Cold", "Cold"), ("Cold", "Warm"), ("Warm", "Warm"), ("Warm", "Warm"), (None, "Warm"), (None, "Cold")]


def line(review, criterion, label, sure=0.8):
    labels = RUBRIC.criterion(criterion).labels
    rest = (1 - sure) / (len(labels) - 1)
    return {
        "record_id": review.id,
        "criterion": criterion,
        "level": labels.index(label),
        "label": label,
        "probabilities": {each: sure if each == label else rest for each in labels},
        "confidence": sure,
    }


def judged(clarity=CLARITY, tone=TONE, problems=3):
    """Reviews with the experts' labels, and the lines of what the judge decided."""
    reviews = [
        make_review(n, f"p{n % problems}", c[0], t[0]) for n, (c, t) in enumerate(zip(clarity, tone, strict=True))
    ]
    lines = [
        line(review, criterion, pair[1])
        for review, *pairs in zip(reviews, clarity, tone, strict=True)
        for criterion, pair in zip(("clarity", "tone"), pairs, strict=True)
    ]
    return reviews, lines


def values(metrics):
    return {name: figure["value"] for name, figure in metrics.items()}


@pytest.fixture(scope="module")
def found():
    reviews, lines = judged()
    return figures(RUBRIC, reviews, by_decision(lines))


def test_the_figures_of_an_ordinal_criterion(found):
    clarity = found["criteria"]["clarity"]
    assert clarity["n"] == 6 and clarity["gold"] == {"Poor": 2, "Fair": 2, "Good": 2}
    assert clarity["confusion"] == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert values(clarity["metrics"]) == pytest.approx(
        {
            "macro_f1": (1 / 2 + 4 / 5 + 2 / 3) / 3,
            "accuracy": 4 / 6,
            "kappa": 1 / 2,  # observed 2/3, by chance 1/3
            "lenient_macro_f1": (2 / 3 + 8 / 9) / 2,  # only Good is good
            "calibration_error": 0.8 - 4 / 6,  # all in one bin
            "quadratic_kappa": 1 - 5 / 7,
            "spearman": 4 / 240**0.5,
        },
        abs=1e-6,
    )
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in clarity["metrics"].values())


def test_reviews_without_a_label_are_left_out(found):
    tone = found["criteria"]["tone"]
    assert tone["n"] == 4 and tone["gold"] == {"Cold": 2, "Warm": 2}
    assert tone["confusion"] == [[1, 1], [0, 2]]
    assert tone["metrics"]["macro_f1"]["value"] == pytest.approx((2 / 3 + 4 / 5) / 2, abs=1e-6)
    assert not {"quadratic_kappa", "spearman"} & tone["metrics"].keys()  # it is nominal


def test_the_mean_is_over_criteria(found):
    clarity, tone = (values(found["criteria"][name]["metrics"]) for name in ("clarity", "tone"))
    mean = values(found["mean"]["metrics"])
    assert mean["macro_f1"] == pytest.approx((clarity["macro_f1"] + tone["macro_f1"]) / 2, abs=1e-6)
    assert mean["spearman"] == clarity["spearman"]


def test_without_training_reviews_there_is_no_baseline(found):
    assert found["against_tfidf"] is None and found["mean"]["baselines"] == {}
    assert found["criteria"]["clarity"]["baselines"] == {}


def test_effectiveness_is_the_weighted_mean_of_the_levels_values(found):
    # By the experts, with weights 3 and 1: twice 0, twice (3 × 0.5 + 1) / 4, and twice 1, where tone has no label.
    assert found["effectiveness"]["gold_mean"] == pytest.approx((2 * 0.625 + 2 * 1) / 6, abs=1e-6)
    assert -1 <= found["effectiveness"]["spearman"]["value"] <= 1


def test_the_worst_disagreement_comes_first_and_of_each_conversation_one():
    reviews, lines = judged()
    lines[10] = line(reviews[5], "clarity", "Poor", sure=0.98)
    shown = figures(RUBRIC, reviews, by_decision(lines))["disagreements"]
    assert [(each["criterion"], each["gold"], each["label"]) for each in shown] == [
        ("clarity", "Good", "Poor"), ("clarity", "Poor", "Fair"),
    ]  # fmt: skip
    assert shown[0]["record_id"] == reviews[5].id and shown[0]["gold_probability"] == pytest.approx(0.01)
    assert shown[0]["student"] == "I do not know about p2." and shown[0]["response"] == reviews[5].response


def test_a_thin_level_is_left_out_of_macro_f1_and_named():
    pairs = [("Good", "Good")] * 9 + [("Good", "Fair")] * 3 + [("Fair", "Fair")] * 10 + [("Fair", "Good")] * 2
    pairs += [("Poor", "Poor")] * 5 + [("Poor", "Good")] * 4
    clarity = figures(RUBRIC, *thin(pairs))["criteria"]["clarity"]
    assert clarity["thin_levels"] == clarity["left_out"] == ["Poor"]
    assert clarity["gold"]["Poor"] == 9  # shown with its n
    gold, answer = ([RUBRIC.criterion("clarity").labels.index(pair[i]) for pair in pairs] for i in (0, 1))
    expected = f1_score(gold, answer, labels=[1, 2], average="macro")
    assert clarity["metrics"]["macro_f1"]["value"] == pytest.approx(expected, abs=1e-6)
    # With ten labels it counts.
    clarity = figures(RUBRIC, *thin([*pairs, ("Poor", "Poor")]))["criteria"]["clarity"]
    assert clarity["thin_levels"] == clarity["left_out"] == []


def thin(pairs):
    reviews, lines = judged(pairs, [("Warm", "Warm")] * len(pairs), problems=8)
    return reviews, by_decision(lines)


def test_where_leaving_out_would_leave_nothing_to_compare_every_level_counts(found):
    assert found["criteria"]["clarity"]["thin_levels"] == ["Poor", "Fair", "Good"]
    assert found["criteria"]["clarity"]["left_out"] == []


def test_what_cannot_be_computed_is_null():
    reviews, lines = judged([("Good", "Good")] * 4, [("Warm", "Warm")] * 4, problems=1)
    clarity = figures(RUBRIC, reviews, by_decision(lines))["criteria"]["clarity"]
    assert clarity["metrics"]["kappa"] == {"value": None, "low": None, "high": None}
    assert clarity["metrics"]["accuracy"] == {"value": 1.0, "low": None, "high": None}  # one problem: nothing to redraw


def test_nothing_judged_gives_no_figures():
    reviews, _ = judged()
    found = figures(RUBRIC, reviews, {})
    assert found["criteria"] == {} and found["mean"] == {"metrics": {}, "baselines": {}}
    assert found["effectiveness"] is None and found["disagreements"] == []


def test_a_run_against_itself_differs_by_nothing():
    reviews, lines = judged()
    compared = comparison(RUBRIC, reviews, by_decision(lines), by_decision(lines))
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert set(compared["criteria"]) == {"clarity", "tone"}
    for metrics in (*compared["criteria"].values(), compared["mean"]):
        assert metrics["macro_f1"] == metrics["accuracy"] == nothing


def test_a_difference_is_of_the_decisions_that_both_scored():
    reviews, lines = judged()
    better = [line(r, "clarity", pair[0]) for r, pair in zip(reviews, CLARITY, strict=True)][:4]
    compared = comparison(RUBRIC, reviews, by_decision(better), by_decision(lines))
    assert set(compared["criteria"]) == {"clarity"} and compared["n"] == {"clarity": 4}
    assert compared["criteria"]["clarity"]["accuracy"]["value"] == pytest.approx(1 - 3 / 4)
    assert comparison(RUBRIC, reviews, by_decision(better), {}) == {"n": {}, "criteria": {}, "mean": {}}
