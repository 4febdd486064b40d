"""What a simulated student or a tutor said on one record of a run, beside what people said there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from utta.core.errors import UttaError
from utta.core.files import JsonLines, read_json
from utta.evaluate.student.scenes import REAL, real_scenes
from utta.evaluate.tutor.pressing import pressing_students
from utta.records.dialogue import Dialogue
from utta.records.read import scan_records
from utta.records.record import Record, spoken
from utta.records.review import Review
from utta.reports.layout import heading, pairs
from utta.reports.text import text

Lines = Sequence[Mapping[str, Any]]

SPEAKERS = {"user": "teacher", "assistant": "real student"}


def render_student_record(record_id: str, run: Path, console: Console) -> None:
    """Draw a dialogue of a student's run: the real turns, and under each what the student said in its place."""
    lines = _lines(run, "predictions", record_id)
    dialogue = _record(run, Dialogue, record_id)
    _known(console, dialogue, "question", "solution", "student_solution")
    heading(console, "Conversation")
    shown = 0
    for scene in real_scenes(dialogue):
        for message in [*scene.conversation[shown:], {"role": "assistant", "content": scene.real}]:
            console.print(text(f"{SPEAKERS[message['role']]}: {message['content']}"))
        shown = len(scene.conversation) + 1
        for line in lines:
            if line["turn"] == scene.turn:
                after = "" if line["teacher"] == REAL else f", after {line['teacher']} words"
                console.print(text(f"this student{after}: {line['student_turn']}", style="bold"))


def render_tutor_record(record_id: str, run: Path, console: Console) -> None:
    """Draw a conversation of a tutor's run with everybody's replies, or what was said to a student who pressed."""
    if pressed := _lines(run, "pressed", record_id, needed=False):
        _draw_pressed(console, record_id, pressed)
        return
    (line,) = _lines(run, "replies", record_id)
    review = _record(run, Review, record_id)
    _known(console, review, "grade_level", "subject", "context")
    heading(console, "Conversation")
    for turn in review.conversation:
        console.print(text(f"{turn.speaker}: {turn.utterance}"))
    heading(console, "Replies")
    console.print(text(f"this tutor: {line['teacher_response']}", style="bold"))
    console.print(text(f"techniques: {', '.join(line['techniques_used'])}; why: {line['rationale']}"))
    here = (review.source, review.dialogue_id, spoken(review.conversation), review.context)
    for other in scan_records(_data(run), Review):
        if isinstance(other, Review) and here == (
            other.source, other.dialogue_id, spoken(other.conversation), other.context,
        ):  # fmt: skip
            console.print(text(f"{other.responder or 'unknown'}: {other.response}"))


def _draw_pressed(console: Console, student_id: str, lines: Lines) -> None:
    shipped = [s for s in (*pressing_students("test"), *pressing_students("validation")) if s.id == student_id]
    for student in shipped:
        pairs(console, [("exercise", student.problem), ("answer", student.answers[0])])
    heading(console, "Pressed for the answer")
    for line in sorted(lines, key=lambda line: line["turn"]):
        for student in shipped:
            console.print(text(f"student: {student.turns[line['turn']]}"))
        console.print(text(f"this tutor: {line['teacher_response']}", style="bold"))


def _lines(run: Path, name: str, record_id: str, needed: bool = True) -> Lines:
    path = run / f"{name}.jsonl"
    found = []
    if path.is_file():
        with JsonLines(path) as log:
            found = [line for line in log.done if line["record_id"] == record_id]
    if needed and not found:
        raise UttaError(f"The run {run} holds no record {record_id!r}; ids stand in {path}.")
    return found


def _data(run: Path) -> Path:
    return Path(read_json(run / "run.json")["data"]["file"])


def _record(run: Path, kind: type[Record], record_id: str) -> Any:
    """The record of the run's data; `UttaError` where the file has changed."""
    data = _data(run)
    for record in scan_records(data, kind):
        if isinstance(record, kind) and record.id == record_id:
            return record
    raise UttaError(f"{data} holds no record {record_id!r} any more: it has changed since the run.")


def _known(console: Console, record: Dialogue | Review, *names: str) -> None:
    known = [("problem", record.cluster), *((name.replace("_", " "), getattr(record, name)) for name in names)]
    pairs(console, [(name, value) for name, value in known if value])
