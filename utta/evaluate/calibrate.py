"""Calibration of the read-out: per-level weights that move decisions toward what a set-level metric asks for.

Weights are fitted on predictions for labelled reviews that the program was not trained on, and stored where DSPy applies and
saves them (`predict.fields`). DSPy's own `ReAnchor`, which fits the mean over items, is run beside it for comparison.
"""

import io
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import dspy
import numpy as np

from metrics.agreement import macro_f1
from metrics.levels import apply_weights, cross_fitted, expected_levels, fit_weights
from signatures.rubric import Criterion
from utta.evaluate.answers import Answers, number
from utta.evaluate.results import skipped
from utta.programs.evaluator import THREADS, TeachingEvaluator
from utta.programs.inputs import judge_inputs
from utta.records.review import Review


def calibrate(program: TeachingEvaluator, reviews: Sequence[Review], answers: Answers) -> dict[str, Any]:
    """Fit and store the program's weights; returns per criterion the weights, and macro-F1 without them and with weights
    fitted on other problems. Criteria with labels on one problem only are left as they are.

    Weights heed every level, also one that has too few labels here to count in macro-F1. On MRBench, cross-validated, with
    weights from some 124 replies of which nine or so have the rarest level, to leave it out gave .557 on V3's four criteria
    and .566 on all eight, to heed it .574 and .576 (without a probe .536 and .548, and .543 and .551). The weights always
    stay: on MRBench V3, fitted on 5 or 13 problems and scored on others (36 draws each, three judges),
    they gave .032 and .044 more macro-F1 than the likeliest level; to keep only those that won on other problems gave less.
    """
    report = {}
    for criterion in program.rubric.criteria:
        rows = [r for r in reviews if criterion.id in r.levels and (r.id, criterion.id) in answers]
        problems = [r.cluster for r in rows]
        if len(set(problems)) < 2:
            continue
        gold, p = _arrays(criterion, rows, answers)
        skip = skipped(gold.tolist(), len(criterion.levels))
        plain = macro_f1(gold, p.argmax(1), len(criterion.levels), skip=skip)
        held_out = macro_f1(gold, cross_fitted(p, gold, problems), len(criterion.levels), skip=skip)
        fitted = fit_weights(p, expected_levels(p, gold), clusters=problems)
        weights = dict(zip(criterion.labels, fitted, strict=True))
        program.judge.fields[criterion.id] = {"weights": weights}
        report[criterion.id] = {
            "n": len(rows),
            "weights": weights,
            "macro_f1_likeliest": number(plain),
            "macro_f1_weighted": number(held_out),
        }
    return report


def weighted_macro_f1(program: TeachingEvaluator, reviews: Sequence[Review], answers: Answers) -> float:
    """The mean over criteria of macro-F1 with weights fitted on other problems: what calibration can promise."""
    trial = program.deepcopy()
    found = [each["macro_f1_weighted"] for each in calibrate(trial, reviews, answers).values()]
    known = [each for each in found if each is not None]
    return float(np.mean(known)) if known else 0.0


def beside_reanchor(program: TeachingEvaluator, reviews: Sequence[Review], answers: Answers) -> dict[str, Any]:
    """Macro-F1 of three ways to decide, each fitted on one half of the problems and scored on the other, both ways round:
    the likeliest level, DSPy's ReAnchor (mean agreement per item), and weights on macro-F1. Means over criteria."""
    answered = {record for record, _ in answers}
    reviews = [r for r in reviews if r.id in answered]
    names = sorted({r.cluster for r in reviews})
    half = set(names[::2])
    halves = [[r for r in reviews if (r.cluster in half) is side] for side in (True, False)]
    if not all(halves):
        return {}
    decided: dict[str, dict[tuple[str, str], int]] = {"likeliest": {}, "reanchor": {}, "weights": {}}
    for fitted, scored in (halves, halves[::-1]):
        plain, ours = program.deepcopy(), program.deepcopy()
        plain.judge.fields, ours.judge.fields = {}, {}
        calibrate(ours, fitted, answers)
        anchored = _reanchor(plain, fitted)
        for name, weights in (("likeliest", {}), ("reanchor", anchored), ("weights", ours.judge.fields)):
            for criterion in program.rubric.criteria:
                rows = [r for r in scored if criterion.id in r.levels and (r.id, criterion.id) in answers]
                if rows:
                    factors = (weights.get(criterion.id) or {}).get("weights", {})
                    _, p = _arrays(criterion, rows, answers)
                    levels = apply_weights(p, [factors.get(label, 1.0) for label in criterion.labels])
                    decided[name].update({(r.id, criterion.id): int(x) for r, x in zip(rows, levels, strict=True)})
    return {name: number(_mean_macro_f1(program, reviews, chosen)) for name, chosen in decided.items()}


def examples(program: TeachingEvaluator, reviews: Sequence[Review]) -> list[dspy.Example]:
    """Reviews as DSPy examples: the judge's inputs, and the experts' labels as outputs (labels only)."""
    names = [c.id for c in program.rubric.criteria]
    inputs = [judge_inputs(r) for r in reviews]
    return [
        dspy.Example(**i, **{n: r.levels.get(n) for n in names}).with_inputs(*i)
        for i, r in zip(inputs, reviews, strict=True)
    ]


def item_agreement(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> float:
    """The share of an example's labelled criteria on which the judge chose the expert's level."""
    labels = {k: v for k, v in example.labels().items() if v is not None}
    return sum(prediction[k].value == v for k, v in labels.items()) / len(labels) if labels else 0.0


def _reanchor(program: TeachingEvaluator, reviews: Sequence[Review]) -> dict[str, Any]:
    from dspy.experimental import ReAnchor

    logging.getLogger("dspy.teleprompt.reanchor").setLevel(logging.WARNING)
    # It draws a progress bar on standard output, which belongs to --json.
    with dspy.context(disable_history=True), redirect_stdout(io.StringIO()):
        fitted = ReAnchor(item_agreement, num_threads=min(THREADS, 8)).compile(
            program, trainset=examples(program, reviews)
        )
    return fitted.judge.fields


def _arrays(criterion: Criterion, rows: Sequence[Review], answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    gold = np.array([criterion.labels.index(r.levels[criterion.id]) for r in rows])
    lines = [answers[r.id, criterion.id]["probabilities"] for r in rows]
    return gold, np.array([[line[label] for label in criterion.labels] for line in lines])


def _mean_macro_f1(program: TeachingEvaluator, reviews: Sequence[Review], chosen: dict[tuple[str, str], int]) -> float:
    values = []
    for criterion in program.rubric.criteria:
        rows = [r for r in reviews if (r.id, criterion.id) in chosen]
        if rows:
            gold = [criterion.labels.index(r.levels[criterion.id]) for r in rows]
            skip = skipped(gold, len(criterion.levels))
            values.append(macro_f1(gold, [chosen[r.id, criterion.id] for r in rows], len(criterion.levels), skip=skip))
    return float(np.nanmean(values)) if values else float("nan")
