"""The tutor looks at what it writes before it says it."""

import json
from typing import Any

import dspy
import pytest
from dspy.lm15 import Message, Response, TextPart, Usage

from utta.models.load import Model
from utta.programs.folder import open_program, save_program, state_of
from utta.programs.tutor import Tutor, context
from utta.records.record import Turn


class Writer:
    """A model that says one thing after another."""

    supports_response_schema = True
    supported_params = ("max_tokens", "temperature", "top_p", "seed", "response_format")

    def __init__(self, *replies: str) -> None:
        self.replies, self.asked = list(replies), []

    def complete(self, request: Any) -> Response:
        self.asked.append(request.config)
        said = {"teacher_response": self.replies.pop(0), "techniques_used": ["hint"], "rationale": "It helps."}
        return Response(
            id="1",
            model=request.model,
            message=Message.assistant([TextPart(json.dumps(said))]),
            finish_reason="stop",
            usage=Usage(input_tokens=1, output_tokens=1),
        )

    def stream(self, request: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None: ...


def says(*replies: str, before: str = "", **settings: Any) -> tuple[str, Writer]:
    writer = Writer(*replies)
    tutor = Tutor(**settings).use(
        Model("writer", None, dspy.LM("local/writer@", engine=writer, cache=False), local=False)
    )
    known = context("Exercise: Mia has 6 trays with 24 rolls.", [Turn(speaker="teacher", utterance=before)])
    said = tutor(context=known, student_question="30?")
    return said.teacher_response, writer


HINT, WORKED_OUT, EMPTY = "How many rolls are on each of the 6 trays?", "It is 144.", "Good try!"


@pytest.mark.parametrize(
    ("replies", "said", "tries"),
    [
        ((HINT,), HINT, 1),
        ((WORKED_OUT, HINT), HINT, 2),
        ((EMPTY, WORKED_OUT, HINT), HINT, 3),
        ((WORKED_OUT, EMPTY, EMPTY, WORKED_OUT, EMPTY, EMPTY), EMPTY, 6),
        (("It is twelve rolls.", HINT), HINT, 2),
        (("Look at the rolls, ", "Count the trays: ", HINT), HINT, 3),
    ],
)
def test_a_reply_that_does_not_guide_is_written_anew(replies, said, tries):
    reply, writer = says(*replies)
    assert reply == said and len(writer.asked) == tries
    assert [config.seed for config in writer.asked] == [None, 1, 2, 3, 4, 5][:tries]
    assert not writer.asked[0].temperature and all(config.temperature > 0 for config in writer.asked[1:])


def test_a_reply_that_was_said_before_is_written_anew():
    other = "What does the 24 stand for?"
    assert says(HINT, other, before=HINT)[0] == other
    assert says(HINT, WORKED_OUT, EMPTY, HINT, HINT, HINT, before=HINT)[0] == HINT, "the least fault of all"


def test_what_was_said_before_is_not_the_exercise():
    assert says("Shall we walk on?", HINT, before="Let us walk there.")[0] == HINT


def test_with_one_try_the_first_reply_is_said():
    assert says(WORKED_OUT, tries=1)[0] == WORKED_OUT


def test_only_the_reply_that_is_said_is_traced():
    with dspy.context(trace=[]):
        says(WORKED_OUT, HINT)
        assert [prediction.teacher_response for _, _, prediction in dspy.settings.trace] == [HINT]


def test_its_settings_are_saved_with_it(tmp_path):
    tutor = Tutor(temperature=0.5, max_tokens=99, top_p=0.9, tries=2)
    save_program(tmp_path, tutor, {"model": "smollm2-135m-q4"})
    opened = open_program(str(tmp_path))
    assert opened.module.tries == 2
    assert opened.module.answer.config == {"temperature": 0.5, "max_tokens": 99, "top_p": 0.9}
    assert state_of(opened.module) == state_of(tutor)
    assert opened.state != open_program("tutor").state
