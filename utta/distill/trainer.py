"""Training a judge on decisions: a collator and a `transformers.Trainer` that compute a conversation once, with gradient.

One training item is a conversation with its responses (`Item`). The loss is the mean cross-entropy between the target
distribution over a criterion's levels and the read-out's, over all decisions of the global batch; a decision without a
target carries no loss. Checkpoints, resume, callbacks, accumulation and mixed precision are the Trainer's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer

from utta.distill.frozen import FrozenLayers
from utta.models import tree

Target = tuple[float, ...] | None  # one weight per level; None where the experts gave no label


@dataclass(frozen=True)
class Item:
    """A conversation with its responses, a target for each decision in the order of the group's read-outs, and the problem
    that the conversation is about."""

    group: tree.Group
    targets: tuple[Target, ...]
    problem: str


def collate(items: Sequence[Item]) -> dict[str, Any]:
    """A batch for `DecisionTrainer`: the items, and by `labels` [decisions] the Trainer counts those with a target."""
    labels = torch.tensor([0 if target else -100 for item in items for target in item.targets])
    # Of `labels` alone the Trainer would not count the first, which in a text has nothing before it to be predicted from.
    return {"items": list(items), "labels": labels, "shift_labels": labels}


class DecisionTrainer(Trainer):
    """Trains adapters at the read-outs of prompts that share their prefixes."""

    def __init__(self, model: Any, frozen: FrozenLayers | None = None, **kwargs: Any):
        super().__init__(model=model, data_collator=collate, **kwargs)
        self.frozen = frozen or FrozenLayers(model)
        self.model_accepts_loss_kwargs = True  # the loss below takes the global batch's number of decisions

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The sum of the batch's losses over the number of decisions in the global batch."""
        # Accelerate casts inside the wrapped model's forward, which the tree pass goes around.
        with self.accelerator.autocast():
            total = batch_loss(self.accelerator.unwrap_model(model), inputs["items"], self.frozen)
        count = num_items_in_batch if num_items_in_batch is not None else max(1, int((inputs["labels"] >= 0).sum()))
        loss = total / count
        return (loss, {}) if return_outputs else loss


def batch_loss(model: Any, items: Sequence[Item], frozen: FrozenLayers | None = None) -> torch.Tensor:
    """The sum over the items' decisions of the cross-entropy between target and read-out, in nats."""
    groups = [item.group for item in items]
    logs = tree.log_probabilities(model, groups, frozen.begin(model, groups) if frozen else None)
    targets = [target for item in items for target in item.targets]
    pairs = [(log, torch.tensor(t, device=log.device)) for log, t in zip(logs, targets, strict=True) if t]
    if not pairs:
        return torch.stack([log.sum() for log in logs]).sum() * 0.0
    log, target = (pad_sequence([p[i] for p in pairs], batch_first=True) for i in (0, 1))
    return -(target * log).sum()
