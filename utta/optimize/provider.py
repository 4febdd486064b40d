"""DSPy's fine-tuning provider for local models: `dspy.BootstrapFinetune` and `dspy.BetterTogether` in one process.

    lm = trainable(load_model("smollm2-135m-q4"))
    program.set_lm(lm)
    dspy.BootstrapFinetune(metric=metric, train_kwargs={"epochs": 2, "out": "runs/tuned"}).compile(program, trainset)

A job trains LoRA weights from chats and puts them into the engine that answers already; the tuned language model is the
same engine, asked with the adapter's name. No server is started. What is learned is chosen by whoever calls it.
"""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from dspy.clients.provider import Provider, TrainingJob

from utta.core.errors import UttaError, shorten
from utta.core.paths import home
from utta.core.runs import claim
from utta.distill.recipe import TextRecipe
from utta.distill.sft import text_rows, train_text
from utta.models.catalogue import Located
from utta.models.load import Model
from utta.models.text import TextEngine, adapter_of
from utta.models.text_rows import TextRow

Chat = dict[str, Any]  # {"messages": [{"role", "content"}, …]}, the last one the assistant's

HELD_OUT = 10  # of so many rows one chooses the epoch, where no validation rows are given


class LocalJob(TrainingJob):
    """One training under way. As DSPy has it, `result()` is the tuned language model, or the exception that ended it."""

    step, steps, begun, stopped = 0, 0, False, False

    def status(self) -> str:
        """ "waiting", "training", "done", "failed" or "cancelled"."""
        if self.done():
            return "done" if not isinstance(self.result(), Exception) else "cancelled" if self.stopped else "failed"
        return "training" if self.begun else "waiting"

    @property
    def progress(self) -> float:
        """The share of the steps that are behind, from 0 to 1."""
        return self.step / self.steps if self.steps else 0.0

    def cancel(self) -> bool:
        """Stop after the present step; whether there was anything to stop. The same request goes on from its checkpoint."""
        self.stopped = not self.done()
        return self.stopped

    def watch(self, step: int, steps: int) -> None:
        """Hear of a step; raises `UttaError` once the job has been cancelled."""
        self.step, self.steps, self.begun = step, steps, True
        if self.stopped:
            raise UttaError(
                f"The training was cancelled at step {step} of {steps}; the same request goes on from there."
            )


@dataclass(frozen=True)
class Wanted:
    """What a job's `train_kwargs` say: the fields of `TextRecipe`, the folder to train in (by default one of the user's own,
    named after the request), and chats for choosing the epoch (by default every tenth of the training's)."""

    recipe: TextRecipe = field(default_factory=TextRecipe)
    out: Path | None = None
    validation: Sequence[Chat] = ()

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Wanted":
        """From `train_kwargs`; `UttaError` for a name that is none of them."""
        known = {f.name for f in fields(TextRecipe)}
        if unknown := [name for name in given if name not in known | {"out", "validation"}]:
            raise UttaError(
                f"A local training has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}, out and validation."
            )
        recipe = TextRecipe(**{name: value for name, value in given.items() if name in known})
        return cls(recipe, given.get("out") and Path(given["out"]), given.get("validation") or ())


@dataclass(frozen=True)
class Tuned:
    """What a job leaves: the adapter's folder, the history of its epochs, and how many rows it had, by what was done with
    them."""

    adapter: Path
    history: list[dict[str, Any]]
    rows: dict[str, int]


