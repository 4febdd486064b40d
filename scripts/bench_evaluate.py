"""How fast `utta evaluate` is against the plain way, and that both say the same.

    python scripts/bench_evaluate.py --data reviews.jsonl

Ours is the command itself, end to end: start-up, reading, judging, figures. Plain is what one would write by hand: the same
prompts, one per decision, in left-padded batches of 16 with `logits_to_keep=1`, bf16 and SDPA; only its loop is timed, on
the first responses (`--plain-responses`). Each runs in a fresh process with 2 threads and caches off. Prints `name: value`
lines, the ratio of decisions per second last. Needs the embedded model (`utta models pull smollm2-135m-q4`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODEL = "smollm2-135m-q4"
BATCH = 16
EXACT_RESPONSES = 6  # compared in float32, which takes several times as long


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="reviews, as `utta data import` writes them")
    parser.add_argument("--plain-responses", type=int, default=48, help="how many responses the plain way judges")
    parser.add_argument("--part", choices=("plain", "exact", "peak"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        print(json.dumps({"plain": plain, "exact": exact, "peak": peak}[asked.part](asked.data, asked.plain_responses)))
    else:
        compare(asked.data, asked.plain_responses)


def compare(data: Path, responses: int) -> None:
    """Run every part in a process of its own and print the lines."""
    top = fresh("peak", data, responses)
    by_hand = fresh("plain", data, responses)
    with tempfile.TemporaryDirectory() as work:
        command = [
            sys.executable,
            "-m",
            "utta.cli.main",
            "evaluate",
            "evaluator",
            "--data",
            str(data),
            "--model",
            MODEL,
        ]
        started = time.monotonic()
        run([*command, "--out", f"{work}/run", "--no-cache", "--json"])
        seconds = time.monotonic() - started
        lines = [json.loads(line) for line in Path(work, "run", "predictions.jsonl").read_text().splitlines()]
    ours = {f"{line['record_id']} {line['criterion']}": line["probabilities"] for line in lines}
    gaps, same = [], []
    for key, p in by_hand["probabilities"].items():
        gaps += [abs(p[label] - ours[key][label]) for label in p]
        same.append(max(p, key=p.get) == max(ours[key], key=ours[key].get))
    exact_gap = fresh("exact", data, responses)["largest_gap"]
    speed, plain_speed = len(lines) / seconds, by_hand["decisions"] / by_hand["seconds"]
    flops = 2 * by_hand["linear_parameters"]
    print(f"bf16_matrix_peak_gflops: {top['gflops']:.0f}")
    print(f"plain_decisions: {by_hand['decisions']}")
    print(f"plain_decisions_per_second: {plain_speed:.2f}")
    print(f"plain_tokens_per_decision: {by_hand['tokens'] / by_hand['decisions']:.1f}")
    print(f"plain_share_of_peak: {flops * by_hand['tokens'] / by_hand['seconds'] / top['gflops'] / 1e9:.3f}")
    print(f"utta_decisions: {len(lines)}")
    print(f"utta_decisions_per_second: {speed:.2f}")
    print(f"utta_tokens_per_decision: {by_hand['shared_tokens_per_decision']:.1f}")
    print(f"utta_share_of_peak: {flops * by_hand['shared_tokens_per_decision'] * speed / top['gflops'] / 1e9:.3f}")
    print(f"float32_largest_gap: {exact_gap:.2e}")
    print(f"bf16_same_level: {sum(same) / len(same):.4f}")
    print(f"bf16_mean_gap: {sum(gaps) / len(gaps):.4f}")
    print(f"ratio: {speed / plain_speed:.1f}")


def fresh(part: str, data: Path, responses: int) -> dict[str, Any]:
    """The outcome of one part, run in its own process."""
    command = [sys.executable, __file__, "--data", str(data), "--plain-responses", str(responses), "--part", part]
    return json.loads(run(command).splitlines()[-1])


def run(command: list[str]) -> str:
    """Run a command with 2 threads and caches off; its standard output."""
    settings = {"OMP_NUM_THREADS": "2", "UTTA_CACHE": "off", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def plain(data: Path, responses: int) -> dict[str, Any]:
    """Judge the first responses one decision a prompt; speed, token counts and every probability."""
    import torch

    model, rows, keys = rendered(data, torch.bfloat16, responses)
    prompts = [prompt for row in rows for prompt in row.prompts]
    codes = [list(c) for row in rows for c in row.codes]
    with torch.inference_mode():
        one_batch(model, prompts[:2])  # warm up
        started = time.monotonic()
        logits = [row for i in range(0, len(prompts), BATCH) for row in one_batch(model, prompts[i : i + BATCH])]
        seconds = time.monotonic() - started
    labels = [list(names) for row in rows for names in row.labels]
    probabilities = {
        key: dict(zip(names, torch.softmax(row[c].float(), -1).tolist(), strict=True))
        for key, names, row, c in zip(keys, labels, logits, codes, strict=True)
    }
    return {
        "decisions": len(prompts),
        "tokens": sum(map(len, prompts)),
        "seconds": seconds,
        "probabilities": probabilities,
        "linear_parameters": linear_parameters(model),
        "shared_tokens_per_decision": shared_tokens(data),
    }


def one_batch(model: Any, prompts: list[list[int]]) -> Any:
    """The logits after each prompt, [prompts, vocabulary], padded on the left."""
    import torch

    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    positions = (seen.cumsum(-1) - 1).clamp(min=0)
    return model(input_ids=ids, attention_mask=seen, position_ids=positions, logits_to_keep=1).logits[:, -1]


def exact(data: Path, responses: int) -> dict[str, Any]:
    """The largest difference in float32 between a plain prompt's probabilities and the shared pass's."""
    import torch

    from utta.models import tree

    model, rows, _ = rendered(data, torch.float32, EXACT_RESPONSES)
    with torch.inference_mode():
        by_hand = [
            torch.softmax(one_batch(model, [prompt])[0][list(c)], -1)
            for row in rows
            for prompt, c in zip(row.prompts, row.codes, strict=True)
        ]
        from utta.models.attention import NAME

        model.set_attn_implementation(NAME)
        groups = tree.group_rows(rows)
        place = {id(row): i for i, row in enumerate(rows)}
        order = [place[id(row)] for group in groups for row in group.rows]
        shared = tree.log_probabilities(model, groups)
    width = len(rows[0].criteria)
    gaps = [
        (shared[j * width + k].exp() - by_hand[i * width + k]).abs().max().item()
        for j, i in enumerate(order)
        for k in range(width)
    ]
    return {"largest_gap": max(gaps)}


def rendered(data: Path, dtype: Any, responses: int) -> tuple[Any, list[Any], list[str]]:
    """The base model with SDPA, the rows of the first responses, and a key for each decision."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from utta.models.catalogue import locate
    from utta.models.engine import most_tokens
    from utta.models.render import Renderer

    torch.set_num_threads(2)
    folder = locate(MODEL).folder
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
    renderer = Renderer(AutoTokenizer.from_pretrained(folder), MODEL, most_tokens(model.config))
    reviews, rows = all_rows(data, renderer)
    keys = [f"{r.id} {name}" for r, row in zip(reviews, rows, strict=True) for name in row.criteria]
    count = min(responses, len(rows))
    return model, rows[:count], keys[: count * len(rows[0].criteria)]


