"""`evaluate --dry-run`: what would be asked and paid for, with nothing asked and nothing written."""

import pytest

from tests.evaluate.scripted import grid, put_down
from utta.evaluate.plan import plan
from utta.evaluate.run import Asked

REVIEWS = grid(["ants", "bees"], 3)


@pytest.fixture
def asked(tmp_path):
    data, rubric = put_down(tmp_path, REVIEWS)
    settings = {"program": "evaluator", "data": data, "out": tmp_path / "run", "rubric": str(rubric)}
    return lambda **more: Asked(**settings | more)


def test_a_local_model_costs_nothing(asked):
    planned = plan(asked())
    assert planned == {"model": "smollm2-135m-q4", "requests": 6, "decisions": 12, "leaves_this_machine": False}
    assert plan(asked(criteria=("tone",)))["decisions"] == 6
    assert plan(asked(edge_cases=2)) == planned | {"at_least": True}
    assert not asked().out.exists()


def test_an_api_model_is_estimated(asked):
    planned = plan(asked(model="openai/gpt-4o-mini"))
    assert planned["leaves_this_machine"] and planned["requests"] == 6
    shortest = sum(len(review.response) for review in REVIEWS) // 4
    assert planned["tokens_read"] > shortest and planned["tokens_written"] > planned["decisions"]
    assert 0 < planned["us_dollars"] < 0.1
    assert plan(asked(model="openai/no-such-model"))["us_dollars"] is None
    assert not asked().out.exists()
