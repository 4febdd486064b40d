"""How fast and in how little memory reviews are brought in and looked through, beside the plain way with pandas.

    python scripts/bench_prepare.py --records 100000 1000000

Generates that many distinct reviews, then runs each step in a process of its own and prints records per second and the
largest memory that the process held; `growth` is that of the largest number of records over the smallest. pandas is not
among UTTA's dependencies: without it (`pip install pandas`) the plain way is left out. `--near` measures the search for
near duplicates alone, the one step whose memory grows with the records (about 2 GB and a quarter of an hour a million).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

WORDS = "why how look again think step half third count draw check explain show number sum part whole next try first".split()
LABELS = ("Poor", "Fair", "Good", "Excellent")
PANDAS = """
import sys, pandas
reviews = pandas.read_json(sys.argv[1], lines=True)
reviews["conversation"] = reviews["conversation"].map(str)
reviews = reviews.drop_duplicates(["conversation", "response", "responder"])
for criterion, labels in pandas.json_normalize(reviews["levels"]).items():
    labels.value_counts()
reviews.to_json(sys.argv[2], orient="records", lines=True)
"""


def review(number: int) -> dict[str, object]:
    """One of a series of distinct reviews: 8 replies to each of the conversations."""
    conversation, reply = divmod(number, 8)
    words = [WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(20 + number % 30)]
    return {
        "source": "generated",
        "dialogue_id": f"d{conversation}",
        "problem": f"p{conversation // 3}",
        "conversation": [
            {
                "speaker": "teacher",
                "utterance": f"What is {conversation} and {conversation % 17}? " + " ".join(words[:12]),
            },
            {"speaker": "student", "utterance": f"I think it is {conversation + 1}, because " + " ".join(words[5:15])},
        ],
        "response": f"{' '.join(words)} {number}?",
        "responder": f"tutor-{reply}",
        "rubric": "utta",
        "levels": {"accuracy": LABELS[number % 4], "engagement": LABELS[number // 4 % 4]},
    }


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and the largest resident memory in MB of a process; its output is thrown away."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[100_000, 1_000_000], help="how many, one or more")
    parser.add_argument("--near", action="store_true", help="only near duplicates (and the import before)")
    asked = parser.parse_args()
    peaks: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        raw, brought, made = (Path(folder, f"{name}.jsonl") for name in ("raw", "reviews", "made"))
        split, grown = Path(folder, "split"), Path(folder, "grown")
        utta = [sys.executable, "-m", "utta.cli.main", "data"]
        steps = {
            "import": [*utta, "import", "utta", str(raw), "--out", str(brought)],
            "check": [*utta, "check", str(brought), "--rubric", "utta"],
            "stats": [*utta, "stats", str(brought), "--rubric", "utta"],
            "clean": [*utta, "clean", str(brought), "--out", str(made)],
            "dedupe": [*utta, "dedupe", str(brought), "--out", str(made)],
            "metadata": [*utta, "metadata", str(brought), "--out", str(made)],
            "split": [*utta, "split", str(brought), "--out", str(split)],
            "split --keep": [*utta, "split", str(made), "--keep", str(split), "--out", str(grown)],
            "diff": [*utta, "diff", str(split), str(grown)],
        }
        if find_spec("pandas"):
            steps["pandas"] = [sys.executable, "-c", PANDAS, str(raw), str(brought)]
        if asked.near:
            near = [*utta, "dedupe", str(brought), "--near", "0.8", "--out", str(made)]
            steps = {"import": steps["import"], "dedupe --near 0.8": near}
        for count in sorted(asked.records):
            with open(raw, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(review(number)) + "\n" for number in range(count))
            for step, command in steps.items():
                seconds, peak = measured(command)
                peaks.setdefault(step, []).append(peak)
                print(f"{step} {count}: {count / seconds:.0f} records/s, {peak:.0f} MB", flush=True)
    for step, seen in peaks.items():
        print(f"growth of {step}: {seen[-1] / seen[0]:.2f}")


if __name__ == "__main__":
    main()