def all_rows(data: Path, renderer: Any) -> tuple[list[Any], list[Any]]:
    """Every labelled review of the file with its rendered row, as `utta evaluate evaluator` asks them."""
    from utta.distill.rows import render
    from utta.evaluate.open import data_rubric, labelled_criteria
    from utta.programs.evaluator import TeachingEvaluator
    from utta.records.read import read_reviews

    rubric, reviews = data_rubric(data, None), read_reviews(data).reviews
    program = TeachingEvaluator(rubric.only(labelled_criteria(rubric, reviews)))
    reviews = [r for r in reviews if r.levels]
    return reviews, render(program, reviews, renderer)


def shared_tokens(data: Path) -> float:
    """Tokens that the shared passes compute per decision, over the whole file with full passes: what all begin with, once."""
    from transformers import AutoTokenizer

    from utta.models import tree
    from utta.models.catalogue import locate
    from utta.models.render import Renderer

    renderer = Renderer(AutoTokenizer.from_pretrained(locate(MODEL).folder), MODEL, 8192)
    _, rows = all_rows(data, renderer)
    root = tree.shared_by_all(tree.group_rows(rows))
    layouts = [tree.lay_out(groups, root) for groups in tree.passes(rows)]
    return (root + sum(layout.ids.numel() for layout in layouts)) / sum(len(row.suffixes) for row in rows)


def linear_parameters(model: Any) -> int:
    """The weights of the linear layers that every token goes through (the vocabulary head is not one)."""
    import torch

    head = model.get_output_embeddings()
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head)


def peak(data: Path, responses: int) -> dict[str, Any]:
    """The machine's bf16 matrix peak with 2 threads: the best of several 2048³ products, in GFLOP/s."""
    import torch

    torch.set_num_threads(2)
    a = torch.randn(2048, 2048).bfloat16()
    best = 0.0
    for _ in range(12):
        started = time.monotonic()
        a @ a
        best = max(best, 2 * 2048**3 / (time.monotonic() - started) / 1e9)
    return {"gflops": best}


if __name__ == "__main__":
    main()
