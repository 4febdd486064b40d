"""`distill`: what is refused, what a finished program holds, and that a stopped training goes on."""

import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file

from tests.distill.conftest import TRAIN, VALIDATION
from tests.evaluate.scripted import make_review, put_down, start, wait_for
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.distill import run as distill_run
from utta.distill.loop import last_checkpoint
from utta.distill.recipe import Recipe
from utta.distill.run import distill, prepare
from utta.evaluate.run import Asked as Evaluate
from utta.evaluate.run import evaluate
from utta.models.probe import Probe
from utta.programs.folder import open_program
from utta.records.read import write_records


def adapter(folder):
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def history(manifest):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in manifest["history"]]


def test_a_problem_in_both_files_is_refused(asked):
    write_records(asked().validation, [*VALIDATION, make_review(999, "cats")])
    with pytest.raises(UttaError, match=r"1 problems stand in both .*\(the first: cats\); split by problem with"):
        distill(asked())
    assert not asked().out.exists()


def test_other_faults_of_a_request(asked, tmp_path):
    def refused(match, **change):
        with pytest.raises(UttaError, match=match):
            distill(asked(**change))
        assert not asked().out.exists()

    refused("has no criterion 'warmth'; it has clarity, tone", criteria=("warmth",))
    refused("The model 'no/model' is not on this machine; fetch it with 'utta models pull no/model'", model="no/model")
    refused("is no program: give evaluator, student, tutor, coach, or", program=str(tmp_path))
    unlabelled, _ = put_down(tmp_path, [make_review(1, "eels", None, None)], "unlabelled.jsonl")
    refused(r"No review in .*unlabelled\.jsonl has a label of the rubric small", train=unlabelled)
    refused(r"No review in .*unlabelled\.jsonl has a label on the program's criteria", validation=unlabelled)


def test_only_the_criteria_that_are_labelled_or_wanted_are_trained(asked):
    assert [c.id for c in prepare(asked(criteria=("tone",))).program.module.rubric.criteria] == ["tone"]
    write_records(asked().train, [make_review(n, f"p{n}", tone=None) for n in range(3)])
    assert [c.id for c in prepare(asked()).program.module.rubric.criteria] == ["clarity"]


def test_what_is_withheld_is_no_training_row(asked, tmp_path):
    hidden = [
        make_review(901, "ants", consent="none"),
        make_review(902, "bees", consent="evaluate"),
        make_review(903, "cats", keep_until="2020-12-31"),
    ]
    write_records(asked().train, [*TRAIN, *hidden])
    write_records(asked().validation, [*VALIDATION, make_review(904, "eels", consent="none")])
    assert {r.id for r in prepare(asked()).train} == {r.id for r in TRAIN}
    manifest = distill(asked())
    assert (manifest["train"]["records"], manifest["train"]["withheld"]) == (
        len(TRAIN),
        {"consent": 2, "keep_until": 1},
    )
    assert manifest["validation"]["withheld"] == {"consent": 1}
    write_records(asked().train, hidden)
    with pytest.raises(
        UttaError, match=r"may be used to train \(2 by consent, 1 past the day until which they may be kept\)"
    ):
        distill(asked(out=tmp_path / "other"))


def test_a_program_is_trained_calibrated_and_judges(asked, tmp_path):
    manifest = distill(asked())
    out = asked().out
    assert manifest == read_json(out / "manifest.json")
    assert manifest["model"] == asked().model and manifest["recipe"]["epochs"] == 1
    file = {"file": str(asked().train), "sha256": sha256(asked().train)}
    assert manifest["train"] == file | {"records": 8, "withheld": {}}
    assert manifest["validation"]["records"] == 4 and len(manifest["history"]) == 1
    assert manifest["calibration"]["on"] == "validation"
    assert read_json(out / "adapter" / "base.json")["fingerprint"] == manifest["base_fingerprint"]
    assert any(tensor.any() for name, tensor in adapter(out).items() if "lora_B" in name)  # it has learnt something
    # Nothing is left but the program, and no weights that could run code.
    assert {path.name for path in out.iterdir()} == {
        "run.json", "history.json", "losses.jsonl", "validation", "adapter", "program.json", "rubric.yaml", "manifest.json",
    }  # fmt: skip
    files = [path for path in (out / "adapter").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".jinja", ".json", ".safetensors"}
    assert set(Probe.load(out / "adapter").words) == {"clarity", "tone"}

    results = evaluate(Evaluate(str(out), asked().validation, tmp_path / "run", rubric=asked().rubric))
    assert results["counts"]["scored"] == 8 and results["times_scored"] == 1
    assert results["model"].endswith(f"@{manifest['adapter']}")
    assert results["baseline_train"]["sha256"] == manifest["train"]["sha256"]

    # Asked for again, it is there; with another request the folder is refused; an adapter is not trained on.
    assert distill(asked()) == manifest
    with pytest.raises(UttaError, match="holds a run with another recipe"):
        distill(asked(recipe=Recipe(epochs=2, rank=4)))
    with pytest.raises(UttaError, match="has an adapter already; distil from 'evaluator'"):
        distill(asked(program=str(out), out=tmp_path / "second", model=None))
    with pytest.raises(UttaError, match=r"holds an adapter for .*, so it cannot run on other"):
        open_program(str(out), model="other")


