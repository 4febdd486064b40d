"""A program over a file of reviews: one line per decision in `predictions.jsonl`, and a run that a kill cannot spoil.

Lines are appended as answers come in, so a run that was stopped goes on with the reviews that are not there yet. A
review that fails is written to `errors.jsonl`, counted, and tried again when the run goes on.
"""

import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import dspy

from utta.core.errors import UttaError, shorten
from utta.core.files import JsonLines, write_lines
from utta.core.progress import progress
from utta.models.decisions import DecisionClient
from utta.programs.evaluator import THREADS, TeachingEvaluator
from utta.programs.inputs import judge_inputs
from utta.records.review import Review

HOPELESS = 10  # failures without a single answer after which a run stops


def predict(
    program: TeachingEvaluator, reviews: Sequence[Review], out: Path, title: str = "Judging", patient: bool = False
) -> dict[str, Any]:
    """Judge every review that `out/predictions.jsonl` does not hold yet; returns {"predictions", "errors"}, both as
    lines, and {"judged"}, how many reviews it was.

    When the first reviews all fail it stops: with `UttaError` and the reason of the first, or if `patient` with what it has.
    """
    lines = _mend(out / "predictions.jsonl", len(program.rubric.criteria))
    (out / "errors.jsonl").unlink(missing_ok=True)
    with JsonLines(out / "predictions.jsonl") as log, JsonLines(out / "errors.jsonl") as failed:
        done = {line["record_id"] for line in lines}
        todo = [r for r in reviews if r.id not in done]
        work = [(r.id, partial(_judge, program, r)) for r in todo]
        # Without the cancelling, Ctrl-C would wait for all that is queued.
        cancel = program.judge.lm.cancel if isinstance(program.judge.lm, DecisionClient) else None
        errors: list[Any] = []
        with closing(answers(work, title, len(reviews) - len(todo), cancel)) as coming:
            for new, error in coming:
                log.append(new)
                lines += new
                if error:
                    errors.append(error)
                    failed.append([error])
                if not lines and len(errors) >= min(HOPELESS, len(todo)):
                    if patient:
                        break
                    raise UttaError(f"No response could be judged: {errors[0]['error'].removesuffix('.')}.")
    return {"predictions": lines, "errors": errors, "judged": len(todo)}


Line = dict[str, Any]
Work = tuple[str, Callable[[], list[Line]]]
"""A record's id, and what gives the lines that are to be written of it."""


def answers(
    work: Sequence[Work], title: str, done: int, cancel: Callable[[], None] | None
) -> Generator[tuple[list[dict[str, Any]], dict[str, str] | None], None, None]:
    """Do all the work in threads and show the progress; for each piece, as it is done, its lines or its error as a line.

    `cancel` drops what a model has been asked and not answered yet, for when the caller breaks off and closes this.
    """
    with progress(title, done + len(work), done=done) as advance:
        pool = ThreadPoolExecutor(THREADS)
        try:
            waiting = {pool.submit(ask): record_id for record_id, ask in work}
            for future in as_completed(waiting):
                record_id = waiting.pop(future)
                if error := future.exception():
                    yield [], {"record_id": record_id, "error": _reason(error)}
                else:
                    yield future.result(), None
                advance()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            if cancel:
                cancel()


def worked_off(
    work: Mapping[tuple[Any, ...], Work],
    key: Callable[[Line], tuple[Any, ...]],
    out: Path,
    name: str,
    title: str,
    cancel: Callable[[], None] | None,
) -> tuple[list[Line], list[Line]]:
    """Do what of the work is not in the file yet; `key` tells which piece a line belongs to."""
    errors: list[Line] = []
    with JsonLines(out / f"{name}.jsonl") as log, JsonLines(out / "errors.jsonl") as failed:
        lines = [line for line in log.done if key(line) in work]
        done = {key(line) for line in lines}
        todo = [piece for of, piece in work.items() if of not in done]
        with closing(answers(todo, title, len(done), cancel)) as coming:
            for new, error in coming:
                log.append(new)
                lines += new
                if error:
                    errors.append(error)
                    failed.append([error])
                if not lines and len(errors) >= min(HOPELESS, len(todo)):
                    raise UttaError(f"{title} failed everywhere: {errors[0]['error'].removesuffix('.')}.")
    return lines, errors


def read_predictions(run: Path) -> list[Any]:
    """The whole lines of a run's predictions, without touching the file, which may still grow.

    Raises `UttaError` when the folder is no evaluation run.
    """
    path = run / "predictions.jsonl"
    if not path.is_file():
        raise UttaError(f"{run} is no evaluation run: it has no predictions.jsonl; give the --out of 'utta evaluate'.")
    *whole, _unfinished = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in whole]


def _judge(program: TeachingEvaluator, review: Review) -> list[dict[str, Any]]:
    with dspy.context(disable_history=True):
        return _lines(program, review, program(**judge_inputs(review)))


def _reason(error: BaseException) -> str:
    """An error on one line. Ours is a sentence without data, also where DSPy passes it on; of any other the kind and the
    server's status, for its message may quote what a student wrote."""
    for cause in (error, error.__cause__):
        if isinstance(cause, UttaError):
            return shorten(cause, 300)
    status = getattr(error, "status", None)
    return f"{type(error).__name__} (status {status})" if status else type(error).__name__


def _mend(path: Path, criteria: int) -> list[Any]:
    """The lines of the reviews that were written whole; a kill may have cut a review's lines short, and those go."""
    with JsonLines(path) as log:
        lines = log.done
    count = Counter(line["record_id"] for line in lines)
    whole = [line for line in lines if count[line["record_id"]] == criteria]
    if len(whole) < len(lines):
        write_lines(path, whole)
    return whole


def _lines(program: TeachingEvaluator, review: Review, prediction: dspy.Prediction) -> list[dict[str, Any]]:
    lines = []
    for criterion in program.rubric.criteria:
        decided = prediction[criterion.id]
        # Level weights may choose another level than the likeliest: the confidence is in the one that was chosen.
        confidence = (decided.probabilities or {}).get(decided.value, decided.confidence)
        lines.append(
            {
                "record_id": review.id,
                "dialogue_id": review.dialogue_id,
                "responder": review.responder,
                "criterion": criterion.id,
                "level": criterion.labels.index(decided.value),
                "label": decided.value,
                "probabilities": decided.probabilities,
                "confidence": confidence,
            }
        )
    return lines
