"""Tutor: answers a student as an experienced teacher would, with the techniques used and why.

    tutor = Tutor().use(load_model("smollm2-135m-q4"))
    said = tutor(grade_level="4", subject="mathematics", context="What is 1/2 + 1/3?", student_question="It's 2/5, right?")
    said.teacher_response, said.techniques_used, said.rationale

It guides and does not hand over the answer. What it writes is looked at before it is said: a reply with a number that nobody
has named yet, which might be the answer, without a word of the exercise, or that it has said before, is written anew, up to
`tries` times in all, and the best of them is said. `utta.evaluate.tutor` measures how far that holds when it is pressed. How it
writes (`temperature`, `max_tokens`, `top_p`, `tries`) is set when it is made and saved with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dspy

from metrics.guidance import takes_up, worked_out
from metrics.writing import breaks_off, loops
from signatures.tutor import LONGEST, Answer
from utta.programs.adapters import BoundedJSON
from utta.programs.careful import Careful
from utta.records.example import TeachingExample
from utta.records.record import Turn

SPEAKERS = {"teacher": "Tutor", "student": "Student"}
BEFORE = "Said before:"


class Tutor(Careful):
    """One answer to a student: `teacher_response`, `techniques_used` and `rationale`."""

    name = "tutor"
    adapter = BoundedJSON()

    def __init__(
        self, temperature: float | None = None, max_tokens: int = 256, top_p: float | None = None, tries: int = 6
    ):
        """What is None is the model's own setting."""
        super().__init__(tries)
        settings = {"temperature": temperature, "max_tokens": max_tokens, "top_p": top_p}
        self.answer = dspy.Predict(Answer, **{name: value for name, value in settings.items() if value is not None})

    def forward(self, student_question: str, grade_level: str = "", subject: str = "", context: str = "") -> Any:
        inputs = {
            "grade_level": grade_level,
            "subject": subject,
            "context": context,
            "student_question": student_question,
        }
        return self.say(lambda said: _faults(said.teacher_response, context, student_question), **inputs)

    def messages(self, example: TeachingExample) -> list[dict[str, Any]]:
        """A model answer as the chat that a model would have been given, the answer as it should be written last."""
        signature, demos = self.answer.signature, self.answer.demos
        told = self.adapter.format_finetune_data(signature, demos, tutor_inputs(example), tutor_outputs(example))
        return told["messages"]

    def goes_beyond(self, example: TeachingExample) -> bool:
        """Whether a model answer says more than a tutor may write in one of its fields."""
        return self.adapter.at_a_bound(self.answer.signature, tutor_outputs(example))


def tutor_inputs(example: TeachingExample) -> dict[str, str]:
    """What the tutor is given of a teaching example: never the expert's answer, nor who gave it."""
    asked = example.input
    return {
        "grade_level": asked.grade_level or "",
        "subject": asked.subject or "",
        "context": context(asked.context or "", example.conversation),
        "student_question": asked.student_question,
    }


def tutor_outputs(example: TeachingExample) -> dict[str, Any]:
    """What the expert would have had the tutor write, in the order in which it is written; names of techniques as words."""
    told = example.output
    return {
        "teacher_response": told.teacher_response,
        "techniques_used": [_as_words(name) for name in told.techniques_used],
        "rationale": _as_words(told.rationale or ""),
    }


def _faults(reply: str, known: str, asked: str) -> int:
    """How far a reply is from a guiding one: 0 where it is one. A number that it worked out is the worst; next is that
    it takes up nothing of the exercise, or where that is not known, of what was said; then that it breaks off, is cut off at
    its bound, loops or was said before."""
    exercise, _, before = known.partition(BEFORE)
    said_before = f"{SPEAKERS['teacher']}: {reply.strip()}" in before.splitlines()
    return (
        4 * bool(worked_out(reply, f"{known}\n{asked}"))
        + 2 * (not takes_up(reply, exercise.strip() or f"{before}\n{asked}"))
        + (breaks_off(reply) or len(reply) >= LONGEST or loops(reply) or said_before)
    )


def context(known: str, turns: Sequence[Turn | Mapping[str, str]]) -> str:
    """The exercise or lesson, and below it what was said before the student's last turn."""
    pairs = [(t["speaker"], t["utterance"]) if isinstance(t, Mapping) else (t.speaker, t.utterance) for t in turns]
    said = [f"{SPEAKERS.get(speaker, speaker)}: {text.strip()}" for speaker, text in pairs if text.strip()]
    return "\n".join([*([known.strip()] if known.strip() else []), *([BEFORE, *said] if said else [])])


def _as_words(name: str) -> str:
    return name.replace("_", " ").strip()
