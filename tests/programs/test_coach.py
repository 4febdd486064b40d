import json
from typing import Any

import dspy
import pytest
from dspy.lm15 import Message, Response, TextPart, Usage

from signatures.evaluation import LONGEST
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


def advice(rationale: str, improved_response: str) -> str:
    return json.dumps({"rationale": rationale, "improved_response": improved_response})


def test_it_explains_and_writes_a_better_response():
    writer = Writer(advice("The answer is given away.", "What does × ask you to do?"))
    given = coach(writer)(judgement="accuracy: Excellent; engagement: Weak", **INPUTS)
    assert given.rationale == "The answer is given away."
    assert given.improved_response == "What does × ask you to do?"
    ((system, user),) = writer.asked
    assert "engagement: Weak" in user and "No, it is 12." in user and "3 × 4 is 7" in user
    assert "Context" not in user, "what is not known is left out"
    assert "rationale" in system and "improved_response" in system


@pytest.mark.parametrize(
    "faulty",
    [
        advice("It tells the answer.", "It tells the answer."),
        advice("It tells the answer.", INPUTS["teacher_response"]),
        advice("So, " * 30, "What is 3 + 3?"),
        advice("It tells the answer.", "a" * LONGEST),
    ],
)
def test_advice_with_a_plain_fault_is_written_anew(faulty):
    writer = Writer(faulty, advice("It tells the answer.", "What does × ask you to do?"), "never asked")
    given = coach(writer)(judgement="accuracy: Weak", **INPUTS)
    assert given.improved_response == "What does × ask you to do?" and writer.says == ["never asked"]


def test_the_embedded_model_writes_two_texts(embedded_model):
    given = ResponseCoach(tries=1).use(embedded_model)(judgement="accuracy: Excellent; engagement: Weak", **INPUTS)
    assert given.rationale.strip() and given.improved_response.strip()
