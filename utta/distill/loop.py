"""What every LoRA training does around its steps: settings, progress, checkpoints, and the best adapter of all epochs.

    out/checkpoints/     the Trainer's, while it trains; a training that was killed goes on from the last whole one
    out/best/            the adapter that was best on validation so far
    out/losses.jsonl     the loss of each step
    out/history.json     the figures after each epoch

What a step learns from is the trainer's own business (`trainer.py` for a judge, `sft.py` for text), and so is what is
measured on validation.
"""

import errno
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from utta.core.files import JsonLines, read_json, write_json, write_lines
from utta.core.progress import progress
from utta.distill.processes import agreed, processes
from utta.distill.recipe import LoraRecipe
from utta.models.catalogue import Located, tokenizer_files

CHECKPOINT_SECONDS = 60
KEPT_CHECKPOINTS = 2


def settings(out: Path, recipe: LoraRecipe, bf16: bool) -> dict[str, Any]:
    """What every training gives its `TrainingArguments`."""
    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(out / "checkpoints"),
        "per_device_train_batch_size": recipe.batch,
        "num_train_epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.06,
        "weight_decay": 0.0,
        "bf16": bf16,
        "use_cpu": not cuda,
        "seed": recipe.seed,
        "save_strategy": "steps",
        "save_steps": 10**9,  # the callback below saves by the clock
        "save_total_limit": KEPT_CHECKPOINTS,
        "logging_strategy": "steps",
        "logging_steps": 1,  # the callback below writes each step's loss down
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": cuda,
        "ddp_find_unused_parameters": False,
        "ddp_broadcast_buffers": False,  # rotary frequencies, which never change
    }


def one_gpu(arguments: Any) -> Any:
    """The arguments for a process with one GPU; `accelerate launch` starts a process for each."""
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments


def run(
    out: Path,
    recipe: LoraRecipe,
    located: Located,
    trainer: Any,
    measure: Callable[[], dict[str, float]],
    chosen_by: tuple[str, str],
    watch: Callable[[int, int], None] = lambda step, steps: None,
) -> list[dict[str, Any]]:
    """Train into `out/best`; returns the history, an entry per epoch. Goes on from the last whole checkpoint.

    `watch` hears of each step, with the number of all; what it raises ends the training.
    """
    among = processes()
    steps = recipe.epochs * math.ceil(len(trainer.train_dataset) / (recipe.batch * among.num_processes))
    bar = progress("Training", steps) if among.is_main_process else nullcontext(lambda *_, **__: None)
    with bar as advance, _plain_disk_errors(out):
        trainer.remove_callback(PrinterCallback)
        with among.main_process_first():  # which mends what a kill left
            keeper = Keeper(out, recipe, located, trainer, measure, chosen_by, advance, lambda step: watch(step, steps))
            checkpoint = last_checkpoint(out / "checkpoints")
        trainer.add_callback(keeper)
        if not keeper.finished:
            trainer.train(resume_from_checkpoint=checkpoint)
    return keeper.history


def last_checkpoint(folder: Path) -> str | None:
    """The latest whole checkpoint: the Trainer writes its state file last, so one without it was cut short."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            whole.append(path)
        except (OSError, ValueError):
            shutil.rmtree(path)
    return str(max(whole, key=lambda p: int(p.name.rsplit("-", 1)[1]))) if whole else None


@contextmanager
def _plain_disk_errors(folder: Path) -> Iterator[None]:
    """Safetensors and torch have exceptions of their own for a write that fails; here they are an `OSError` again."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        number = re.search(r"os error (\d+)", str(error)) if isinstance(error, SafetensorError) else None
        code = int(number[1]) if number else errno.ENOSPC  # torch's writer does not say which
        if number is None and "inline_container" not in str(error):
            raise
        raise OSError(code, os.strerror(code), str(folder)) from error


