"""How weights are trained: the settings of a LoRA training, of a judge's and of a text's, and of a judge's teachers."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LoraRecipe:
    """How to train. `rank` is LoRA's r, alpha is twice that; adapters sit on the `upper` share of the layers; a step takes
    `batch` items; training stops after `patience` epochs that are no better on validation."""

    epochs: int = 5
    rank: int = 16
    upper: float = 1.0
    learning_rate: float = 4e-4
    batch: int = 1
    patience: int = 2
    seed: int = 0
    qlora: bool = False


@dataclass(frozen=True)
class Recipe(LoraRecipe):
    """A judge's, with the defaults of `utta distill`. An item is a conversation; what the layers below the adapters make of
    it is computed once. `balance` is how far rare levels are weighed up, and `reviewer_cap` how much of the weight one
    reviewer may have (`utta.distill.rows`)."""

    balance: float = 0.5
    reviewer_cap: float = 1.0


@dataclass(frozen=True)
class TextRecipe(LoraRecipe):
    """That of a program that writes. An item is a row of text."""

    epochs: int = 3
    batch: int = 4


@dataclass(frozen=True)
class Teachers:
    """What is learnt from programs besides the experts: their levels on the replies in `unlabelled`, and as the share `blend`
    of the targets of labelled ones. `model` is that of programs without an adapter; `leave_out` are files whose problems are
    not learnt from; a decision is kept from `confidence` on (None: chosen on validation) and counts `weight` of a label."""

    programs: tuple[str, ...]
    model: str | None = None
    unlabelled: Path | None = None
    leave_out: tuple[Path, ...] = ()
    confidence: float | None = None
    weight: float = 0.5
    blend: float = 0.0
