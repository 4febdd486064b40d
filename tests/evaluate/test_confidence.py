"""Confidence against agreement, and what giving unsure decisions away brings."""

import pytest

from metrics.bootstrap import draw_clusters
from tests.evaluate.scripted import RUBRIC, make_review
from utta.evaluate.confidence import confidence

SURE = [0.95, 0.92, 0.91, 0.55, 0.54, 0.53, 0.52, 0.51, 0.41, 0.40]
RIGHT = [True, True, True, True, True, False, True, False, False, False]


@pytest.fixture(scope="module")
def found():
    reviews = [make_review(n, f"p{n % 5}", "Good", None) for n in range(10)]
    answers = {
        (review.id, "clarity"): {"label": "Good" if right else "Poor", "confidence": sure}
        for review, sure, right in zip(reviews, SURE, RIGHT, strict=True)
    }
    return confidence(RUBRIC, reviews, answers, draw_clusters([r.cluster for r in reviews]))


def test_bins_hold_confidence_and_agreement(found):
    assert [(b["low"], b["n"], b["agreement"]) for b in found["bins"]] == [(0.4, 2, 0), (0.5, 5, 0.6), (0.9, 3, 1)]
    assert found["bins"][0]["confidence"] == pytest.approx(0.405)


def test_giving_away_the_least_sure_fifth(found):
    fifth = found["deferral"][1]
    assert (fifth["share"], fifth["kept"]) == (0.2, 8)
    assert fifth["agreement"]["value"] == pytest.approx(6 / 8)
    assert fifth["gain"]["value"] == pytest.approx(6 / 8 - 6 / 10)
    assert fifth["gain"]["low"] <= fifth["gain"]["value"] <= fifth["gain"]["high"]


def test_without_decisions_there_is_nothing():
    reviews = [make_review(1, "p")]
    assert confidence(RUBRIC, reviews, {}, draw_clusters(["p"])) is None
