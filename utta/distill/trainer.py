"""Training a judge on decisions: a collator and a `transformers.Trainer` that compute a conversation once, with gradient.

One training item is a conversation with its responses (`Item`). The loss is the mean cross-entropy between the target
distribution over a criterion's levels and the read-out's, over all decisions of the global batch; a decision without a
target carries no loss. Checkpoints, resume, callbacks, accumulation, mixed precision and several processes are the
Trainer's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer

from utta.distill.frozen import FrozenLayers
from utta.distill.processes import within_forward
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
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            self.frozen.layers = 0  # each process keeps its own, and sharded layers run on all of them or on none

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> Any:
        """The Trainer's, without a loss for the items that fill up the last global batch."""
        return super().get_batch_samples(map(self._without_repeats, epoch_iterator), num_batches, device)

    def _without_repeats(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Accelerate fills the last global batch of an epoch up with the first items, so that no process is left out."""
        state = self.accelerator.gradient_state
        if not state.end_of_dataloader or state.remainder <= 0:
            return batch
        new = state.remainder - self.accelerator.process_index * self.args.train_batch_size
        return collate([item if i < new else without_targets(item) for i, item in enumerate(batch["items"])])

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The sum of the batch's losses over the number of decisions in the global batch, times the number of processes,
        whose gradients are averaged."""

        def total(inner: Any) -> torch.Tensor:
            # Accelerate casts inside the model's own forward, which the tree pass goes around.
            with self.accelerator.autocast():
                return batch_loss(inner, inputs["items"], self.frozen)

        loss = within_forward(model, total)
        if num_items_in_batch is None:
            loss = loss / max(1, int((inputs["labels"] >= 0).sum()))
        else:
            loss = loss * self.accelerator.num_processes / max(1, int(num_items_in_batch))
        return (loss, {}) if return_outputs else loss


def without_targets(item: Item) -> Item:
    """An item that carries no loss."""
    return replace(item, targets=(None,) * len(item.targets))


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
