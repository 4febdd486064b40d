"""What a training takes on this machine, from a few measured steps: seconds, memory, disk. It writes nothing.

Seconds are those of a whole call of `distill` in which every epoch is run: getting ready, the steps, the validation after
each epoch, calibration. Without a GPU the time grows with the tokens; a few steps on conversations of all lengths say how.
The last step takes the longest conversations of all, which shows what memory is needed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from signatures.rubric import Rubric
from utta.core.progress import progress
from utta.core.system import free_disk, memory, peak_memory
from utta.distill.agreement import judge_items
from utta.distill.frozen import FrozenLayers
from utta.distill.learned import learned_loss
from utta.distill.loop import CHECKPOINT_SECONDS, KEPT_CHECKPOINTS
from utta.distill.recipe import Recipe, TextRecipe
from utta.distill.trainer import Item, batch_loss
from utta.models.engine import best_dtype
from utta.models.text_rows import TextRow, padded

STEPS = 6
ENOUGH_SECONDS = 40.0

T = TypeVar("T")
Spent = NDArray[np.float64]  # seconds by the clock, and of all cores together


def clocks() -> Spent:
    """Both clocks now, once a GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return np.array([time.monotonic(), time.process_time()])


@dataclass
class Costs:
    """Per token: a training step, a pass that scores, and what the frozen layers add to either the first time (nothing where
    none is frozen). `kept_bytes` are those of the frozen layers' states, per token."""

    training: Spent
    scoring: Spent
    freezing: Spent
    kept_bytes: float


