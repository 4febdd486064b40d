"""From predictions to figures: agreement with the experts per criterion, with intervals, baselines and comparison.

Everything that is compared is scored on the same reviews and redrawn with the same bootstrap draws of whole problems.
A figure that cannot be computed is null.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metrics.agreement import thin_levels
from metrics.bootstrap import (
    Draws,
    Interval,
    Scores,
    cluster_bootstrap,
    difference,
    draw_clusters,
    intervals,
    mean,
    score,
)
from signatures.rubric import Criterion, Rubric
from utta.evaluate.baselines import baseline_probabilities
from utta.programs.evaluator import effectiveness
from utta.records.review import Review

SHOWN_DISAGREEMENTS = 20
Answers = Mapping[tuple[str, str], Mapping[str, Any]]  # (record id, criterion) → a line of predictions.jsonl


def by_decision(predictions: Sequence[Mapping[str, Any]]) -> Answers:
    """The lines of a predictions file by record and criterion."""
    return {(line["record_id"], line["criterion"]): line for line in predictions}


def figures(
    rubric: Rubric, reviews: Sequence[Review], answers: Answers, train: Sequence[Review] = (), seed: int = 0
) -> dict[str, Any]:
    """The figures of `results.json`: per criterion and their mean, with baselines where `train` is given."""
    draws = draw_clusters([r.cluster for r in reviews], seed=seed)
    criteria, judged = {}, {}
    compared: dict[str, dict[str, Scores]] = {}
    for criterion in rubric.criteria:
        rows = [r for r in reviews if criterion.id in r.levels and (r.id, criterion.id) in answers]
        if not rows:
            continue
        judged[criterion.id] = _score(draws, criterion, rows, *_read(criterion, rows, answers))
        compared[criterion.id] = {}
        for name, p in baseline_probabilities(criterion, train, rows).items():
            compared[criterion.id][name] = _score(draws, criterion, rows, p.argmax(1), p)
        criteria[criterion.id] = _about(criterion, rows, answers) | {
            "metrics": plain(intervals(judged[criterion.id])),
            "baselines": {name: plain(intervals(s)) for name, s in compared[criterion.id].items()},
        }
    names = sorted({name for each in compared.values() for name in each})
    baselines = {n: mean([c[n] for c in compared.values()]) for n in names if all(n in c for c in compared.values())}
    overall = mean(list(judged.values())) if judged else None
    return {
        "criteria": criteria,
        "mean": {
            "metrics": plain(intervals(overall)) if overall else {},
            "baselines": {name: plain(intervals(s)) for name, s in baselines.items()},
        },
        "against_tfidf": _against_tfidf(judged, compared, overall, baselines.get("tfidf")),
        "effectiveness": _effectiveness(rubric, reviews, answers, seed),
        "disagreements": _disagreements(rubric, reviews, answers),
    }


def comparison(
    rubric: Rubric, reviews: Sequence[Review], answers: Answers, other: Answers, seed: int = 0
) -> dict[str, Any]:
    """This run minus another on the decisions that both scored: paired differences per criterion and of the mean."""
    draws = draw_clusters([r.cluster for r in reviews], seed=seed)
    differences, counts = {}, {}
    for criterion in rubric.criteria:
        key = criterion.id
        rows = [r for r in reviews if key in r.levels and (r.id, key) in answers and (r.id, key) in other]
        if rows:
            counts[key] = len(rows)
            ours = _score(draws, criterion, rows, *_read(criterion, rows, answers))
            differences[key] = difference(ours, _score(draws, criterion, rows, *_read(criterion, rows, other)))
    return {
        "n": counts,
        "criteria": {key: plain(intervals(d)) for key, d in differences.items()},
        "mean": plain(intervals(mean(list(differences.values())))) if differences else {},
    }


def plain(values: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Intervals as JSON; nan becomes null."""
    return {name: {k: number(v) for k, v in value._asdict().items()} for name, value in values.items()}


def number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def skipped(gold: Sequence[int], levels: int) -> tuple[int, ...]:
    """The levels left out of macro-F1: those with too few labels, or none where that would leave fewer than two."""
    thin = thin_levels(gold, levels)
    return thin if levels - len(thin) >= 2 else ()


def _score(draws: Draws, criterion: Criterion, rows: Sequence[Review], predicted: Any, probabilities: Any) -> Scores:
    gold = _gold(criterion, rows)
    return score(
        draws,
        [r.cluster for r in rows],
        gold,
        predicted,
        probabilities,
        levels=len(criterion.levels),
        ordinal=criterion.scale == "ordinal",
        good=[level.good for level in criterion.levels],
        skip=skipped(gold, len(criterion.levels)),
    )


def _gold(criterion: Criterion, rows: Sequence[Review]) -> list[int]:
    return [criterion.labels.index(r.levels[criterion.id]) for r in rows]


