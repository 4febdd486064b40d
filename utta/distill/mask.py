"""What each token of a training row sees and where its loss is read, taken from the layout that training uses.

The runs of a flat sequence are found in its spans: tokens stand in one run as long as each sees all that the one before it
sees, and is seen by the same others. Nothing here knows how the layout came about.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from signatures.rubric import Rubric
from utta.distill.trainer import Item
from utta.models import tree
from utta.models.render import CODES
from utta.models.tree import Decisions, Group

RESPONSES = 2


def smallest(items: Sequence[Item]) -> Item:
    """The item that is the shortest to show, of those with as many responses as are shown, or else with the most."""
    return min(
        items, key=lambda item: (-min(RESPONSES, len(item.group.rows)), Group(item.group.rows[:RESPONSES]).tokens)
    )


def describe(item: Item, rubric: Rubric, tokenizer: Any) -> dict[str, Any]:
    """The item's first responses as `runs` of tokens, in order, and `read_outs`, each with its target by level (null without
    a label). A run has its name, text, number of tokens and first position, and `sees`, the numbers from 1 of the runs that
    its tokens see whole; of itself a token sees what stands before it."""
    rows = item.group.rows[:RESPONSES]
    layout = tree.lay_out([Group(rows)])
    seen = sight(layout)
    found = runs(seen)
    criteria = rubric.criteria
    read_at = [next(n for n, (start, end) in enumerate(found) if start <= at < end) for at in layout.readouts.tolist()]
    names = _names(len(found), read_at, [c.id for c in criteria])
    return {
        "responses": len(rows),
        "responses_of_the_conversation": len(item.group.rows),
        "tokens": int(layout.ids.shape[1]),
        "runs": [
            {
                "name": name,
                "tokens": end - start,
                "first_position": int(layout.positions[0, start]),
                "sees": [n for n, (a, b) in enumerate(found[:row], start=1) if seen[start, a:b].all()],
                "text": tokenizer.decode(layout.ids[0, start:end]),
            }
            for row, (name, (start, end)) in enumerate(zip(names, found, strict=True))
        ],
        "read_outs": [
            {
                "run": read_at[i] + 1,
                "criterion": criteria[i % len(criteria)].id,
                "target": dict(zip(criteria[i % len(criteria)].labels, target, strict=True)) if target else None,
                "codes": dict(zip(criteria[i % len(criteria)].labels, CODES, strict=False)),
            }
            for i, target in enumerate(item.targets[: len(read_at)])
        ],
    }


def sight(layout: Decisions) -> torch.Tensor:
    """Which token sees which, [tokens, tokens]: true where the token of the row sees that of the column."""
    tokens = layout.ids.shape[1]
    seen = torch.zeros(tokens, tokens, dtype=torch.bool)
    for span in layout.spans:
        for start, end in span.sees:
            seen[span.start : span.end, start:end] = True
        seen[span.start : span.end, span.start : span.end] = ~span.hidden.cpu()
    return seen


def runs(seen: torch.Tensor) -> list[tuple[int, int]]:
    """The runs (start, end) of a flat sequence."""
    cuts = [0]
    for now in range(1, len(seen)):
        sees, is_seen = seen[now].clone(), seen[:, now].clone()
        sees[now], is_seen[now - 1] = seen[now - 1, now], seen[now - 1, now - 1]
        if not (torch.equal(sees, seen[now - 1]) and torch.equal(is_seen, seen[:, now - 1])):
            cuts.append(now)
    return list(pairwise([*cuts, len(seen)]))


def _names(count: int, read_at: Sequence[int], criteria: Sequence[str]) -> list[str]:
    """A run with a read-out is its criterion's, the first of the others is shared, each other one is a reply."""
    of_criterion = {run: criteria[i % len(criteria)] for i, run in enumerate(read_at)}
    names, replies = [], 0
    for run in range(count):
        if run in of_criterion:
            names.append(of_criterion[run])
        elif not run:
            names.append("rubric and conversation")
        else:
            replies += 1
            names.append(f"reply {replies}")
    return names
