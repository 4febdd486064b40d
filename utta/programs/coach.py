"""ResponseCoach: tells a teacher why a response earns its levels and writes a better one.

    coach = ResponseCoach().use(load_model("smollm2-135m-q4"))
    advice = coach(judgement="accuracy: Weak; engagement: Good", **inputs)
    advice.rationale, advice.improved_response

It writes two single texts, one call each, so that a small model's answer needs no structure to be parsed. A text that goes on
with the prompt, says the same again and again, or breaks off is written anew, up to `tries` times in all; so is an improved
response that is the rationale once more.
"""

import re

import dspy

from metrics.writing import breaks_off, loops
from signatures.evaluation import Coach, Improve
from utta.programs.adapters import PlainText
from utta.programs.careful import Careful

ADVICE_TOKENS = 200  # of each text: a few sentences
# How the prompt's lines begin.
PROMPT = re.compile("^(" + "|".join(name.replace("_", " ") for name in Coach.input_fields) + "):", re.I | re.M)


class ResponseCoach(Careful):
    """Rationale and improved response for one judged response."""

    name = "coach"
    adapter = PlainText()

    def __init__(self, tries: int = 3) -> None:
        super().__init__(tries)
        self.explain = dspy.Predict(Coach, max_tokens=ADVICE_TOKENS)
        self.improve = dspy.Predict(Improve, max_tokens=ADVICE_TOKENS)

    def forward(self, judgement: str, **inputs: str) -> dspy.Prediction:
        explained = self.say(self.explain, lambda said: _faults(said.rationale), judgement=judgement, **inputs)
        why = explained.rationale
        improved = self.say(
            self.improve, lambda said: _faults(said.improved_response, why), rationale=why, **inputs
        ).improved_response
        return dspy.Prediction(rationale=why, improved_response=improved)


def _faults(text: str, before: str = "") -> int:
    """How many plain faults a text has; `before` is what it must not be once more."""
    return bool(PROMPT.search(text)) + loops(text) + breaks_off(text) + (text == before)
