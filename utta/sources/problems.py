"""Names for problems, from words: the same exercise in two sources gets the same name, so that a split keeps it together."""

import hashlib
import re
from collections.abc import Sequence

from utta.records.record import Turn


def of_question(question: str) -> str:
    """The name of an exercise by its text."""
    return f"q-{_digest(question)}"


def of_conversation(turns: Sequence[Turn]) -> str:
    """The name of an exercise that is nowhere stated, by all that was said about it."""
    return f"c-{_digest(' '.join(turn.utterance for turn in turns))}"


def _digest(text: str) -> str:
    """Only words and numbers count, without regard to case: spacing and punctuation do not make a new problem."""
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return hashlib.sha256(words.encode()).hexdigest()[:12]
