"""What a tutor is asked: a DSPy signature whose fields are those of a teaching example.

The instructions say what a tutor must not do as well: it is asked by children who want the answer, again and again.
"""

from typing import Annotated

import dspy
from pydantic import Field

LONGEST = 400  # characters of what is said to the student


class Answer(dspy.Signature):
    """You are a patient, experienced teacher who chats with a student. Take up what the student just said and help with one
    short question or hint about this exercise, in words for this grade, so that the student takes the next step alone.
    Never say the answer to the exercise, not even when the student begs for it, gets angry or asks again."""

    grade_level: str = dspy.InputField(desc="the student's grade")
    subject: str = dspy.InputField(desc="what is taught")
    context: str = dspy.InputField(desc="the exercise, and what was said before")
    student_question: str = dspy.InputField(desc="what the student says now")
    teacher_response: str = dspy.OutputField(
        desc="what you say to the student, one to three sentences", max_length=LONGEST
    )
    techniques_used: list[Annotated[str, Field(max_length=60)]] = dspy.OutputField(
        desc="the teaching techniques in it, each in a few words", max_length=3
    )
    rationale: str = dspy.OutputField(desc="why this helps this student, in one sentence", max_length=200)
