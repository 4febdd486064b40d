"""The same scripted judge and private folder as the tests of evaluation, and a tiny model that writes."""

import dspy
import pytest

from tests.evaluate.conftest import judge, own_home  # noqa: F401 — fixtures
from tests.models.tiny import save_tiny
from utta.programs.adapters import PlainText


class Chain(dspy.Module):
    """Two predictors, the second of which is given what the first one wrote."""

    adapter = PlainText()

    def __init__(self, instructions="Answer."):
        super().__init__()
        self.first = dspy.Predict(dspy.Signature("question -> answer", instructions))
        self.second = dspy.Predict(dspy.Signature("question, answer -> reply", instructions))

    def forward(self, question):
        with dspy.context(adapter=self.adapter):
            answer = self.first(question=question).answer
            return dspy.Prediction(answer=answer, reply=self.second(question=question, answer=answer).reply)


def questions(*numbers):
    return [
        dspy.Example(question=f"What is {n}?", record_id=f"r{n}", problem=f"p{n}").with_inputs("question")
        for n in numbers
    ]


def variety(example, prediction):
    """How many different characters a reply has, of 20."""
    return min(1.0, len(set(prediction.reply)) / 20)


@pytest.fixture(scope="session")
def writing(tmp_path_factory):
    """The folder of a tiny model that may end what it writes."""
    folder = tmp_path_factory.mktemp("models") / "writing"
    save_tiny(folder, may_end=True)
    return folder


@pytest.fixture
def lm(writing):
    """Its language model, which can be trained; what it writes is short, and ends at an "e" if not before."""
    from utta.models.load import load
    from utta.optimize.provider import trainable

    return trainable(load(str(writing), cache=False)).copy(max_tokens=60, stop=["e"])


@pytest.fixture
def chain(lm):
    module = Chain()
    module.set_lm(lm)
    return module
