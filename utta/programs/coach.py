"""ResponseCoach: tells a teacher why a response earns its levels and writes a better one.

    coach = ResponseCoach().use(load_model("smollm2-135m-q4"))
    advice = coach(judgement="accuracy: Weak; engagement: Good", **inputs)
    advice.rationale, advice.improved_response

Advice in which a text says the same again and again, breaks off or is cut off, or whose better response is the rationale or the
teacher's own once more, is written anew, up to `tries` times in all, and the best of it is given.
"""

from collections.abc import Mapping
from typing import Any

import dspy

from metrics.writing import breaks_off, loops
from signatures.evaluation import LONGEST, Coach
from utta.programs.adapters import BoundedJSON
from utta.programs.careful import Careful

ADVICE_TOKENS = 256


class ResponseCoach(Careful):
    """Rationale and improved response for one judged response."""

    name = "coach"
    adapter = BoundedJSON()
    drawn = True

    def __init__(self, tries: int = 3):
        super().__init__(tries)
        self.advise = dspy.Predict(Coach, max_tokens=ADVICE_TOKENS)

    def forward(self, judgement: str, **inputs: str) -> dspy.Prediction:
        return self.say(lambda said: _faults(said, inputs), judgement=judgement, **inputs)


def _faults(said: Any, inputs: Mapping[str, str]) -> int:
    """How many plain faults an advice has."""
    texts = (said.rationale, said.improved_response)
    again = said.improved_response.strip() in (said.rationale.strip(), inputs.get("teacher_response", "").strip())
    return sum(loops(text) or breaks_off(text) or len(text) >= LONGEST for text in texts) + again
