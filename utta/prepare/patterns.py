"""How students talk, by profile: what a simulated student should sound like, computed from dialogues.

    utta data patterns dialogues.jsonl

The figures are counts on the surface of the text, in English: how long a turn is, whether it asks, whether the student
takes something back, and whether the answer changes. They say nothing about what a student understands.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from metrics.fidelity import answer, same
from utta.records.dialogue import Dialogue
from utta.records.read import Fault, no_records, scan_records

TAKES_BACK = re.compile(
    r"\b(?:oh|wait|actually|oops|sorry|my mistake|my bad|i meant|i mean|i forgot|let me (?:try|correct|fix)|i was wrong"
    r"|now i see|i see (?:now|my))\b",
    re.IGNORECASE,
)
UNKNOWN = "unknown"


@dataclass
class _Talk:
    """What is gathered of one profile."""

    words: list[int] = field(default_factory=list)
    asks: int = 0
    takes_back: int = 0
    changes: list[int] = field(default_factory=list)


def patterns(dialogues: Iterable[Dialogue]) -> dict[str, dict[str, Any]]:
    """By student profile (else the AITA's, else "unknown"), the one with most dialogues first.

    `dialogues`; `turns` of the student; `words` of a turn at the 10%, 50% and 90% quantile; shares of turns that ask
    (`question_rate`) and that take something back (`self_correction_rate`); `answer_changes`, how often in a dialogue the
    last number of a turn is not that of the turn before (mean; turns without a number are passed over).
    """
    return _summaries(_gathered(dialogues))


def _gathered(dialogues: Iterable[Dialogue]) -> dict[str, _Talk]:
    talks: dict[str, _Talk] = defaultdict(_Talk)
    for dialogue in dialogues:
        talk = talks[_profile(dialogue)]
        said = [turn.utterance for turn in dialogue.dialogue_turns if turn.speaker == "student"]
        talk.words += [len(text.split()) for text in said]
        talk.asks += sum("?" in text for text in said)
        talk.takes_back += sum(bool(TAKES_BACK.search(text)) for text in said)
        answers = [found for text in said if (found := answer(text)) is not None]
        talk.changes.append(sum(not same(a, b) for a, b in pairwise(answers)))
    return talks


def _summaries(talks: dict[str, _Talk]) -> dict[str, dict[str, Any]]:
    most = sorted(talks.items(), key=lambda item: (-len(item[1].changes), item[0]))
    return {profile: _summary(talk) for profile, talk in most}


def _profile(dialogue: Dialogue) -> str:
    if dialogue.student_profile:
        return dialogue.student_profile
    return dialogue.aita_profile if isinstance(dialogue.aita_profile, str) else UNKNOWN


def _summary(talk: _Talk) -> dict[str, Any]:
    turns = len(talk.words)
    quantiles = np.quantile(talk.words, (0.1, 0.5, 0.9), method="inverted_cdf").tolist() if turns else [None] * 3
    return {
        "dialogues": len(talk.changes),
        "turns": turns,
        "words": dict(zip(("10%", "50%", "90%"), quantiles, strict=True)),
        "question_rate": round(talk.asks / turns, 4) if turns else None,
        "self_correction_rate": round(talk.takes_back / turns, 4) if turns else None,
        "answer_changes": round(sum(talk.changes) / len(talk.changes), 4),
    }


def patterns_of(path: Path) -> dict[str, Any]:
    """The patterns of a file of dialogues, over all of them (`all`) and by `profiles`; lines that cannot be used are
    counted as `rejects`. Raises `UttaError` when the file cannot be read or holds no good dialogue."""
    faults: list[Fault] = []

    def good() -> Iterator[Dialogue]:
        for item in scan_records(path, Dialogue):
            if isinstance(item, Fault):
                faults.append(item)
            else:
                yield item

    talks = _gathered(good())
    if not talks:
        raise no_records(path, faults, Dialogue)
    whole = _Talk()
    for talk in talks.values():
        whole.words += talk.words
        whole.asks += talk.asks
        whole.takes_back += talk.takes_back
        whole.changes += talk.changes
    return {"file": str(path), "rejects": len(faults), "all": _summary(whole), "profiles": _summaries(talks)}
