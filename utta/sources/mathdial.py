"""MathDial (Macina et al. 2023): teachers and a simulated student with a wrong solution and a described confusion.

One JSON object a line. Turns are joined by `|EOM|`; a teacher's begins with the kind of move in brackets (`generic`,
`focus`, `probing`, `telling`), a student's with "Student" or the student's name. What the teacher said afterwards of how
typical the student was goes into the metadata.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from utta.core.errors import shorten
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.read import Fault
from utta.sources import problems
from utta.sources.entries import each_entry, field

BREAK = "|EOM|"
TURN = re.compile(
    r"\s*(?P<name>[^:\n]{1,40}):[ ]?(?:\((?P<move>generic|focus|probing|telling)\))?(?P<said>.*)", re.DOTALL
)
GRADE = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)[ -]grade")
RENAMED = {
    "question": "question",
    "ground_truth": "solution",
    "student_incorrect_solution": "student_solution",
    "student_profile": "student_profile",
    "teacher_described_confusion": "misconception",
}


def dialogues(path: Path) -> Iterator[list[Dialogue | Fault]]:
    """One dialogue a line."""
    return each_entry(path, _dialogue)


def _dialogue(entry: dict[str, Any]) -> Sequence[Dialogue]:
    profile = GRADE.search(str(entry.get("student_profile")))
    known: dict[str, Any] = {ours: entry.get(theirs) for theirs, ours in RENAMED.items()}
    rest = {name: value for name, value in entry.items() if name not in (*RENAMED, "conversation", "qid", "scenario")}
    dialogue = Dialogue(
        source="mathdial",
        licence="CC BY-SA 4.0",
        dialogue_id=f"{field(entry, 'qid', int)}-{field(entry, 'scenario', int)}",
        problem=problems.of_question(field(entry, "question")),
        subject="mathematics",
        grade_level=profile[1] if profile else None,
        dialogue_turns=[_turn(said) for said in field(entry, "conversation").split(BREAK)],
        metadata={name: value for name, value in rest.items() if value is not None},
        **known,
    )
    return [dialogue]


def _turn(said: str) -> DialogueTurn:
    if not (match := TURN.fullmatch(said)):
        raise ValueError(f"a turn does not start with who speaks, seen {shorten(said)!r}")
    name = match["name"].strip()
    return DialogueTurn(
        speaker="teacher" if name == "Teacher" else "student",
        utterance=match["said"].strip(),
        pedagogical_notes=match["move"],
        metadata={} if name in ("Teacher", "Student") else {"name": name},
    )