def _read(criterion: Criterion, rows: Sequence[Review], answers: Answers) -> tuple[list[int], np.ndarray]:
    """The judge's levels and probabilities [rows, levels]; without probabilities the chosen level has its confidence."""
    lines = [answers[r.id, criterion.id] for r in rows]
    levels = [criterion.labels.index(line["label"]) for line in lines]
    return levels, np.array([_distribution(criterion, line) for line in lines])


def _distribution(criterion: Criterion, line: Mapping[str, Any]) -> list[float]:
    if line["probabilities"]:
        mass = sum(line["probabilities"].values())
        return [line["probabilities"][label] / mass for label in criterion.labels]
    rest = (1 - line["confidence"]) / (len(criterion.levels) - 1)
    return [line["confidence"] if label == line["label"] else rest for label in criterion.labels]


def _about(criterion: Criterion, rows: Sequence[Review], answers: Answers) -> dict[str, Any]:
    gold, labels = _gold(criterion, rows), criterion.labels
    table = np.zeros((len(labels), len(labels)), dtype=int)
    for g, r in zip(gold, rows, strict=True):
        table[g, answers[r.id, criterion.id]["level"]] += 1
    thin = thin_levels(gold, len(labels))
    return {
        "n": len(rows),
        "scale": criterion.scale,
        "gold": {label: gold.count(i) for i, label in enumerate(labels)},
        "thin_levels": [labels[i] for i in thin],
        "left_out": [labels[i] for i in skipped(gold, len(labels))],
        "confusion": table.tolist(),
    }


def _against_tfidf(
    judged: Mapping[str, Scores],
    compared: Mapping[str, Mapping[str, Scores]],
    overall: Scores | None,
    tfidf: Scores | None,
) -> dict[str, Any] | None:
    if overall is None or tfidf is None:
        return None
    each = {key: difference(judged[key], compared[key]["tfidf"]) for key in judged}
    return {
        "criteria": {key: plain(intervals(d))["macro_f1"] for key, d in each.items()},
        "mean": plain(intervals(difference(overall, tfidf)))["macro_f1"],
    }


def _effectiveness(rubric: Rubric, reviews: Sequence[Review], answers: Answers, seed: int) -> dict[str, Any] | None:
    """How well the judge ranks responses by effectiveness: Spearman with the experts', both the weighted mean of values."""
    from scipy.stats import spearmanr

    pairs = []
    for review in reviews:
        keys = [c.id for c in rubric.criteria if c.id in review.levels and (review.id, c.id) in answers]
        if keys:
            part = rubric.only(keys)
            gold = {
                key: {label: float(label == review.levels[key]) for label in part.criterion(key).labels} for key in keys
            }
            ours = {
                key: dict(zip(c.labels, _distribution(c, answers[review.id, key]), strict=True))
                for key, c in ((key, part.criterion(key)) for key in keys)
            }
            pairs.append((effectiveness(part, gold), effectiveness(part, ours), review.cluster))
    if not pairs:
        return None
    truth, judged = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])

    def rank(rows: Any) -> dict[str, float]:
        constant = len(set(truth[rows])) < 2 or len(set(judged[rows])) < 2
        return {"spearman": math.nan if constant else float(spearmanr(truth[rows], judged[rows]).statistic)}

    drawn = cluster_bootstrap(rank, [p[2] for p in pairs], samples=300, seed=seed)
    return {"mean": number(judged.mean()), "gold_mean": number(truth.mean()), **plain(drawn)}


def _disagreements(rubric: Rubric, reviews: Sequence[Review], answers: Answers) -> list[dict[str, Any]]:
    """The decisions with the least chance given to the experts' level, worst first; of each conversation the worst, so that
    one odd dialogue does not fill the list."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for review in reviews:
        for criterion in rubric.criteria:
            line, gold = answers.get((review.id, criterion.id)), review.levels.get(criterion.id)
            if line is None or gold is None or line["label"] == gold:
                continue
            p = dict(zip(criterion.labels, _distribution(criterion, line), strict=True))
            students = [t.utterance for t in review.conversation if t.speaker == "student"]
            found.setdefault(tuple((t.speaker, t.utterance) for t in review.conversation), []).append(
                {
                    "record_id": review.id,
                    "dialogue_id": review.dialogue_id,
                    "criterion": criterion.id,
                    "gold": gold,
                    "label": line["label"],
                    "confidence": number(p[line["label"]]),
                    "gold_probability": number(p[gold]),
                    "response": review.response,
                    "student": students[-1] if students else "",
                }
            )
    worst = [min(each, key=lambda d: d["gold_probability"]) for each in found.values()]
    return sorted(worst, key=lambda d: d["gold_probability"])[:SHOWN_DISAGREEMENTS]
