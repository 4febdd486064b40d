"""Training rows: what a recording decision client saw of a program, with the experts' labels as targets.

Scoring and training render the same requests with the same function, so a judge is trained on exactly what it reads.
"""

from collections.abc import Sequence

from signatures.rubric import Criterion
from utta.distill.trainer import Item, Target
from utta.models import tree
from utta.models.decisions import Recorder
from utta.models.render import DecisionRow, Renderer
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.inputs import judge_inputs
from utta.records.review import Review


def training_items(
    program: TeachingEvaluator, reviews: Sequence[Review], renderer: Renderer, balance: float = 0.0
) -> list[Item]:
    """One item per conversation: its responses as rows, and per decision a target on the expert's level.

    A target's weight is (mean count of a level / count of this level) ** `balance`: 0 counts every label alike, 1 every
    level; between them a rare level is heard without drowning the rest.
    """
    rendered = render(program, reviews, renderer)
    of = {id(row): review for row, review in zip(rendered, reviews, strict=True)}
    weights = {c.id: _level_weights(c, reviews, balance) for c in program.rubric.criteria}
    return [
        Item(
            group,
            tuple(target(c, of[id(row)], weights[c.id]) for row in group.rows for c in program.rubric.criteria),
            of[id(group.rows[0])].cluster,
        )
        for group in tree.group_rows(rendered)
    ]


def render(program: TeachingEvaluator, reviews: Sequence[Review], renderer: Renderer) -> list[DecisionRow]:
    """The rows that the program asks about each review, in order."""
    recorder, before = Recorder(), program.judge.lm
    program.judge.lm = recorder
    try:
        for review in reviews:
            program(**judge_inputs(review))
    finally:
        program.judge.lm = before
    return [renderer.render(state, questions) for state, questions in recorder.requests]


def target(criterion: Criterion, review: Review, weights: Sequence[float]) -> Target:
    """The weight of the expert's level at its place and 0 elsewhere; None without a label."""
    label = review.levels.get(criterion.id)
    if label is None:
        return None
    return tuple(weight * (label == level) for weight, level in zip(weights, criterion.labels, strict=True))


def _level_weights(criterion: Criterion, reviews: Sequence[Review], balance: float) -> list[float]:
    labels = [r.levels[criterion.id] for r in reviews if criterion.id in r.levels]
    counts = [labels.count(level) for level in criterion.labels]
    mean = len(labels) / max(1, sum(n > 0 for n in counts))
    return [(mean / n) ** balance if n else 0.0 for n in counts]
