"""DSPy's decision client over the local engine: answers each criterion with the probabilities of its levels.

DSPy hands it a request (`state`, `questions`) when every output of a signature is a decision. The recorder is the same
client without a model: it keeps the requests, from which training rows are rendered.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import dspy

from utta.core.errors import UttaError
from utta.models.engine import Engine

FORMAT = 1  # of the prompt: part of the cache key, so that a new rendering never meets an old answer

Answers = dict[str, dict[str, Any]]


class DecisionClient(dspy.BaseLM):
    """What DSPy asks of a decision client, with its answer cache; a subclass gives `probabilities`."""

    supports_decision_requests = True

    def __init__(self, model: str, cache: bool = True):
        super().__init__(model=model, cache=cache)

    def __deepcopy__(self, memo: object) -> "DecisionClient":
        return self

    def probabilities(self, state: Mapping[str, Any], questions: Mapping[str, Any]) -> list[list[float]]:
        """For each question the probabilities of its options, in order."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Drop what was asked and not answered yet."""

    def __call__(self, state: dict[str, Any], questions: dict[str, Any]) -> Answers:
        key = {"provider": "utta", "format": FORMAT, "model": self.model, "state": state, "questions": questions}
        if self.cache and (known := dspy.cache.get(key)) is not None:
            return known
        kinds = {q["type"] for q in questions.values()} - {"choice"}
        if kinds:
            raise UttaError(f"A local judge answers choices, not {', '.join(kinds)}; declare the output as a Choice.")
        answers = {}
        for (name, question), p in zip(questions.items(), self.probabilities(state, questions), strict=True):
            answers[name] = {"probabilities": dict(zip(question["criteria"], p, strict=True)), "confidence": max(p)}
        if self.cache:
            dspy.cache.put(key, answers)
        return answers

    async def acall(self, state: dict[str, Any], questions: dict[str, Any]) -> Answers:
        return await asyncio.to_thread(self, state, questions)


class LocalDecisions(DecisionClient):
    """Reads the levels' probabilities from a local model, with or without an adapter, and from the probe beside it."""

    def __init__(self, engine: Engine, adapter: str = "", cache: bool = True):
        super().__init__(engine.located.with_adapter(adapter), cache)
        self.engine = engine
        self.adapter = adapter

    def probabilities(self, state: Mapping[str, Any], questions: Mapping[str, Any]) -> list[list[float]]:
        row = self.engine.renderer.render(state, questions)
        told = self.engine.decide(row, self.adapter)
        probe = self.engine.probe(self.adapter)
        return probe.beside(row, told) if probe else told

    def cancel(self) -> None:
        self.engine.cancel()


class Recorder(DecisionClient):
    """Keeps every request and answers evenly: what it saw is what a training row is made of."""

    def __init__(self) -> None:
        super().__init__("recorder", cache=False)
        self.requests: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def probabilities(self, state: Any, questions: Any) -> list[list[float]]:
        self.requests.append((state, questions))
        return [[1 / len(q["criteria"])] * len(q["criteria"]) for q in questions.values()]
