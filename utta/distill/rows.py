"""Training rows: what a recording decision client saw of a program, with the experts' labels as targets.

Scoring and training render the same requests with the same function, so a judge is trained on exactly what it reads. What
several reviewers said of one response is one row, whose targets are spread over the levels that they gave. What a teacher
program says (`Lessons`) makes targets of its own, or a part of the experts'.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signatures.rubric import Criterion
from utta.core.errors import UttaError
from utta.distill.trainer import Item, Target
from utta.models import tree
from utta.models.decisions import Recorder
from utta.models.render import DecisionRow, Renderer, TooLong
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.inputs import judge_inputs
from utta.records.review import Review


@dataclass(frozen=True)
class Lessons:
    """What a teacher says, as chances of the levels in sum 1 by (response id, criterion): `kept` of the `replies` without a
    label, each counting `weight` of one, and `said` of labelled ones, the share `blend` of their targets."""

    replies: Sequence[Review]
    kept: Mapping[tuple[str, str], tuple[float, ...]]
    said: Mapping[tuple[str, str], tuple[float, ...]]
    weight: float
    blend: float

    def target(self, response: str, criterion: str, experts: Target) -> Target:
        """A decision's target, given the experts'; the sum of one that they gave stays as it is.

        No level is weighed up in what the teacher says: the balance between its levels is decided already.
        """
        if experts is None:
            kept = self.kept.get((response, criterion))
            return None if kept is None else tuple(self.weight * chance for chance in kept)
        said = self.said.get((response, criterion))
        if said is None:
            return experts
        whole = sum(experts)
        return tuple(
            (1 - self.blend) * ours + self.blend * whole * theirs for ours, theirs in zip(experts, said, strict=True)
        )


def training_items(
    program: TeachingEvaluator,
    reviews: Sequence[Review],
    renderer: Renderer,
    balance: float = 0.0,
    reviewer_cap: float = 1.0,
    lessons: Lessons | None = None,
) -> list[Item]:
    """One item per conversation: its responses as rows, and per decision a target on the reviewers' levels, in equal shares.

    A level's part of a target is weighed by (mean count of a level / count of this level) ** `balance`: 0 counts every
    label alike, 1 every level; between them a rare level is heard without drowning the rest. A reviewer's labels weigh less
    where they would be more than `reviewer_cap` of all. Replies of `lessons` are rows as far as a decision on them is kept.
    """
    panels: dict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        panels[review.response_id].append(review)
    if lessons:
        taught = {response for response, _ in lessons.kept}
        for reply in lessons.replies:
            if reply.response_id in taught:
                panels[reply.response_id].append(reply)
    rendered = render(program, [panel[0] for panel in panels.values()], renderer)
    of = {id(row): panel for row, panel in zip(rendered, panels.items(), strict=True)}
    heard = reviewer_weights(reviews, reviewer_cap)
    weights = {c.id: level_weights(c, reviews, balance) for c in program.rubric.criteria}

    def of_decision(row: DecisionRow, criterion: Criterion) -> Target:
        response, panel = of[id(row)]
        experts = target(criterion, panel, weights[criterion.id], heard)
        return lessons.target(response, criterion.id, experts) if lessons else experts

    return [
        Item(
            group,
            tuple(of_decision(row, c) for row in group.rows for c in program.rubric.criteria),
            of[id(group.rows[0])][1][0].cluster,
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
