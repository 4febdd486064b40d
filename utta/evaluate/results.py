"""From predictions to figures: agreement with the experts per criterion, with intervals, baselines and comparison.

Everything that is compared is scored on the same reviews and redrawn with the same bootstrap draws of whole problems.
A figure that cannot be computed is null.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metrics.agreement import spearman, thin_levels
from metrics.bootstrap import (
    Draws,
    Scores,
    cluster_bootstrap,
    difference,
    draw_clusters,
    intervals,
    mean,
    score,
)
from signatures.rubric import Criterion, Rubric
from utta.evaluate.answers import (
    Answers,
    Judged,
    all_plain,
    distribution,
    gold_levels,
    judged_levels,
    judged_reviews,
    number,
)
from utta.evaluate.baselines import baseline_probabilities
from utta.evaluate.confidence import confidence
from utta.evaluate.slices import slices
from utta.records.review import Review

SHOWN_DISAGREEMENTS = 20


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
        judged[criterion.id] = scored(draws, criterion, rows, *judged_levels(criterion, rows, answers))
        compared[criterion.id] = {}
        for name, p in baseline_probabilities(criterion, train, rows).items():
            compared[criterion.id][name] = scored(draws, criterion, rows, p.argmax(1), p)
        criteria[criterion.id] = _about(criterion, rows, answers) | {
            "metrics": all_plain(intervals(judged[criterion.id])),
            "baselines": {name: all_plain(intervals(s)) for name, s in compared[criterion.id].items()},
        }
    names = sorted({name for each in compared.values() for name in each})
    baselines = {n: mean([c[n] for c in compared.values()]) for n in names if all(n in c for c in compared.values())}
    overall = mean(list(judged.values())) if judged else None
    both = judged_reviews(rubric, reviews, answers)
    return {
        "criteria": criteria,
        "mean": {
            "metrics": all_plain(intervals(overall)) if overall else {},
            "baselines": {name: all_plain(intervals(s)) for name, s in baselines.items()},
        },
        "against_tfidf": _against_tfidf(judged, compared, overall, baselines.get("tfidf")),
        "effectiveness": _effectiveness(both, seed),
        "slices": slices(both, draws),
        "confidence": confidence(rubric, reviews, answers, draws),
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
            ours = scored(draws, criterion, rows, *judged_levels(criterion, rows, answers))
            differences[key] = difference(ours, scored(draws, criterion, rows, *judged_levels(criterion, rows, other)))
    return {
        "n": counts,
        "criteria": {key: all_plain(intervals(d)) for key, d in differences.items()},
        "mean": all_plain(intervals(mean(list(differences.values())))) if differences else {},
    }


def skipped(gold: Sequence[int], levels: int) -> tuple[int, ...]:
    """The levels left out of macro-F1: those with too few labels, or none where that would leave fewer than two."""
    thin = thin_levels(gold, levels)
    return thin if levels - len(thin) >= 2 else ()


def scored(draws: Draws, criterion: Criterion, rows: Sequence[Review], predicted: Any, probabilities: Any) -> Scores:
    gold = gold_levels(criterion, rows)
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


def _about(criterion: Criterion, rows: Sequence[Review], answers: Answers) -> dict[str, Any]:
    gold, labels = gold_levels(criterion, rows), criterion.labels
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
        "criteria": {key: all_plain(intervals(d))["macro_f1"] for key, d in each.items()},
        "mean": all_plain(intervals(difference(overall, tfidf)))["macro_f1"],
    }


def _effectiveness(judged: Judged, seed: int) -> dict[str, Any] | None:
    """How well the judge ranks responses by effectiveness: Spearman with the experts', both the weighted mean of values."""
    if not judged.reviews:
        return None

    def rank(rows: Any) -> dict[str, float]:
        return {"spearman": spearman(judged.experts[rows], judged.judge[rows])}

    drawn = cluster_bootstrap(rank, judged.clusters, samples=300, seed=seed)
    return {"mean": number(judged.judge.mean()), "gold_mean": number(judged.experts.mean()), **all_plain(drawn)}


def _disagreements(rubric: Rubric, reviews: Sequence[Review], answers: Answers) -> list[dict[str, Any]]:
    """The decisions with the least chance given to the experts' level, worst first; of each conversation the worst, so that
    one odd dialogue does not fill the list."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for review in reviews:
        for criterion in rubric.criteria:
            line, gold = answers.get((review.id, criterion.id)), review.levels.get(criterion.id)
            if line is None or gold is None or line["label"] == gold:
                continue
            p = dict(zip(criterion.labels, distribution(criterion, line), strict=True))
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
