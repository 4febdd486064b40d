"""How fast a training step of `utta distill` is against the plain way.

    python scripts/bench_distill.py --data reviews.jsonl

Plain is what one would write by hand: PEFT's LoRA on every linear layer, one decision a prompt, left-padded batches of 4
(16 take 17 GB) with `logits_to_keep=1`, bf16 and SDPA. Ours is one step per conversation: with adapters on every layer, and
on the upper half (`--upper 0.5`), the first time that a conversation comes up and from then on. A step is forward, backward
and AdamW. Each way runs in a fresh process with 2 threads, on the first conversations of the file. Prints
`name: value` lines, the ratio of decisions per second (every layer against plain) last.
Needs the embedded model (`utta models pull smollm2-135m-q4`).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench_evaluate import MODEL, all_rows, linear_parameters, one_batch, peak, run

BATCH = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="reviews, as `utta data import` writes them")
    parser.add_argument("--conversations", type=int, default=8, help="how many conversations to train on")
    parser.add_argument("--part", choices=("peak", "plain", "every", "upper"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    parts = {"peak": lambda: peak(asked.data, 0), "plain": lambda: plain(asked.data, asked.conversations)}
    parts |= {"every": lambda: ours(asked.data, asked.conversations, 1.0)}
    parts |= {"upper": lambda: ours(asked.data, asked.conversations, 0.5)}
    if asked.part:
        print(json.dumps(parts[asked.part]()))
        return
    command = [sys.executable, __file__, "--data", str(asked.data), "--conversations", str(asked.conversations)]
    compare({part: json.loads(run([*command, "--part", part]).splitlines()[-1]) for part in parts})


def compare(found: dict[str, dict[str, Any]]) -> None:
    """Print the lines."""
    by_hand, every, upper = (found[part] for part in ("plain", "every", "upper"))
    print(f"bf16_matrix_peak_gflops: {found['peak']['gflops']:.0f}")
    print(f"decisions: {upper['decisions']} (plain: {by_hand['decisions']})")
    print(f"tokens_per_decision: {upper['tokens'] / upper['decisions']:.1f}")
    print(f"plain_tokens_per_decision: {by_hand['tokens'] / by_hand['decisions']:.1f}")
    speeds = {
        "plain": by_hand["decisions"] / by_hand["seconds"],
        "every_layer": every["decisions"] / every["later"],
        "upper_half_first_epoch": upper["decisions"] / upper["first"],
        "upper_half_later": upper["decisions"] / upper["later"],
    }
    for name, speed in speeds.items():
        print(f"{name}_decisions_per_second: {speed:.2f}")
    # Forward and the gradient of the activations: the weights themselves are frozen.
    work = 4 * every["linear_parameters"] * every["tokens"] / every["later"]
    print(f"every_layer_share_of_peak: {work / found['peak']['gflops'] / 1e9:.3f}")
    print(f"ratio_upper_half: {speeds['upper_half_later'] / speeds['plain']:.1f}")
    print(f"ratio: {speeds['every_layer'] / speeds['plain']:.1f}")


def plain(data: Path, conversations: int) -> dict[str, Any]:
    """Train with stock PEFT on 32 of the decisions, one a prompt."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from utta.models.catalogue import locate, lora_targets

    folder = locate(MODEL).folder
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa")
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=lora_targets(folder)))
    rows = [row for item in items(data, conversations, model.config) for row in item.group.rows]
    prompts = [prompt for row in rows for prompt in row.prompts][: 8 * BATCH]
    codes = [list(c) for row in rows for c in row.codes]
    step = stepper(model)

    def loss(first: int) -> Any:
        logits = one_batch(model, prompts[first : first + BATCH]).float()
        logs = [torch.log_softmax(row[c], -1)[0] for row, c in zip(logits, codes[first:], strict=False)]
        return -torch.stack(logs).mean()

    step(partial(loss, 0))  # warm up
    seconds = sum(step(partial(loss, first)) for first in range(0, len(prompts), BATCH))
    return {"decisions": len(prompts), "tokens": sum(map(len, prompts)), "seconds": seconds}


def ours(data: Path, conversations: int, upper: float) -> dict[str, Any]:
    """Train as `utta distill` does, a conversation a step, twice over the same conversations."""
    from utta.distill.frozen import FrozenLayers
    from utta.distill.recipe import Recipe
    from utta.distill.trainer import batch_loss
    from utta.distill.training import with_adapter
    from utta.models.catalogue import locate

    model, _ = with_adapter(locate(MODEL), Recipe(upper=upper))
    chosen = items(data, conversations, model.config)
    step = stepper(model)
    step(partial(batch_loss, model, chosen[:1]))  # warm up
    frozen = FrozenLayers(model)
    first, later = (sum(step(partial(batch_loss, model, [item], frozen)) for item in chosen) for _ in range(2))
    return {
        "decisions": sum(len(item.targets) for item in chosen),
        "tokens": sum(item.group.tokens for item in chosen),
        "first": first,
        "later": later,
        "linear_parameters": linear_parameters(model) - sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def items(data: Path, conversations: int, config: Any) -> list[Any]:
    """The first conversations of the file as training items, each decision with the target of its first level."""
    from transformers import AutoTokenizer

    from utta.distill.trainer import Item
    from utta.models import tree
    from utta.models.catalogue import locate
    from utta.models.engine import most_tokens
    from utta.models.render import Renderer

    renderer = Renderer(AutoTokenizer.from_pretrained(locate(MODEL).folder), MODEL, most_tokens(config))
    groups = tree.group_rows(all_rows(data, renderer)[1])[:conversations]
    first = [tuple((1.0, *[0.0] * (len(c) - 1)) for row in group.rows for c in row.codes) for group in groups]
    return [Item(group, targets, "") for group, targets in zip(groups, first, strict=True)]


def stepper(model: Any) -> Callable[[Callable[[], Any]], float]:
    """A function that takes one training step on a loss and tells its seconds."""
    import torch

    torch.set_num_threads(2)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)

    def step(loss: Callable[[], Any]) -> float:
        started = time.monotonic()
        with torch.autocast("cpu", torch.bfloat16):
            value = loss()
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.monotonic() - started

    return step


if __name__ == "__main__":
    main()
