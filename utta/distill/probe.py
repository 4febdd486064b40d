"""What a model's frozen layers know already, as soft targets beside the experts' labels.

A linear probe (Alain & Bengio 2016, arXiv 1610.01644) reads the levels off the states that the layers below the adapters
make of a response: their mean over its tokens, and the state at the criterion's read-out. It judges each conversation as
one that it has not learnt from, for it is fitted anew for every fold of the problems. Its chances vary with what is said
and not with who gave the label, so a judge that learns them too learns fewer labels by heart.

    items = soften(items, model, frozen, share=0.5)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from utta.distill.frozen import FrozenLayers
from utta.distill.trainer import Item, Target
from utta.models import tree
from utta.models.flat import base_of

FOLDS = 5
# The inverse strength of the penalty; on MRBench V3 a third of it judged new problems a little worse.
PENALTY = 1e-3

Floats = NDArray[np.float64]


def soften(items: Sequence[Item], model: Any, frozen: FrozenLayers, share: float) -> list[Item]:
    """The items with `share` of each label's weight spread as the probe spreads it; what has no label stays without.

    A criterion whose labels are on one problem, or are all alike in some fold's rest, keeps its targets.
    """
    if not share:
        return list(items)
    states = [_states(item.group, model, frozen) for item in items]
    targets: list[list[Target]] = [list(item.targets) for item in items]
    criteria = len(items[0].group.rows[0].criteria)
    for first in range(criteria):
        places = [
            (i, d) for i, item in enumerate(items) for d in range(first, len(item.targets), criteria) if item.targets[d]
        ]
        labels = np.array([targets[i][d] for i, d in places])
        chances = _judged_unseen([states[i][d] for i, d in places], labels, [items[i].problem for i, _ in places])
        if chances is not None:
            softer = (1 - share) * labels + share * labels.sum(1, keepdims=True) * chances
            for (i, d), target in zip(places, softer.tolist(), strict=True):
                targets[i][d] = tuple(target)
    return [replace(item, targets=tuple(own)) for item, own in zip(items, targets, strict=True)]


def _states(group: tree.Group, model: Any, frozen: FrozenLayers) -> Floats:
    """What the probe reads [decisions, 2 x width]: the mean of the response's states, and the state at the read-out. Where
    no layer is frozen, the lower half's states are read, on which fresh adapters change nothing."""
    begun = frozen.begin(model, [group])
    half = len(base_of(model).get_decoder().layers) // 2
    states = (begun.states if begun else tree.states_after(model, group, half))[0].float().cpu().numpy()
    readouts = tree.lay_out([group]).readouts.tolist()
    found, at = [], group.prefix
    for place, row in enumerate(group.rows):
        end = at + len(row.trunk) - group.prefix
        response = states[at:end].mean(0) if end > at else states[at - 1]
        own = readouts[place * len(row.suffixes) : (place + 1) * len(row.suffixes)]
        found += [np.concatenate([response, states[readout]]) for readout in own]
        at = end + sum(map(len, row.suffixes))
    return np.array(found)


def _judged_unseen(states: Sequence[Floats], labels: Floats, problems: Sequence[str]) -> Floats | None:
    """The chance of each level [decisions, levels], by probes that were fitted on the `labels` [decisions, levels] of other
    problems."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = min(FOLDS, len(set(problems)))
    if folds < 2:
        return None
    inputs, levels, chances = np.array(states), labels.argmax(1), np.zeros_like(labels)
    for fitted, judged in GroupKFold(folds, shuffle=True, random_state=0).split(inputs, groups=problems):
        if len(set(levels[fitted].tolist())) < 2:
            return None
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=500))
        probe.fit(inputs[fitted], levels[fitted])
        chances[np.ix_(judged, probe[-1].classes_)] = probe.predict_proba(inputs[judged])
    return chances
