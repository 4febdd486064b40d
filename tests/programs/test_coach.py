from dataclasses import replace
from typing import Any

import dspy
import pytest
from dspy.lm15 import Message, Response, TextPart, Usage

from utta.models.load import Model
from utta.programs.coach import ResponseCoach

INPUTS = {
    "grade_level": "4",
    "subject": "mathematics",
    "context": "",
    "conversation": "Student: 3 × 4 is 7",
    "teacher_response": "No, it is 12.",
}


class Writer:
    """A text engine that says what it is told to, in turn, and keeps what it was asked."""

    def __init__(self, *says: str):
        self.says = list(says)
        self.asked: list[tuple[str, str]] = []

    def complete(self, request: Any) -> Response:
        user = "".join(part.text for message in request.messages for part in message.parts)
        self.asked.append((str(request.system), user))
        message = Message.assistant([TextPart(self.says.pop(0))])
        return Response(id="1", model=request.model, message=message, finish_reason="stop", usage=Usage())

    def close(self) -> None:
        """Nothing to close."""


def coach(writer: Writer) -> ResponseCoach:
    lm = dspy.LM("local/writer", engine=writer, cache=False)
    return ResponseCoach().use(Model("writer", None, lm, local=True))


def test_it_explains_and_then_writes_a_better_response():
    writer = Writer("\nThe answer is given away.\n", " What does × ask you to do? ")
    advice = coach(writer)(judgement="accuracy: Excellent; engagement: Weak", **INPUTS)
    assert advice.rationale == "The answer is given away."
    assert advice.improved_response == "What does × ask you to do?"
    (_, first), (_, second) = writer.asked
    assert "engagement: Weak" in first and "No, it is 12." in first and "3 × 4 is 7" in first
    assert "The answer is given away." in second and "3 × 4 is 7" in second
    assert "Context" not in first + second, "what is not known is left out"


def test_the_model_is_asked_for_plain_text():
    writer = Writer("Why.", "Better.")
    coach(writer)(judgement="accuracy: Weak", **INPUTS)
    for system, user in writer.asked:
        assert "[[" not in system + user and "JSON" not in system + user
        assert "nothing else" in system


def test_what_goes_on_with_the_prompt_or_says_the_rationale_again_is_written_anew():
    writer = Writer("Grade level: 4\nSubject: mathematics", "It tells the answer.", "It tells the answer.", "Ask first.")
    advice = coach(writer)(judgement="accuracy: Weak", **INPUTS)
    assert (advice.rationale, advice.improved_response) == ("It tells the answer.", "Ask first.")
    assert not writer.says


@pytest.mark.parametrize("text", ["{}", "[[ ## rationale ## ]]", '"quoted"', "Line one.\n\nLine two."])
def test_whatever_the_model_writes_is_the_text(text):
    assert coach(Writer(text, "Better."))(judgement="accuracy: Weak", **INPUTS).rationale == text


def test_the_embedded_model_writes_two_texts(embedded_model):
    short = replace(embedded_model, lm=embedded_model.lm.copy(max_tokens=8, temperature=0.0))
    advice = ResponseCoach().use(short)(judgement="accuracy: Excellent; engagement: Weak", **INPUTS)
    assert advice.rationale.strip() and advice.improved_response.strip()
