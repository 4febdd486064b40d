"""The shipped rubrics and sample reviews: they load, and the sample set has the properties that its card states."""

import json
import re
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import pytest
from scipy.stats import spearmanr

from metrics.agreement import macro_f1
from signatures.rubric import Rubric
from utta.core.paths import data_dir
from utta.evaluate.baselines import baseline_probabilities
from utta.records.read import read_reviews

SAMPLES = data_dir() / "samples" / "reviews.jsonl"
CARD = data_dir() / "samples" / "README.md"
TEXTS = ("response", "rationale", "improved_response")
WORDS = ("Poor", "Weak", "Fair", "Good", "Excellent")
FOLDS = 6


@pytest.fixture(scope="module")
def rubric() -> Rubric:
    return Rubric.load(data_dir() / "rubrics" / "utta.yaml")


@pytest.fixture(scope="module")
def reviews() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def tfidf(rubric: Rubric) -> dict[str, float]:
    """Per criterion the macro-F1 of TF-IDF, each scenario judged by a model that was fitted on other scenarios."""
    reviews = read_reviews(SAMPLES).reviews
    problems = list(dict.fromkeys(review.problem for review in reviews))
    folds = [set(problems[fold::FOLDS]) for fold in range(FOLDS)]
    found = {}
    for criterion in rubric.criteria:
        gold: list[int] = []
        predicted: list[int] = []
        for fold in folds:
            train = [review for review in reviews if review.problem not in fold]
            test = [review for review in reviews if review.problem in fold]
            gold += [criterion.labels.index(review.levels[criterion.id]) for review in test]
            predicted += baseline_probabilities(criterion, train, test)["tfidf"].argmax(1).tolist()
        found[criterion.id] = macro_f1(gold, predicted, len(criterion.levels))
    return found


def ratings(reviews: list[dict[str, Any]], criterion: str) -> list[int]:
    """The ratings on one criterion, 1 (Poor) to 5 (Excellent)."""
    return [WORDS.index(review["levels"][criterion]) + 1 for review in reviews]


def mean_ratings(reviews: list[dict[str, Any]]) -> list[float]:
    return [sum(WORDS.index(label) + 1 for label in review["levels"].values()) / 5 for review in reviews]


def length_correlation(reviews: list[dict[str, Any]]) -> float:
    return float(spearmanr([len(review["response"]) for review in reviews], mean_ratings(reviews)).statistic)


def highest_share(reviews: list[dict[str, Any]]) -> float:
    """Over all pairs of texts, the largest share of the shorter one's word 5-grams that the other holds too."""
    grams = [five_grams(review[field]) for review in reviews for field in TEXTS]
    return max(len(a & b) / min(len(a), len(b)) for a, b in combinations(grams, 2))


