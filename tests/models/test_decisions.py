import asyncio
import copy

import dspy
import pytest
from dspy.experimental import Choice, Noul, Score

from utta.core.errors import UttaError
from utta.models.decisions import DecisionClient, LocalDecisions, Recorder

STATE = {"instructions": "Judge.", "inputs": {"teacher_response": "Try again."}}
CRITERIA = {"No": "none", "Some": "a bit", "Yes": "plenty"}
QUESTIONS = {
    "Hint": {"instructions": "A hint?", "type": "choice", "criteria": CRITERIA},
    "Tone": {"instructions": "Warm?", "type": "choice", "criteria": {"Cold": "c", "Warm": "d"}},
}


class Counting(DecisionClient):
    """Answers the first option with .25 more than the even share, and counts how often it was asked."""

    def __init__(self, model: str = "counting", cache: bool = True):
        super().__init__(model, cache)
        self.calls = 0

    def probabilities(self, state, questions):
        self.calls += 1
        sizes = [len(q["criteria"]) for q in questions.values()]
        return [[0.25 + 0.75 / n, *[0.75 / n] * (n - 1)] for n in sizes]


pytestmark = pytest.mark.usefixtures("memory_cache")


def test_answers_hold_each_label_s_probability_and_the_highest_as_confidence():
    answers = Counting()(state=STATE, questions=QUESTIONS)
    assert answers["Hint"] == {"probabilities": {"No": 0.5, "Some": 0.25, "Yes": 0.25}, "confidence": 0.5}
    assert answers["Tone"] == {"probabilities": {"Cold": 0.625, "Warm": 0.375}, "confidence": 0.625}


def test_a_known_answer_does_not_ask_the_model_again():
    client = Counting()
    first = client(state=STATE, questions=QUESTIONS)
    assert client(state=copy.deepcopy(STATE), questions=copy.deepcopy(QUESTIONS)) == first
    assert client.calls == 1


@pytest.mark.parametrize(
    ("state", "questions"),
    [
        ({**STATE, "instructions": "Judge well."}, QUESTIONS),
        ({**STATE, "inputs": {"teacher_response": "Try once more."}}, QUESTIONS),
        ({**STATE, "demos": [{"teacher_response": "Good.", "Hint": "No"}]}, QUESTIONS),
        (STATE, {"Hint": QUESTIONS["Hint"]}),
        (STATE, {**QUESTIONS, "Tone": {**QUESTIONS["Tone"], "criteria": {"Cold": "icy", "Warm": "d"}}}),
    ],
)
def test_another_request_asks_the_model(state, questions):
    client = Counting()
    client(state=STATE, questions=QUESTIONS)
    client(state=state, questions=questions)
    assert client.calls == 2


def test_another_model_or_adapter_does_not_get_the_answer():
    one, other = Counting("local/a:1@"), Counting("local/a:1@adapter")
    for client in (one, other):
        client(state=STATE, questions=QUESTIONS)
    assert (one.calls, other.calls) == (1, 1)


def test_without_the_cache_each_request_asks_the_model():
    client = Counting(cache=False)
    for _ in range(2):
        client(state=STATE, questions=QUESTIONS)
    assert client.calls == 2


def test_it_answers_asynchronously_too():
    client = Counting()
    assert asyncio.run(client.acall(state=STATE, questions=QUESTIONS)) == client(state=STATE, questions=QUESTIONS)
    assert client.calls == 1


def test_a_copied_program_keeps_its_client():
    client = Counting()
    assert copy.deepcopy({"lm": client})["lm"] is client


@pytest.mark.parametrize(("kind", "name"), [(Score[("low", "high")], "score"), (Noul, "noul")])
def test_a_question_that_is_no_choice_is_refused_in_one_sentence(kind, name):
    client = Counting()
    fields = {"text": (str, dspy.InputField()), "warm": (kind, dspy.OutputField(desc="Is it warm?"))}
    program = dspy.Predict(dspy.make_signature(fields, "Judge."))
    program.lm = client
    with pytest.raises(
        UttaError, match=rf"^A local judge answers choices, not {name}; declare the output as a Choice\.$"
    ):
        program(text="Well done.")
    assert client.calls == 0


def test_dspy_decides_by_the_probabilities():
    options = Choice[tuple(CRITERIA.items())]
    fields = {"text": (str, dspy.InputField()), "hint": (options, dspy.OutputField(desc="A hint?"))}
    program = dspy.Predict(dspy.make_signature(fields, "Judge."))
    program.lm = Counting()
    decided = program(text="Look again.").hint
    assert (decided.value, decided.confidence) == ("No", 0.5)
    assert decided.probabilities == {"No": 0.5, "Some": 0.25, "Yes": 0.25}


def test_the_recorder_keeps_what_it_is_asked_and_answers_evenly():
    recorder = Recorder()
    for _ in range(2):  # no cache: every request is kept
        answers = recorder(state=STATE, questions=QUESTIONS)
    assert recorder.requests == [(STATE, QUESTIONS)] * 2
    assert answers["Hint"]["probabilities"] == dict.fromkeys(CRITERIA, 1 / 3)
    assert answers["Tone"]["confidence"] == 0.5


def test_a_local_client_answers_what_the_engine_reads(tiny_engine):
    client = LocalDecisions(tiny_engine, cache=False)
    answers = client(state=STATE, questions=QUESTIONS)
    read = tiny_engine.decide(tiny_engine.renderer.render(STATE, QUESTIONS))
    assert [list(a["probabilities"].values()) for a in answers.values()] == [pytest.approx(p, abs=1e-5) for p in read]
    assert list(answers["Hint"]["probabilities"]) == list(CRITERIA)


def test_the_model_string_names_weights_and_adapter(tiny_engine):
    located = tiny_engine.located
    base, adapted = LocalDecisions(tiny_engine), LocalDecisions(tiny_engine, "abc")
    assert base.model == f"local/{located.name}:{located.fingerprint}@"
    assert adapted.model == base.model + "abc"
