"""A short training of the tiny model that leaves its losses and weights behind, alone or in each of several processes,
and gradients of weights that are spread over them:

accelerate launch --config_file data/accelerate/ddp.yaml tests/distill/together.py MODEL OUT BATCH ACCUMULATION…
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import TrainingArguments

from tests.evaluate.scripted import RUBRIC, grid
from utta.core.files import write_json
from utta.distill import training
from utta.distill.agreement import judge_items
from utta.distill.processes import one_voice, processes, within_forward
from utta.distill.recipe import Recipe
from utta.distill.rows import training_items
from utta.distill.trainer import DecisionTrainer, Item, batch_loss
from utta.models.catalogue import locate
from utta.models.flat import base_of
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator


def begin(model: Path) -> tuple[Any, list[Item]]:
    """The model with a fresh adapter, and seven items of two to eight labelled decisions."""
    torch.manual_seed(0)
    wrapped, tokenizer = training.with_adapter(locate(str(model)), Recipe(rank=4))
    evaluator, renderer = TeachingEvaluator(RUBRIC), Renderer(tokenizer, "tiny", 4096)
    items = training_items(evaluator, grid([f"p{n}" for n in range(7)], 4), renderer)
    return wrapped, [
        replace(item, targets=tuple(t if i <= n + 1 else None for i, t in enumerate(item.targets)))
        for n, item in enumerate(items)
    ]


def train(model: Path, out: Path, batch: int, accumulation: int) -> None:
    """Two epochs of plain gradient descent, which hides no factor."""
    wrapped, items = begin(model)
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


def gradients(model: Any, items: list[Item]) -> dict[str, torch.Tensor]:
    """Of the loss on the first item, by weight; those of sharded weights are put together."""
    within_forward(model, lambda inner: batch_loss(inner, items[:1])).backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: g.full_tensor() if hasattr(g, "full_tensor") else g for name, g in found.items()}


def shard(model: Any) -> None:
    """Spread the weights over the processes, as FSDP does by data/accelerate/fsdp.yaml."""
    mesh = init_device_mesh("cpu", (processes().num_processes,))
    for part in (*base_of(model).get_decoder().layers, model):
        fully_shard(part, mesh=mesh)


def main() -> None:
    training.best_dtype = lambda: torch.float32
    model, out, batch, *accumulations = sys.argv[1:]
    for accumulation in accumulations:
        train(Path(model), Path(out) / accumulation, int(batch), int(accumulation))
    wrapped, items = begin(Path(model))
    shard(wrapped)
    found = gradients(wrapped, items)
    if processes().is_main_process:
        save_file(found, Path(out) / "sharded.safetensors")


if __name__ == "__main__":
    with one_voice():
        main()
