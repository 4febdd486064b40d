"""The layers below the first adapter, computed once.

Training leaves them as they are, so what they make of a conversation is the same in every epoch. It is computed when the
conversation first comes up, without gradient, and kept while there is room; from then on a pass begins at the first
adapter. With adapters on the upper half of the layers, a later epoch takes half the work of one over all layers.
"""

import os
from collections.abc import Sequence
from typing import Any

import torch

from utta.core.system import memory
from utta.models import tree
from utta.models.flat import base_of
from utta.models.tree import Begun, Group

SHARE_OF_MEMORY = 0.25


class FrozenLayers:
    """Gives `tree.log_probabilities` the states that a model's frozen layers have computed; keeps at most `room` bytes."""

    def __init__(self, model: Any, room: int | None = None):
        layers = getattr(base_of(model).get_decoder(), "layers", [])
        trained = [any(p.requires_grad for p in layer.parameters()) for layer in layers]
        self.layers = trained.index(True) if True in trained else 0
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # processes on this machine
        self.room = room if room is not None else int(SHARE_OF_MEMORY * (memory() or 2**32) / beside)
        self._kept: dict[Group, torch.Tensor] = {}

    def begin(self, model: Any, groups: Sequence[Group]) -> Begun | None:
        """What the frozen layers make of the groups' flat sequence; None where there are none."""
        if not self.layers:
            return None
        root = tree.shared_by_all(groups)
        states = [self._states(model, group) for group in groups]
        return Begun(self.layers, torch.cat([states[0], *(each[:, root:] for each in states[1:])], dim=1))

    def _states(self, model: Any, group: Group) -> torch.Tensor:
        if group in self._kept:
            return self._kept[group]
        states = tree.states_after(model, group, self.layers).cpu()
        size = states.nbytes
        if size <= self.room:
            self.room -= size
            self._kept[group] = states
        return states
