"""Four ways of training the same adapter on the same decisions, for `scripts/bench_distill.py`.

    ours           as `utta distill` does: a conversation a step, what its decisions share computed once
    trl            TRL as one would set it up: a row per decision, prompt and completion, batches of 8
    trl_best       TRL at its best: a row per reply with all its criteria, loss on the codes alone, rows of like length together
    llamafactory   LLaMA-Factory's own command line on the rows of `trl_best` (`bench_llamafactory.py`)

All have the same r, target layers, learning rate, schedule and bf16. Each takes the decisions as `Item`s, trains until a
limit is reached, leaves its adapter in a folder and tells what it has `Measured`. Memory is read from /proc, so this runs
on Linux only.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainingArguments

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.distill.agreement import Judged, judge_items, validation_figures
from utta.distill.recipe import Recipe
from utta.distill.trainer import DecisionTrainer, Item, Target
from utta.distill.training import with_adapter
from utta.models.catalogue import Located, lora_targets
from utta.models.engine import best_dtype, load_weights
from utta.models.render import CODES, DecisionRow

BATCH = 8  # rows a step, of TRL and LLaMA-Factory
RECIPE = Recipe()
WARM_UP = 0.06  # share of the steps in which the learning rate rises


@dataclass(frozen=True)
class Limits:
    """When a training ends: after `steps` steps or `seconds`, whichever is first, both counted after `warmup` steps."""

    warmup: int
    steps: int
    seconds: float


@dataclass
class Measured:
    """What was done after the warm-up steps: `tokens` are those really computed, padding among them; `peak_mib` is the
    process's largest resident memory."""

    steps: int = 0
    decisions: float = 0
    tokens: int = 0
    seconds: float = 0.0
    peak_mib: float = 0.0


@dataclass(frozen=True)
class Joined:
    """A reply with all its labelled criteria in one row: `turns` are pairs of text and code, `ids` the tokens of all of
    them, and the code of each turn stands at its place in `places`."""

    turns: tuple[tuple[str, str], ...]
    ids: tuple[int, ...]
    places: tuple[int, ...]


class Meter(TrainerCallback):
    """Counts what a Trainer computes, and stops it at the limits."""

    def __init__(self, limits: Limits):
        self.limits, self.measured = limits, Measured()

    def count(self, decisions: int, tokens: int) -> None:
        self.measured.decisions += decisions
        self.measured.tokens += tokens

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.limits.warmup:
            self.measured, self.started = Measured(), time.monotonic()
            return
        self.measured.steps += 1
        self.measured.seconds = time.monotonic() - self.started
        if state.global_step > self.limits.warmup and self.measured.seconds >= self.limits.seconds:
            control.should_training_stop = True


def ours(items: Sequence[Item], located: Located, limits: Limits, out: Path) -> Measured:
    """Train as `utta distill` does, with its default recipe."""
    model, _ = with_adapter(located, RECIPE)
    arguments = TrainingArguments(
        **settings(limits, out), per_device_train_batch_size=RECIPE.batch, remove_unused_columns=False
    )
    return _trained(
        DecisionTrainer,
        lambda inputs: (_labels(inputs["items"]), sum(item.group.tokens for item in inputs["items"])),
        limits,
        out,
        model=model,
        args=arguments,
        train_dataset=list(items),
    )


def trl(items: Sequence[Item], located: Located, limits: Limits, out: Path) -> Measured:
    """Train with TRL, a row per decision: the prompt as text, the level's code as its completion."""
    from datasets import Dataset

    tokenizer = tokenizer_of(located)
    rows = [
        {"prompt": tokenizer.decode(prompt), "completion": CODES[level]}
        for row, levels in replies(items)
        for prompt, level in zip(row.prompts, levels, strict=True)
        if level is not None
    ]
    return _with_trl(
        Dataset.from_list(rows),
        lambda inputs: (len(inputs["input_ids"]), inputs["input_ids"].numel()),
        located,
        limits,
        out,
        completion_only_loss=True,
    )


def trl_best(items: Sequence[Item], located: Located, limits: Limits, out: Path) -> Measured:
    """Train with TRL, a row per reply, tokenised beforehand so that the codes alone carry loss."""
    from datasets import Dataset

    tokenizer = tokenizer_of(located)
    rows = []
    for each in joined_rows(items, tokenizer):
        labels = [-100] * len(each.ids)
        for place in each.places:
            labels[place] = each.ids[place]
        rows.append({"input_ids": list(each.ids), "labels": labels})
    return _with_trl(
        Dataset.from_list(rows),
        lambda inputs: (int((inputs["labels"] != -100).sum()), inputs["input_ids"].numel()),
        located,
        limits,
        out,
        train_sampling_strategy="group_by_length",
    )


