"""What of a file may be used: consent and the last day, through the commands that learn and judge."""

import json
from datetime import date

import pytest
from click.testing import CliRunner

from tests.evaluate.scripted import RUBRIC, grid, hashed, make_review, put_down
from utta.cli.evaluate import evaluate as command
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.evaluate.open import open_on, read, unchanged
from utta.evaluate.run import Asked, evaluate
from utta.optimize.run import Asked as Optimise
from utta.optimize.run import optimize
from utta.programs.folder import Program

WITHHELD = [
    make_review(901, "ants", consent="none"),
    make_review(902, "bees", keep_until="2020-12-31"),
]
FOR_JUDGING = make_review(903, "bees", consent="evaluate", keep_until="9999-12-31")
REVIEWS = [*grid(["ants", "bees", "cats"], 2), *WITHHELD, FOR_JUDGING]


@pytest.fixture
def asked(tmp_path):
    data, rubric = put_down(tmp_path, REVIEWS)
    return Asked("evaluator", data, tmp_path / "run", rubric=str(rubric))


def test_no_judge_sees_what_is_withheld_and_every_count_says_so(asked, judge):
    scripted = judge()
    done = CliRunner().invoke(
        command, ["evaluator", "--data", str(asked.data), "--out", str(asked.out), "--rubric", asked.rubric or ""]
    )
    assert done.exit_code == 0, done.exception
    assert sorted(scripted.asked) == sorted(r.response for r in REVIEWS if r not in WITHHELD)
    results = read_json(asked.out / "results.json")
    assert results["counts"]["withheld"] == {"consent": 1, "keep_until": 1} and results["data"]["records"] == 7
    said = "withheld from what is used to evaluate: 1 by consent, 1 past the day until which they may be kept."
    assert f"{asked.data}: {said}" in done.stderr
    assert "2 responses withheld by consent or date." in " ".join(done.stdout.split())
    for hidden in WITHHELD:
        assert hidden.response not in done.output and hidden.id not in json.dumps(results)


def test_no_demonstration_no_calibration_and_no_baseline_is_made_of_it(asked, judge, tmp_path):
    seen = []

    def answer(state, criterion, labels):
        seen.append(json.dumps(state))
        return hashed(state, criterion, labels)

    scripted = judge(answer, cache=True)
    validation, _ = put_down(
        tmp_path, [*grid(["dogs", "eels"], 2), make_review(904, "eels", consent="none")], "v.jsonl"
    )
    manifest = optimize(
        Optimise("evaluator", asked.data, validation, tmp_path / "prompted", "scripted", asked.rubric, shots=(2, 3))
    )
    assert manifest["train"]["records"] == 6
    assert manifest["train"]["withheld"] == {"consent": 2, "keep_until": 1}
    assert manifest["validation"]["withheld"] == {"consent": 1}
    hidden = {r.response for r in (*WITHHELD, FOR_JUDGING, make_review(904, "eels"))}
    assert scripted.asked and not [text for text in hidden if text in "".join(seen)]
    judged = Asked("evaluator", validation, tmp_path / "run", rubric=asked.rubric, baseline_train=asked.data)
    assert evaluate(judged)["criteria"]["clarity"]["baselines"]
    rights = [make_review(n, "ants", consent="evaluate") for n in range(3)]
    put_down(tmp_path, rights)
    with pytest.raises(
        UttaError, match=r"No review in .*reviews\.jsonl may be used to train \(3 by consent\); give records"
    ):
        evaluate(judged)


def test_the_last_day_still_counts(asked):
    def left(today):
        return len(read(asked.data, RUBRIC, "evaluate", today).reviews)

    assert (left(date(2020, 12, 31)), left(date(2021, 1, 1))) == (8, 7)


def test_the_file_a_program_was_made_from_is_found_from_another_folder(tmp_path, monkeypatch):
    made = tmp_path / "project" / "runs" / "judge"
    made.mkdir(parents=True)
    file = tmp_path / "project" / "train.jsonl"
    file.write_text("{}\n")
    manifest = {"train": {"file": "train.jsonl", "sha256": sha256(file)}}
    program = Program("evaluator", None, "a model", folder=made, manifest=manifest)
    monkeypatch.chdir(tmp_path)
    assert unchanged(program, "train") == file and unchanged(program, "validation") is None
    file.write_text("{}\n{}\n")
    assert unchanged(program, "train") is None


def test_a_plain_evaluator_may_judge_all_criteria_of_data_without_labels(tmp_path):
    bare = [make_review(n, f"problem {n}", None, None) for n in range(2)]
    data, rubric = put_down(tmp_path, bare)
    with pytest.raises(UttaError, match="has a label of the rubric"):
        open_on("evaluator", data, rubric=str(rubric), purpose="evaluate")
    program, _ = open_on("evaluator", data, rubric=str(rubric), purpose="evaluate", all_criteria=True)
    assert program.rubric.criteria == RUBRIC.criteria
