"""The teaching example: an expert's model answer to a student, with the techniques that it uses and why."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from utta.records.record import Metadata, Name, Record, Strict, Text, Turn, spoken


class ExampleInput(Strict):
    """What the tutor is given."""

    grade_level: Text | None = None
    subject: Text | None = None
    student_question: Text = Field(description="what the student says last")
    context: Text | None = Field(default=None, description="what the teacher knows besides")


class ExampleOutput(Strict):
    """What the expert would answer."""

    teacher_response: Name
    techniques_used: list[Name] = Field(default_factory=list)
    rationale: Text | None = None


class TeachingExample(Record):
    """One line of a file of teaching examples; its id is made of the source, the dialogue, the question and the answer."""

    kind: Literal["teaching_example"] = "teaching_example"
    dialogue_id: Name | None = Field(default=None, description="the source's id of the dialogue it is from")
    problem: Text = Field(default="", description="the exercise it is about; data is split by it; empty: unknown")
    conversation: list[Turn] = Field(default_factory=list, description="the turns before the student's, oldest first")
    input: ExampleInput
    output: ExampleOutput
    reviewer: Text | None = Field(default=None, description="the expert")
    metadata: Metadata = Field(
        default_factory=dict, description="student_profile, teaching_approach, expected_outcomes, and anything else"
    )

    @property
    def cluster(self) -> str:
        """What no two parts of a split share: the problem, or the dialogue, or the example itself."""
        return self.problem or self.dialogue_id or self.id

    def identity(self) -> Sequence[Any]:
        asked = [self.input.student_question, self.input.context]
        return [
            self.source, self.dialogue_id, spoken(self.conversation), asked, self.output.teacher_response, self.reviewer,
        ]  # fmt: skip
