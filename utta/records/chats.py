"""Chats to learn from, as a file of JSON lines: what a program wrote, with a score, to be looked at, edited and used again."""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from utta.core.errors import UttaError, shorten
from utta.core.files import write_lines

Message = dict[str, str]


@dataclass(frozen=True)
class Row:
    """A call of a model to learn from: the prompt's messages, and the assistant's as the last. `score` is the whole answer's,
    None where nothing scored it. `problem` is that of the record."""

    messages: list[Message]
    record_id: str = ""
    predictor: str = ""
    score: float | None = None
    problem: str = ""


def passing(found: Sequence[Row], threshold: float) -> list[Row]:
    """The rows whose score is at least the threshold or that have none, each prompt with the same answer once."""
    kept = (row for row in found if row.score is None or row.score >= threshold)
    return list({key(row.messages): row for row in kept}.values())


def apart(found: Sequence[Row], held_out: Collection[str], path: Path) -> list[Row]:
    """The rows of a file about none of the problems held out. Of rows that name no problem it is not known, and they stay;
    standard error says how many they are."""
    if unknown := sum(not row.problem for row in found):
        print(
            f"{unknown:,} of {len(found):,} rows in {path} name no problem; whether they are about validation's is not known.",
            file=sys.stderr,
        )
    return [row for row in found if row.problem not in held_out]


def write_rows(path: Path, found: Sequence[Row]) -> None:
    """Write rows as JSON lines; the key `messages` is what other trainers read."""
    write_lines(path, [asdict(row) for row in found])


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, whoever wrote it; `UttaError` names the first line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UttaError(
            f"The rows in {path} cannot be read ({error}); give a file that 'utta optimize' wrote."
        ) from None
    found = [_row(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise UttaError(f"There is no row in {path}; give a file that 'utta optimize' wrote.")
    return found


def _row(line: str, place: str) -> Row:
    try:
        told = json.loads(line)
        messages = [{"role": m["role"], "content": m["content"]} for m in told["messages"]]
        score = told.get("score")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UttaError(
            f"{place}: a row is an object with a list of messages, not {shorten(line)!r}; mend it."
        ) from None
    texts = all(isinstance(value, str) for message in messages for value in message.values())
    if not texts or not messages or messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
        raise UttaError(f"{place}: a row ends with what the assistant wrote, and {shorten(line)!r} does not; mend it.")
    if not isinstance(score, int | float | None):
        raise UttaError(f"{place}: the score {score!r} is no number; mend it, or leave it out.")
    names = (str(told.get(name) or "") for name in ("record_id", "predictor", "problem"))
    record_id, predictor, problem = names
    return Row(messages, record_id, predictor, score, problem)


def key(messages: Sequence[Message]) -> str:
    """What tells one chat from another."""
    return json.dumps([[m["role"], m["content"]] for m in messages])
