"""SIGKILL at any moment: the same command goes on, to the losses of the training that was never stopped."""

import json
import random
import signal

import pytest
from safetensors.torch import load_file

from tests.distill.killed import KINDS, distil
from tests.evaluate.scripted import grid
from utta.core.files import read_json
from utta.distill.recipe import Recipe
from utta.records.read import write_records

PROBLEMS = ["ants", "bees", "cats", "dogs", "emus"]


@pytest.fixture
def train_on_more(asked):
    write_records(asked().train, grid(PROBLEMS, 3))


def losses(out):
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))  # each step once, none left out
    return [line["loss"] for line in lines]


def history(out):
    return [
        {name: value for name, value in each.items() if name != "seconds"} for each in read_json(out / "history.json")
    ]


def files(out):
    return {path.relative_to(out) for path in out.rglob("*")}


def drawn_moments(seed):
    """Moments of every kind, twice each, in an order that the seed draws."""
    draw = random.Random(seed)
    kinds = draw.sample(list(KINDS) * 2, 2 * len(KINDS))
    return [(kind, draw.randint(1, KINDS[kind])) for kind in kinds]


@pytest.mark.usefixtures("train_on_more")
@pytest.mark.parametrize(
    ("moments", "change"),
    [
        ([("validation", 5), ("validation", 2)], {}),  # the last epoch's, twice
        (drawn_moments(0), {}),
        (drawn_moments(1), {"batch": 2, "upper": 0.5}),
    ],
    ids=["in the last validation", "again and again", "again and again, two conversations a step, half the layers"],
)
def test_a_training_that_is_killed_is_the_unbroken_one(asked, tmp_path, moments, change):
    recipe = Recipe(epochs=3, rank=4, **change)
    whole, broken = asked(out=tmp_path / "unbroken", recipe=recipe), asked(recipe=recipe)
    assert distil(whole) == 0
    codes = [distil(broken, kind, moment) for kind, moment in moments]
    assert set(codes) <= {-signal.SIGKILL, 0} and codes.count(-signal.SIGKILL) >= len(moments) // 2
    assert distil(broken) == 0

    assert losses(broken.out) == pytest.approx(losses(whole.out), rel=0, abs=1e-6)
    assert len(losses(whole.out)) == 3 * -(-len(PROBLEMS) // recipe.batch)
    assert history(broken.out) == history(whole.out)
    ours, theirs = (load_file(each.out / "adapter" / "adapter_model.safetensors") for each in (broken, whole))
    assert all(float((ours[name] - theirs[name]).abs().max()) < 1e-6 for name in theirs)
    assert files(broken.out) == files(whole.out)
