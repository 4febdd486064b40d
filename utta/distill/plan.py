"""What a training would cost, before it starts: tokens, steps, and the time on this machine from two measured steps."""

import time
from typing import Any

import torch

from utta.distill.rows import training_items
from utta.distill.run import Asked, prepare
from utta.distill.trainer import batch_loss
from utta.distill.training import with_adapter
from utta.models.engine import best_dtype, most_tokens
from utta.models.render import Renderer


def plan(asked: Asked) -> dict[str, Any]:
    """Counts of what would be trained, an estimate of the minutes, and one prompt as text; trains nothing, writes nothing."""
    prepared = prepare(asked)
    model, tokenizer = with_adapter(prepared.located, asked.recipe)
    renderer = Renderer(tokenizer, prepared.located.name, most_tokens(model.config))
    train, validation = (
        training_items(prepared.program.module, part, renderer) for part in (prepared.train, prepared.validation)
    )
    tokens = sum(item.group.tokens for item in train)
    longest = max(len(prompt) for item in train for row in item.group.rows for prompt in row.prompts)
    speed = _tokens_per_second(model, sorted(train, key=lambda i: i.group.tokens)[len(train) // 2 :][:2])
    scoring = sum(item.group.tokens for item in validation) / 3  # a pass without gradients costs about a third
    return {
        "training_responses": len(prepared.train),
        "validation_responses": len(prepared.validation),
        "conversations": len(train),
        "decisions_with_a_label": sum(bool(t) for item in train for t in item.targets),
        "decisions_without_a_label": sum(not t for item in train for t in item.targets),
        "tokens_per_epoch": tokens,
        "longest_prompt": longest,
        "epochs": asked.recipe.epochs,
        "minutes_at_most": round(asked.recipe.epochs * (tokens + scoring) / speed / 60, 1),
        "prompt": tokenizer.decode(train[0].group.rows[0].prompts[0]),
    }


def _tokens_per_second(model: Any, items: list[Any]) -> float:
    """Speed of a training step on this machine; the first step warms up and is not counted."""
    device = next(model.parameters()).device
    for _ in range(2):
        started = time.monotonic()
        with torch.autocast(device.type, torch.bfloat16, enabled=best_dtype() is torch.bfloat16):
            loss = batch_loss(model, items)
        loss.backward()
        seconds = time.monotonic() - started
    return sum(item.group.tokens for item in items) / seconds
