"""How fast a GPU trains: Phi-3-mini at full size with LoRA in bf16 and in 4 bits (QLoRA, nf4), and the embedded model.

    python scripts/bench_gpu.py

Phi-3 has its real architecture and RANDOM WEIGHTS, which take the same time and memory as real ones and learn nothing of
use; they are written to a temporary folder (7.6 GB) and read from there. A step is one conversation with 8 responses and
4 criteria, 1,268 random tokens: forward, backward and AdamW. The embedded model (`utta models pull smollm2-135m-q4`)
trains on the sample reviews. Prints `name: value` lines; the share of the matrix peak is 4 · linear parameters · tokens, the
work of a LoRA step, over what the best of several large bf16 products reaches.
"""

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from bench_evaluate import MODEL, linear_parameters
from transformers import AutoTokenizer, Phi3Config, Phi3ForCausalLM

from utta import TeachingEvaluator, find_rubric
from utta.core.paths import data_dir
from utta.distill.recipe import Recipe
from utta.distill.rows import training_items
from utta.distill.trainer import Item, batch_loss
from utta.distill.training import adapted
from utta.models.catalogue import Located, fingerprint, locate
from utta.models.engine import load_weights, most_tokens
from utta.models.render import DecisionRow, Renderer
from utta.models.tree import Group
from utta.records.read import read_reviews

RESPONSES, CRITERIA, LEVELS, SHARED, RESPONSE, CRITERION = 8, 4, 3, 700, 35, 9  # the last three are tokens
SIZES = {
    "full": {"hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 32},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
}
VOCABULARY = 32064
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30, help="steps that are timed, after 3 that warm up")
    parser.add_argument("--tiny", action="store_true", help="a small configuration on any machine, to try the script")
    asked = parser.parse_args()
    if not GPU and not asked.tiny:
        sys.exit(
            "PyTorch sees no GPU on this machine, so there is nothing to measure; --tiny shows that the script runs."
        )
    top = peak(512 if asked.tiny else 8192)
    print(f"device: {torch.cuda.get_device_name() if GPU else 'processor'}\nbf16_matrix_peak_tflops: {top / 1e12:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        phi3(Path(folder), "tiny" if asked.tiny else "full", asked.steps, top)
    if not asked.tiny:
        embedded(asked.steps, top)


def peak(size: int) -> float:
    """The device's bf16 matrix peak in FLOP/s: the best of several products of `size` × `size`."""
    a = torch.randn(size, size, device=DEVICE).bfloat16()
    return max(2 * size**3 / seconds(lambda: a @ a) for _ in range(12))


def phi3(folder: Path, size: str, steps: int, top: float) -> None:
    """Train a Phi-3 of random weights with LoRA and with QLoRA."""
    config = Phi3Config(vocab_size=VOCABULARY, sliding_window=2047, max_position_embeddings=4096, **SIZES[size])
    with torch.device(DEVICE):
        model = Phi3ForCausalLM._from_config(config, dtype=torch.bfloat16)
    work = linear_parameters(model)
    model.save_pretrained(folder)
    del model
    print(f"phi3_weights: random, {size} size\nphi3_linear_parameters: {work}")
    located = Located("phi3-random", folder, fingerprint(folder))
    measure("phi3_lora_bf16", located, False, [conversation()], steps, work, top)
    measure("phi3_qlora_nf4", located, True, [conversation()], steps, work, top)


def embedded(steps: int, top: float) -> None:
    """Train the embedded model on the sample reviews."""
    located = locate(MODEL)
    base = load_weights(located, torch.bfloat16)
    renderer = Renderer(AutoTokenizer.from_pretrained(located.folder), MODEL, most_tokens(base.config))
    reviews = read_reviews(data_dir() / "samples" / "reviews.jsonl").reviews
    items = training_items(TeachingEvaluator(find_rubric("utta")), reviews, renderer)
    measure("embedded_lora_bf16", located, False, items, steps, linear_parameters(base), top)


def measure(name: str, located: Located, qlora: bool, items: Sequence[Item], steps: int, work: int, top: float) -> None:
    """Take `steps` training steps, an item each, by turns, and print their figures; `work` is linear parameters."""
    gc.collect()
    if GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = adapted(located, Recipe(qlora=qlora))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=4e-4)
    losses = []

    def step(item: Item) -> None:
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = batch_loss(model, [item]) / len(item.targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())

    warm, timed = list(islice(cycle(items), 3)), list(islice(cycle(items), steps))
    seconds(lambda: [step(item) for item in warm])
    taken = seconds(lambda: [step(item) for item in timed])
    tokens = sum(item.group.tokens for item in timed)
    decisions = sum(len(item.targets) for item in timed)
    print(f"{name}_tokens_per_second: {tokens / taken:.0f}\n{name}_decisions_per_second: {decisions / taken:.1f}")
    if GPU:
        print(f"{name}_peak_memory_gib: {torch.cuda.max_memory_allocated() / 2**30:.2f}")
    print(f"{name}_share_of_peak: {4 * work * tokens / taken / top:.3f}")
    print(f"{name}_loss: {losses[0]:.3f} to {losses[-1]:.3f}")


def conversation() -> Item:
    """One conversation of random tokens as a training item; the experts always gave the first level."""
    chosen = torch.Generator().manual_seed(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(1000, VOCABULARY, (count,), generator=chosen).tolist())

    shared, names = tokens(SHARED), tuple(f"criterion {i}" for i in range(CRITERIA))
    codes = (tuple(range(10, 10 + LEVELS)),) * CRITERIA
    parts = [(shared + tokens(RESPONSE), tuple(tokens(CRITERION) for _ in names)) for _ in range(RESPONSES)]
    rows = tuple(DecisionRow("", trunk, names, (), suffixes, codes) for trunk, suffixes in parts)
    return Item(Group(rows), ((1.0, *[0.0] * (LEVELS - 1)),) * (RESPONSES * CRITERIA), "")


def seconds(work: Callable[[], Any]) -> float:
    """How long some work takes, to its end on the device."""
    started = time.monotonic()
    work()
    if GPU:
        torch.cuda.synchronize()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
