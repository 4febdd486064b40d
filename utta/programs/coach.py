"""ResponseCoach: tells a teacher why a response earns its levels and writes a better one.

    coach = ResponseCoach().use(load_model("smollm2-135m-q4"))
    advice = coach(judgement="accuracy: Weak; engagement: Good", **inputs)
    advice.rationale, advice.improved_response

It writes two single texts, one call each, so that a small model's answer needs no structure to be parsed.
"""

import dspy

from signatures.evaluation import Coach, Improve
from utta.models.load import Model
from utta.programs.adapters import PlainText

ADVICE_TOKENS = 200  # of each text: a few sentences


class ResponseCoach(dspy.Module):
    """Rationale and improved response for one judged response."""

    name = "coach"
    adapter = PlainText()

    def __init__(self) -> None:
        super().__init__()
        self.explain = dspy.Predict(Coach, max_tokens=ADVICE_TOKENS)
        self.improve = dspy.Predict(Improve, max_tokens=ADVICE_TOKENS)

    def use(self, model: Model) -> "ResponseCoach":
        """Write with `model` from now on."""
        self.explain.lm = self.improve.lm = model.lm
        return self

    def forward(self, judgement: str, **inputs: str) -> dspy.Prediction:
        with dspy.context(adapter=self.adapter):
            rationale = self.explain(judgement=judgement, **inputs).rationale
            improved = self.improve(rationale=rationale, **inputs).improved_response
        return dspy.Prediction(rationale=rationale, improved_response=improved)
