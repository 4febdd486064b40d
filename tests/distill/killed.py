"""A distillation that kills itself at a chosen moment, for tests of what is left then.

Processes are forked from one that has imported everything, so that a kill costs a second and not ten.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from utta.distill.run import Asked

HEAVY = ["torch", "peft", "transformers.models.llama", "utta.distill.plan", "utta.evaluate.run", "utta.models.engine"]
KINDS = {"step": 4, "validation": 3, "file": 25, "half": 3}  # with the latest moment that is worth a try


def distil(asked: Asked, kind: str = "", moment: int = 0) -> int:
    """Distil in a process of its own, in float32, with a checkpoint after each step; returns its exit code.

    It dies at the `moment`-th of a kind: "step" between forward and backward, "validation" before an item is judged,
    "file" before a file of the run is opened for writing, renamed or removed, "half" when half of a file of torch's is
    written. None of these runs any code of ours afterwards, as with a kill from outside.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    process = context.Process(target=_run, args=(asked, kind, moment))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def _run(asked: Asked, kind: str, moment: int) -> None:
    import torch

    from utta.distill import loop, run, training

    os.environ |= {"UTTA_HOME": str(asked.out.parent / "home"), "UTTA_CACHE": "off"}
    torch.set_num_threads(1)
    loop.CHECKPOINT_SECONDS = 0
    training.best_dtype = lambda: torch.float32  # type: ignore[assignment]
    if kind:
        globals()[f"_at_{kind}"](_countdown(moment), str(asked.out))
    run.distill(asked)


def _countdown(moment: int) -> Callable[[], None]:
    left = moment

    def count() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def _at_step(count: Callable[[], None], out: str) -> None:
    from utta.distill.trainer import DecisionTrainer

    compute = DecisionTrainer.compute_loss

    def computed(*args: Any, **kwargs: Any) -> Any:
        loss = compute(*args, **kwargs)
        count()
        return loss

    DecisionTrainer.compute_loss = computed  # type: ignore[method-assign]


def _at_validation(count: Callable[[], None], out: str) -> None:
    from utta.distill import training

    judge = training.judge_items

    class Counted(list[Any]):
        def __getitem__(self, place: Any) -> Any:
            count()
            return super().__getitem__(place)

    training.judge_items = lambda model, rubric, items, *rest: judge(model, rubric, Counted(items), *rest)


def _at_file(count: Callable[[], None], out: str) -> None:
    changes = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")

    def hear(event: str, args: tuple[Any, ...]) -> None:
        written = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (written or event in changes) and str(args[0]).startswith(out):
            count()

    sys.addaudithook(hear)


def _at_half(count: Callable[[], None], out: str) -> None:
    import torch

    save = torch.save

    def half(value: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        save(value, path, *args, **kwargs)
        size = os.path.getsize(path)
        os.truncate(path, size // 2)
        count()
        os.truncate(path, 0)
        save(value, path, *args, **kwargs)

    torch.save = half
