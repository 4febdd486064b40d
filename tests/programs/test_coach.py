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

    supported_params = ("max_tokens", "temperature", "seed", "response_format")

    def __init__(self, *says: str):
        self.says = list(says)
        self.asked: list[tuple[str, str]] = []
        self.drawn: list[tuple[float | None, int | None]] = []

    def complete(self, request: Any) -> Response:
        user = "".join(part.text for message in request.messages for part in message.parts)
        self.asked.append((str(request.system), user))
        self.drawn.append((request.config.temperature, request.config.seed))
        message = Message.assistant([TextPart(self.says.pop(0))])
        return Response(id="1", model=request.model, message=message, finish_reason="stop", usage=Usage())

    def close(self) -> None:
        """Nothing to close."""


def coach(writer: Writer, **settings: float) -> ResponseCoach:
    lm = dspy.LM("local/writer", engine=writer, cache=False, **settings)
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


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({}, [(0.8, 0), (0.8, 1)]),
        ({"temperature": 0.0}, [(0.0, None), (0.8, 1)]),
        ({"seed": 2}, [(0.8, 2000), (0.8, 2001)]),
    ],
)
def test_a_model_without_a_temperature_of_its_own_draws_with_a_seed(settings, drawn):
    writer = Writer(advice("It tells.", "It tells."), advice("It tells.", "What is 3 + 3?"))
    coach(writer, **settings)(judgement="accuracy: Weak", **INPUTS)
    assert writer.drawn == drawn


def test_a_program_s_own_temperature_goes_before_the_model_s():
    writer = Writer(advice("It tells.", "It tells."), advice("It tells.", "What is 3 + 3?"))
    program = coach(writer, temperature=0.5)
    program.advise.config["temperature"] = 0.3
    program(judgement="accuracy: Weak", **INPUTS)
    assert [temperature for temperature, _ in writer.drawn] == [0.3, 0.3]


def test_the_embedded_model_writes_two_texts_and_the_same_again(embedded_model):
    told = [
        ResponseCoach(tries=1).use(embedded_model)(judgement="accuracy: Excellent; engagement: Weak", **INPUTS)
        for _ in range(2)
    ]
    assert told[0].rationale.strip() and told[0].improved_response.strip()
    assert told[0].items() == told[1].items()
