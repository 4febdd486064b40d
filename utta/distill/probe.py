"""Fitting a probe (`utta.models.probe`) on what a judge learns from.

A multinomial logistic regression on the mean embedding of a response's tokens, by the base model's own embeddings, which no
adapter changes: words that mean the same stand near one another there, so it says something of words that no label was given
for. Its errors are others than the adapter's, which learns labels by heart; together the two agree better with the experts
(docs/crossvalidation). It reads the response alone, and takes seconds.

    fit_probe(program.rubric, training_items(program, reviews, renderer), embeddings).save(adapter)
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from signatures.rubric import Rubric
from utta.distill.trainer import Item, Target
from utta.models.probe import Probe, Words
from utta.models.render import DecisionRow

# The inverse strength of the penalty on standardised inputs: of .001, .003 and .01, all much alike on MRBench V3's training
# part, the one with the lowest loss.
STRENGTH = 1e-3
PART = 16_384  # tokens whose scores are computed at a time

Floats = NDArray[np.float64]


def fit_probe(rubric: Rubric, items: Sequence[Item], embeddings: torch.Tensor) -> Probe:
    """A probe of the criteria with a target, given the `embeddings` [vocabulary, width] of the base model's tokens."""
    words, embeddings = {}, embeddings.detach().cpu()
    for place, criterion in enumerate(rubric.criteria):
        taught = [(row, target) for row, target in _decisions(items, place) if target and sum(target) and row.response]
        if taught:
            inputs = torch.stack([embeddings[list(row.response)].double().mean(0) for row, _ in taught])
            weights, bias = _regression(inputs.numpy(), np.array([target for _, target in taught]))
            mapped = torch.from_numpy(weights).float()
            # A large vocabulary in float32 at once may be more than there is room for.
            scores = torch.cat([part.float() @ mapped for part in embeddings.split(PART)]).numpy()
            words[criterion.id] = Words(tuple(criterion.labels), scores, bias.astype(np.float32))
    return Probe(words)


def _decisions(items: Sequence[Item], place: int) -> list[tuple[DecisionRow, Target]]:
    """Each response's row with the target on the criterion at a place of the rubric."""
    return [
        (row, item.targets[number * len(row.criteria) + place])
        for item in items
        for number, row in enumerate(item.group.rows)
    ]


def _regression(inputs: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """The weights [width, levels] and biases [levels] for `inputs` [responses, width] with `targets` [responses, levels], of
    which each part counts as much as it is large."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    centre, scale = inputs.mean(0), inputs.std(0)
    scale[scale == 0] = 1.0
    count = targets.shape[1]
    response, level = targets.nonzero()
    # One average response is counted for each level too: so none is without a response, and none impossible.
    known = np.concatenate([((inputs - centre) / scale)[response], np.zeros((count, inputs.shape[1]))])
    model = LogisticRegression(C=STRENGTH, max_iter=1000)
    with threadpool_limits(1):  # the matrices are small: threads would wait for each other
        model.fit(known, [*level, *range(count)], [*targets[response, level], *[1.0] * count])
    weights, own = model.coef_.T, model.intercept_
    if count == 2:  # of two levels the second's alone are told
        weights, own = np.hstack([0 * weights, weights]), np.array([0, own[0]])
    weights = weights / scale[:, None]
    return weights, own - centre @ weights
