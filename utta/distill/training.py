"""One LoRA training: items from reviews, the Trainer with checkpoints, the best epoch kept by validation agreement.

Under `accelerate launch` every process comes through here; the first one writes the files and shows the progress.
"""

import errno
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainingArguments
from transformers.utils import logging as transformers_logging

from utta.core.files import JsonLines, read_json, write_json, write_lines
from utta.core.progress import progress
from utta.distill.agreement import judge_items, validation_figures
from utta.distill.lora import LoraLinear
from utta.distill.processes import agreed, processes
from utta.distill.recipe import Recipe
from utta.distill.rows import Lessons, training_items
from utta.distill.trainer import DecisionTrainer, Item
from utta.models.catalogue import Located, lora_targets
from utta.models.engine import best_dtype, load_weights, most_tokens
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator
from utta.records.review import Review

CHECKPOINT_SECONDS = 60
KEPT_CHECKPOINTS = 2
CHOSEN_BY = "macro_f1_weighted"


def train(
    out: Path,
    recipe: Recipe,
    program: TeachingEvaluator,
    located: Located,
    reviews: Sequence[Review],
    validation: Sequence[Review],
    lessons: Lessons | None = None,
) -> list[dict[str, Any]]:
    """Train an adapter into `out/best`; returns the history, an entry per epoch. Goes on from the last whole checkpoint."""
    torch.manual_seed(recipe.seed)
    model, tokenizer = with_adapter(located, recipe)
    renderer = Renderer(tokenizer, located.name, most_tokens(model.config))
    items = training_items(program, reviews, renderer, recipe.balance, recipe.reviewer_cap, lessons)
    held_out = training_items(program, validation, renderer)
    among = processes()
    steps = math.ceil(len(items) / (recipe.batch * among.num_processes))
    cuda = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(out / "checkpoints"),
        per_device_train_batch_size=recipe.batch,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.06,
        weight_decay=0.0,
        bf16=best_dtype() is torch.bfloat16,
        use_cpu=not cuda,
        seed=recipe.seed,
        save_strategy="steps",
        save_steps=10**9,  # the callback below saves by the clock
        save_total_limit=KEPT_CHECKPOINTS,
        logging_strategy="steps",
        logging_steps=1,  # the callback below writes each step's loss down
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=True,
        dataloader_pin_memory=cuda,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,  # rotary frequencies, which never change
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # a process has one GPU; `accelerate launch` starts one for each
    bar = progress("Training", recipe.epochs * steps) if among.is_main_process else nullcontext(lambda *_, **__: None)
    with bar as advance, _plain_disk_errors(out):
        trainer = DecisionTrainer(model, args=arguments, train_dataset=items)
        trainer.remove_callback(_printer())
        with among.main_process_first():  # which mends what a kill left
            keeper = _Keeper(out, recipe, program, held_out, located, advance, trainer)
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


def with_adapter(located: Located, recipe: Recipe) -> tuple[Any, Any]:
    """The base model with fresh LoRA weights on its linear layers, and its tokenizer."""
    from transformers import AutoTokenizer

    return adapted(located, recipe), AutoTokenizer.from_pretrained(located.folder, local_files_only=True)


def adapted(located: Located, recipe: Recipe) -> Any:
    """The base model with fresh LoRA weights on its linear layers, on this process's GPU if it has one."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    transformers_logging.disable_progress_bar()  # ours is the only one
    if recipe.qlora:
        model = prepare_model_for_kbit_training(_in_four_bits(located), use_gradient_checkpointing=False)
    else:
        model = load_weights(located, best_dtype()).to("cuda" if torch.cuda.is_available() else "cpu")
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        lora_dropout=0.0,
        bias="none",
        target_modules=lora_targets(located.folder),
        layers_to_transform=upper_layers(model.config.num_hidden_layers, recipe.upper),
        task_type="CAUSAL_LM",
    )
    if not recipe.qlora:  # layers in 4 bits are PEFT's own
        config._register_custom_module({torch.nn.Linear: LoraLinear})
    return get_peft_model(model, config)


def upper_layers(layers: int, share: float) -> list[int]:
    """The indices of the upper `share` of a model's layers, one at least."""
    return list(range(layers))[-max(1, round(share * layers)) :]


