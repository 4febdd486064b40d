"""`--dry-run`: what would be trained, without a trace."""

from tests.distill.conftest import TRAIN
from tests.evaluate.scripted import make_review
from utta.distill.plan import plan
from utta.records.read import write_records


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_plan_counts_the_data_and_writes_nothing(asked, tmp_path):
    write_records(asked().train, [*TRAIN, make_review(99, "dogs", tone=None), make_review(98, "emus", None, None)])
    before = files(tmp_path)
    planned = plan(asked())
    assert files(tmp_path) == before
    assert (planned["training_responses"], planned["validation_responses"]) == (9, 4)  # one has no label at all
    assert planned["conversations"] == 4 and planned["epochs"] == 1
    assert (planned["decisions_with_a_label"], planned["decisions_without_a_label"]) == (17, 1)
    assert planned["longest_prompt"] < planned["tokens_per_epoch"] < 9 * 2 * planned["longest_prompt"]
    assert planned["minutes_for_all_epochs"] >= 0
    assert "Is it clear?" in planned["prompt"] and TRAIN[0].response in planned["prompt"]
    assert planned["prompt"].endswith("clarity:\n")
