"""The GPU benchmark: its way with a small configuration, and what it says where there is no GPU."""

import os
import re
import subprocess
import sys

import pytest
import torch

from tests.evaluate.scripted import ROOT


def bench(*arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    command = [sys.executable, str(ROOT / "scripts" / "bench_gpu.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_small_configuration_goes_the_whole_way():
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: pip install 'utta[gpu]'")
    done = bench("--tiny", "--steps", "2")
    assert done.returncode == 0, done.stderr
    figures = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert figures["phi3_weights"] == "random, tiny size"
    assert int(figures["phi3_linear_parameters"]) == 2 * (64 * 192 + 64 * 64 + 64 * 256 + 128 * 64)
    for name in ("phi3_lora_bf16", "phi3_qlora_nf4"):
        assert float(figures[f"{name}_tokens_per_second"]) > 0 and 0 < float(figures[f"{name}_share_of_peak"]) < 1
        first, last = map(float, re.findall(r"[\d.]+", figures[f"{name}_loss"]))
        assert last < first


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which would be measured")
def test_without_a_gpu_it_says_so_and_measures_nothing():
    done = bench()
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"PyTorch sees no GPU on this machine, [^.]*\.", done.stderr.splitlines()[-1])
