"""What a training would be, before it starts: the data and its faults, tokens, who sees whom, and what it costs here."""

from typing import Any

from utta.distill.estimate import clocks, estimate
from utta.distill.findings import labels, repeats, replies_in_both
from utta.distill.mask import describe, smallest
from utta.distill.rows import Lessons, training_items
from utta.distill.run import Asked, Prepared, prepare
from utta.distill.trainer import Item
from utta.distill.training import with_adapter
from utta.models.engine import most_tokens
from utta.models.render import Renderer


def plan(asked: Asked) -> dict[str, Any]:
    """What would be trained, as counts, findings, one row's `mask`, one prompt and an `estimate`; trains nothing, writes
    nothing. Of a teacher it counts what the replies would cost if all its decisions were kept, not the asking."""
    started = clocks()
    prepared = prepare(asked)
    model, tokenizer = with_adapter(prepared.located, asked.recipe)
    most, module, recipe = most_tokens(model.config), prepared.program.module, asked.recipe
    renderer = Renderer(tokenizer, prepared.located.name, most)
    lessons = _most_lessons(prepared)
    train = training_items(module, prepared.train, renderer, recipe.balance, recipe.reviewer_cap, lessons)
    validation = training_items(module, prepared.validation, renderer)
    return {
        "model": prepared.located.name,
        "training_responses": len(prepared.train),
        "validation_responses": len(prepared.validation),
        **({"unlabelled_responses": len(prepared.pool.replies)} if asked.teachers else {}),
        "withheld": prepared.withheld,
        "conversations": len(train),
        "decisions_with_a_label": sum(bool(t) for item in train for t in item.targets) - len(lessons.kept),
        "decisions_without_a_label": sum(not t for item in train for t in item.targets),
        "epochs": recipe.epochs,
        "balance": recipe.balance,
        "tokens": _tokens(train, most),
        "too_long": _too_long(prepared, most),
        "repeats": {"training": repeats(prepared.train), "validation": repeats(prepared.validation)},
        "replies_in_both": replies_in_both(prepared.train, prepared.validation),
        "criteria": [labels(c, prepared.train, prepared.validation, recipe.balance) for c in module.rubric.criteria],
        "mask": describe(smallest(train), module.rubric, tokenizer),
        "prompt": tokenizer.decode(train[0].group.rows[0].prompts[0]),
        "estimate": estimate(model, module.rubric, recipe, train, validation, asked.out, clocks() - started),
    }


def _most_lessons(prepared: Prepared) -> Lessons:
    """As if every decision of a teacher were kept: which of them are is known only when it has been asked."""
    even = {c.id: (1 / len(c.levels),) * len(c.levels) for c in prepared.program.module.rubric.criteria}
    kept = {(reply.response_id, name): p for reply in prepared.pool.replies for name, p in even.items()}
    return Lessons(prepared.pool.replies, kept, {}, weight=1.0, blend=0.0)


def _tokens(items: list[Item], most: int) -> dict[str, Any]:
    """Tokens of an epoch, and what one prompt a decision would take; `shared` is the part of the plain way's that is
    computed once for several decisions."""
    prompts = [len(prompt) for item in items for row in item.group.rows for prompt in row.prompts]
    computed = sum(item.group.tokens for item in items)
    return {
        "per_epoch": computed,
        "per_decision": round(computed / len(prompts), 1),
        "plain_per_epoch": sum(prompts),
        "plain_per_decision": round(sum(prompts) / len(prompts), 1),
        "shared": round(1 - computed / sum(prompts), 4),
        "longest_prompt": max(prompts),
        "most_that_the_model_reads": most,
    }


def _too_long(prepared: Prepared, most: int) -> list[dict[str, Any]]:
    return [
        {"record_id": record, "part": part, "tokens": tokens, "over": tokens - most}
        for part, found in prepared.too_long.items()
        for record, tokens in found.items()
    ]
