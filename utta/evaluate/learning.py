"""How agreement grows with the number of expert reviews, so that people know how many more they need.

The TF-IDF baseline is fitted on growing parts of the training file, whole problems at a time, and scored on the data each
time: it learns in seconds, and shows how much reviews like these still teach. A judge without weights of its own is
calibrated on the same parts. A distilled judge is not trained again; it may gain more, or less, than the baseline.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metrics.bootstrap import Draws, Interval, Scores, draw_clusters, mean, percentile_interval
from metrics.levels import apply_weights
from signatures.rubric import Rubric
from utta.evaluate.answers import Answers, by_decision, judged_levels, plain
from utta.evaluate.baselines import baseline_probabilities
from utta.evaluate.calibrate import calibrate
from utta.evaluate.predict import predict
from utta.evaluate.results import scored
from utta.programs.folder import Program
from utta.records.review import Review

STEPS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
ORDERS = 3
LEAST = 2  # problems: calibration holds some out
NOTE = (
    "The TF-IDF baseline on growing parts of the training file; a judge without weights of its own is calibrated on the same "
    "parts. A distilled judge is not trained again: it may gain more from new reviews, or less."
)


def learning_curve(
    program: Program, train: Sequence[Review], data: Sequence[Review], answers: Answers, out: Path, seed: int = 0
) -> dict[str, Any]:
    """`points`: mean macro-F1 on `data` by number of reviews and problems, each the mean of three random orders of the
    problems; `forecast`: what twice as many reviews would give the baseline, where the curve rises as curves do."""
    rubric = program.module.rubric
    draws = draw_clusters([r.cluster for r in data], seed=seed)
    parts = _parts(train, seed)
    tfidf = [_averaged([_baseline(rubric, part, data, draws) for part in several]) for several in parts]
    judge: list[Interval | None] = [None] * len(parts)
    if not program.adapter:
        told = by_decision(predict(program.module, train, out / "learning", "Learning curve")["predictions"])
        judge = [_averaged([_calibrated(program, part, told, data, answers, draws) for part in each]) for each in parts]
    sizes = [round(float(np.mean([len(part) for part in several]))) for several in parts]
    points = [
        {
            "reviews": size,
            "problems": len({r.cluster for r in several[0]}),
            "tfidf": plain(words),
            "judge": calibrated and plain(calibrated),
        }
        for size, several, words, calibrated in zip(sizes, parts, tfidf, judge, strict=True)
    ]
    forecast = _forecast([(size, words.value) for size, words in zip(sizes, tfidf, strict=True)])
    return {"points": points, "forecast": forecast, "note": NOTE}


def _parts(train: Sequence[Review], seed: int) -> list[list[list[Review]]]:
    """For each step the reviews of so many problems, once for each order; every part holds the smaller ones of its order."""
    problems = sorted({r.cluster for r in train})
    orders = [random.Random(f"{seed}-{n}").sample(problems, len(problems)) for n in range(ORDERS)]
    sizes = sorted({max(LEAST, round(step * len(problems))) for step in STEPS})
    return [[[r for r in train if r.cluster in set(order[:size])] for order in orders] for size in sizes]


def _baseline(rubric: Rubric, train: Sequence[Review], data: Sequence[Review], draws: Draws) -> Scores | None:
    """The TF-IDF baseline of a part; the commonest level where its responses share no word."""
    found = []
    for criterion in rubric.criteria:
        rows = [r for r in data if criterion.id in r.levels]
        if fitted := baseline_probabilities(criterion, train, rows):
            p = fitted.get("tfidf", fitted["commonest"])
            found.append(scored(draws, criterion, rows, p.argmax(1), p))
    return mean(found) if found else None


def _calibrated(
    program: Program, train: Sequence[Review], told: Answers, data: Sequence[Review], answers: Answers, draws: Draws
) -> Scores | None:
    """The program with level weights that were fitted on a part."""
    trial = program.module.deepcopy()
    trial.judge.fields = {}
    calibrate(trial, train, told)
    found = []
    for criterion in trial.rubric.criteria:
        rows = [r for r in data if criterion.id in r.levels and (r.id, criterion.id) in answers]
        if rows:
            _, p = judged_levels(criterion, rows, answers)
            weights = trial.judge.fields.get(criterion.id, {}).get("weights", {})
            levels = apply_weights(p, [weights.get(label, 1.0) for label in criterion.labels])
            found.append(scored(draws, criterion, rows, levels, p))
    return mean(found) if found else None


def _averaged(found: Sequence[Scores | None]) -> Interval:
    """Macro-F1, the mean over the orders, draw by draw."""
    known = [each for each in found if each is not None]
    if not known:
        return Interval(float("nan"), float("nan"), float("nan"))
    value = float(np.mean([each.point["macro_f1"] for each in known]))
    return percentile_interval(value, np.mean([each.drawn["macro_f1"] for each in known], axis=0))


def _forecast(points: Sequence[tuple[int, float]]) -> dict[str, Any] | None:
    """Macro-F1 at twice the reviews, by a power law of what is missing to 1 (Frey & Fisher 1999) fitted to the points; None
    with fewer than three of them, and where more reviews have not helped."""
    known = [(n, value) for n, value in points if 0 < value < 1]
    if len(known) < 3:
        return None
    sizes, missing = np.log([n for n, _ in known]), np.log([1 - value for _, value in known])
    slope, start = np.polyfit(sizes, missing, 1)
    if slope >= 0:
        return None
    twice = 2 * known[-1][0]
    return {"reviews": twice, "value": round(float(1 - np.exp(start + slope * np.log(twice))), 4)}
