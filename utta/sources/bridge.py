"""Bridge (Wang et al. 2024): real chat tutoring in elementary mathematics, with an expert's reply to each mistake.

Each entry of the published JSON is a chat up to a student's mistake (`c_h`), what the tutor, a novice, replied (`c_r`), what
an expert would reply (`c_r_`) and how the expert imagines the rest (`c_revision`), with the kind of mistake (`e`), the
expert's strategy (`z_what`) and intention (`z_why`). A chat that several experts looked at stands once for each. The
exercise is nowhere stated: a problem is named after the chat. The lesson's topic begins with the grade that it is for.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from utta.core.errors import shorten
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.example import ExampleInput, ExampleOutput, TeachingExample
from utta.records.read import Fault
from utta.records.record import Turn
from utta.records.review import Review
from utta.sources import problems
from utta.sources.entries import each_entry, field

STUDENT = "A child in an online lesson, who types short answers into a chat."
GRADE = re.compile(r"(\d)\.")
SPEAKERS = {"tutor": "teacher", "student": "student"}


def dialogues(path: Path) -> Iterator[list[Dialogue | Fault]]:
    """The chats as they were, the novice's reply included."""
    return each_entry(path, _dialogue)


def examples(path: Path) -> Iterator[list[TeachingExample | Fault]]:
    """The experts' replies, with strategy and intention."""
    return each_entry(path, _example)


def reviews(path: Path) -> Iterator[list[Review | Fault]]:
    """The novice's and the expert's reply, to be judged: reviews without levels."""
    return each_entry(path, _reviews)


def _dialogue(entry: dict[str, Any]) -> Sequence[Dialogue]:
    turns = [
        DialogueTurn(speaker=_speaker(said), utterance=field(said, "text"), metadata=_rest(said))
        for said in [*_said(entry, "c_h"), *_said(entry, "c_r")]
    ]
    grade = GRADE.match(str(entry.get("lesson_topic")))
    return [
        Dialogue(
            **_common(entry),
            grade_level=grade[1] if grade else None,
            student_profile=STUDENT,
            metadata=_topic(entry),
            dialogue_turns=turns,
        )
    ]


def _example(entry: dict[str, Any]) -> Sequence[TeachingExample]:
    turns = _turns(entry, "c_h")
    asked = len(turns)
    while asked and turns[asked - 1].speaker == "student":
        asked -= 1
    more = {"student_error": entry.get("e"), "revision": entry.get("c_revision")}
    example = TeachingExample(
        source="bridge",
        licence="MIT",
        dialogue_id=field(entry, "c_id"),
        problem=problems.of_conversation(turns),
        conversation=turns[:asked],
        input=ExampleInput(subject="mathematics", student_question=_joined(turns[asked:])),
        output=ExampleOutput(
            teacher_response=_joined(_turns(entry, "c_r_")),
            techniques_used=[field(entry, "z_what")],
            rationale=field(entry, "z_why"),
        ),
        metadata=_topic(entry) | {name: value for name, value in more.items() if value},
    )
    return [example]


def _reviews(entry: dict[str, Any]) -> Sequence[Review]:
    shared = {**_common(entry), "conversation": _turns(entry, "c_h"), "metadata": _topic(entry)}
    return [
        Review(**shared, response=_joined(_turns(entry, name)), responder=responder, rubric="utta", levels={})
        for name, responder in (("c_r", "novice"), ("c_r_", "expert"))
    ]


def _common(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": "bridge",
        "licence": "MIT",
        "dialogue_id": field(entry, "c_id"),
        "problem": problems.of_conversation(_turns(entry, "c_h")),
        "subject": "mathematics",
    }


def _topic(entry: dict[str, Any]) -> dict[str, Any]:
    return {"lesson_topic": entry["lesson_topic"]} if entry.get("lesson_topic") else {}


def _said(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    said = field(entry, name, list)
    for each in said:
        if not isinstance(each, dict):
            raise ValueError(f"{name} holds something that is not a message, seen {shorten(each)!r}")
    return said


def _turns(entry: dict[str, Any], name: str) -> list[Turn]:
    return [Turn(speaker=_speaker(said), utterance=field(said, "text")) for said in _said(entry, name)]


def _speaker(said: dict[str, Any]) -> str:
    speaker = SPEAKERS.get(str(said.get("user")))
    if speaker is None:
        raise ValueError(f"a message is by neither tutor nor student, seen {shorten(said.get('user'))!r}")
    return speaker


def _rest(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in ("user", "text")}


def _joined(turns: Sequence[Turn]) -> str:
    return "\n".join(turn.utterance for turn in turns)
