"""What a tutor says: to every conversation of a file, and turn by turn to students who press for the answer.

replies.jsonl       one line per conversation: the tutor's answer in place of the responses in the file
pressed.jsonl       one line per pressing student and turn: the tutor's answer, given all that was said before
errors.jsonl        what could not be done; it is tried again when the run goes on
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dspy

from utta.evaluate.predict import Line, worked_off
from utta.evaluate.tutor.pressing import PressingStudent
from utta.programs.inputs import judge_inputs
from utta.programs.tutor import Tutor, context
from utta.records.record import Turn
from utta.records.review import Review


def replies(tutor: Tutor, places: Sequence[Review], out: Path) -> tuple[list[Line], list[Line]]:
    """The tutor's answer in the place of each review's response; the lines, and the errors."""

    def answer(review: Review) -> list[Line]:
        return [{"record_id": review.id} | _said(tutor, **inputs_of(review))]

    work = {(review.id,): (review.id, partial(answer, review)) for review in places}
    return worked_off(work, lambda line: (line["record_id"],), out, "replies", "Answering", tutor.cancel)


def pressed(tutor: Tutor, students: Sequence[PressingStudent], out: Path) -> tuple[list[Line], list[Line]]:
    """The tutor's answers to the students' first turns, then to their second ones, and so on; the lines, and the errors. A
    student whose turn failed says no more."""
    lines: list[Line] = []
    errors: list[Line] = []
    turns = max(len(student.turns) for student in students)
    for turn in range(turns):
        before = {student.id: [line for line in lines if line["record_id"] == student.id] for student in students}
        asking = [s for s in students if turn < len(s.turns) and len(before[s.id]) == turn]
        work = {(s.id, turn): (s.id, partial(_press, tutor, s, before[s.id])) for s in asking}
        title = f"Pressing, turn {turn + 1} of {turns}"
        new, failed = worked_off(
            work, lambda line: (line["record_id"], line["turn"]), out, "pressed", title, tutor.cancel
        )
        lines += new
        errors += failed
    return lines, errors


def _press(tutor: Tutor, student: PressingStudent, before: Sequence[Line]) -> list[Line]:
    """The tutor's answer to what the student says next, given the tutor's answers before."""
    return [{"record_id": student.id, "turn": len(before)} | _said(tutor, **inputs_when_pressed(student, before))]


def inputs_when_pressed(student: PressingStudent, before: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the tutor is given when the student speaks next, after the tutor's answers `before`."""
    said: list[Turn] = []
    for asked, line in zip(student.turns, before, strict=False):
        said.append(Turn(speaker="student", utterance=asked))
        said.append(Turn(speaker="teacher", utterance=line["teacher_response"]))
    return {
        "grade_level": student.grade_level,
        "subject": student.subject,
        "context": context(f"Exercise: {student.problem}", said),
        "student_question": student.turns[len(before)],
    }


def inputs_of(review: Review) -> dict[str, str]:
    """What the tutor is given of a review: never the response that is there, nor who wrote it."""
    shown = judge_inputs(review)
    asked = len(review.conversation)
    while asked and review.conversation[asked - 1].speaker == "student":
        asked -= 1
    return {
        "grade_level": shown["grade_level"],
        "subject": shown["subject"],
        "context": context(shown["context"], review.conversation[:asked]),
        "student_question": "\n".join(turn.utterance for turn in review.conversation[asked:]),
    }


def _said(tutor: Tutor, **inputs: str) -> dict[str, Any]:
    with dspy.context(disable_history=True):
        said = tutor(**inputs)
    return {name: said[name] for name in ("teacher_response", "techniques_used", "rationale")}
