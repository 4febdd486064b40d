"""Whether `utta distill --dry-run` is right about what a training takes: plans one, runs it, holds both against each other.

    python scripts/check_estimate.py --train split/train.jsonl --val split/validation.jsonl --conversations 12

It takes the first conversations of the training file and a third as many of the other. Both run in a fresh process. Prints
`name: value` lines, last `memory_ratio`, `disk_ratio`, `core_ratio` and `time_ratio`, each the estimate over what it
really was; `core_ratio` is that of the seconds of all cores together, which other work on the machine disturbs less.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

KEYS = {"memory": "memory", "disk": "disk", "core": "core_seconds", "time": "seconds"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="reviews, as `utta data split` leaves them")
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument(
        "--conversations", type=int, default=12, help="how many of the training file, from the first on"
    )
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--upper", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--model", help="as for `utta distill`")
    parser.add_argument("--rubric", help="as for `utta distill`")
    parser.add_argument("--part", choices=("plan", "train"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        print(json.dumps(part(asked)))
        return
    with tempfile.TemporaryDirectory() as folder:
        given = [*sys.argv[1:], "--train", first(asked.train, asked.conversations, Path(folder) / "train.jsonl"),
                 "--val", first(asked.val, -(-asked.conversations // 3), Path(folder) / "validation.jsonl")]  # fmt: skip
        planned, real = (in_fresh_process([*given, "--part", name]) for name in ("plan", "train"))
    print(f"tokens_per_epoch: {planned['tokens']['per_epoch']}")
    for key in KEYS.values():
        print(f"{key}: {planned['estimate'][key]:.0f} (really {real[key]:.0f})")
    for name, key in KEYS.items():
        print(f"{name}_ratio: {planned['estimate'][key] / real[key]:.2f}")


def first(path: Path, conversations: int, out: Path) -> str:
    """The reviews of the first conversations of a file, put into `out`."""
    from utta.records.read import read_reviews, write_records
    from utta.records.record import spoken

    seen: dict[str, None] = {}
    kept = []
    for review in read_reviews(path).reviews:
        talk = json.dumps(spoken(review.conversation))
        if talk in seen or len(seen) < conversations:
            seen[talk] = None
            kept.append(review)
    write_records(out, kept)
    return str(out)


def in_fresh_process(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def part(asked: argparse.Namespace) -> dict[str, Any]:
    """The plan, or what a training really took; neither counts the time that Python takes to start and import."""
    from utta.core.system import peak_memory
    from utta.distill.estimate import clocks
    from utta.distill.plan import plan
    from utta.distill.recipe import Recipe
    from utta.distill.run import Asked, distill

    recipe = Recipe(epochs=asked.epochs, upper=asked.upper, batch=asked.batch, patience=asked.epochs)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "judge"
        request = Asked("evaluator", asked.train, asked.val, out, asked.model, asked.rubric, recipe=recipe)
        if asked.part == "plan":
            return plan(request)
        with Disk(out) as disk:
            before = clocks()
            distill(request)
            seconds, of_cores = clocks() - before
    return {"seconds": seconds, "core_seconds": of_cores, "memory": peak_memory(), "disk": disk.most}


class Disk:
    """The most bytes that files in a folder have held at once, looked at from beside."""

    def __init__(self, folder: Path):
        self.folder, self.most = folder, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Disk":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, sum(size(path) for path in self.folder.rglob("*")))


def size(path: Path) -> int:
    """A file's bytes; 0 for a folder, and for what is gone since it was listed."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


if __name__ == "__main__":
    main()
