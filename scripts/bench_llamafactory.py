"""LLaMA-Factory as one of the ways of `bench_ways.py`: installed from PyPI into an environment of its own, driven by its own
command line, and watched from outside."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from bench_ways import BATCH, RECIPE, WARM_UP, Limits, Measured, joined_rows, peak_mib, tokenizer_of

from utta.core.errors import UttaError
from utta.core.files import write_json, write_list
from utta.distill.trainer import Item
from utta.models.catalogue import Located, lora_targets
from utta.models.engine import best_dtype

MOST_TOKENS = 8192
POLL_SECONDS = 0.05
DONE = "installed"  # stands in an environment that is whole


def llamafactory(items: Sequence[Item], located: Located, limits: Limits, out: Path, program: Path) -> Measured:
    """Train with the command `program`, LLaMA-Factory's, and watch its log; it is ended at the limit of seconds, and only
    a training that came to its last step leaves an adapter."""
    rows = joined_rows(items, tokenizer_of(located))
    out.mkdir(parents=True, exist_ok=True)
    speakers = ("human", "gpt")
    write_list(
        out / "rows.json",
        [
            {
                "conversations": [
                    {"from": s, "value": text} for turn in row.turns for s, text in zip(speakers, turn, strict=True)
                ]
            }
            for row in rows
        ],
    )
    columns = {"messages": "conversations"}
    write_json(
        out / "dataset_info.json",
        {"rows": {"file_name": "rows.json", "formatting": "sharegpt", "columns": columns}},
    )
    write_json(out / "training.yaml", _llamafactory_settings(located, limits, out))  # JSON is YAML
    each = sum(len(row.turns) for row in rows) / len(rows)
    return _watched([str(program), "train", str(out / "training.yaml")], limits, out, each * BATCH)


def _llamafactory_settings(located: Located, limits: Limits, out: Path) -> dict[str, Any]:
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(located.folder),
        "flash_attn": "sdpa",
        "finetuning_type": "lora",
        "lora_rank": RECIPE.rank,
        "lora_alpha": 2 * RECIPE.rank,
        "lora_dropout": 0.0,
        "lora_target": ",".join(lora_targets(located.folder)),
        "disable_gradient_checkpointing": True,
        "dataset": "rows",
        "dataset_dir": str(out),
        "template": "empty",
        "cutoff_len": MOST_TOKENS,
        "overwrite_cache": True,
        "output_dir": str(out / "adapter"),
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": 1,
        "max_steps": limits.warmup + limits.steps,
        "learning_rate": RECIPE.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": WARM_UP,
        "weight_decay": 0.0,
        "train_sampling_strategy": "group_by_length",
        "bf16": best_dtype() is torch.bfloat16,
        "use_cpu": True,
        "seed": RECIPE.seed,
        "logging_steps": 1,
        "save_strategy": "no",
        "include_num_input_tokens_seen": "all",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def _watched(command: list[str], limits: Limits, out: Path, decisions: float) -> Measured:
    """Run LLaMA-Factory and follow its log; `decisions` is how many a step holds."""
    shutil.rmtree(out / "adapter", ignore_errors=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    with open(out / "output.txt", "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            measured = _followed(process, limits, out / "adapter" / "trainer_log.jsonl")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if not measured.steps:
        lines = (out / "output.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise UttaError(f"LLaMA-Factory took no step ({(lines or ['it said nothing'])[-1].strip()})")
    measured.decisions = decisions * measured.steps
    return measured


def _followed(process: Any, limits: Limits, log: Path) -> Measured:
    """What the log tells while the process runs, until it ends or the limit of seconds is reached.

    Without warm-up steps the seconds hold its start as well, about a quarter of a minute."""
    measured, seen, started, before = Measured(), 0, time.monotonic(), 0
    while True:
        ended = process.poll() is not None
        measured.peak_mib = max(measured.peak_mib, peak_mib(process.pid))
        for line in logged(log)[seen:]:
            seen += 1
            step, tokens = line["current_steps"], line.get("total_tokens", 0)
            if step == limits.warmup:
                started, before = time.monotonic(), tokens
            elif limits.warmup < step <= limits.warmup + limits.steps and "loss" in line:
                measured.steps, measured.tokens = step - limits.warmup, tokens - before
                measured.seconds = time.monotonic() - started
        if ended or measured.seconds >= limits.seconds:
            return measured
        time.sleep(POLL_SECONDS)


def logged(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log that is still being written."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def install_llamafactory(folder: Path) -> Path:
    """LLaMA-Factory from PyPI in an environment of its own; returns its command. `UttaError` says why it is not there."""
    program = folder / "bin" / "llamafactory-cli"
    if not (folder / DONE).is_file():
        python = str(folder / "bin" / "python")
        pinned = f"torch=={torch.__version__.split('+')[0]}"
        install = [python, "-m", "pip", "install", "--quiet"]
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([*install, pinned])
        _run([*install, pinned, "llamafactory"])
        if "+cpu" in _run([python, "-c", "import torch; print(torch.__version__)"]):
            # Those of PyPI are built for CUDA and do not load beside a torch for CPUs; text needs neither.
            _run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "torchvision"])
            for library in folder.glob("lib/*/site-packages/torchaudio/lib/*.so"):
                library.unlink()
        (folder / DONE).touch()
    return program


def _run(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        reason = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise UttaError(f"LLaMA-Factory cannot be installed here ({reason})")
    return done.stdout
