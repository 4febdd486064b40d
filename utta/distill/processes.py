"""Several processes that train one program, as `accelerate launch` starts them; a process that was started alone is the first
of one.

Each computes its share of a step's conversations and of the validation items. The first one alone writes files and shows
progress. Nothing here starts a process or chooses how weights are spread over them: that is Accelerate's configuration.
"""

import atexit
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, extract_model_from_parallel, gather_object

from utta.core.errors import EXIT_ERROR, UttaError

T = TypeVar("T")


def processes() -> PartialState:
    """This process among the others. The first call joins them and takes the process's own GPU, so it comes before a model
    is loaded."""
    return PartialState(cpu=not torch.cuda.is_available())


@contextmanager
def one_voice() -> Iterator[PartialState]:
    """This process among the others, which meet the same faults: the first one alone says them."""
    among = processes()
    if among.num_processes > 1:
        # Threads that talk to the others need Python to drop what they held. A process whose interpreter ends meanwhile is
        # aborted (https://github.com/pytorch/pytorch/pull/179291), and nothing tells when they are through.
        atexit.register(time.sleep, 0.5)
    try:
        yield among
    except UttaError:
        if among.is_main_process:
            raise
        sys.exit(EXIT_ERROR)


def agreed(value: T) -> T:
    """The first process's value, in all of them."""
    return broadcast_object_list([value])[0]


def shared_out(items: Sequence[Any], work: Callable[[Any], T]) -> list[T]:
    """`work(item)` for each item, in order, computed by turns and known to all.

    Each process calls `work` equally often, for sharded weights are gathered by all at once; the last item may come twice.
    """
    among = processes()
    count, mine = among.num_processes, among.process_index
    rounds = math.ceil(len(items) / count)
    results = [work(items[min(i * count + mine, len(items) - 1)]) for i in range(rounds)]
    everyone = gather_object([results])
    return [everyone[i % count][i // count] for i in range(len(items))]


def within_forward(model: Any, work: Callable[[Any], T]) -> T:
    """`work(inner)` inside a call of the model, `inner` being the model without what wraps it for several processes.

    The tree pass goes around `forward`. But DDP, FSDP and DeepSpeed gather weights when a forward begins, and average
    gradients only after one; without it each process would train weights of its own, without a word.
    """
    inner = extract_model_from_parallel(model)
    before = inner.__dict__.get("forward")
    inner.forward = lambda call: call(inner)
    try:
        return model(work)
    finally:
        if before is None:
            del inner.forward
        else:
            inner.forward = before
