"""What is worth knowing of the reviews before they are trained on: repeats, replies in both parts, labels and their weights.

It refuses nothing: a problem or a dialogue in both parts is refused when the request is prepared.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from signatures.rubric import Criterion
from utta.distill.rows import level_weights
from utta.prepare.dedupe import duplicates
from utta.records.review import Review


def repeats(reviews: Sequence[Review]) -> list[dict[str, Any]]:
    """Each review that says again what an earlier one does, with whether the labels differ."""
    found = (asdict(each) for each in duplicates(reviews))
    return [{name: each[name] for name in ("record_id", "of", "labels_differ")} for each in found]


def replies_in_both(train: Sequence[Review], validation: Sequence[Review]) -> list[dict[str, str]]:
    """The validation reviews whose reply stands word for word in a training review, whatever it answers there."""
    known = {review.response.strip(): review.id for review in train}
    return [
        {"record_id": review.id, "in_training": known[text]}
        for review in validation
        if (text := review.response.strip()) in known
    ]


def labels(
    criterion: Criterion, train: Sequence[Review], validation: Sequence[Review], balance: float
) -> dict[str, Any]:
    """How often each level of a criterion was given in both parts, what a label of it weighs in training, and how many
    training reviews have no label of it."""
    given, held_out = (
        [r.levels[criterion.id] for r in part if criterion.id in r.levels] for part in (train, validation)
    )
    weights = level_weights(criterion, train, balance)
    return {
        "criterion": criterion.id,
        "unlabelled": len(train) - len(given),
        "levels": [
            {"label": label, "training": given.count(label), "validation": held_out.count(label), "weight": weight}
            for label, weight in zip(criterion.labels, weights, strict=True)
        ],
    }
