"""Objectives: what an optimiser holds good, as a value that DSPy calls.

    objective = judged(open_program("runs/judge"), "improved_response", threshold=0.6)
    objective(example, prediction)              a score from 0 to 1
    objective(example, prediction, trace)       whether it is good enough to be learned from
    dspy.BootstrapFinetune(metric=objective.passes)

`metrics` takes numbers and texts; here one of them, or a judge, is bound to what a program writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dspy.evaluate.metrics import F1

from signatures.rubric import INPUT_FIELDS
from utta.core.errors import UttaError
from utta.programs.folder import Program


@dataclass(frozen=True)
class Objective:
    """A score in [0, 1] of a prediction on an example, and from which `threshold` on it is good enough to learn from."""

    name: str
    score: Callable[[Any, Any], float]
    threshold: float = 0.5

    def __call__(self, example: Any, prediction: Any, trace: Any = None) -> float | bool:
        """The score, or whether it is good enough where DSPy collects a `trace`: DSPy takes any score but 0 for a pass."""
        return self.score(example, prediction) if trace is None else self.passes(example, prediction)

    def passes(self, example: Any, prediction: Any, trace: Any = None) -> bool:
        """Whether the score is at least the threshold; `dspy.BootstrapFinetune` never says that it collects a trace."""
        return self.score(example, prediction) >= self.threshold


def judged(judge: Program, written: str, threshold: float = 0.5) -> Objective:
    """The judge's effectiveness of the field `written`, taken for the teacher's response to the example's conversation. What
    the judge is shown besides is the example's own, or its `judged` where the program is shown it in another way."""
    judge.load_model()  # before threads ask for it

    def score(example: Any, prediction: Any) -> float:
        known = {
            name: str(value or "") for name, value in (example.get("judged") or example).items() if name in INPUT_FIELDS
        }
        return float(judge(**known | {INPUT_FIELDS[-1]: prediction[written]}).effectiveness)

    return Objective(f"effectiveness by {judge.folder or judge.name}", score, threshold)


def like_the_experts(written: str, threshold: float = 0.5) -> Objective:
    """The words that the field `written` shares with the example's: F1 over words without case, articles and punctuation,
    as DSPy counts it. It rewards the experts' wording and nothing else."""

    def score(example: Any, prediction: Any) -> float:
        wanted = example.get(written)
        if not isinstance(wanted, str) or not wanted.strip():
            raise UttaError(
                f"An example has no {written} of an expert to hold the program's against; name a judge instead."
            )
        return float(F1(str(prediction[written]), [wanted]))

    return Objective(f"words shared with the experts' {written}", score, threshold)
