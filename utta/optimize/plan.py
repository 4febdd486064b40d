"""What an optimisation would ask and cost, before anything is asked: as `utta.evaluate.plan`, for a judge's candidates, a
student's wordings and a tuning."""

from collections.abc import Mapping, Sequence
from typing import Any

from signatures.rubric import INPUT_FIELDS
from signatures.tutor import LONGEST
from utta.evaluate.plan import Bill, judging, with_sum, writing
from utta.optimize import run, student, weights
from utta.programs.inputs import judge_inputs


def plan(asked: run.Asked) -> dict[str, Any]:
    """The bill of each set of demonstrations, which is tried on all of validation."""
    opened = run.open_all(asked)
    shown = [judge_inputs(review) for review in opened.validation]
    tried = run.candidates(asked, opened.program.module, opened.found.reviews)
    return with_sum({name: judging(opened.program, shown, candidate.judge.demos) for name, candidate in tried})


def plan_student(asked: student.Asked) -> dict[str, Bill]:
    """The bill of each wording: the opinion of a local model on every dialogue of validation, for which nobody charges."""
    opened = student.open_all(asked)
    return {
        name: {"model": opened.program.model_name, "requests": len(opened.dialogues), "leaves_this_machine": False}
        for name in student.wordings(opened.program.module)
    }


def plan_tuning(asked: weights.Asked) -> dict[str, Any]:
    """The bills of the program that is tuned, of its teacher and of the judge of what both write.

    Validation is answered before the training and after it; the answers that are learned from are `samples` for each training
    example and one for each of validation. What better-together tries besides depends on how it goes and comes on top: there
    the bills are `at_least` that, and have no sum.
    """
    opened = weights.open_all(asked)
    answers = [] if asked.rows else list(opened.train) * asked.samples
    learned, scored = [*answers, *opened.validation], [*opened.validation] * 2
    teacher = opened.teacher or opened.program
    bills = {opened.program.name: _written(opened.program, scored + ([] if opened.teacher else learned))}
    if opened.teacher:
        bills["teacher"] = _written(teacher, learned)
    if opened.judge:
        bills["judge"] = judging(opened.judge, [_judged(example) for example in scored + learned])
    return with_sum(bills) if asked.optimizer == weights.OPTIMIZERS[0] else {**bills, "at_least": True}


def _written(program: Any, examples: Sequence[Any]) -> Bill:
    return writing(program, [dict(example.inputs().items()) for example in examples])


def _judged(example: Any) -> Mapping[str, str]:
    """What the judge will be shown, as far as it is known: the response is yet to be written."""
    known = example.get("judged") or example
    return {name: str(known.get(name) or "") for name in INPUT_FIELDS} | {INPUT_FIELDS[-1]: "." * LONGEST}
