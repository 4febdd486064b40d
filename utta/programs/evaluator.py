"""TeachingEvaluator: judges a teacher's response on every criterion of a rubric, in one call, a batch or a file.

evaluator = TeachingEvaluator(find_rubric("utta"))
evaluator.use(load_model("smollm2-135m-q4"))
judged = evaluator(grade_level="4", subject="reading", context="", conversation="Student: …", teacher_response="…")
judged["accuracy"].value, judged["accuracy"].probabilities, judged.effectiveness
"""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import dspy

from signatures.evaluation import judge_signature
from signatures.rubric import Criterion, Rubric
from utta.models.load import Model
from utta.programs.asides import without_asides

WORD = re.compile(r"\w+")
FEW_WORDS = 3  # a teacher may well answer with a word or two that the student used
THREADS = 64  # requests under way at once: a local engine shares what they have in common


class TeachingEvaluator(dspy.Module):
    """One `Choice` per criterion with the probabilities of its levels, and `effectiveness` in [0, 1]. It only decides;
    `ResponseCoach` writes. A response that says nothing (`says_nothing`) has the lowest level of every ordinal criterion,
    whatever the model would say."""

    name = "evaluator"

    def __init__(self, rubric: Rubric):
        super().__init__()
        self.rubric = rubric
        self.judge = dspy.Predict(judge_signature(rubric))

    def use(self, model: Model) -> "TeachingEvaluator":
        """Answer with `model` from now on."""
        self.judge.lm = model.decisions
        return self

    def forward(self, **inputs: str) -> dspy.Prediction:
        said = without_asides(inputs["teacher_response"], self.rubric)
        prediction = self.judge(**inputs | {"teacher_response": said})
        if says_nothing(said, inputs["conversation"]):
            for criterion in self.rubric.criteria:
                if criterion.scale == "ordinal":
                    prediction[criterion.id] = lowest(criterion, type(prediction[criterion.id]))
        prediction["effectiveness"] = effectiveness(
            self.rubric, {c.id: prediction[c.id].probabilities or {} for c in self.rubric.criteria}
        )
        return prediction

    def batch_judge(self, inputs: Iterable[Mapping[str, str]], threads: int = THREADS) -> list[dspy.Prediction]:
        """Judge many responses at once, in order; the first failure is raised as it is."""
        pool = ThreadPoolExecutor(threads)
        try:  # each thread takes along the caller's `dspy.context`
            waiting = [pool.submit(copy_context().run, lambda one=one: self(**one)) for one in inputs]
            return [future.result() for future in waiting]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def says_nothing(response: str, conversation: str) -> bool:
    """Whether a response teaches nothing for certain: it has no word in it, or it is a turn of the student said again."""
    if len(WORD.findall(response)) < FEW_WORDS:
        return not WORD.search(response)
    again, turns = (" ".join(text.split()).casefold() for text in (response, conversation))
    return bool(re.search(rf"student: {re.escape(again)}(?= (?:student|teacher): )", f"{turns} teacher: "))


def lowest(criterion: Criterion, kind: type[Any]) -> Any:
    """A decision of the type `kind` for the criterion's lowest level."""
    chances = {label: float(label == criterion.labels[0]) for label in criterion.labels}
    return kind(value=criterion.labels[0], confidence=1.0, probabilities=chances)


def effectiveness(rubric: Rubric, probabilities: Mapping[str, Mapping[str, float]]) -> float:
    """Teaching effectiveness in [0, 1]: the mean over criteria, by their weights, of the expected value of the level."""
    total = weights = 0.0
    for criterion in rubric.criteria:
        p: Mapping[str, Any] = probabilities.get(criterion.id) or {}
        if mass := sum(p.values()):
            # Divided first, so that rounding cannot lift the mean above the highest value.
            total += criterion.weight * (sum(p[level.label] * level.value for level in criterion.levels) / mass)
            weights += criterion.weight
    return total / weights if weights else 0.0
