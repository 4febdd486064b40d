"""`--dry-run`: what would be trained, what to mend, and what it takes, without a trace."""

import io

import pytest
from rich.console import Console

from tests.distill.conftest import TRAIN, VALIDATION
from tests.evaluate.scripted import make_review
from utta.core.errors import UttaError
from utta.distill.plan import plan
from utta.distill.recipe import Recipe
from utta.distill.run import distill
from utta.records.read import write_records
from utta.reports.plan import duration, render_plan, size

LONG = make_review(77, "emus").model_copy(update={"response": "Look again. " * 400, "id": ""})


def long_review():
    """The tiny model reads 4,096 bytes."""
    return type(LONG)(**LONG.model_dump(exclude={"id"}))


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def drawn(planned, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render_plan(planned, console)
    return console.file.getvalue()


def test_a_plan_counts_the_data_and_writes_nothing(asked, tmp_path):
    write_records(asked().train, [*TRAIN, make_review(99, "dogs", tone=None), make_review(98, "emus", None, None)])
    before = files(tmp_path)
    planned = plan(asked())
    assert files(tmp_path) == before
    assert (planned["training_responses"], planned["validation_responses"]) == (9, 4)  # one has no label at all
    assert planned["conversations"] == 4 and planned["epochs"] == 1
    assert (planned["decisions_with_a_label"], planned["decisions_without_a_label"]) == (17, 1)
    tokens = planned["tokens"]
    assert tokens["longest_prompt"] < tokens["per_epoch"] < tokens["plain_per_epoch"] < 18 * tokens["longest_prompt"]
    assert tokens["shared"] == pytest.approx(1 - tokens["per_epoch"] / tokens["plain_per_epoch"], abs=1e-4)
    assert "Is it clear?" in planned["prompt"] and TRAIN[0].response in planned["prompt"]
    assert planned["prompt"].endswith("clarity:\n")
    tone = next(each for each in planned["criteria"] if each["criterion"] == "tone")
    assert tone["unlabelled"] == 1
    assert [(x["label"], x["training"], x["validation"]) for x in tone["levels"]] == [("Cold", 4, 2), ("Warm", 4, 2)]
    assert planned["mask"]["responses"] == 2 and len(planned["mask"]["runs"]) == 7


def test_weights_are_those_of_the_recipe(asked):
    for balance, heaviest in ((0.0, 1.0), (1.0, 8 / 3 / 2)):
        planned = plan(asked(recipe=Recipe(epochs=1, rank=4, balance=balance)))
        clarity = planned["criteria"][0]["levels"]
        assert max(each["weight"] for each in clarity) == pytest.approx(heaviest)
        weighed = {
            w
            for each in planned["mask"]["read_outs"]
            if each["criterion"] == "clarity"
            for w in each["target"].values()
        }
        assert weighed <= {0.0, *(each["weight"] for each in clarity)}


def test_the_estimate_grows_with_the_epochs(asked):
    one, many = (plan(asked(recipe=Recipe(epochs=n, rank=4)))["estimate"] for n in (1, 200))
    assert many["seconds"] > 5 * one["seconds"] > 0 and one["core_seconds"] > 0
    # Adapter, moments: 3 of each checkpoint, of which 3 stand while the oldest is not gone yet; and the best one.
    assert one["adapter"] == many["adapter"] and many["disk"] == 10 * one["adapter"]
    assert one["disk"] == 5 * one["adapter"]
    assert one["memory"] > 1e8 and one["disk_free"] > 0


def test_faults_are_found(asked):
    again = make_review(0, "ants", "Poor", "Warm", responder="another")
    write_records(asked().train, [*TRAIN, again, long_review()])
    shared = make_review(55, "eels").model_dump(exclude={"id"}) | {"response": TRAIN[3].response}
    write_records(asked().validation, [*VALIDATION, type(TRAIN[0])(**shared)])
    planned = plan(asked())
    (long,) = planned["too_long"]
    assert (
        long["record_id"] == long_review().id and long["part"] == "train" and long["over"] == long["tokens"] - 4096 > 0
    )
    assert planned["withheld"]["train"] == {"too_long": 1}
    assert planned["repeats"]["training"] == [
        {"record_id": again.id, "of": TRAIN[0].id, "labels_differ": again.levels != TRAIN[0].levels}
    ]
    assert planned["repeats"]["validation"] == []
    assert [each["in_training"] for each in planned["replies_in_both"]] == [TRAIN[3].id]
    shown = drawn(planned)
    assert "1 reply too long for the model, put aside" in shown and f"{long['over']:,} too many" in shown
    assert "1 reply more than once in training" in shown and "1 reply in both parts, word for word" in shown


def test_what_is_too_long_is_put_aside_and_told(asked, capsys):
    write_records(asked().train, [*TRAIN, long_review()])
    write_records(asked().validation, [*VALIDATION, type(LONG)(**LONG.model_dump(exclude={"id"}) | {
        "problem": "gnus", "dialogue_id": "dialogue-gnus"})])  # fmt: skip
    manifest = distill(asked())
    said = capsys.readouterr().err
    assert f"put aside, not cut: 1 of 9 responses, longer than the 4,096 tokens that {manifest['model']} reads" in said
    assert f"(the first: {long_review().id}, " in said
    assert (manifest["train"]["records"], manifest["train"]["withheld"]) == (8, {"too_long": 1})
    assert (manifest["validation"]["records"], manifest["validation"]["withheld"]) == (4, {"too_long": 1})


def test_nothing_but_too_long_responses_is_refused(asked):
    write_records(asked().train, [long_review()])
    with pytest.raises(UttaError, match=r"All responses in .* are longer than the 4,096 tokens .*; shorten the conv"):
        distill(asked())
    assert not asked().out.exists()


def test_a_plan_is_drawn_within_its_width(asked):
    planned = plan(asked())
    for width in (80, 120):
        lines = drawn(planned, width).splitlines()
        assert max(map(len, lines)) <= width
    shown = drawn(planned)
    assert "##.\\..." in shown  # the second criterion of the first reply
    assert "C Good 0.00" in shown
    planned["estimate"]["memory_here"] = 1
    assert "There is too little memory for this training." in drawn(planned)


def test_amounts_are_short():
    assert [duration(s) for s in (3.4, 99, 150, 7500)] == ["3 s", "99 s", "2 min", "2 h 05 min"]
    assert [size(n) for n in (None, 20_000, 19_600_000, 3_140_000_000)] == ["–", "0.0 MB", "19.6 MB", "3.1 GB"]