class Keeper(TrainerCallback):
    """Shows progress, saves by the clock, measures after each epoch on validation, and keeps the best adapter.

    `measure` gives an epoch's figures; `chosen_by` names the one that chooses among epochs (the larger the better, but for
    a loss) and what to call it.
    `history.json` is written before the epoch's checkpoint, so an epoch that is repeated after a kill replaces its entry.
    `losses.jsonl` holds each step's loss; steps that are repeated replace theirs.
    """

    def __init__(
        self,
        out: Path,
        recipe: LoraRecipe,
        located: Located,
        trainer: Any,
        measure: Callable[[], dict[str, float]],
        chosen_by: tuple[str, str],
        advance: Callable[..., None],
        watch: Callable[[int], None],
    ):
        self.out, self.recipe, self.located, self.trainer, self.measure = out, recipe, located, trainer, measure
        self.figure, self.shown = chosen_by
        self.advance, self.watch = advance, watch
        path = out / "history.json"
        self.history: list[dict[str, Any]] = read_json(path) if path.is_file() else []
        self.saved = time.monotonic()
        if not self._best.is_dir() and (self._fresh / "base.json").is_file():
            self._fresh.rename(self._best)  # a kill came between `_keep`'s two renames

    @property
    def _best(self) -> Path:
        return self.out / "best"

    @property
    def _fresh(self) -> Path:
        return self.out / ".best"

    @property
    def finished(self) -> bool:
        """Whether the last epoch is behind, or none has been better for as long as the recipe is patient."""
        return len(self.history) >= self.recipe.epochs or self._stale() >= self.recipe.patience

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.begun = time.monotonic()
        self.before = self.history[-1]["seconds"] if self.history else 0.0
        self.losses = self._losses_until(state.global_step) if state.is_world_process_zero else None
        self.advance(state.global_step)

    def _losses_until(self, step: int) -> JsonLines:
        """The log of losses, without those after the step that training goes on from."""
        path = self.out / "losses.jsonl"
        with JsonLines(path) as log:
            kept = [line for line in log.done if line["step"] <= step]
        write_lines(path, kept)
        return JsonLines(path)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if self.losses and "loss" in logs:
            self.losses.append([{"step": state.global_step, "loss": logs["loss"]}])
        state.log_history.clear()  # else every checkpoint would hold every step's

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.losses:
            self.losses.close()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.advance(1)
        self.watch(state.global_step)
        if state.epoch % 1 == 0:
            # Now comes the epoch's validation, and then its checkpoint. One saved here, as the Trainer would after the very
            # last step, would be resumed from without the validation.
            control.should_save = False
        elif agreed(time.monotonic() - self.saved > CHECKPOINT_SECONDS):
            control.should_save = True
            self.saved = time.monotonic()

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        model.eval()
        figures = agreed(self.measure())
        model.train()
        epoch = round(state.epoch)
        entry = {"epoch": epoch, "seconds": round(self.before + time.monotonic() - self.begun, 1), **figures}
        self.history = [e for e in self.history if e["epoch"] < epoch] + [entry]
        if self._stale() == 0:
            weights = self.trainer.accelerator.get_state_dict(self.trainer.model_wrapped)  # of all processes
            if state.is_world_process_zero:
                self._keep(model, weights)
        if state.is_world_process_zero:
            write_json(self.out / "history.json", self.history)
        self.advance(0, note=f"epoch {epoch}: {self.shown} {figures[self.figure]:.3f}")
        control.should_save = True
        control.should_training_stop = control.should_training_stop or self.finished

    def _stale(self) -> int:
        """How many epochs ago the best one was."""
        best = min if self.figure == "loss" else max
        values = [e[self.figure] for e in self.history]
        return len(values) - 1 - values.index(best(values)) if values else 0

    def _keep(self, model: Any, weights: dict[str, torch.Tensor]) -> None:
        """Put the adapter into `best`, whole: first beside it, `base.json` last, then in its place."""
        before = self.out / ".before"
        for rest in (self._fresh, before):
            shutil.rmtree(rest, ignore_errors=True)
        inner = self.trainer.accelerator.unwrap_model(model)
        inner.save_pretrained(self._fresh, state_dict=weights, safe_serialization=True)
        (self._fresh / "README.md").unlink(missing_ok=True)
        for file in tokenizer_files(self.located.folder):  # which the weights were trained with, for whoever loads them
            shutil.copy(file, self._fresh)
        write_json(self._fresh / "base.json", {"name": self.located.name, "fingerprint": self.located.fingerprint})
        if self._best.is_dir():
            self._best.rename(before)
        self._fresh.rename(self._best)
        shutil.rmtree(before, ignore_errors=True)
