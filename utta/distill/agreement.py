"""A model's agreement with the experts while it trains: probabilities on validation items, and macro-F1 with fitted weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from metrics.agreement import macro_f1
from metrics.levels import cross_fitted
from signatures.rubric import Rubric
from utta.distill.frozen import FrozenLayers
from utta.distill.processes import shared_out, within_forward
from utta.distill.trainer import Item
from utta.evaluate.results import skipped
from utta.models import tree


@dataclass(frozen=True)
class Judged:
    """One criterion's decisions that have a label: probabilities [n, levels], gold levels [n], problems [n]."""

    probabilities: NDArray[np.float64]
    gold: NDArray[np.int64]
    problems: NDArray[np.str_]


def judge_items(
    model: Any, rubric: Rubric, items: Sequence[Item], autocast: bool, frozen: FrozenLayers | None = None
) -> dict[str, Judged]:
    """Score items as the engine does, shared out among the processes; returns the labelled decisions by criterion."""
    found: dict[str, list[tuple[list[float], int, str]]] = {c.id: [] for c in rubric.criteria}
    names = list(found)
    device = next(model.parameters()).device

    def read(inner: Any, group: tree.Group) -> list[list[float]]:
        begun = frozen.begin(inner, [group]) if frozen else None
        return [log.exp().tolist() for log in tree.log_probabilities(inner, [group], begun)]

    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        read_all = shared_out(items, lambda item: within_forward(model, lambda inner: read(inner, item.group)))
    for item, read_outs in zip(items, read_all, strict=True):
        for i, (probabilities, target) in enumerate(zip(read_outs, item.targets, strict=True)):
            if target:
                found[names[i % len(names)]].append((probabilities, int(np.argmax(target)), item.problem))
    return {
        name: Judged(*(np.array(column) for column in zip(*rows, strict=True))) for name, rows in found.items() if rows
    }


def validation_figures(judged: dict[str, Judged]) -> dict[str, float]:
    """Means over criteria: `loss` (nats per decision), `macro_f1` of the likeliest level, and `macro_f1_weighted` of level
    weights that were fitted on other problems; a criterion with labels on one problem only keeps the likeliest level."""
    losses, plain, weighted = [], [], []
    for each in judged.values():
        levels = each.probabilities.shape[1]
        sure = each.probabilities[np.arange(len(each.gold)), each.gold]
        losses.append(-np.log(np.maximum(sure, 1e-9)).mean())
        decided = each.probabilities.argmax(1)
        skip = skipped(each.gold.tolist(), levels)
        plain.append(macro_f1(each.gold, decided, levels, skip=skip))
        if len(set(each.problems)) > 1:
            decided = cross_fitted(each.probabilities, each.gold, each.problems.tolist())
        weighted.append(macro_f1(each.gold, decided, levels, skip=skip))
    return {"loss": _mean(losses), "macro_f1": _mean(plain), "macro_f1_weighted": _mean(weighted)}


def _mean(values: Sequence[float]) -> float:
    return round(float(np.nanmean(values)), 4)
