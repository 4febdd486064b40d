"""Every decision on which the judge left the experts' level, with its conversation, for a reader who wants them all.

`results.json` holds the worst few. The rest is read from the run's predictions and the data file, as long as both are
still what they were.
"""

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

from utta.core.errors import shorten
from utta.core.files import sha256
from utta.records.read import numbered_lines, read_object, scan_reviews
from utta.records.review import Review
from utta.reports.numbers import counted
from utta.reports.results import Disagreement, Results


def every_disagreement(results: Results, run: Path) -> tuple[list[Disagreement], str]:
    """All disagreements, those with the least chance for the experts' level first; and a sentence on what is missing.

    The sentence is empty when nothing is. Without the files the list is the one of `results.json`; a response past its last
    day to keep is not shown.
    """
    data = Path(results.data.file)
    if why := _unusable(results, data, run):
        return results.disagreements, f"These are the worst {len(results.disagreements)} alone: {why}."
    try:
        found, kept_back = _read(results, data, run)
    except (ValueError, KeyError, TypeError) as error:
        damaged = f"{run / 'predictions.jsonl'} is damaged ({shorten(error)})"
        return results.disagreements, f"These are the worst {len(results.disagreements)} alone: {damaged}."
    past = f"{counted(kept_back, 'response')} past the last day to keep left out." if kept_back else ""
    return sorted(found, key=lambda each: each.gold_probability or 0), past


def _read(results: Results, data: Path, run: Path) -> tuple[list[Disagreement], int]:
    """The disagreements, and the number of judged responses that may no longer be shown."""
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _, raw, size in numbered_lines(run / "predictions.jsonl"):
        line = read_object(raw, size)
        lines[line["record_id"]].append(line)
    found: list[Disagreement] = []
    kept_back, today = 0, date.today()
    for review in scan_reviews(data):
        if not isinstance(review, Review) or review.id not in lines:
            continue
        if review.withheld("evaluate", today):
            kept_back += 1
            continue
        found += [
            _disagreement(review, line, len(results.criteria[line["criterion"]].gold))
            for line in lines[review.id]
            if review.levels.get(line["criterion"], line["label"]) != line["label"]
        ]
    return found, kept_back


def _unusable(results: Results, data: Path, run: Path) -> str:
    """Why the whole list cannot be made; empty when it can."""
    if not data.is_file():
        return f"{data} is not there, seen from the working folder"
    if sha256(data) != results.data.sha256:
        return f"{data} has changed since the run"
    if not (run / "predictions.jsonl").is_file():
        return f"{run} has no predictions.jsonl"
    return ""


def _disagreement(review: Review, line: dict[str, Any], levels: int) -> Disagreement:
    """One decision; without probabilities the levels that were not chosen share what the confidence leaves."""
    chances = line["probabilities"] or {}
    mass = sum(chances.values())
    gold = review.levels[line["criterion"]]
    rest = (1 - line["confidence"]) / (levels - 1)
    return Disagreement(
        record_id=review.id,
        criterion=line["criterion"],
        gold=gold,
        label=line["label"],
        confidence=chances[line["label"]] / mass if mass else line["confidence"],
        gold_probability=chances[gold] / mass if mass else rest,
        response=review.response,
        responder=review.responder,
        conversation=[(turn.speaker, turn.utterance) for turn in review.conversation],
    )