def test_one_problem_in_validation_is_enough(asked):
    write_records(asked().validation, VALIDATION[:2])
    manifest = distill(asked())
    assert manifest["history"][0]["macro_f1_weighted"] == manifest["history"][0]["macro_f1"]
    assert manifest["calibration"]["criteria"] == {}


def test_training_stops_when_no_epoch_gets_better(asked):
    """With a learning rate of 0 every epoch agrees as the first one does."""
    manifest = distill(asked(recipe=Recipe(epochs=6, rank=4, learning_rate=0.0, patience=2)))
    assert [epoch["epoch"] for epoch in manifest["history"]] == [1, 2, 3]


def test_a_training_that_is_killed_goes_on(asked, tmp_path, in_float32):
    """The rest of the steps gives the weights that the unbroken training gives."""
    recipe = {"recipe": Recipe(epochs=2, rank=4)}
    whole = distill(asked(out=tmp_path / "unbroken", **recipe))

    out = asked().out
    arguments = ["distill", "evaluator", "--train", asked().train, "--val", asked().validation, "--out", out]
    arguments += ["--model", asked().model, "--rubric", asked().rubric, "--epochs", 2, "--rank", 4]
    with start({"checkpoint_seconds": 0}, *arguments, home=tmp_path / "home") as process:
        wait_for(process, lambda: last_whole(out) >= 1)
        process.send_signal(signal.SIGKILL)
    assert 1 <= last_whole(out) < 8 and not (out / "manifest.json").exists()
    # A kill in the middle of saving leaves a checkpoint without the file that is written last.
    (out / "checkpoints" / "checkpoint-7").mkdir()
    (out / "checkpoints" / "checkpoint-7" / "adapter_model.safetensors").write_bytes(b"half")

    manifest = distill(asked(**recipe))
    assert history(manifest) == history(whole) and len(manifest["history"]) == 2
    ours, theirs = adapter(out), adapter(tmp_path / "unbroken")
    assert ours.keys() == theirs.keys()
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 1e-4
    assert not (out / "checkpoints").exists()


def last_whole(out):
    states = list((out / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    return max((int(path.parent.name.rsplit("-", 1)[1]) for path in states), default=0)


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path):
    assert last_checkpoint(tmp_path / "none") is None
    for step, state in ((2, "{}"), (10, "{}"), (11, None), (12, '{"epoch": 0.')):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").write_bytes(b"x")
        if state:
            (folder / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-10", "checkpoint-2"]


def test_what_was_trained_is_not_trained_again(asked, monkeypatch):
    """A stop after training, even between the two renames that put the best adapter in its place."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(distill_run.shutil, "copytree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            distill(asked())
    before = (asked().out / "history.json").read_bytes()
    trained = load_file(asked().out / "best" / "adapter_model.safetensors")
    (asked().out / "best").rename(asked().out / ".best")
    monkeypatch.setattr("transformers.Trainer.train", interrupted)
    distill(asked())
    assert (asked().out / "history.json").read_bytes() == before
    ours = adapter(asked().out)
    assert all(torch.equal(ours[name], trained[name]) for name in trained)
    assert Probe.load(asked().out / "adapter")


def test_the_same_seed_gives_the_same_weights(asked, tmp_path, in_float32):
    first, second = (distill(asked(out=tmp_path / name)) for name in ("one", "two"))
    assert history(first) == history(second)
    ours, theirs = adapter(tmp_path / "one"), adapter(tmp_path / "two")
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)
    shutil.rmtree(tmp_path / "two")
    distill(asked(out=tmp_path / "two", recipe=Recipe(epochs=1, rank=4, seed=1)))
    theirs = adapter(tmp_path / "two")
    assert any(not torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)
