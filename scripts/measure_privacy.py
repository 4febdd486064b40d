"""How much of what points to a person is found, and how much of what is replaced should be: on the planted set.

    python scripts/measure_privacy.py                  # the test part
    python scripts/measure_privacy.py --part tune --list

A planted span is found when none of its letters and digits is left, whatever type it was taken for. A replacement is right
when it lies within a span of its type. Intervals are Wilson's, 95%.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from utta.core.identifiers import TYPES, Found
from utta.core.names import People
from utta.core.paths import data_dir
from utta.core.surrogates import find

PLANTED = data_dir() / "privacy" / "planted.jsonl"


def planted(part: str, path: Path = PLANTED) -> list[dict[str, Any]]:
    """The texts of one part of the planted set."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["part"] == part]


def judge(line: dict[str, Any]) -> tuple[list[tuple[str, str, bool]], list[tuple[str, str, bool]]]:
    """Of each planted span its type, its text and whether it was found; of each replacement, whether it was right."""
    text = line["text"]
    [replaced] = find([text], People(line.get("roster", ())))
    gone = {place for each in replaced for place in range(each.start, each.end)}
    spans = [(type_, text[a:b], _signs(text, a, b) <= gone) for a, b, type_ in line["spans"]]
    return spans, [(each.type, text[each.start : each.end], _right(each, line)) for each in replaced]


def _right(found: Found, line: dict[str, Any]) -> bool:
    signs = _signs(line["text"], found.start, found.end)
    return any(found.type == type_ and signs <= set(range(a, b)) for a, b, type_ in line["spans"])


def _signs(text: str, start: int, end: int) -> set[int]:
    """The places of letters and digits."""
    return {place for place in range(start, end) if text[place].isalnum()}


def share(good: int, n: int) -> str:
    """A share with its n and interval."""
    if not n:
        return "– (n 0)"
    interval = binomtest(good, n).proportion_ci(method="wilson")
    return f"{good / n:.2f} [{interval.low:.2f} {interval.high:.2f}] (n {n})"


def table(lines: list[dict[str, Any]]) -> str:
    """Recall and precision per type as a Markdown table, and the traps that were left alone by kind."""
    recall: dict[str, Counter[bool]] = defaultdict(Counter)
    precision: dict[str, Counter[bool]] = defaultdict(Counter)
    traps: dict[str, Counter[bool]] = defaultdict(Counter)
    for line in lines:
        spans, replaced = judge(line)
        for counts, judged in ((recall, spans), (precision, replaced)):
            for type_, _, good in judged:
                for name in (type_, "all"):
                    counts[name][good] += 1
        if kind := line.get("trap"):
            traps[kind][not replaced] += 1
            traps["all"][not replaced] += 1
    rows = ["| type | recall | precision |", "|---|---|---|"]
    rows += [f"| {t} | {_share(recall[t])} | {_share(precision[t])} |" for t in (*TYPES, "all")]
    rows += ["", "| trap | left alone |", "|---|---|"]
    rows += [f"| {kind} | {counts[True]} of {counts.total()} |" for kind, counts in sorted(traps.items())]
    return "\n".join(rows)


def _share(counts: "Counter[bool]") -> str:
    return share(counts[True], counts.total())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=["tune", "test"], default="test")
    parser.add_argument("--list", action="store_true", help="also each span that was missed and each wrong replacement")
    arguments = parser.parse_args()
    lines = planted(arguments.part)
    print(table(lines))
    if arguments.list:
        for line in lines:
            for what, judged in zip(("missed", "wrong"), judge(line), strict=True):
                for type_, text, good in judged:
                    if not good:
                        print(f"{what} {type_}: {text!r} in {line['text']!r}", file=sys.stdout)


if __name__ == "__main__":
    main()
