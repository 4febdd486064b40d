"""The learning curve: more reviews, more agreement, and what the next ones would bring."""

import pytest

from tests.evaluate.scripted import SAMPLES, hashed
from utta.core.errors import UttaError
from utta.evaluate.run import Asked, evaluate
from utta.prepare.split import split_by
from utta.records.read import read_reviews, write_records


@pytest.fixture
def parts(tmp_path):
    train, test = split_by(read_reviews(SAMPLES).reviews, ratios=(70, 30))
    for name, part in (("train", train), ("test", test)):
        write_records(tmp_path / f"{name}.jsonl", part)
    return tmp_path


def asked(parts, **more):
    return Asked("evaluator", parts / "test.jsonl", parts / "run", learning_curve=True, **more)


def test_points_grow_by_whole_problems_up_to_all_of_them(parts, judge):
    judge(hashed)
    results = evaluate(asked(parts, baseline_train=parts / "train.jsonl"))
    curve = results["learning_curve"]
    train = read_reviews(parts / "train.jsonl").reviews
    sizes = [(point["reviews"], point["problems"]) for point in curve["points"]]
    assert sizes == sorted(set(sizes)) and sizes[-1] == (len(train), len({r.problem for r in train}))
    assert all(problems >= 2 and reviews == 4 * problems for reviews, problems in sizes)
    last = curve["points"][-1]
    assert last["tfidf"]["value"] == pytest.approx(results["mean"]["baselines"]["tfidf"]["macro_f1"]["value"], abs=1e-6)
    assert all(0 <= point["judge"]["value"] <= 1 for point in curve["points"])
    if curve["forecast"]:
        assert curve["forecast"]["reviews"] == 2 * len(train)


def test_without_training_reviews_there_is_no_curve(parts, judge):
    client = judge(hashed)
    with pytest.raises(UttaError, match="--baseline-train"):
        evaluate(asked(parts))
    assert not client.asked
