"""Two processes, as `accelerate launch` starts them, against one with the same global batch."""

import os
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from tests.distill import together
from tests.evaluate.scripted import ROOT
from tests.evaluate.student.talk import TALKS
from utta.cli.main import cli
from utta.core.files import read_json
from utta.core.paths import data_dir
from utta.distill.processes import shared_out, within_forward
from utta.distill.recipe import Recipe
from utta.distill.run import distill
from utta.records.read import write_records

CONFIGURATIONS = data_dir() / "accelerate"


def launch(script, *arguments, **environment):
    """Run a script in two processes on the CPU; returns what it said on standard output and error."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"]
    command += ["--config_file", str(CONFIGURATIONS / "ddp.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [*command, str(ROOT / "tests" / script), *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, done.stderr


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys() and ours
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, rtol=1e-4, atol=1e-6, msg=name)


def test_two_processes_with_half_the_batch_each_are_one(tiny, tmp_path, in_float32):
    """Also with items to spare, labels spread unevenly, and steps that take several batches; weights that are spread over
    the processes have the gradients of whole ones."""
    for accumulation in ("1", "2"):
        for name in ("one", "two"):
            (tmp_path / name / accumulation).mkdir(parents=True)
        together.train(tiny.folder, tmp_path / "one" / accumulation, 2, int(accumulation))
    launch("distill/together.py", tiny.folder, tmp_path / "two", 1, 1, 2)
    expected = together.gradients(*together.begin(tiny.folder))
    assert_same(load_file(tmp_path / "two" / "sharded.safetensors"), expected)
    for accumulation, steps in (("1", 8), ("2", 4)):
        one, two = (tmp_path / name / accumulation for name in ("one", "two"))
        losses = read_json(one / "losses.json")
        assert len(losses) == steps and len(set(losses)) == steps
        assert read_json(two / "losses.json") == pytest.approx(losses, rel=1e-4)
        assert_same(load_file(two / "weights.safetensors"), load_file(one / "weights.safetensors"))
        ours, theirs = (read_json(folder / "judged.json") for folder in (two, one))
        assert ours.keys() == theirs.keys()
        for name, probabilities in theirs.items():
            torch.testing.assert_close(torch.tensor(ours[name]), torch.tensor(probabilities), rtol=1e-4, atol=1e-5)


def test_the_command_in_two_processes_makes_one_program(asked, tmp_path, in_float32):
    """Every file is written once and holds what one process with the whole batch makes."""
    alone = distill(asked(out=tmp_path / "alone", recipe=Recipe(epochs=2, rank=4, batch=2)))
    out = tmp_path / "together"
    told, progress = launch(
        "evaluate/scripted.py", '{"checkpoint_seconds": 0}',
        "distill", "evaluator", "--train", asked().train, "--val", asked().validation, "--out", out,
        "--model", asked().model, "--rubric", asked().rubric, "--epochs", 2, "--rank", 4, "--batch", 1, "--json",
        UTTA_HOME=str(tmp_path / "home"), UTTA_CACHE="off",
    )  # fmt: skip
    manifest = read_json(out / "manifest.json")
    assert told.count('"kind": "program"') == 1 and progress.count("Training: done") == 1
    assert {path.name for path in out.iterdir()} == {path.name for path in (tmp_path / "alone").iterdir()}
    figures = [{k: v for k, v in each.items() if k != "seconds"} for each in manifest["history"]]
    for ours, theirs in zip(figures, alone["history"], strict=True):
        assert ours == pytest.approx({k: theirs[k] for k in ours}, rel=1e-3)
    ours, theirs = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (out, tmp_path / "alone"))
    assert ours.keys() == theirs.keys()
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 1e-4
    assert read_json(out / "run.json")["processes"] == 2


def test_a_student_learns_in_two_processes_what_it_learns_in_one(tiny, tmp_path, in_float32, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    write_records(tmp_path / "train.jsonl", TALKS[:4])
    write_records(tmp_path / "val.jsonl", TALKS[4:6])
    words = ["distill", "student", "--train", tmp_path / "train.jsonl", "--val", tmp_path / "val.jsonl"]
    words += ["--model", tiny.folder, "--epochs", 2, "--rank", 4, "--json"]
    alone, out = tmp_path / "alone", tmp_path / "together"
    done = CliRunner().invoke(cli, [str(word) for word in (*words, "--batch", 2, "--out", alone)])
    assert done.exit_code == 0, done.output
    told, _ = launch(
        "evaluate/scripted.py",
        '{"checkpoint_seconds": 0}',
        *words,
        "--batch",
        1,
        "--out",
        out,
        UTTA_HOME=str(tmp_path / "home"),
    )
    assert told.count('"kind": "program"') == 1 and read_json(out / "run.json")["processes"] == 2
    assert {path.name for path in out.iterdir()} == {path.name for path in alone.iterdir()}
    losses = [[each["loss"] for each in read_json(of / "manifest.json")["history"]] for of in (out, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    ours, theirs = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (out, alone))
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in theirs) < 1e-4


def test_the_configurations_are_read_by_accelerate():
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils import FullyShardedDataParallelPlugin, patch_environment
    from accelerate.utils.launch import prepare_multi_gpu_env

    read = {path.stem: load_config_from_file(str(path)) for path in CONFIGURATIONS.glob("*.yaml")}
    assert {name: config.distributed_type.value for name, config in read.items()} == {
        "ddp": "MULTI_GPU", "fsdp": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED",
    }  # fmt: skip
    # What the launcher makes of them: every setting is one that it knows.
    known = vars(launch_command_parser().parse_args(["script"]))
    for name, config in read.items():
        path = str(CONFIGURATIONS / f"{name}.yaml")
        assert {*config.fsdp_config, *config.deepspeed_config} <= set(known), name
        several = ["--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "10.0.0.1"]
        arguments = launch_command_parser().parse_args(
            ["--config_file", path, *several, "--num_processes", "8", "x.py"]
        )
        asked, _, _ = _validate_launch_command(arguments)
        assert (asked.num_processes, asked.num_machines, asked.machine_rank) == (8, 2, 1)
        assert (asked.multi_gpu, asked.use_fsdp, asked.use_deepspeed) == (
            name == "ddp", name == "fsdp", name.startswith("zero"),
        )  # fmt: skip
        assert not asked.use_deepspeed or str(asked.zero_stage) == name[-1]
        if asked.use_fsdp:
            with patch_environment(**prepare_multi_gpu_env(asked)):
                plugin = FullyShardedDataParallelPlugin()
            assert plugin.fsdp_version == 2 and plugin.reshard_after_forward is True
            assert not plugin.cpu_ram_efficient_loading and plugin.state_dict_type.name == "FULL_STATE_DICT"


def test_alone_a_process_does_all_the_work_in_order():
    assert shared_out([3, 1, 2], lambda n: n * n) == [9, 1, 4]
    assert shared_out([], lambda n: n) == []


def test_the_model_has_its_own_forward_again_whatever_happens():
    model = torch.nn.Linear(2, 1)
    assert within_forward(model, lambda inner: inner is model)
    with pytest.raises(ZeroDivisionError):
        within_forward(model, lambda _: 1 / 0)
    assert model(torch.zeros(1, 2)).shape == (1, 1)
