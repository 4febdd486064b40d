"""A probe: which levels the words of a response speak for, beside what the model decides.

It holds a score for every token of the vocabulary and every level; a response's own chances are the softmax of the mean
score of its tokens. The file `probe/probe.safetensors` lies beside the weights that it was fitted with
(`utta.distill.probe`), an adapter's or a whole model's, in a folder of its own because other servers load every file of
tensors beside a model: for each criterion `CRITERION.scores` [vocabulary, levels] and `CRITERION.bias` [levels], the levels'
labels in its metadata.

The judge's answer is the normed product of the square roots of both chances: half the weight each (a logarithmic opinion
pool, Genest & Zidek 1986).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from utta.core.errors import UttaError
from utta.models.render import DecisionRow

FILE = "probe/probe.safetensors"
LEAST_CHANCE = 1e-30  # so that a level that either rules out altogether leaves something to be normed

Scores = NDArray[np.float32]
Chances = NDArray[np.float64]


@dataclass(frozen=True)
class Words:
    """What words say of one criterion: the labels of its levels, every token's scores for them [vocabulary, levels], and the
    levels' own [levels]."""

    labels: tuple[str, ...]
    scores: Scores
    bias: Scores

    def chances(self, response: Sequence[int]) -> Chances:
        """The chances of the levels [levels], given the tokens of a response, one at least."""
        logits = (self.scores[list(response)].mean(0) + self.bias).astype(np.float64)
        chances: Chances = np.exp(logits - logits.max())
        return chances / chances.sum()


@dataclass(frozen=True)
class Probe:
    """What words say, by criterion."""

    words: dict[str, Words]

    @classmethod
    def load(cls, folder: Path) -> "Probe | None":
        """The probe beside the weights in a folder; None where there is none, `UttaError` for a broken file."""
        if not (folder / FILE).is_file():
            return None
        try:
            with safe_open(folder / FILE, "numpy") as held:
                labels = json.loads((held.metadata() or {})["labels"])
                parts = {name: [held.get_tensor(f"{name}.{part}") for part in ("scores", "bias")] for name in labels}
        except (SafetensorError, KeyError) as error:
            raise UttaError(
                f"{folder / FILE} is no whole probe ({error}); put it back, or make the program anew."
            ) from None
        return cls({name: Words(tuple(labels[name]), *tensors) for name, tensors in parts.items()})

    def save(self, folder: Path) -> None:
        """Write the file into a folder; `OSError` where there is no room."""
        held = {f"{name}.scores": words.scores for name, words in self.words.items()}
        held |= {f"{name}.bias": words.bias for name, words in self.words.items()}
        labels = {name: words.labels for name, words in self.words.items()}
        # safetensors takes the bytes as they lie.
        laid_out = {name: np.ascontiguousarray(tensor) for name, tensor in held.items()}
        (folder / FILE).parent.mkdir(exist_ok=True)
        (folder / FILE).write_bytes(save(laid_out, metadata={"labels": json.dumps(labels)}))

    def beside(self, row: DecisionRow, told: Sequence[Sequence[float]]) -> list[list[float]]:
        """What a model told of a row's criteria, the chances of each one's levels, and the probe's together. A criterion with
        other levels than the probe's stays as it is, and so does all of a response without a token."""
        both = []
        for criterion, labels, model in zip(row.criteria, row.labels, told, strict=True):
            words = self.words.get(criterion)
            if not row.response or not words or words.labels != labels:
                both.append(list(model))
                continue
            product = np.sqrt(np.maximum(model, LEAST_CHANCE) * words.chances(row.response))
            both.append((product / product.sum()).tolist())
        return both
