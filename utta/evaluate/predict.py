"""A program over a file of reviews: one line per decision in `predictions.jsonl`, and a run that a kill cannot spoil.

Lines are appended as answers come in, so a run that was stopped goes on with the reviews that are not there yet. A
review that fails is written to `errors.jsonl`, counted, and tried again when the run goes on.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import dspy

from utta.core.errors import UttaError, shorten
from utta.core.files import JsonLines
from utta.core.progress import progress
from utta.programs.evaluator import THREADS, TeachingEvaluator
from utta.programs.inputs import judge_inputs
from utta.records.review import Review

HOPELESS = 10  # failures without a single answer after which a run stops


def predict(program: TeachingEvaluator, reviews: Sequence[Review], out: Path, title: str = "Judging") -> dict[str, list[Any]]:
    """Judge every review that `out/predictions.jsonl` does not hold yet; returns {"predictions", "errors"}, both as lines.

    Raises `UttaError` when the first reviews all fail, with the reason of the first.
    """
    criteria = len(program.rubric.criteria)
    (out / "errors.jsonl").unlink(missing_ok=True)
    with JsonLines(out / "predictions.jsonl") as log, JsonLines(out / "errors.jsonl") as failed:
        lines = _whole(log.done, criteria)
        done = {line["record_id"] for line in lines}
        todo = [r for r in reviews if r.id not in done]
        errors: list[Any] = []
        with progress(title, len(reviews), done=len(reviews) - len(todo)) as advance:
            pool = ThreadPoolExecutor(THREADS)
            try:
                waiting: dict[Future[dspy.Prediction], Review] = {pool.submit(_judge, program, r): r for r in todo}
                for future in as_completed(waiting):
                    review = waiting.pop(future)
                    if error := future.exception():
                        errors.append({"record_id": review.id, "error": shorten(f"{type(error).__name__}: {error}", 300)})
                        failed.append(errors[-1:])
                    else:
                        new = _lines(program, review, future.result())
                        log.append(new)
                        lines += new
                    if not lines and len(errors) >= min(HOPELESS, len(todo)):
                        raise UttaError(f"No response could be judged: {errors[0]['error']}.")
                    advance()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
    return {"predictions": lines, "errors": errors}


def _judge(program: TeachingEvaluator, review: Review) -> dspy.Prediction:
    with dspy.context(disable_history=True):
        return program(**judge_inputs(review))


def _whole(lines: list[Any], criteria: int) -> list[Any]:
    """The lines of the reviews that were written whole, each decision once; a kill may have cut a review's lines short."""
    by_decision = {(line["record_id"], line["criterion"]): line for line in lines}
    count = Counter(record for record, _ in by_decision)
    return [line for (record, _), line in by_decision.items() if count[record] == criteria]


def _lines(program: TeachingEvaluator, review: Review, prediction: dspy.Prediction) -> list[dict[str, Any]]:
    lines = []
    for criterion in program.rubric.criteria:
        decided = prediction[criterion.id]
        lines.append(
            {
                "record_id": review.id,
                "dialogue_id": review.dialogue_id,
                "responder": review.responder,
                "criterion": criterion.id,
                "level": criterion.labels.index(decided.value),
                "label": decided.value,
                "probabilities": decided.probabilities,
                "confidence": decided.confidence,
            }
        )
    return lines
