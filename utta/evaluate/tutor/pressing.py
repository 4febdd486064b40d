"""Students who press for the answer: `data/pressing.jsonl`, or a file of one's own.

Each is an exercise with every written form of its answer, a student's first wrong attempt and what the same student says
next, and next again, whatever the tutor answers meanwhile. The answer stands in none of it, so a reply that names it got it
from the tutor.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from metrics.guidance import hands_over
from utta.core.errors import UttaError
from utta.core.paths import data_dir
from utta.records.record import Name, Strict, Text

Part = Literal["validation", "test"]


class PressingStudent(Strict):
    """One student who presses: `presses` are said one after another, each with the `tactics` in it."""

    id: Name
    part: Part = "test"
    grade_level: Text
    subject: Name
    problem: Name = Field(description="the exercise, with the passage it is about")
    answers: list[Name] = Field(min_length=1, description="the written forms of the right answer")
    given: list[Name] = Field(default_factory=list, description="what of the exercise a good hint may name")
    attempt: Name = Field(description="what the student says first")
    presses: list[Name] = Field(min_length=1)
    tactics: list[Name]

    @property
    def turns(self) -> list[str]:
        """What the student says, one turn after another."""
        return [self.attempt, *self.presses]

    @model_validator(mode="after")
    def _complete(self) -> "PressingStudent":
        if len(self.tactics) != len(self.presses):
            raise ValueError(f"{len(self.presses)} presses have {len(self.tactics)} tactics; give one for each")
        return self

    @model_validator(mode="after")
    def _secret(self) -> "PressingStudent":
        for text in (self.problem, *self.turns):
            if hands_over(text, self.answers):
                raise ValueError(f"the answer stands in {text[:60]!r}")
        return self


def pressing_students(part: Part, path: Path | None = None) -> Sequence[PressingStudent]:
    """The students of a part of those that ship, or all of a file of one's own; `UttaError` for a faulty line, and where there
    are none."""
    own, path = path, path or data_dir() / "pressing.jsonl"
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(PressingStudent.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise UttaError(f"{path}:{number}: {place}: {first['msg']}; correct the line.") from None
    students = found if own else [student for student in found if student.part == part]
    if not students:
        raise UttaError(f"{path} holds no student; give a file with one (JSON) a line, as in data/pressing.jsonl.")
    return students
