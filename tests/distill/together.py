"""A short training of the tiny model that leaves its losses and weights behind; alone, or in each of several processes:

python -m accelerate.commands.launch --cpu --num_processes 2 tests/distill/together.py MODEL OUT BATCH ACCUMULATION…
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import TrainingArguments

from tests.evaluate.scripted import RUBRIC, grid
from utta.core.files import write_json
from utta.distill import training
from utta.distill.agreement import judge_items
from utta.distill.recipe import Recipe
from utta.distill.rows import training_items
from utta.distill.trainer import DecisionTrainer
from utta.models.catalogue import locate
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator


def train(model: Path, out: Path, batch: int, accumulation: int) -> DecisionTrainer:
    """Two epochs of plain gradient descent, which hides no factor, over seven items of two to eight labelled decisions."""
    torch.manual_seed(0)
    wrapped, tokenizer = training.with_adapter(locate(str(model)), Recipe(rank=4))
    evaluator, renderer = TeachingEvaluator(RUBRIC), Renderer(tokenizer, "tiny", 4096)
    items = training_items(evaluator, grid([f"p{n}" for n in range(7)], 4), renderer)
    items = [
        replace(item, targets=tuple(t if i <= n + 1 else None for i, t in enumerate(item.targets)))
        for n, item in enumerate(items)
    ]
    settings: dict[str, Any] = {"num_train_epochs": 2, "learning_rate": 0.05, "optim": "sgd", "max_grad_norm": 0.0}
    settings |= {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation, "logging_steps": 1}
    settings |= {"use_cpu": True, "report_to": [], "remove_unused_columns": False, "disable_tqdm": True}
    arguments = TrainingArguments(output_dir=str(out), save_strategy="no", **settings)
    trainer = DecisionTrainer(wrapped, args=arguments, train_dataset=items)
    trainer.train()
    judged = judge_items(trainer.model_wrapped, RUBRIC, items, autocast=False)
    if trainer.is_world_process_zero():
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        save_file({name: w.contiguous() for name, w in weights.items() if "lora_" in name}, out / "weights.safetensors")
        write_json(out / "losses.json", [line["loss"] for line in trainer.state.log_history if "loss" in line])
        write_json(out / "judged.json", {name: each.probabilities.tolist() for name, each in judged.items()})
    return trainer


if __name__ == "__main__":
    training.best_dtype = lambda: torch.float32
    model, out, batch, *accumulations = sys.argv[1:]
    for accumulation in accumulations:
        train(Path(model), Path(out) / accumulation, int(batch), int(accumulation))