def _in_four_bits(located: Located) -> Any:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from utta.core.errors import UttaError
    from utta.models import attention

    try:
        import bitsandbytes  # noqa: F401 — only to say in one sentence that it is missing
    except ImportError:
        raise UttaError("--qlora needs the package bitsandbytes; install it with: pip install bitsandbytes.") from None
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return AutoModelForCausalLM.from_pretrained(
        located.folder,
        dtype=torch.bfloat16,
        attn_implementation=attention.NAME,
        quantization_config=four_bits,
        use_safetensors=True,
        local_files_only=True,
    )


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback


class _Keeper(TrainerCallback):
    """Shows progress, saves by the clock, measures validation agreement after each epoch, and keeps the best adapter.

    `history.json` is written before the epoch's checkpoint, so an epoch that is repeated after a kill replaces its entry.
    `losses.jsonl` holds each step's loss; steps that are repeated replace theirs.
    """

    def __init__(
        self,
        out: Path,
        recipe: Recipe,
        program: TeachingEvaluator,
        held_out: Sequence[Item],
        located: Located,
        advance: Any,
        trainer: DecisionTrainer,
    ):
        self.out, self.recipe, self.held_out = out, recipe, held_out
        self.rubric, self.located, self.advance, self.trainer = program.rubric, located, advance, trainer
        path = out / "history.json"
        self.history: list[dict[str, Any]] = read_json(path) if path.is_file() else []
        self.saved = time.monotonic()
        if (
            not self._best.is_dir() and (self._fresh / "base.json").is_file()
        ):  # a kill came between `_keep`'s two renames
            self._fresh.rename(self._best)

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
        if state.epoch % 1 == 0:
            # Now comes the epoch's validation, and then its checkpoint. One saved here, as the Trainer would after the very
            # last step, would be resumed from without the validation.
            control.should_save = False
        elif agreed(time.monotonic() - self.saved > CHECKPOINT_SECONDS):
            control.should_save = True
            self.saved = time.monotonic()

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        model.eval()
        wrapped = self.trainer.model_wrapped
        judged = judge_items(wrapped, self.rubric, self.held_out, args.bf16, self.trainer.frozen)
        figures = agreed(validation_figures(judged))
        model.train()
        epoch = round(state.epoch)
        entry = {"epoch": epoch, "seconds": round(self.before + time.monotonic() - self.begun, 1), **figures}
        self.history = [e for e in self.history if e["epoch"] < epoch] + [entry]
        if self._stale() == 0:
            weights = self.trainer.accelerator.get_state_dict(wrapped)  # of all processes
            if state.is_world_process_zero:
                self._keep(model, weights)
        if state.is_world_process_zero:
            write_json(self.out / "history.json", self.history)
        self.advance(0, note=f"epoch {epoch}: agreement {figures[CHOSEN_BY]:.3f}")
        control.should_save = True
        control.should_training_stop = control.should_training_stop or self.finished

    def _stale(self) -> int:
        """How many epochs ago the best one was."""
        values = [e[CHOSEN_BY] for e in self.history]
        return len(values) - 1 - values.index(max(values)) if values else 0

    def _keep(self, model: Any, weights: dict[str, torch.Tensor]) -> None:
        """Put the adapter into `best`, whole: first beside it, `base.json` last, then in its place."""
        before = self.out / ".before"
        for rest in (self._fresh, before):
            shutil.rmtree(rest, ignore_errors=True)
        inner = self.trainer.accelerator.unwrap_model(model)
        inner.save_pretrained(self._fresh, state_dict=weights, safe_serialization=True)
        (self._fresh / "README.md").unlink(missing_ok=True)
        write_json(self._fresh / "base.json", {"name": self.located.name, "fingerprint": self.located.fingerprint})
        if self._best.is_dir():
            self._best.rename(before)
        self._fresh.rename(self._best)
        shutil.rmtree(before, ignore_errors=True)