def five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def by_problem(reviews: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for review in reviews:
        groups[review["problem"]].append(review)
    return groups


def test_rubrics_load_with_short_level_meanings(rubric: Rubric) -> None:
    mrbench = Rubric.load(data_dir() / "rubrics" / "mrbench.yaml")
    assert [criterion.labels for criterion in rubric.criteria] == [list(WORDS)] * 5
    assert Counter(criterion.scale for criterion in mrbench.criteria) == {"ordinal": 6, "nominal": 2}
    for shipped, most_words in ((rubric, 16), (mrbench, 14)):
        means = [level.means for criterion in shipped.criteria for level in criterion.levels]
        assert max(len(text.split()) for text in means) <= most_words


def test_every_line_is_a_valid_review_that_fits_the_rubric(rubric: Rubric) -> None:
    result = read_reviews(SAMPLES, rubric)
    assert (len(result.reviews), result.rejects) == (96, 0)
    assert len({review.id for review in result.reviews}) == 96
    for review in result.reviews:
        assert list(review.levels) == [criterion.id for criterion in rubric.criteria]
        assert (
            review.grade_level and review.subject and review.context and review.rationale and review.improved_response
        )


def test_every_line_says_that_no_experts_were_asked(reviews: list[dict[str, Any]]) -> None:
    for review in reviews:
        assert "no real experts" in review["metadata"]["written_for"]
        assert (review["source"], review["licence"], review["responder"]) == ("utta-samples", "MIT", None)
    assert "no real experts" in CARD.read_text(encoding="utf-8").lower()


def test_twenty_four_scenarios_of_four_responses(reviews: list[dict[str, Any]]) -> None:
    groups = by_problem(reviews)
    assert Counter(group[0]["subject"] for group in groups.values()) == {
        "reading comprehension": 8,
        "ecology": 8,
        "mathematics": 8,
    }
    for group in groups.values():
        assert len({review["response"] for review in group}) == len(group) == 4
        assert len({json.dumps([review["context"], review["conversation"]]) for review in group}) == 1
        turns = group[0]["conversation"]
        assert 1 <= len(turns) <= 5 and turns[-1]["speaker"] == "student"
    grades: dict[str, set[str]] = defaultdict(set)
    for review in reviews:
        grades[review["subject"]].add(review["grade_level"])
    assert grades == {"reading comprehension": {"4"}, "ecology": {"7"}, "mathematics": set("345678")}


def test_levels_are_spread(reviews: list[dict[str, Any]], rubric: Rubric) -> None:
    for criterion in rubric.criteria:
        counts = Counter(ratings(reviews, criterion.id))
        assert min(counts[level] for level in range(1, 6)) >= 8, (criterion.id, counts)
    for problem, group in by_problem(reviews).items():
        assert len(set(ratings(group, "overall_effectiveness"))) >= 3, problem
        assert len(set(mean_ratings(group))) >= 3, problem


def test_criteria_do_not_all_say_the_same(reviews: list[dict[str, Any]], rubric: Rubric) -> None:
    columns = [ratings(reviews, criterion.id) for criterion in rubric.criteria]
    correlations = [float(spearmanr(a, b).statistic) for a, b in combinations(columns, 2)]
    assert max(correlations) < 0.95
    assert sum(correlations) / len(correlations) < 0.6


def test_the_surface_does_not_tell_the_quality(reviews: list[dict[str, Any]]) -> None:
    means = mean_ratings(reviews)
    assert abs(length_correlation(reviews)) <= 0.3
    for mark in "?!":
        assert abs(spearmanr([review["response"].count(mark) for review in reviews], means).statistic) <= 0.35
    for place in range(4):
        best = [max(ratings(group, "overall_effectiveness")) for group in by_problem(reviews).values()]
        here = [ratings(group, "overall_effectiveness")[place] for group in by_problem(reviews).values()]
        assert sum(a == b for a, b in zip(best, here, strict=True)) <= 9, (
            "the best response stands in one place too often"
        )


def test_the_words_of_a_response_hardly_tell_its_levels(tfidf: dict[str, float]) -> None:
    """Chance among five levels is .2."""
    assert sum(tfidf.values()) / len(tfidf) <= 0.2 + 0.15, tfidf


def test_no_two_texts_are_made_from_one_template(reviews: list[dict[str, Any]]) -> None:
    assert highest_share(reviews) <= 0.5


def test_the_card_states_the_measured_figures(
    reviews: list[dict[str, Any]], rubric: Rubric, tfidf: dict[str, float]
) -> None:
    card = CARD.read_text(encoding="utf-8")
    for criterion in rubric.criteria:
        counts = Counter(ratings(reviews, criterion.id))
        row = " | ".join(str(counts[level]) for level in range(1, 6))
        assert f"| {criterion.id} | {row} |" in card
    assert f"{length_correlation(reviews):.2f}" in card
    assert f"{highest_share(reviews):.3f}" in card
    assert f"mean macro-F1 {sum(tfidf.values()) / len(tfidf):.2f}" in card
    assert ", ".join(f"{criterion} {value:.2f}" for criterion, value in tfidf.items()) in card
