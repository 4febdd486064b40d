"""What a training would cost, before it starts: tokens, steps, and the time on this machine from measured steps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from utta.core.progress import progress
from utta.distill.frozen import FrozenLayers
from utta.distill.rows import Lessons, training_items
from utta.distill.run import Asked, Prepared, prepare
from utta.distill.trainer import Item, batch_loss
from utta.distill.training import with_adapter
from utta.models.engine import best_dtype, most_tokens
from utta.models.render import Renderer


def plan(asked: Asked) -> dict[str, Any]:
    """Counts of what would be trained, an estimate of the minutes, and one prompt as text; trains nothing, writes nothing.

    Of a teacher it counts what the replies would cost if all its decisions were kept, not the asking.
    """
    prepared = prepare(asked)
    model, tokenizer = with_adapter(prepared.located, asked.recipe)
    renderer = Renderer(tokenizer, prepared.located.name, most_tokens(model.config))
    module = prepared.program.module
    train = training_items(module, prepared.train, renderer, lessons=(most := _most_lessons(prepared)))
    validation = training_items(module, prepared.validation, renderer)
    tokens = sum(item.group.tokens for item in train)
    longest = max(len(prompt) for item in train for row in item.group.rows for prompt in row.prompts)
    costs = _costs(model, _typical(train), asked.recipe.batch)
    scored = sum(item.group.tokens for item in validation)
    seconds = tokens * (costs.first + (asked.recipe.epochs - 1) * costs.later)
    seconds += scored * (costs.freezing + asked.recipe.epochs * costs.scoring)
    return {
        "training_responses": len(prepared.train),
        "validation_responses": len(prepared.validation),
        **({"unlabelled_responses": len(prepared.pool.replies)} if asked.teachers else {}),
        "conversations": len(train),
        "decisions_with_a_label": sum(bool(t) for item in train for t in item.targets) - len(most.kept),
        "decisions_without_a_label": sum(not t for item in train for t in item.targets),
        "tokens_per_epoch": tokens,
        "longest_prompt": longest,
        "epochs": asked.recipe.epochs,
        "minutes_for_all_epochs": round(seconds / 60, 1),
        "prompt": tokenizer.decode(train[0].group.rows[0].prompts[0]),
    }


def _most_lessons(prepared: Prepared) -> Lessons:
    """As if every decision of a teacher were kept: which of them are is known only when it has been asked."""
    even = {c.id: (1 / len(c.levels),) * len(c.levels) for c in prepared.program.module.rubric.criteria}
    kept = {(reply.response_id, name): p for reply in prepared.pool.replies for name, p in even.items()}
    return Lessons(prepared.pool.replies, kept, {}, weight=1.0, blend=0.0)


@dataclass
class Costs:
    """Seconds per token of a training step in the first epoch and later, of a pass that scores, and of what the frozen
    layers add to it the first time (nothing where none is frozen)."""

    first: float
    later: float
    scoring: float
    freezing: float


def _typical(items: Sequence[Item], count: int = 8) -> list[Item]:
    """Some items whose lengths are spread like those of all."""
    by_length = sorted(items, key=lambda item: item.group.tokens)
    return [by_length[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def _costs(model: Any, items: list[Item], batch: int) -> Costs:
    """Measured on this machine in steps of `batch` items; the first step warms up and is not counted."""
    device = next(model.parameters()).device
    tokens = sum(item.group.tokens for item in items)
    steps = [items[i : i + batch] for i in range(0, len(items), batch)]

    def seconds(work: Callable[[list[Item]], Any], train: bool = False) -> float:
        started = time.monotonic()
        for step in steps:
            with torch.autocast(device.type, torch.bfloat16, enabled=best_dtype() is torch.bfloat16):
                outcome = work(step)
            if train:
                outcome.backward()
        return time.monotonic() - started

    frozen = FrozenLayers(model)
    with progress("Timing some steps", 3) as advance:
        batch_loss(model, steps[0]).backward()
        begin = seconds(lambda step: frozen.begin(model, [item.group for item in step]))
        advance()
        train = seconds(lambda step: batch_loss(model, step, frozen), train=True)
        advance()
        with torch.no_grad():
            score = seconds(lambda step: batch_loss(model, step, frozen))
        advance()
    return Costs((begin + train) / tokens, train / tokens, score / tokens, begin / tokens)
