"""Training rows: what a recording decision client saw of a program, with the experts' labels as targets.

Scoring and training render the same requests with the same function, so a judge is trained on exactly what it reads. What
several reviewers said of one response is one row, whose targets are spread over the levels that they gave.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from signatures.rubric import Criterion
from utta.core.errors import UttaError
from utta.distill.trainer import Item, Target
from utta.models import tree
from utta.models.decisions import Recorder
from utta.models.render import DecisionRow, Renderer, TooLong
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.inputs import judge_inputs
from utta.records.review import Review


def training_items(
    program: TeachingEvaluator,
    reviews: Sequence[Review],
    renderer: Renderer,
    balance: float = 0.0,
    reviewer_cap: float = 1.0,
) -> list[Item]:
    """One item per conversation: its responses as rows, and per decision a target on the reviewers' levels, in equal shares.

    A level's part of a target is weighed by (mean count of a level / count of this level) ** `balance`: 0 counts every
    label alike, 1 every level; between them a rare level is heard without drowning the rest. A reviewer's labels weigh less
    where they would be more than `reviewer_cap` of all.
    """
    panels: dict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        panels[review.response_id].append(review)
    rendered = render(program, [panel[0] for panel in panels.values()], renderer)
    of = {id(row): panel for row, panel in zip(rendered, panels.values(), strict=True)}
    heard = reviewer_weights(reviews, reviewer_cap)
    weights = {c.id: level_weights(c, reviews, balance) for c in program.rubric.criteria}
    return [
        Item(
            group,
            tuple(target(c, of[id(row)], weights[c.id], heard) for row in group.rows for c in program.rubric.criteria),
            of[id(group.rows[0])][0].cluster,
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


def too_long(program: TeachingEvaluator, reviews: Sequence[Review], renderer: Renderer) -> dict[str, int]:
    """The reviews whose prompts are longer than the model reads, by id, each with the tokens of its longest prompt."""
    found = {}
    for review in reviews:
        try:
            render(program, [review], renderer)
        except TooLong as error:
            found[review.id] = error.tokens
    return found


def target(
    criterion: Criterion, panel: Sequence[Review], weights: Sequence[float], heard: Mapping[str, float] | None = None
) -> Target:
    """For each level the share of the panel's reviewers who gave it, times its weight; None without a label."""
    given = [
        (r.levels[criterion.id], (heard or {}).get(r.reviewer or "", 1.0)) for r in panel if criterion.id in r.levels
    ]
    if not given:
        return None
    return tuple(
        weight * sum(share for label, share in given if label == level) / len(given)
        for weight, level in zip(weights, criterion.labels, strict=True)
    )


def reviewer_weights(reviews: Sequence[Review], cap: float) -> dict[str, float]:
    """By name, how much each label of a reviewer weighs (up to 1) so that nobody's labels are more than `cap` of all.

    Labels without a reviewer's name weigh 1. `UttaError` where there are too few reviewers for the cap.
    """
    counts = Counter({"": 0})
    for review in reviews:
        counts[review.reviewer or ""] += len(review.levels)
    unnamed = counts.pop("")
    sizes = sorted(counts.values(), reverse=True)
    for capped in range(len(sizes) + 1):
        rest = unnamed + sum(sizes[capped:])
        most = cap * rest / (1 - cap * capped) if cap * capped < 1 else 0.0
        if most >= max(sizes[capped:], default=0) and (most or not sizes):
            return {name: min(1.0, most / n) if capped else 1.0 for name, n in counts.items() if n}
    least = -(-100 // max(1, len(sizes))) / 100
    raise UttaError(
        f"With {len(sizes)} reviewers none can have less than {least:g} of the weight, and the cap is {cap:g}."
    )


def level_weights(criterion: Criterion, reviews: Sequence[Review], balance: float) -> list[float]:
    labels = [r.levels[criterion.id] for r in reviews if criterion.id in r.levels]
    counts = [labels.count(level) for level in criterion.labels]
    mean = len(labels) / max(1, sum(n > 0 for n in counts))
    return [(mean / n) ** balance if n else 0.0 for n in counts]
