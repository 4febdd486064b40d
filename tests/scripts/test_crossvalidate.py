"""Folds joined: what is counted, whose answers fit the weights, and how the command is asked."""

import json

import numpy as np
import pytest

from scripts import crossvalidate
from utta.core.errors import UttaError
from utta.core.files import write_lines
from utta.core.paths import data_dir
from utta.evaluate.open import data_rubric
from utta.records.read import read_reviews

SAMPLES = data_dir() / "samples" / "reviews.jsonl"
CRITERION = data_rubric(SAMPLES, None).criteria[0]
REVIEWS = {review.id: review for review in read_reviews(SAMPLES).reviews}
PER_FOLD = 12  # reviews, four of each of three problems


def fold(number: int, tfidf: bool = True) -> dict:
    """A finished fold whose judge often finds the experts' level but likes the last one too much."""
    rng = np.random.default_rng(number)
    ids = list(REVIEWS)[number * PER_FOLD : (number + 1) * PER_FOLD]
    gold = np.array([CRITERION.labels.index(REVIEWS[review].levels[CRITERION.id]) for review in ids])
    n = len(CRITERION.levels)
    chances = rng.dirichlet([2] * n, len(ids)) + 0.5 * np.eye(n)[gold] + np.eye(n)[-1]
    chances /= chances.sum(1, keepdims=True)
    part = {
        "labels": CRITERION.labels,
        "ids": ids,
        "levels": chances.argmax(1).tolist(),
        "tfidf": rng.integers(0, n, len(ids)).tolist() if tfidf else None,
        "probabilities": chances.tolist(),
    }
    head = dict.fromkeys(("model", "base_fingerprint", "rubric", "recipe", "versions"), "same")
    return head | {"fold": number, "training_seconds": 90, "criteria": {CRITERION.id: part}}


def rows(*folds: dict, reviews: dict = REVIEWS) -> crossvalidate.Rows:
    return crossvalidate.joined(folds, CRITERION, reviews)


def test_folds_are_joined_and_every_way_has_figures_with_intervals():
    told = crossvalidate.summary([rows(*map(fold, range(4)))])
    assert told["decisions"] == {CRITERION.id: 48} and told["problems"] == 12
    assert sum(told["gold"][CRITERION.id]) == 48
    assert told["figures"].keys() == {"own", "cross_fitted", "tfidf"}
    own, tfidf = (told["figures"][way][CRITERION.id]["macro_f1"] for way in ("own", "tfidf"))
    assert own["low"] < own["value"] < own["high"]
    minus = told["minus_tfidf"]["own"][CRITERION.id]["macro_f1"]["value"]
    assert minus == pytest.approx(own["value"] - tfidf["value"], abs=1e-5)
    # One criterion is its own mean; weights mend a judge that likes one level too much.
    assert told["figures"]["own"]["mean"] == told["figures"]["own"][CRITERION.id]
    assert told["figures"]["cross_fitted"]["mean"]["macro_f1"]["value"] > own["value"] + 0.05


def test_a_folds_levels_do_not_depend_on_its_own_labels():
    folds = [fold(0), fold(1)]
    before = crossvalidate.cross_fitted(rows(*folds))
    turned = {
        k: v.model_copy(update={"levels": v.levels | {CRITERION.id: CRITERION.labels[-1]}})
        if k in folds[0]["criteria"][CRITERION.id]["ids"]
        else v
        for k, v in REVIEWS.items()
    }
    after = crossvalidate.cross_fitted(rows(*folds, reviews=turned))
    assert after[:PER_FOLD] == before[:PER_FOLD] and after[PER_FOLD:] != before[PER_FOLD:]


def test_what_cannot_be_told_is_left_out():
    assert crossvalidate.summary([rows(fold(0))])["figures"].keys() == {"own", "tfidf"}
    told = crossvalidate.summary([rows(fold(0), fold(1, tfidf=False))])
    assert told["figures"].keys() == {"own", "cross_fitted"} and told["minus_tfidf"] == {}


def test_the_summary_is_written_and_printed_at_80_columns(tmp_path, capsys):
    for k in (0, 3):
        (tmp_path / f"fold-{k}.json").write_text(json.dumps(fold(k)), encoding="utf-8")
    crossvalidate.summarise(SAMPLES, tmp_path)
    results = json.loads((tmp_path / "results-reviews.json").read_text(encoding="utf-8"))
    assert results["folds"] == [0, 3] and results["training_minutes"] == [1.5, 1.5]
    printed = capsys.readouterr().out
    assert "Own weights minus TF-IDF" in printed and "24 decisions on 6 problems." in printed
    assert max(map(len, printed.replace(str(tmp_path), "").splitlines())) <= 80


def test_only_the_labels_of_the_file_count(tmp_path):
    some, part = list(REVIEWS.values()), tmp_path / "some.jsonl"
    (tmp_path / "fold-0.json").write_text(json.dumps(fold(0)), encoding="utf-8")
    write_lines(part, (review.model_dump(mode="json") for review in some[8:30]))
    crossvalidate.summarise(part, tmp_path)
    results = json.loads((tmp_path / "results-some.json").read_text(encoding="utf-8"))
    assert results["decisions"] == {CRITERION.id: PER_FOLD - 8} and results["problems"] == 1
    write_lines(part, (review.model_dump(mode="json") for review in some[24:30]))
    with pytest.raises(UttaError, match="judged a label of"):
        crossvalidate.summarise(part, tmp_path)


def test_a_fold_on_other_levels_is_refused():
    other = fold(0)
    other["criteria"][CRITERION.id]["labels"] = ["bad", "good"]
    with pytest.raises(UttaError, match=r"Fold 0 has the levels \['bad', 'good'\]"):
        rows(other)


def test_without_a_finished_fold_the_summary_says_so(tmp_path):
    with pytest.raises(UttaError, match="no finished fold; make one with --fold 0"):
        crossvalidate.summarise(SAMPLES, tmp_path)


def test_the_inner_split_holds_all_other_folds_and_no_problem_twice(tmp_path):
    crossvalidate.split_file(SAMPLES, tmp_path, folds=5)
    held_out = read_reviews(tmp_path / "fold-3.jsonl").reviews
    train, validation = crossvalidate.inner_split(tmp_path, 2)
    everything = {r.id for r in read_reviews(SAMPLES).reviews}
    assert sorted(r.id for part in (train, validation, held_out) for r in part) == sorted(everything)
    parts = [{r.cluster for r in part} for part in (train, validation, held_out)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(validation) < len(train)
