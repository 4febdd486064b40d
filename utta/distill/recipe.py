"""How a judge is trained: the settings of a LoRA training and of its teachers, with the defaults of `utta distill`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """How to train. `rank` is LoRA's r, alpha is twice that; adapters sit on the `upper` share of the layers, and what
    layers below them make of a conversation is computed once; `batch` counts conversations; `balance` is how far rare
    levels are weighed up, and `reviewer_cap` how much of the weight one reviewer may have (`utta.distill.rows`); training
    stops after `patience` epochs without a better agreement."""

    epochs: int = 5
    rank: int = 16
    upper: float = 1.0
    learning_rate: float = 4e-4
    batch: int = 1
    balance: float = 0.5
    patience: int = 2
    reviewer_cap: float = 1.0
    seed: int = 0
    qlora: bool = False


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
