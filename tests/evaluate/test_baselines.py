"""The two baselines, held against a TF-IDF model that is built here from its description."""

import json

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_limits

from tests.evaluate.scripted import RUBRIC, SAMPLES, ScriptedJudge, make_review
from utta.evaluate.baselines import baseline_probabilities
from utta.evaluate.results import figures
from utta.programs.evaluator import TeachingEvaluator
from utta.records.read import read_reviews
from utta.records.rubrics import find_rubric


@pytest.fixture(scope="module")
def parts():
    reviews = read_reviews(SAMPLES).reviews
    return reviews[:-12], reviews[-12:]


def reference(criterion, train, test):
    """Words 1–2 and char_wb 2–5, min_df 2, sublinear; logistic regression C=4, balanced; probabilities [reviews, levels]."""
    gold = [criterion.labels.index(review.levels[criterion.id]) for review in train]
    columns, asked = [], []
    for options in ({"ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 5)}):
        vectorizer = TfidfVectorizer(min_df=2, sublinear_tf=True, **options)
        columns.append(vectorizer.fit_transform([review.response for review in train]))
        asked.append(vectorizer.transform([review.response for review in test]))
    with threadpool_limits(1):
        model = LogisticRegression(C=4, class_weight="balanced", max_iter=2000).fit(hstack(columns), gold)
    assert list(model.classes_) == list(range(len(criterion.levels)))
    return model.predict_proba(hstack(asked))


def test_tfidf_equals_a_model_built_from_its_description(parts):
    criterion = find_rubric("utta").criterion("engagement")
    found = baseline_probabilities(criterion, *parts)
    assert found["tfidf"] == pytest.approx(reference(criterion, *parts), abs=1e-4)
    counts = [sum(r.levels["engagement"] == label for r in parts[0]) for label in criterion.labels]
    assert (found["commonest"].argmax(1) == int(np.argmax(counts))).all()


def test_without_a_word_in_common_there_is_no_tfidf():
    train = [make_review(1, "ants", "Poor"), make_review(2, "bees", "Good")]
    train = [r.model_copy(update={"response": text}) for r, text in zip(train, ("abc", "xyz"), strict=True)]
    assert set(baseline_probabilities(RUBRIC.criterion("clarity"), train, train)) == {"commonest"}


def test_the_reported_baseline_is_the_references(parts):
    """On the test part the levels are thin, so every level counts."""
    train, test = parts
    rubric = find_rubric("utta").only(["engagement"])
    program = TeachingEvaluator(rubric)
    program.judge.lm = ScriptedJudge()
    answers = {}
    for review in test:
        p = program.judge.lm.answer({"inputs": {"teacher_response": review.response}}, "engagement", range(5))
        labels = rubric.criterion("engagement").labels
        answers[review.id, "engagement"] = {
            "level": int(np.argmax(p)),
            "label": labels[int(np.argmax(p))],
            "probabilities": dict(zip(labels, p, strict=True)),
            "confidence": max(p),
        }
    found = figures(rubric, test, answers, train)
    criterion = rubric.criterion("engagement")
    gold = [criterion.labels.index(review.levels["engagement"]) for review in test]
    expected = f1_score(gold, reference(criterion, train, test).argmax(1), average="macro", zero_division=np.nan)
    told = found["criteria"]["engagement"]
    assert told["baselines"]["tfidf"]["macro_f1"]["value"] == pytest.approx(expected, abs=1e-6)
    difference = told["metrics"]["macro_f1"]["value"] - expected
    assert found["against_tfidf"]["criteria"]["engagement"]["value"] == pytest.approx(difference, abs=1e-5)
    assert found["against_tfidf"]["mean"] == found["against_tfidf"]["criteria"]["engagement"]
    assert json.dumps(found)


def test_without_labels_there_is_no_baseline():
    criterion = RUBRIC.criterion("tone")
    assert baseline_probabilities(criterion, [make_review(1, "a", tone=None)], [make_review(2, "b")]) == {}
    assert baseline_probabilities(criterion, [], [make_review(2, "b")]) == {}


def test_one_level_in_training_is_always_given():
    train = [make_review(n, "a", tone="Cold") for n in range(3)]
    for p in baseline_probabilities(RUBRIC.criterion("tone"), train, [make_review(9, "b")]).values():
        assert p.tolist() == [[1.0, 0.0]]
