"""Folds joined: what is counted, whose answers fit the weights, and how the command is asked."""

import json

import numpy as np
import pytest

from scripts import crossvalidate
from utta.core.errors import UttaError
from utta.core.files import write_lines
from utta.records.read import read_reviews

LABELS = ["No", "To some extent", "Yes"]


def fold(number: int, problems: int = 6, seed: int = 0, tfidf: bool = True) -> dict:
    """A finished fold with one criterion, whose judge likes the last level too much; its problems are its own."""
    rng = np.random.default_rng([seed, number])
    gold = rng.integers(0, 3, problems * 8)
    chances = rng.dirichlet([2, 2, 2], len(gold)) + 0.5 * np.eye(3)[gold] + [0, 0, 1]
    chances /= chances.sum(1, keepdims=True)
    part = {
        "labels": LABELS,
        "ordinal": True,
        "good": [False, False, True],
        "gold": gold.tolist(),
        "level": chances.argmax(1).tolist(),
        "tfidf": rng.integers(0, 3, len(gold)).tolist() if tfidf else None,
        "ids": [f"{number}.{i}" for i in range(len(gold))],
        "problems": [f"{number}-{i // 8}" for i in range(len(gold))],
        "probabilities": chances.tolist(),
    }
    return {"fold": number, "criteria": {"Guidance": part}}


def test_folds_are_joined_and_every_way_has_figures_with_intervals():
    told = crossvalidate.summary([fold(k) for k in range(3)])
    assert told["decisions"] == {"Guidance": 3 * 48} and told["problems"] == 18
    assert sum(told["gold"]["Guidance"]) == 3 * 48
    assert told["figures"].keys() == {"own", "cross_fitted", "tfidf"}
    own, tfidf = (told["figures"][way]["Guidance"]["macro_f1"] for way in ("own", "tfidf"))
    assert own["low"] < own["value"] < own["high"]
    minus = told["minus_tfidf"]["own"]["Guidance"]["macro_f1"]["value"]
    assert minus == pytest.approx(own["value"] - tfidf["value"], abs=1e-5)
    # One criterion is its own mean; weights mend a judge that likes one level too much.
    assert told["figures"]["own"]["mean"] == told["figures"]["own"]["Guidance"]
    assert told["figures"]["cross_fitted"]["mean"]["macro_f1"]["value"] > own["value"] + 0.05


def test_a_folds_levels_do_not_depend_on_its_own_labels():
    first, second = fold(0), fold(1)
    before = crossvalidate.cross_fitted(crossvalidate.joined([first, second], "Guidance"))
    first["criteria"]["Guidance"]["gold"] = first["criteria"]["Guidance"]["gold"][::-1]
    after = crossvalidate.cross_fitted(crossvalidate.joined([first, second], "Guidance"))
    assert after[:48] == before[:48] and after[48:] != before[48:]


def test_what_cannot_be_told_is_left_out():
    assert crossvalidate.summary([fold(0)])["figures"].keys() == {"own", "tfidf"}
    told = crossvalidate.summary([fold(0), fold(1, tfidf=False)])
    assert told["figures"].keys() == {"own", "cross_fitted"} and told["minus_tfidf"] == {}


def test_the_summary_is_written_and_printed_at_80_columns(tmp_path, capsys):
    head = dict.fromkeys(("model", "base_fingerprint", "rubric", "recipe", "versions"), "same")
    for k in (0, 3):
        whole = fold(k) | head | {"data": {"sha256": "0"}, "training_seconds": 90}
        (tmp_path / f"fold-{k}.json").write_text(json.dumps(whole), encoding="utf-8")
    crossvalidate.summarise(tmp_path, None)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["folds"] == [0, 3] and results["training_minutes"] == [1.5, 1.5]
    printed = capsys.readouterr().out
    assert "Own weights minus TF-IDF" in printed and "96 decisions on 12 problems." in printed
    assert max(map(len, printed.replace(str(tmp_path), "").splitlines())) <= 80


def test_a_part_of_the_labels_has_figures_of_its_own(tmp_path, sample_reviews):
    some = read_reviews(sample_reviews).reviews[:24]
    part = tmp_path / "some.jsonl"
    write_lines(part, (review.model_dump(mode="json") for review in some))
    head = dict.fromkeys(("model", "base_fingerprint", "rubric", "recipe", "versions"), "same")
    for k in (0, 1):
        whole = fold(k) | head | {"data": {"sha256": "0"}, "training_seconds": 90}
        whole["criteria"]["accuracy"] = whole["criteria"].pop("Guidance")
        # Of each fold the first twelve decisions are labels of the file, all others of reviews that it lacks.
        whole["criteria"]["accuracy"]["ids"][:12] = [review.id for review in some[12 * k : 12 * k + 12]]
        (tmp_path / f"fold-{k}.json").write_text(json.dumps(whole), encoding="utf-8")
    crossvalidate.summarise(tmp_path, part)
    results = json.loads((tmp_path / "results-some.json").read_text(encoding="utf-8"))
    assert results["decisions"] == {"accuracy": 24} and results["problems"] == 4
    write_lines(part, (review.model_dump(mode="json") for review in read_reviews(sample_reviews).reviews[24:30]))
    with pytest.raises(UttaError, match="holds a label of"):
        crossvalidate.summarise(tmp_path, part)


def test_without_a_finished_fold_the_summary_says_so(tmp_path):
    with pytest.raises(UttaError, match="no finished fold; make one with --fold 0"):
        crossvalidate.summarise(tmp_path, None)


def test_the_inner_split_holds_all_other_folds_and_no_problem_twice(tmp_path, sample_reviews):
    crossvalidate.split_file(sample_reviews, tmp_path, folds=5)
    held_out = read_reviews(tmp_path / "fold-3.jsonl").reviews
    train, validation = crossvalidate.inner_split(tmp_path, 2)
    everything = {r.id for r in read_reviews(sample_reviews).reviews}
    assert sorted(r.id for part in (train, validation, held_out) for r in part) == sorted(everything)
    parts = [{r.cluster for r in part} for part in (train, validation, held_out)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(validation) < len(train)


@pytest.fixture
def sample_reviews():
    from utta.core.paths import data_dir

    return data_dir() / "samples" / "reviews.jsonl"
