"""MRBench (Maurya et al. 2025; the BEA 2025 shared task): tutors' replies to a student's mistake, judged by people.

Reads the V1 and V2 layout (`anno_llm_responses`, with topic and solution), the V3 layout (`tutor_responses`) and V3
files without labels, whose replies become reviews without levels. Text stays as published, except for white space at
its ends and U+00A0, which becomes a space. Tutors become "teacher". Labels are not held against a rubric here.

Two facts of the published files shape this module. V2 has three conversation ids that stand twice; three replies stand
under both, word for word, two of them with other labels. They are kept as second judgements (`reviewer` "2"). V3 calls
such conversations "…_1" and "…_2", so that a problem named after the id would put one conversation into both training
and test data: the problem of a conversation without a stated question is named after its words.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from utta.core.errors import UttaError, shorten
from utta.records.read import Fault, plain_faults
from utta.records.record import Turn
from utta.records.review import Review
from utta.sources import problems
from utta.sources.entries import as_written

LICENCE = "CC BY-SA 4.0"
REPLIES = ("tutor_responses", "anno_llm_responses")
SPEAKERS = {"Tutor": "teacher", "Student": "student"}
SPEAKER = re.compile(r"(Tutor|Student)\s*:")
QUESTION = "The question is:"

# A dialogue id, who replied and the reply: what is counted to find a reply that is judged a second time.
Judged = tuple[str, str, str]


def read(path: Path) -> Iterator[list[Review | Fault]]:
    """One list per dialogue of the file: a review for each reply, a fault for each reply that cannot be used.

    Raises `UttaError` when the file is missing, not JSON or not in a layout of MRBench.
    """
    judged: Counter[Judged] = Counter()
    for number, entry in enumerate(_entries(path), start=1):
        items: list[Review | Fault] = []
        for result, raw in _reviews(entry, judged):
            if isinstance(result, str):
                items.append(Fault(str(path), number, result, as_written(raw), unit="entry"))
            else:
                items.append(result)
        yield items


def _entries(path: Path) -> list[Any]:
    try:
        entries = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise UttaError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise UttaError(f"{path} cannot be read ({error.strerror or error}).") from None
    except (ValueError, RecursionError) as error:
        raise UttaError(f"{path} is not valid JSON ({error}); it may be cut off, so fetch it anew.") from None
    if not isinstance(entries, list) or not any(isinstance(e, dict) and _replies_key(e) for e in entries):
        raise UttaError(
            f"{path} is not an MRBench file: seen {shorten(json.dumps(entries))!r}, "
            f"not a list of dialogues with {' or '.join(REPLIES)}."
        )
    return entries


def _replies_key(entry: dict[str, Any]) -> str | None:
    return next((key for key in REPLIES if isinstance(entry.get(key), dict)), None)


def _reviews(entry: Any, judged: Counter[Judged]) -> Iterator[tuple[Review | str, Any]]:
    """Each reply of one dialogue as a review, or what is wrong with it; with the raw part of the file it came from."""
    try:
        key, common = _dialogue(entry)
    except ValueError as error:
        yield str(error), entry
        return
    for responder, reply in entry[key].items():
        raw = {"conversation_id": common["dialogue_id"], responder: reply}
        try:
            yield _review(common, responder, reply, judged), raw
        except ValidationError as error:
            yield f"the reply of {responder!r}: {plain_faults(error)}", raw
        except ValueError as error:
            yield str(error), raw


def _dialogue(entry: Any) -> tuple[str, dict[str, Any]]:
    """The key of a dialogue's replies, and the fields that its reviews share; `ValueError` says what is wrong."""
    if not isinstance(entry, dict) or not (key := _replies_key(entry)):
        raise ValueError(f"there is no {' or '.join(REPLIES)}, seen {shorten(entry)!r}")
    for name in ("conversation_id", "conversation_history"):
        if not isinstance(entry.get(name), str):
            raise ValueError(f"{name} is missing or not text, seen {shorten(entry.get(name))!r}")
    conversation = turns(entry["conversation_history"])
    published = {"topic": "Topic", "solution": "Ground_Truth_Solution", "data": "Data", "split": "Split"}
    metadata = {
        name: entry[field] for name, field in published.items() if entry.get(field) not in (None, "Not Available")
    }
    return key, {
        "source": "mrbench",
        "licence": LICENCE,
        "dialogue_id": entry["conversation_id"],
        "problem": problem_of(conversation),
        "subject": "mathematics",
        "conversation": conversation,
        "rubric": "mrbench",
        "metadata": metadata,
    }


def _review(common: dict[str, Any], responder: str, reply: Any, judged: Counter[Judged]) -> Review:
    """The review of one reply; raises `ValueError` (pydantic's included)."""
    if not isinstance(reply, dict) or not isinstance(reply.get("response"), str):
        raise ValueError(f"the reply of {responder!r} has no text in 'response', seen {shorten(reply)!r}")
    response = _clean(reply["response"])
    review = Review(
        **common,
        response=response,
        responder=responder,
        levels=reply.get("annotation") or {},
        reviewer=_reviewer(judged[common["dialogue_id"], responder, response]),
    )
    judged[common["dialogue_id"], responder, response] += 1
    return review


def _reviewer(earlier: int) -> str | None:
    """MRBench names no reviewers; a reply that stands again under the same id is the judgement of another one."""
    return str(earlier + 1) if earlier else None


def turns(history: str) -> list[Turn]:
    """The turns of a published conversation; a line without a speaker goes on with the turn before it.

    Raises `ValueError` when the text does not start with a speaker.
    """
    spoken: list[tuple[str, list[str]]] = []
    for line in map(str.strip, history.replace("\xa0", " ").strip().split("\n")):
        if match := SPEAKER.match(line):
            spoken.append((SPEAKERS[match[1]], [line[match.end() :].strip()]))
        elif spoken:
            spoken[-1][1].append(line)
        else:
            raise ValueError(f"the conversation does not start with 'Tutor:' or 'Student:', seen {shorten(line)!r}")
    return [Turn(speaker=speaker, utterance="\n".join(lines).strip()) for speaker, lines in spoken]


def problem_of(conversation: list[Turn]) -> str:
    """The name of the exercise: from the question in the first turn, else from the words of the whole conversation."""
    _, stated, question = conversation[0].utterance.partition(QUESTION)
    return problems.of_question(question) if stated else problems.of_conversation(conversation)


def _clean(text: str) -> str:
    return text.replace("\xa0", " ").strip()
