"""LoRA training of a program that writes, by TRL's `SFTTrainer`: rows of tokens, the loss on what the model should write.

Rows come tokenised (`utta.models.text_rows`), so that a model learns behind exactly the tokens that it is asked with. Nothing
is packed or cut. The best epoch is the one with the least loss on the validation rows; checkpoints, the goings-on after a
kill and the files are those of `utta.distill.loop`. It does not choose what is learned.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoConfig, AutoTokenizer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from utta.core.files import read_json
from utta.distill.learned import learned_loss
from utta.distill.loop import run
from utta.distill.processes import processes, shared_out, within_forward
from utta.distill.recipe import TextRecipe
from utta.distill.training import with_adapter, with_arguments
from utta.models.catalogue import Located
from utta.models.engine import most_tokens
from utta.models.render import Renderer, TooLong
from utta.models.text_rows import TextRow, conversation_row

CHOSEN_BY = ("loss", "loss")
NOT_LEARNED = -100  # as a label, in Transformers and TRL


def train_text(
    out: Path,
    recipe: TextRecipe,
    located: Located,
    rows: Sequence[TextRow],
    validation: Sequence[TextRow],
    watch: Callable[[int, int], None] = lambda step, steps: None,
) -> list[dict[str, Any]]:
    """Train an adapter into `out/adapter`; returns the history, an entry per epoch with the `loss` on validation in nats per
    learned token. Goes on from the last whole checkpoint, and does not train again what has been trained; beside the adapter
    only `history.json` and `losses.jsonl` stay. `watch(step, steps)` hears of each step; what it raises ends it."""
    if (out / "adapter").is_dir():
        history = read_json(out / "history.json")
    else:
        trainer = _trainer(out, recipe, located, rows)
        history = run(out, recipe, located, trainer, lambda: trainer.measure(validation), CHOSEN_BY, watch)
        if processes().is_main_process:
            (out / "best").rename(out / "adapter")
    for rest in ("checkpoints", ".best", ".before"):
        shutil.rmtree(out / rest, ignore_errors=True)
    return history


def _trainer(out: Path, recipe: TextRecipe, located: Located, rows: Sequence[TextRow]) -> "TextTrainer":
    torch.manual_seed(recipe.seed)
    model, tokenizer = with_adapter(located, recipe)
    arguments = with_arguments(SFTConfig, out, recipe, packing=False, activation_checkpointing=False, max_length=None)
    return TextTrainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(list(map(_columns, rows))),
    )


class TextTrainer(SFTTrainer):
    """TRL's trainer with the head computed at learned tokens alone; TRL's own scores every token on a processor."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The batch's loss over the number of learned tokens in the global batch, times the number of processes, whose
        gradients are averaged."""
        learned = inputs["labels"] != NOT_LEARNED
        total = within_forward(model, lambda inner: self._loss(inner, inputs["input_ids"], learned))
        if num_items_in_batch is None:
            loss = total / learned.sum().clamp(min=1)
        else:
            loss = total * self.accelerator.num_processes / torch.as_tensor(num_items_in_batch).clamp(min=1)
        return (loss, {}) if return_outputs else loss

    def measure(self, rows: Sequence[TextRow]) -> dict[str, float]:
        """The mean loss of the rows' learned tokens, in nats; the processes share the work."""
        device = self.accelerator.device

        def one(row: TextRow) -> float:
            ids, learned = (torch.tensor([x], device=device) for x in (row.ids, row.learned))
            return float(within_forward(self.model_wrapped, lambda inner: self._loss(inner, ids, learned)))

        with torch.no_grad():
            losses = shared_out(rows, one)
        return {"loss": round(sum(losses) / sum(sum(row.learned) for row in rows), 4)}

    def _loss(self, inner: Any, ids: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
        with self.accelerator.autocast():  # which Accelerate puts around the model's own forward alone
            return learned_loss(inner, ids, learned)


def text_rows(
    located: Located, chats: Iterable[Sequence[Mapping[str, str]]], only_last: bool = False
) -> tuple[list[TextRow], list[int]]:
    """The rows of chats, and the places of the chats that are longer than the model reads: put aside, never cut. A chat in
    which the model says nothing has no row."""
    folder = located.folder
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    most = most_tokens(AutoConfig.from_pretrained(folder, local_files_only=True))
    renderer, rows, long = Renderer(tokenizer, located.name, most), [], []
    for place, messages in enumerate(chats):
        try:
            rows.append(conversation_row(renderer, messages, only_last))
        except TooLong:
            long.append(place)
    return [row for row in rows if row.ids], long


def _columns(row: TextRow) -> dict[str, list[int]]:
    """The row as TRL takes what is tokenised already."""
    labels = [token if learned else NOT_LEARNED for token, learned in zip(row.ids, row.learned, strict=True)]
    return {"input_ids": list(row.ids), "labels": labels}
