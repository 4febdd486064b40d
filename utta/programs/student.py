"""StudentSimulator: says what a student would say next, with the student's profile, mistake and the conversation so far.

    student = StudentSimulator().use(load_model("smollm2-135m-q4"))
    said = student(problem="What is 3 × 4?", student_solution="3 × 4 = 7", conversation=[
        {"role": "user", "content": "How did you get 7?"},
    ]).student_turn

The conversation is the chat: what is known of the student is the system message, the teacher is the user and the student
the assistant. So a whole dialogue is one sequence of tokens, and each of its student turns stands behind exactly the
prompt that a model is given at run time (`messages`). What the student writes is looked at before it is said: who goes through
its own solution comes to its own answer, does not fall into the role of a helper, and does not say the same again and again;
else it is written anew. It does not judge and does not know the right solution.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dspy

from metrics.fidelity import answer, helps, states, words
from metrics.writing import loops
from signatures.student import Student
from utta.core.errors import UttaError, shorten
from utta.programs.adapters import PlainText
from utta.programs.careful import Careful
from utta.records.dialogue import Dialogue
from utta.records.record import Turn

KNOWN = tuple(name for name in Student.input_fields if name != "conversation")
OPENING = "(The student begins.)"  # chat templates want a user's message before the assistant's
TURN_TOKENS = 200  # the longest turns of real students
# Words from which on a first turn goes through the student's solution: of MathDial's real first turns (training part) 93% of
# 220 such state its answer, and 19% of the 51 shorter ones.
RETELLING = 40

Messages = list[dict[str, str]]


class StudentChat(PlainText):
    """An adapter that writes what is known into the system message and takes the conversation as the chat that it is."""

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        shown = [f"Example\n{_known(demo)}\n{_script(demo)}" for demo in demos]
        system = "\n\n".join(part for part in (signature.instructions, *shown, _known(inputs)) if part)
        return [{"role": "system", "content": system}, *inputs["conversation"]]

    def format_assistant_message_content(
        self, signature: type[dspy.Signature], outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        return str(outputs.get("student_turn", missing_field_message or ""))


class StudentSimulator(Careful):
    """The next turn of a simulated student (`student_turn`)."""

    name = "student"
    adapter = StudentChat()

    def __init__(self, instructions: str | None = None, tries: int = 4):
        super().__init__(tries)
        self.play = dspy.Predict(
            Student.with_instructions(instructions) if instructions else Student, max_tokens=TURN_TOKENS
        )

    def forward(self, conversation: Messages, **known: str) -> dspy.Prediction:
        """`conversation` ends with the teacher; what is not known of the student may be left out. `UttaError` for other
        messages than those of `Messages`, or where it is not the student's turn."""
        _check(conversation)
        inputs = {name: known.get(name) or "" for name in KNOWN}
        begins = not any(message["role"] == "assistant" for message in conversation)
        own = answer(inputs["student_solution"]) if begins else None
        return self.say(lambda said: _faults(said.student_turn, own), conversation=conversation, **inputs)

    def messages(self, dialogue: Dialogue) -> Messages:
        """A dialogue as the chat that a model would have been given, up to the student's last turn, which ends it; only the
        system message where the student says nothing."""
        inputs = student_inputs(dialogue) | {"conversation": chat(dialogue.dialogue_turns)}
        written = self.adapter.format(self.play.signature, self.play.demos, inputs)
        while written[-1]["role"] == "user":
            written.pop()
        return written


def student_inputs(dialogue: Dialogue) -> dict[str, str]:
    """What the student is given of a dialogue; what it does not know is an empty string. Never the right solution."""
    found = {name: getattr(dialogue, name, None) for name in KNOWN} | {"problem": dialogue.question}
    return {name: value or "" for name, value in found.items()}


def chat(turns: Sequence[Turn]) -> Messages:
    """Turns as chat messages that alternate: what one side says several times in a row becomes one message of several
    lines, and turns without a word are left out."""
    messages: Messages = []
    for turn in turns:
        role, said = ("assistant" if turn.speaker == "student" else "user"), turn.utterance.strip()
        if not said:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{said}"
            continue
        if not messages and role == "assistant":
            messages.append({"role": "user", "content": OPENING})
        messages.append({"role": role, "content": said})
    return messages


def _check(conversation: Any) -> None:
    try:
        roles = [message["role"] for message in conversation if isinstance(message["content"], str)]
    except (TypeError, KeyError):
        roles = []
    if not roles or len(roles) != len(conversation) or {*roles} - {"user", "assistant"} or roles[-1] != "user":
        raise UttaError(
            'A conversation is a list of {"role": "user" (the teacher) or "assistant" (the student), "content": "…"}, the '
            f"teacher's last, not {shorten(conversation)!r}; `utta.programs.student.chat` makes it of turns."
        )


def _known(inputs: Mapping[str, Any]) -> str:
    """What is known of the student, a line each; what is not known is left out."""
    return "\n".join(
        f"{name.replace('_', ' ').capitalize()}: {inputs[name].strip()}" for name in KNOWN if inputs.get(name)
    )


def _faults(turn: str, own: float | None) -> int:
    """How far a turn is from a student's: it helps, it loops, or it goes through the student's solution and does not come to
    its answer `own`, where it has one."""
    strays = own is not None and len(words(turn)) >= RETELLING and not states(turn, own)
    return helps(turn) + loops(turn) + strays


def _script(demo: Mapping[str, Any]) -> str:
    said = [*demo["conversation"], {"role": "assistant", "content": demo["student_turn"]}]
    return "\n".join(f"{'Student' if m['role'] == 'assistant' else 'Teacher'}: {m['content']}" for m in said)
