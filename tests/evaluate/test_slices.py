"""Groups of responses: who is judged too kindly, end to end through the figures of a run."""

import numpy as np
import pytest

from metrics.bootstrap import draw_clusters
from tests.evaluate.scripted import RUBRIC, make_review
from utta.evaluate.answers import by_decision, judged_reviews
from utta.evaluate.results import figures
from utta.evaluate.slices import slices as by_slice

LABELS = RUBRIC.criterion("clarity").labels


def judged(seed, bias=0.0, responses=300):
    """Reviews about 30 problems by four writers, and a judge that is right in 6 of 10; it lifts what "Ann" wrote by a
    level with the chance `bias`."""
    drawn = np.random.default_rng(seed)
    reviews, lines = [], []
    for n in range(responses):
        gold = int(drawn.integers(0, 3))
        writer = ("Ann", "Bo", "Cy", "Di")[drawn.integers(0, 4)]
        grade = str(drawn.integers(3, 6))
        review = make_review(n, f"p{n % 30}", LABELS[gold], None, responder=writer, grade_level=grade)
        level = gold if drawn.random() < 0.6 else int(drawn.integers(0, 3))
        level = min(2, level + (writer == "Ann" and drawn.random() < bias))
        reviews.append(review)
        lines.append(
            {
                "record_id": review.id,
                "criterion": "clarity",
                "level": level,
                "label": LABELS[level],
                "probabilities": {label: float(label == LABELS[level]) for label in LABELS},
                "confidence": 1.0,
            }
        )
    return reviews, by_decision(lines)


def slices(*args, **kwargs):
    judge = judged_reviews(RUBRIC.only(["clarity"]), *judged(*args, **kwargs))
    return by_slice(judge, draw_clusters(judge.clusters, samples=10))


def test_a_planted_bias_is_found_and_named():
    found = slices(0, bias=0.8)
    assert next((s, g["value"]) for s, groups in found.items() for g in groups if g["biased"]) == ("responder", "Ann")
    ann = next(group for group in found["responder"] if group["value"] == "Ann")
    assert ann["gap"]["value"] > ann["gap"]["low"] > 0
    others = [group["gap"]["value"] for group in found["responder"] if group["value"] != "Ann"]
    assert all(value < 0 for value in others)


def test_a_fair_judge_is_accused_in_at_most_5_percent_of_200_sets():
    accused = sum(any(g["biased"] for groups in slices(seed).values() for g in groups) for seed in range(100, 300))
    assert accused <= 0.05 * 200


def test_what_stands_in_a_group():
    reviews, answers = judged(3)
    found = figures(RUBRIC.only(["clarity"]), reviews, answers)["slices"]
    assert set(found) == {"grade_level", "responder"}  # one source and one length are nothing to compare
    for name, groups in found.items():
        assert [g["n"] for g in groups] == sorted((g["n"] for g in groups), reverse=True)
        for group in groups:
            rows = [r for r in reviews if getattr(r, name) == group["value"]]
            hits = sum(answers[r.id, "clarity"]["label"] == r.levels["clarity"] for r in rows)
            assert group["n"] == len(rows) and group["problems"] == len({r.problem for r in rows})
            assert group["agreement"]["value"] == pytest.approx(hits / len(rows), abs=1e-6)
            assert group["agreement"]["low"] < group["agreement"]["value"] < group["agreement"]["high"]


def test_a_small_group_has_no_figures():
    groups = slices(4, responses=60)["responder"]
    small = [group for group in groups if group["n"] < 20]
    assert small and all(g["few"] and g["agreement"] is None and g["gap"] is None for g in small)
    assert all(not g["few"] for g in groups if g["n"] >= 20)


def test_lengths_are_ranges_that_hold_all_responses():
    reviews = [make_review(n, f"p{n % 10}", "Good", None) for n in range(80)]
    reviews = [
        r.model_validate({**r.model_dump(exclude={"id"}), "response": "word " * (1 + n)}) for n, r in enumerate(reviews)
    ]
    sure = {"label": "Good", "level": 2, "probabilities": {"Poor": 0, "Fair": 0, "Good": 1}, "confidence": 1.0}
    found = figures(RUBRIC.only(["clarity"]), reviews, {(r.id, "clarity"): sure for r in reviews})["slices"]["length"]
    assert {g["value"]: g["n"] for g in found} == {
        "up to 20 words": 20, "21 to 40 words": 20, "41 to 60 words": 20, "over 60 words": 20,
    }  # fmt: skip
