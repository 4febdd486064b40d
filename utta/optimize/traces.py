"""What a program wrote and how good it was: the rows that a fine-tuning learns from.

A program is run over examples and an objective scores what it wrote; each call of its model that led to a good answer is a
row: the prompt that the tuned program will be asked with, and the answer. The rows are a file of JSON lines, all of them with
their scores, to be looked at, edited and used again. DSPy's own bootstrapping passes a score of 0.1, sends an example again
that takes long, and ends at the first answer that cannot be parsed; so it is not used here.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, redirect_stdout
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError

from utta.core.errors import UttaError, shorten
from utta.core.progress import progress
from utta.models.gate import Gated
from utta.models.text import TextEngine
from utta.programs.adapters import BoundedJSON
from utta.programs.evaluator import THREADS
from utta.records.chats import Message, Row, key

Metric = Callable[[Any, Any], float]


@dataclass
class Attempt:
    """One run of a program on an example: what it wrote, its score, and the calls that led to it; or why there is nothing."""

    example: Any
    prediction: Any = None
    score: float | None = None
    trace: list[tuple[Any, dict[str, Any], Any]] = field(default_factory=list)
    error: str = ""


def attempt(program: Any, examples: Sequence[Any], metric: Metric | None, title: str) -> list[Attempt]:
    """Run the program on each example, in order, with DSPy's settings of the caller; `UttaError` where all of them fail.

    A model that refuses a prompt or an answer that cannot be parsed is that example's error; the metric's errors are raised.
    """

    def one(example: Any) -> Attempt:
        # `rows` looks the prompts up in the models' histories.
        with dspy.context(trace=[], disable_history=False, max_history_size=10**9):
            try:
                prediction = program(**example.inputs())
            except (AdapterParseError, LMError, UttaError) as error:
                return Attempt(example, error=shorten(error.__cause__ or error, 300))
            trace = list(dspy.settings.trace)
        return Attempt(example, prediction, metric and float(metric(example, prediction)), trace)

    pool = ThreadPoolExecutor(THREADS)
    try:
        waiting = [pool.submit(copy_context().run, one, example) for example in examples]
        with quiet(), progress(title, len(examples)) as advance:
            for _ in as_completed(waiting):
                advance()
        done = [future.result() for future in waiting]
    except BaseException:
        for predictor in program.predictors():
            if isinstance(engine := getattr(predictor.lm, "engine", None), TextEngine):
                engine.engine.cancel()  # nobody waits for the answers any more
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if done and all(each.error for each in done):
        raise UttaError(f"The program failed on all of {len(done)} examples; the first: {done[0].error}")
    return done


def rows(attempts: Sequence[Attempt], writer: Any, learner: Any) -> list[Row]:
    """The rows of the calls that `writer` made, with the prompts that `learner` will be asked with; an answer that was cut off
    at its last token, or a text of it at its bound, makes no row. Raises `UttaError` where the writer is asked in another form
    than its `adapter`'s."""
    names = {id(predictor): name for name, predictor in writer.named_predictors()}
    learners = dict(learner.named_predictors())
    written = _written(writer)
    found = []
    for each in attempts:
        for predictor, inputs, outputs in each.trace:
            name = names[id(predictor)]
            asked = _chat(writer, predictor, inputs, outputs)[:-1]
            answers = written.get(key(predictor.lm.shown(asked) if isinstance(predictor.lm, Gated) else asked))
            if answers is None:
                raise UttaError(
                    f"The program's {name} asks its model in another form than {type(adapter(writer)).__name__}'s; give the "
                    "module the DSPy adapter that it writes with as its attribute `adapter`."
                )
            messages = _chat(learner, learners[name], inputs, outputs)
            if _whole(answers, writer, predictor.signature, outputs) and messages[-1]["content"].strip():
                found.append(Row(messages, _told(each, "record_id"), name, each.score, _told(each, "problem")))
    return found


def _told(of: Attempt, name: str) -> str:
    return str(of.example.get(name) or "")


def adapter(program: Any) -> Any:
    """The DSPy adapter that a program writes with: its own, that of DSPy's settings, or DSPy's first choice."""
    return getattr(program, "adapter", None) or dspy.settings.adapter or dspy.ChatAdapter()


@contextmanager
def quiet() -> Iterator[None]:
    """DSPy without its log, and what it prints on standard error: what matters of it is shown or raised here."""
    log = logging.getLogger("dspy")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        log.setLevel(before)


@contextmanager
def sampled(program: Any, number: int) -> Iterator[Any]:
    """The program with its models set to draw at random, another draw for each `number`; number 0 is the program as it is.

    The copies' histories are empty, so that `rows` tells the draws apart."""
    predictors = program.predictors()
    before = [predictor.lm for predictor in predictors]
    more = {"temperature": 1.0, "seed": number} if number else {}
    copies = {id(lm): lm.copy(**more) for lm in before}
    for predictor, lm in zip(predictors, before, strict=True):
        predictor.lm = copies[id(lm)]
    try:
        yield program
    finally:
        for predictor, lm in zip(predictors, before, strict=True):
            predictor.lm = lm


def _chat(program: Any, predictor: Any, inputs: Mapping[str, Any], outputs: Any) -> list[Message]:
    """A call of a predictor as its adapter writes it, with the answer as the last message."""
    made = adapter(program).format_finetune_data(predictor.signature, predictor.demos, dict(inputs), outputs)
    return list(made["messages"])


def _written(program: Any) -> dict[str, list[tuple[Any, str]]]:
    """What the program's models answered to each prompt, and why each answer ended, as far as their histories go back. A
    prompt that was tried again has several answers."""
    found: dict[str, list[tuple[Any, str]]] = {}
    for lm in {id(predictor.lm): predictor.lm for predictor in program.predictors()}.values():
        for asked in lm.history:
            found.setdefault(key(asked["messages"]), []).append((asked["outputs"][0], _end(asked["response"])))
    return found


def _whole(answers: Sequence[tuple[Any, str]], writer: Any, signature: Any, outputs: Any) -> bool:
    """Whether what became these outputs, one of the answers to their prompt, came to its own end."""
    form = adapter(writer)
    if isinstance(form, BoundedJSON) and form.at_a_bound(signature, outputs):
        return False
    ends = [end for text, end in answers if _became(form, signature, text, outputs)] or [end for _, end in answers]
    return "length" not in ends


def _became(form: Any, signature: Any, text: Any, outputs: Any) -> bool:
    try:
        found = form.parse(signature, text)
    except (AdapterParseError, TypeError):  # also what an API answers that is no text
        return False
    return all(outputs[name] == value for name, value in found.items())


def _end(response: Any) -> str:
    """Why an answer ended, as DSPy's own response says it or as LiteLLM's does."""
    return str(response.finish_reason if hasattr(response, "finish_reason") else response.choices[0].finish_reason)