def estimate(
    model: Any,
    rubric: Rubric,
    recipe: Recipe,
    train: Sequence[Item],
    validation: Sequence[Item],
    out: Path,
    preparing: Spent,
) -> dict[str, Any]:
    """The seconds, the bytes of memory and disk at their peak, and the bytes that the finished adapter takes.

    `preparing` was spent until here. Memory is that of the process, `gpu_memory` that of the GPU; null where unknown.
    """
    costs = _measured(model, rubric, recipe.batch, train)
    learnt, scored = (sum(item.group.tokens for item in part) for part in (train, validation))
    room, needed = FrozenLayers(model).room, (learnt + scored) * costs.kept_bytes
    kept = min(1.0, room / needed) if needed else 1.0
    frozen_passes = kept + (1 - kept) * recipe.epochs
    training = learnt * (frozen_passes * costs.freezing + recipe.epochs * costs.training)
    training += scored * (frozen_passes * costs.freezing + recipe.epochs * costs.scoring)
    calibrating = scored * (costs.freezing + costs.scoring)
    seconds, of_cores = preparing + training + calibrating
    return {
        "seconds": round(float(seconds), 1),
        "core_seconds": round(float(of_cores), 1),
        **_room(model, out, recipe.epochs + int(training[0] // CHECKPOINT_SECONDS), more=kept * needed),
    }


def estimate_text(
    model: Any, recipe: TextRecipe, train: Sequence[TextRow], validation: Sequence[TextRow], out: Path, preparing: Spent
) -> dict[str, Any]:
    """The same for a program that writes: getting ready, the steps, the validation after each epoch."""
    training, scoring = _measured_text(model, recipe.batch, train)
    learnt, scored = (sum(len(row.ids) for row in part) for part in (train, validation))
    epochs = recipe.epochs * (learnt * training + scored * scoring)
    seconds, of_cores = preparing + epochs
    return {
        "seconds": round(float(seconds), 1),
        "core_seconds": round(float(of_cores), 1),
        **_room(model, out, recipe.epochs + int(epochs[0] // CHECKPOINT_SECONDS)),
    }


def _room(model: Any, out: Path, saved: int, more: float = 0) -> dict[str, Any]:
    """Memory and disk: what this process has taken and `more` bytes, and that of `saved` checkpoints one after another."""
    adapter = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    peak = peak_memory()
    return {
        "memory": peak and round(peak + more),
        "memory_here": memory(),
        "gpu_memory": torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None,
        "disk": _disk(adapter, saved),
        "disk_free": free_disk(next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())),
        "adapter": adapter,
    }


def _disk(adapter: int, saved: int) -> int:
    """The most bytes that stand on the disk at once. A checkpoint holds the adapter and the optimiser's two moments of it;
    beside them stand the best adapter and, while it is replaced or put in its place, a copy. The oldest checkpoint goes when
    the next one is whole."""
    while_saving = 3 * min(saved, KEPT_CHECKPOINTS + 1) + 1
    while_copying = 3 * min(saved, KEPT_CHECKPOINTS) + 2
    return adapter * max(while_saving, while_copying)


def _steps(items: Sequence[T], batch: int, size: Callable[[T], int]) -> list[list[T]]:
    """Steps of items whose sizes are spread like those of all, middling ones first; then the largest items as a step."""
    by_length = sorted(items, key=size)
    count = max(STEPS, batch)
    spread = [by_length[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]
    typical = [spread[i] for i in sorted(range(count), key=lambda i: abs(2 * i + 1 - count))]
    return [*(typical[i : i + batch] for i in range(0, count, batch)), by_length[-batch:]]


def _measured(model: Any, rubric: Rubric, batch: int, items: Sequence[Item]) -> Costs:
    """Measured on the model's device. The first step is taken twice, for it warms up. The longest items come last, behind
    what shorter ones left of the memory in pieces, as in training; they count for nothing but memory."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    autocast = best_dtype() is torch.bfloat16
    device = next(model.parameters()).device.type
    spent, tokens, kept = np.zeros((3, 2)), 0, 0
    *steps, longest = _steps(items, batch, lambda item: item.group.tokens)
    started = time.monotonic()
    with progress("Timing some steps", 2 + len(steps)) as advance:
        for number, step in enumerate([steps[0], *steps, longest]):
            if number > 1 and step is not longest and time.monotonic() - started > ENOUGH_SECONDS:
                continue
            frozen = FrozenLayers(model)  # a fresh one: a conversation that is chosen twice is to be computed twice
            before, room = clocks(), frozen.room
            with torch.autocast(device, torch.bfloat16, enabled=autocast):
                frozen.begin(model, [item.group for item in step])
                begun = clocks()
                loss = batch_loss(model, step, frozen)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            trained = clocks()
            judge_items(model, rubric, step, autocast, frozen)
            if number and step is not longest:
                spent += np.diff([before, begun, trained, clocks()], axis=0)
                tokens += sum(item.group.tokens for item in step)
                kept += room - frozen.room
            advance()
    freezing, training, scoring = spent / tokens
    return Costs(training, scoring, freezing, kept / tokens)


def _measured_text(model: Any, batch: int, rows: Sequence[TextRow]) -> tuple[Spent, Spent]:
    """The costs of a training step and of a pass that scores, per token, measured as `_measured` does."""
    device = next(model.parameters()).device
    *steps, longest = _steps(rows, batch, lambda row: len(row.ids))
    spent, tokens, started = np.zeros((2, 2)), 0, time.monotonic()
    with progress("Timing some steps", 2 + len(steps)) as advance:
        for number, step in enumerate([steps[0], *steps, longest]):
            if number > 1 and step is not longest and time.monotonic() - started > ENOUGH_SECONDS:
                continue
            ids, learned = (part.to(device) for part in padded(step))
            before = clocks()
            with torch.autocast(device.type, torch.bfloat16, enabled=best_dtype() is torch.bfloat16):
                learned_loss(model, ids, learned).backward()
                trained = clocks()
                with torch.no_grad():
                    learned_loss(model, ids, learned)
            model.zero_grad()
            if number and step is not longest:
                spent += np.diff([before, trained, clocks()], axis=0)
                tokens += sum(len(row.ids) for row in step)
            advance()
    training, scoring = spent / tokens
    return training, scoring
