"""How fast `utta distill` trains against TRL and LLaMA-Factory, and which judge agrees more after as long a training.

    python scripts/bench_distill.py --data reviews.jsonl --out runs/bench

Trains the embedded model (`utta models pull smollm2-135m-q4`) on the first dialogues of the training part, in the four ways
that `bench_ways.py` describes: after 5 warm-up steps, 60 steps or 5 minutes each. Then how far the judges agree with the
experts after 15 minutes of training each on the whole training part (macro-F1 of validation, mean over criteria, level
weights fitted on other problems), and how our speed grows with dialogues and with replies to each. The data is split by
problem; the test part is not looked at.

Each part runs in a fresh process with 2 threads and leaves its result in the folder: the same command again goes on with
what is missing. All of it should take about 100 minutes, speed alone (`--agreement-minutes 0`) 36. Installs LLaMA-Factory from
PyPI into the folder. Prints `name: value` lines, the ratios of decisions per second last. The share of the matrix peak
counts 4 operations for each linear weight and each token computed: forward, and the gradient of the activations.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench_evaluate import MODEL, linear_parameters, peak, run

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json
from utta.prepare.split import split_file

WAYS = ("ours", "trl", "trl_best", "llamafactory")
DIALOGUES = (40, 80, 160)
REPLIES = (2, 4, 8)

Found = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="reviews, as `utta data import` writes them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--dialogues", type=int, default=24, help="how many to measure speed on")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the clock starts")
    parser.add_argument("--steps", type=int, default=60, help="steps that are timed, at most")
    parser.add_argument("--seconds", type=float, default=300, help="how long they may take")
    parser.add_argument(
        "--agreement-minutes", type=float, default=15, help="training before agreement; 0 leaves it out"
    )
    parser.add_argument("--part", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    try:
        if asked.part:
            print(json.dumps(part(asked)))
        else:
            bench(asked)
    except UttaError as error:
        sys.exit(str(error))


def bench(asked: argparse.Namespace) -> None:
    """Run every part that has no result yet, then print the lines."""
    split(asked)
    found: Found = {}
    for name in parts(asked.agreement_minutes > 0):
        way = name.partition("-")[2]
        if name.startswith("agreement") and "reason" in found[f"speed-{way}"]:
            continue
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr)
        found[name] = kept(asked, name)
    print("\n".join(lines(found)))


def parts(agreement: bool) -> list[str]:
    """The names of all parts, in the order they run."""
    names = ["peak", *(f"speed-{way}" for way in WAYS)]
    names += [f"agreement-{way}" for way in WAYS] if agreement else []
    return names + [f"growth-dialogues-{n}" for n in DIALOGUES] + [f"growth-replies-{n}" for n in REPLIES]


def kept(asked: argparse.Namespace, name: str) -> dict[str, Any]:
    """A part's result: the one in the folder if it was asked the same, else a new one. A rival that cannot be measured
    leaves its `reason`, and is tried again the next time."""
    path = asked.out / f"{name}.json"
    options = {k: v for k, v in vars(asked).items() if k not in ("data", "out", "part")}
    if not name.startswith("agreement"):
        del options["agreement_minutes"]
    options["data"] = sha256(asked.data)
    if path.is_file() and (before := read_json(path))["asked"] == options:
        return before
    command = [sys.executable, __file__, "--part", name]
    command += [text for k, v in vars(asked).items() if k != "part" for text in (f"--{k.replace('_', '-')}", str(v))]
    try:
        result = json.loads(run(command).splitlines()[-1])
    except subprocess.CalledProcessError as error:
        if name.rpartition("-")[2] not in WAYS[1:]:
            raise
        return {"reason": f"its process ended with {error.returncode}; what it said stands above"}
    if "reason" not in result:
        write_json(path, {"asked": options} | result)
    return result


def split(asked: argparse.Namespace) -> None:
    """Split the data by problem into `out/split`, unless it stands there."""
    manifest = asked.out / "split" / "split.json"
    if not manifest.is_file() or read_json(manifest)["inputs"][0]["sha256"] != sha256(asked.data):
        split_file(asked.data, asked.out / "split")


def part(asked: argparse.Namespace) -> dict[str, Any]:
    """Do one part in this process."""
    what, _, rest = asked.part.partition("-")
    if what == "peak":
        return matrix_peak()
    try:
        if what == "speed":
            return train(asked, rest, asked.dialogues)
        if what == "growth":
            of, _, n = rest.partition("-")
            return train(asked, "ours", *((int(n), None) if of == "dialogues" else (asked.dialogues, int(n))))
        return agreement(asked, rest)
    except UttaError as error:
        if rest not in WAYS[1:]:
            raise
        return {"reason": str(error).removesuffix(".")}


def matrix_peak() -> dict[str, Any]:
    """The machine's bf16 matrix peak, and the embedded model's linear parameters."""
    from utta.models.catalogue import locate
    from utta.models.engine import best_dtype, load_weights

    return peak(Path(), 0) | {"linear_parameters": linear_parameters(load_weights(locate(MODEL), best_dtype()))}


def train(asked: argparse.Namespace, way: str, dialogues: int, replies: int | None = None) -> dict[str, Any]:
    """The speed of a way on the first dialogues, with up to so many replies to each; growth is timed for a fifteenth as
    long, after 2 steps."""
    from bench_ways import Limits

    items, used = conversations(asked.out / "split" / "train.jsonl", dialogues, replies)
    limits = Limits(asked.warmup, asked.steps, asked.seconds)
    if not asked.part.startswith("speed"):
        limits = Limits(min(asked.warmup, 2), asked.steps, asked.seconds / 15)
    measured = by_way(way, items, limits, asked.out)
    return asdict(measured) | {"dialogues": used}


def agreement(asked: argparse.Namespace, way: str) -> dict[str, Any]:
    """Train for as long as was asked, with as many steps as fit at the measured speed but no more epochs than the recipe
    has, and score validation."""
    from bench_ways import BATCH, RECIPE, Limits, figures, replies

    from utta.evaluate.open import data_rubric
    from utta.models.catalogue import locate

    speed = read_json(asked.out / f"speed-{way}.json")
    items, used = conversations(asked.out / "split" / "train.jsonl")
    held_out, _ = conversations(asked.out / "split" / "validation.jsonl")
    decisions = sum(bool(target) for item in items for target in item.targets)
    rows = {"ours": len(items), "trl": decisions / BATCH}.get(way, len(list(replies(items))) / BATCH)
    seconds = asked.agreement_minutes * 60
    steps = max(1, min(int(seconds / speed["seconds"] * speed["steps"]), int(RECIPE.epochs * rows)))
    # LLaMA-Factory keeps an adapter only of a training that it ends itself.
    limits = Limits(0, steps, math.inf if way == "llamafactory" else seconds)
    measured = by_way(way, items, limits, asked.out)
    rubric = data_rubric(asked.out / "split" / "train.jsonl", None)
    rubric = rubric.only(list(items[0].group.rows[0].criteria))
    told = figures(way, asked.out / way / "adapter", locate(MODEL), rubric, held_out)
    return asdict(measured) | {"dialogues": used, "epochs": measured.decisions / decisions} | told


def by_way(way: str, items: list[Any], limits: Any, out: Path) -> Any:
    import bench_ways

    from utta.models.catalogue import locate

    given = (items, locate(MODEL), limits, out / way)
    if way == "llamafactory":
        import bench_llamafactory as factory

        return factory.llamafactory(*given, factory.install_llamafactory(out / "llamafactory-environment"))
    return {"ours": bench_ways.ours, "trl": bench_ways.trl, "trl_best": bench_ways.trl_best}[way](*given)


def conversations(path: Path, dialogues: int | None = None, replies: int | None = None) -> tuple[list[Any], int]:
    """The first dialogues of a file as training items, with up to so many replies to each; and how many there were."""
    from transformers import AutoConfig, AutoTokenizer

    from utta.distill.recipe import Recipe
    from utta.distill.rows import training_items
    from utta.evaluate.open import labelled, open_on
    from utta.models.catalogue import locate
    from utta.models.engine import most_tokens
    from utta.models.render import Renderer

    program, found = open_on("evaluator", path, MODEL, purpose="train")
    by_dialogue: dict[str, list[Any]] = {}
    for review in labelled(found.reviews, program.module.rubric, path):
        by_dialogue.setdefault(review.dialogue_id, []).append(review)
    chosen = list(by_dialogue.values())[:dialogues]
    folder = locate(MODEL).folder
    renderer = Renderer(AutoTokenizer.from_pretrained(folder), MODEL, most_tokens(AutoConfig.from_pretrained(folder)))
    reviews = [review for each in chosen for review in each[:replies]]
    return training_items(program.module, reviews, renderer, Recipe().balance), len(chosen)


def lines(found: Found) -> Iterator[str]:
    """The `name: value` lines; the ratios come last."""
    top = found["peak"]
    yield f"bf16_matrix_peak_gflops: {top['gflops']:.0f}"
    yield f"linear_parameters: {top['linear_parameters']}"
    speeds = {}
    for way in WAYS:
        speed = found[f"speed-{way}"]
        if "reason" in speed:
            continue
        speeds[way] = speed["decisions"] / speed["seconds"]
        tokens = speed["tokens"] / speed["seconds"]
        yield f"{way}_steps: {speed['steps']}"
        yield f"{way}_decisions: {speed['decisions']:.0f}"
        yield f"{way}_decisions_per_second: {speeds[way]:.2f}"
        yield f"{way}_tokens_per_second: {tokens:.0f}"
        yield f"{way}_tokens_per_decision: {speed['tokens'] / speed['decisions']:.1f}"
        yield f"{way}_share_of_peak: {4 * top['linear_parameters'] * tokens / top['gflops'] / 1e9:.3f}"
        yield f"{way}_peak_memory_mib: {speed['peak_mib']:.0f}"
    for name, grown in found.items():
        if name.startswith("growth"):
            speed = grown["decisions"] / grown["seconds"]
            yield f"{name.replace('-', '_')}_decisions_per_second: {speed:.2f} ({grown['dialogues']} dialogues)"
    for way in WAYS:
        told = found.get(f"agreement-{way}", {"reason": ""})
        if "reason" not in told:
            trained = f"{told['seconds'] / 60:.1f} minutes, {told['epochs']:.2f} epochs"
            yield f"{way}_agreement: {told['macro_f1_weighted']:.3f} ({trained})"
    for way in WAYS[1:]:
        reason = found[f"speed-{way}"].get("reason")
        yield f"ratio_{way}: " + (f"not measured ({reason})" if reason else f"{speeds['ours'] / speeds[way]:.1f}")


if __name__ == "__main__":
    main()