class LocalProvider(Provider):
    """Trains adapters for the base model of one engine, one at a time: several would share the same processor."""

    def __init__(self, engine: TextEngine):
        super().__init__()
        self.finetunable = True
        self.TrainingJob = self._job
        self.engine = engine.engine
        self.jobs: list[LocalJob] = []
        self.tuned: dict[str, Tuned] = {}  # by the adapter's fingerprint
        self._training = threading.Lock()

    def __deepcopy__(self, memo: object) -> "LocalProvider":
        return self

    def _job(self, **told: Any) -> LocalJob:
        self.jobs.append(LocalJob(**told))
        return self.jobs[-1]

    def launch(self, lm: Any, launch_kwargs: dict[str, Any] | None = None) -> None:
        """Nothing to start: the engine answers with every adapter that it holds. `UttaError` where it does not hold one."""
        adapter = adapter_of(lm.model)
        if adapter and not self.engine.holds(adapter):
            raise UttaError(f"The engine holds no adapter {adapter!r}; open the program's folder, or train it anew.")

    def kill(self, lm: Any, launch_kwargs: dict[str, Any] | None = None) -> None:
        """Nothing to stop: the weights belong to the engine, which others may be asking."""

    def cancel(self) -> None:
        """Stop every job after its present step, and wait until it has stopped."""
        for job in self.jobs:
            if job.cancel() and job.thread is not None:
                job.thread.join()

    def finetune(
        self,
        job: LocalJob,
        model: str,
        train_data: Sequence[Chat],
        train_data_format: Any = None,
        train_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """Train on the last message of each chat; returns the model's name with the adapter. Called in the job's thread.

        It starts from the base model, whatever adapter `model` names: what a tuned program wrote is learned afresh.
        """
        wanted = Wanted.read(train_kwargs or {})
        located = self.engine.located
        with self._training:
            tuned = train(located, train_data, wanted, job.watch)
            adapter = self.engine.add_adapter(tuned.adapter)
        self.tuned[adapter] = tuned
        return located.with_adapter(adapter)


def trainable(model: Model) -> Any:
    """The model's `dspy.LM`, which DSPy's optimisers can train; `UttaError` for a model that is not on this machine."""
    if not model.local:
        raise UttaError(f"{model.name} runs elsewhere and cannot be trained here; name a local model with --model.")
    lm = model.lm.copy()
    lm.provider = LocalProvider(lm.engine)
    return lm


def train(located: Located, chats: Sequence[Chat], wanted: Wanted, watch: Callable[[int, int], None]) -> Tuned:
    """Train an adapter on chats, or find the one that the same request trained; goes on where an interrupted one was.

    Chats that are longer than the model reads are put aside, which is counted and said on standard error; so is it where the
    epoch is chosen by some of the training's own chats, which may be about the problems of others.
    """
    if not wanted.validation:
        print(
            f"No chat of validation is good enough or given; every {HELD_OUT}th of the training's chooses the epoch.",
            file=sys.stderr,
        )
    held_out = list(wanted.validation) or list(chats[::HELD_OUT])
    learned = list(chats) if wanted.validation else [c for i, c in enumerate(chats) if i % HELD_OUT] or list(chats)
    config = {
        "kind": "finetuning",
        "model": {"name": located.name, "fingerprint": located.fingerprint},
        "recipe": asdict(wanted.recipe),
        "rows": _hash(learned),
        "validation": _hash(held_out),
    }
    out = wanted.out or home() / "finetuned" / _hash(config)
    claim(out, config)
    rows, long = _rows(located, learned, "learn from")
    validation, long_too = _rows(located, held_out, "choose an epoch by")
    history = train_text(out, wanted.recipe, located, rows, validation, watch)
    return Tuned(
        out / "adapter", history, {"learned": len(rows), "validation": len(validation), "too_long": long + long_too}
    )


def _rows(located: Located, chats: Sequence[Chat], purpose: str) -> tuple[list[TextRow], int]:
    """The rows of chats, and how many were too long; `UttaError` where none is left."""
    rows, long = text_rows(located, [_messages(chat) for chat in chats], only_last=True)
    if not rows:
        raise UttaError(
            f"There is no row to {purpose}: of {len(chats)}, {len(long)} are longer than {located.name} reads, and the others "
            "end without an answer; give others."
        )
    if long:
        print(
            f"Put aside, not cut: {len(long)} of {len(chats)} rows, longer than {located.name} reads.", file=sys.stderr
        )
    return rows, len(long)


def _messages(chat: Chat) -> list[dict[str, str]]:
    try:
        return [{"role": m["role"], "content": m["content"]} for m in chat["messages"]]
    except (KeyError, TypeError):
        raise UttaError(
            f"A row to learn from is a list of messages, not {shorten(chat)!r}; use a chat adapter."
        ) from None


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