def settings(limits: Limits, out: Path) -> dict[str, Any]:
    """What `utta distill` gives its Trainer; TRL is given the same."""
    return {
        "output_dir": str(out / "trainer"),
        "max_steps": limits.warmup + limits.steps,
        "learning_rate": RECIPE.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": WARM_UP,
        "weight_decay": 0.0,
        "bf16": best_dtype() is torch.bfloat16,
        "use_cpu": True,
        "seed": RECIPE.seed,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def replies(items: Sequence[Item]) -> Iterator[tuple[DecisionRow, list[int | None]]]:
    """Each reply with the level of each criterion, None where the experts gave none."""
    for item in items:
        targets = iter(item.targets)
        for row in item.group.rows:
            yield row, [_level(next(targets)) for _ in row.criteria]


def _level(target: Target) -> int | None:
    """The level with the most weight."""
    return max(range(len(target)), key=target.__getitem__) if target else None


def joined_rows(items: Sequence[Item], tokenizer: Any) -> list[Joined]:
    return [joined(row, levels, tokenizer) for row, levels in replies(items) if any(x is not None for x in levels)]


def joined(row: DecisionRow, levels: Sequence[int | None], tokenizer: Any) -> Joined:
    """One row of all criteria of a reply that have a level: the prompt, then `name:`, code, `name:`, code …

    `UttaError` where the tokenizer lets a code grow together with what stands beside it.
    """
    told = [(name, x) for name, x in zip(row.criteria, levels, strict=True) if x is not None]
    before = tokenizer.decode(row.prompts[0]).removesuffix(f"{row.criteria[0]}:\n")
    turns = [(("\n" if i else before) + f"{name}:\n", CODES[x]) for i, (name, x) in enumerate(told)]
    whole = "".join(asked + code for asked, code in turns)
    ids = _ids(tokenizer, whole)
    places, end = [], 0
    for asked, code in turns:
        end += len(asked + code)
        part = _ids(tokenizer, whole[:end])
        if part != ids[: len(part)] or tokenizer.decode(part[-1:]) != code:
            raise UttaError(f"This tokenizer joins the level's code {code!r} with its neighbours; use another model.")
        places.append(len(part) - 1)
    return Joined(tuple(turns), tuple(ids), tuple(places))


def figures(way: str, adapter: Path, located: Located, rubric: Rubric, held_out: Sequence[Item]) -> dict[str, float]:
    """The agreement of a way's adapter on validation items, each read as it was trained: decision by decision, or in a row
    in which each criterion sees the judge's own answers to those before it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if way in ("ours", "trl"):
        model = PeftModel.from_pretrained(load_weights(located, best_dtype()), adapter).eval()
        return validation_figures(judge_items(model, rubric, held_out, best_dtype() is torch.bfloat16))
    base = AutoModelForCausalLM.from_pretrained(located.folder, dtype=best_dtype(), attn_implementation="sdpa")
    model = PeftModel.from_pretrained(base, adapter).eval()
    return validation_figures(judge_in_turn(model, rubric, held_out, tokenizer_of(located)))


def judge_in_turn(model: Any, rubric: Rubric, items: Sequence[Item], tokenizer: Any) -> dict[str, Judged]:
    """The labelled decisions by criterion, those of a reply read one after the other from one row."""
    found: dict[str, list[tuple[list[float], int, str]]] = {c.id: [] for c in rubric.criteria}
    for item in items:
        for row, levels in replies([item]):
            asked = [
                (name, row.codes[i], x)
                for i, (name, x) in enumerate(zip(row.criteria, levels, strict=True))
                if x is not None
            ]
            chances = in_turn(model, joined(row, levels, tokenizer), [codes for _, codes, _ in asked]) if asked else []
            for (name, _, level), p in zip(asked, chances, strict=True):
                found[name].append((p, level, item.problem))
    return {
        name: Judged(*(np.array(column) for column in zip(*rows, strict=True))) for name, rows in found.items() if rows
    }


def in_turn(model: Any, row: Joined, codes: Sequence[Sequence[int]]) -> list[list[float]]:
    """The probabilities of each turn's levels; the likeliest code of each stands where the next ones see it."""
    ids, done, cache, found = list(row.ids), 0, None, []
    with torch.inference_mode():
        for place, allowed in zip(row.places, codes, strict=True):
            told = model(
                input_ids=torch.tensor([ids[done:place]]), past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            logits = told.logits[0, -1, list(allowed)].float()
            found.append(torch.softmax(logits, -1).tolist())
            ids[place] = allowed[int(logits.argmax())]
            done, cache = place, told.past_key_values
    return found


def peak_mib(process: int | str = "self") -> float:
    """The largest resident memory that a process has had so far, in MiB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def _labels(items: Sequence[Item]) -> int:
    return sum(bool(target) for item in items for target in item.targets)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def tokenizer_of(located: Located) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(located.folder, local_files_only=True)


def _with_trl(rows: Any, measure: Any, located: Located, limits: Limits, out: Path, **special: Any) -> Measured:
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    arguments = SFTConfig(
        **settings(limits, out),
        **special,
        per_device_train_batch_size=BATCH,
        packing=False,
        gradient_checkpointing=False,
        max_length=None,
        model_init_kwargs={"dtype": best_dtype()},
    )
    adapter = LoraConfig(
        r=RECIPE.rank,
        lora_alpha=2 * RECIPE.rank,
        lora_dropout=0.0,
        target_modules=list(lora_targets(located.folder)),
        task_type="CAUSAL_LM",
    )
    return _trained(
        SFTTrainer,
        measure,
        limits,
        out,
        model=str(located.folder),
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer_of(located),
        peft_config=adapter,
    )


def _trained(
    base: Any, measure: Callable[[dict[str, Any]], tuple[int, int]], limits: Limits, out: Path, **given: Any
) -> Measured:
    """Train with a Trainer; `measure` tells the decisions and tokens of a batch. Leaves the adapter in `out/adapter`."""
    meter = Meter(limits)

    class Metered(base):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            meter.count(*measure(inputs))
            return super().compute_loss(model, inputs, *args, **kwargs)

    trainer = Metered(callbacks=[meter], **given)
    trainer.train()
    meter.measured.peak_mib = peak_mib()
    trainer.model.save_pretrained(out / "adapter", safe_serialization=True)
    return meter.measured
