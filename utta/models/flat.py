"""Rows of tokens as one flat sequence: what several rows begin with alike stands once, and nothing is padded.

A token sees what stands before it in its own rows and nothing else, and takes the position that it has there, so the result
is that of reading each row by itself (float32: to rounding). The large matrix products run over all tokens at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import torch

from utta.models.attention import Span
from utta.models.render import common_prefix

Runs = list[tuple[int, int]]  # where runs of tokens begin and end (exclusive) in the flat sequence

SHARED = 16  # a common beginning of fewer tokens is not worth a run of its own
STRETCH = 256  # tokens of a run that attend together: fewer make small matrix products, more compute what is hidden


@dataclass
class Layout:
    """A flat sequence: `ids`, `positions` [1, tokens] and its `spans`."""

    ids: torch.Tensor
    positions: torch.Tensor
    spans: list[Span]


def lay_out_rows(rows: Sequence[Sequence[int]]) -> tuple[Layout, list[torch.Tensor]]:
    """The flat sequence of rows of tokens, and for each row the places [its tokens] where they stand in it."""
    ids: list[int] = []
    positions: list[int] = []
    spans: list[Span] = []
    runs: list[Runs] = [[] for _ in rows]

    def branch(members: list[int], read: int) -> None:
        """Lay out what rows hold beyond their first `read` tokens, which they share and which stand there already."""

        def coming(member: int) -> tuple[int, ...]:
            return tuple(rows[member][read : read + SHARED])

        for begins, group in groupby(sorted(members, key=coming), key=coming):
            alike = list(group)
            if not begins:
                continue
            start, end = len(ids), common_prefix(rows[member] for member in alike)
            ids.extend(rows[alike[0]][read:end])
            positions.extend(range(read, end))
            spans.extend(in_order(start, len(ids), runs[alike[0]]))
            for member in alike:
                runs[member].append((start, len(ids)))
            branch(alike, end)

    branch(list(range(len(rows))), 0)
    places = [torch.tensor([place for run in own for place in range(*run)], dtype=torch.long) for own in runs]
    return Layout(torch.tensor([ids], dtype=torch.long), torch.tensor([positions], dtype=torch.long), spans), places


def in_order(start: int, end: int, sees: Runs) -> list[Span]:
    """The spans of a run where a token sees the runs `sees` and all that stands before it."""
    cuts = [*range(start, end, STRETCH), end]
    return [Span(a, b, [*sees, (start, a)] if a > start else list(sees), after(b - a)) for a, b in pairwise(cuts)]


def after(length: int) -> torch.Tensor:
    """What is hidden in a run [length, length]: all that comes later."""
    return torch.ones(length, length, dtype=torch.bool).triu(1)


def base_of(model: Any) -> Any:
    """The language model itself, adapters within it, where PEFT has wrapped it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def read(decoder: Any, layout: Layout, cache: Any = None) -> torch.Tensor:
    """The states [1, tokens, width] of a flat sequence after the decoder's last layer; keys and values go into `cache`."""
    device = next(decoder.parameters()).device
    for span in layout.spans:
        span.hidden = span.hidden.to(device)
    states: torch.Tensor = decoder(
        input_ids=layout.ids.to(device),
        position_ids=layout.positions.to(device),
        # Any four-dimensional mask keeps Transformers from building its own; the spans say who sees what.
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
        past_key_values=cache,
        use_cache=cache is not None,
        spans=layout.spans,
    ).last_hidden_state
    return states
