"""ResponseCoach: tells a teacher why a response earns its levels and writes a better one.

    coach = ResponseCoach().use(load_model("smollm2-135m-q4"))
    advice = coach(judgement="accuracy: Weak; engagement: Good", **inputs)
    advice.rationale, advice.improved_response

It writes two single texts, one call each, so that a small model's answer needs no structure to be parsed.
"""

from typing import Any

import dspy

from signatures.evaluation import Coach, Improve
from utta.models.load import Model


class PlainText(dspy.ChatAdapter):
    """An adapter for signatures with one text output: the model's whole answer is that output."""

    def format_field_description(self, signature: type[dspy.Signature]) -> str:
        return "You are given:\n" + "\n".join(f"- {n}: {_desc(f)}" for n, f in signature.input_fields.items())

    def format_field_structure(self, signature: type[dspy.Signature]) -> str:
        return ""

    def format_task_description(self, signature: type[dspy.Signature]) -> str:
        (output,) = signature.output_fields.values()
        return f"{signature.instructions}\nAnswer with {_desc(output)}, and nothing else."

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        return ""

    def format_user_message_content(
        self, signature: type[dspy.Signature], inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> str:
        lines = [f"{n.replace('_', ' ').capitalize()}: {inputs[n]}" for n in signature.input_fields if inputs.get(n)]
        return "\n\n".join(lines)

    def format_assistant_message_content(
        self, signature: type[dspy.Signature], outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        (name,) = signature.output_fields
        return str(outputs.get(name) or missing_field_message or "")

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        (name,) = signature.output_fields
        return {name: completion.strip()}


class ResponseCoach(dspy.Module):
    """Rationale and improved response for one judged response."""

    name = "coach"
    adapter = PlainText()

    def __init__(self) -> None:
        super().__init__()
        self.explain = dspy.Predict(Coach)
        self.improve = dspy.Predict(Improve)

    def use(self, model: Model) -> "ResponseCoach":
        """Write with `model` from now on."""
        self.explain.lm = self.improve.lm = model.lm
        return self

    def forward(self, judgement: str, **inputs: str) -> dspy.Prediction:
        with dspy.context(adapter=self.adapter):
            rationale = self.explain(judgement=judgement, **inputs).rationale
            improved = self.improve(rationale=rationale, **inputs).improved_response
        return dspy.Prediction(rationale=rationale, improved_response=improved)


def _desc(field: Any) -> str:
    return str(field.json_schema_extra.get("desc", ""))
