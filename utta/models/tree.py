"""Reading many decisions in one pass: every shared part is computed once.

The plain way runs one whole prompt per decision. Here the prompts of several conversations form a tree, laid out as one
flat sequence: the rubric, then conversation by conversation its turns and the responses to it, and after each response
its criteria, a few tokens each. A token sees what stands before it in its own prompt and nothing else, and takes the
position that it has there, so the result equals the plain way's (float32: to rounding). With gradients on, the same
functions train. Nothing is padded, and the large matrix products run over all tokens at once. Without gradients, what a pass
begins with (`Root`) serves the next one too.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from utta.models import attention
from utta.models.attention import Span
from utta.models.flat import SHARED, Layout, after, base_of, in_order, read
from utta.models.render import DecisionRow, common_prefix

# Tokens of responses that attend together: fewer make small matrix products, more compute what is hidden.
BLOCK = 160
PASS_TOKENS = 4096  # tokens of one pass without gradient


@dataclass(frozen=True)
class Group:
    """The responses to one conversation. `prefix` is the number of leading tokens that they share."""

    rows: tuple[DecisionRow, ...]
    prefix: int = field(init=False)

    def __post_init__(self) -> None:
        shared = min(common_prefix(r.trunk for r in self.rows), min(len(r.trunk) for r in self.rows))
        object.__setattr__(self, "prefix", shared)

    @property
    def tokens(self) -> int:
        """The number of tokens that a pass over the group alone computes."""
        return self.prefix + sum(len(r.trunk) - self.prefix + sum(map(len, r.suffixes)) for r in self.rows)

    @property
    def decisions(self) -> int:
        return sum(len(r.suffixes) for r in self.rows)


def group_rows(rows: Iterable[DecisionRow], most_tokens: int = 3072) -> list[Group]:
    """Groups of the rows that share a conversation, in order of first appearance, each of at most about `most_tokens`
    tokens, so that a pass fits into memory."""
    by_conversation: dict[str, list[DecisionRow]] = {}
    for row in rows:
        by_conversation.setdefault(row.shared, []).append(row)
    groups = []
    for members in by_conversation.values():
        taken: list[DecisionRow] = []
        for row in members:
            if taken and Group((*taken, row)).tokens > most_tokens:
                groups.append(Group(tuple(taken)))
                taken = []
            taken.append(row)
        groups.append(Group(tuple(taken)))
    return groups


@dataclass
class Decisions(Layout):
    """The flat sequence of some groups. `readouts` [decisions] is the place of each read-out, group by group, response by
    response, criterion by criterion."""

    readouts: torch.Tensor


@dataclass
class Begun:
    """The states [1, tokens, width] of a flat sequence after the model's first `layers` layers."""

    layers: int
    states: torch.Tensor


@dataclass(frozen=True)
class Root:
    """What passes begin with alike, such as the rubric: its tokens, each layer's keys and values of them
    [1, key heads, tokens, width], and a trunk of the last pass, with which the next may have more in common."""

    ids: tuple[int, ...]
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    last: tuple[int, ...]


def shared_by_all(groups: Sequence[Group]) -> int:
    """The number of leading tokens that several groups share (the rubric); 0 for one alone."""
    if len(groups) == 1:
        return 0
    return min(common_prefix(g.rows[0].trunk for g in groups), min(g.prefix for g in groups))


def tokens_of(groups: Sequence[Group]) -> int:
    """The number of tokens that a pass over the groups computes."""
    root = shared_by_all(groups)
    return root + sum(group.tokens - root for group in groups)


def passes(rows: Iterable[DecisionRow]) -> Iterator[list[Group]]:
    """The rows in passes of at most about `PASS_TOKENS` tokens."""
    now: list[Group] = []
    for group in group_rows(rows, PASS_TOKENS):
        if now and tokens_of([*now, group]) > PASS_TOKENS:
            yield now
            now = []
        now.append(group)
    if now:
        yield now


def next_pass(waiting: Sequence[DecisionRow]) -> list[Group]:
    """The pass to make now over rows that wait, in the order in which they came. The conversation that came last, of which more
    may be on their way, is left for the next one where the pass is half full without it."""
    first = next(passes(waiting))
    *others, last = first
    root = shared_by_all(first)
    own = sum(group.tokens - root for group in others)
    return others if waiting[-1] in last.rows and own * 2 >= PASS_TOKENS else first


def lay_out(groups: Sequence[Group], known: int = 0) -> Decisions:
    """The flat sequence of some groups; what all of them share stands first, once. Of that, the first `known` tokens are left
    out, whose keys and values are there already; the spans count them."""
    root = known or shared_by_all(groups)
    ids, positions, readouts = list(groups[0].rows[0].trunk[:root]), list(range(root)), []
    spans = [] if known else in_order(0, root, [])
    for group in groups:
        sees = [(0, root)] if root else []
        start = len(ids)
        if group.prefix > root:
            ids += group.rows[0].trunk[root : group.prefix]
            positions += range(root, group.prefix)
            spans += in_order(start, len(ids), sees)
            sees.append((start, len(ids)))
        start = len(ids)
        branches: list[tuple[int, int]] = []
        for i, row in enumerate(group.rows):
            if branches and len(ids) - start + len(row.trunk) - group.prefix > BLOCK:
                spans.append(Span(start, len(ids), sees, _apart(branches)))
                start, branches = len(ids), []
            for j, tokens in enumerate((row.trunk[group.prefix :], *row.suffixes)):
                first = len(row.trunk) if j else group.prefix
                ids += tokens
                positions += range(first, first + len(tokens))
                branches += [(i, j)] * len(tokens)
                if j:
                    readouts.append(len(ids) - 1)
        spans.append(Span(start, len(ids), sees, _apart(branches)))
    new = slice(known, None)
    return Decisions(torch.tensor([ids[new]]), torch.tensor([positions[new]]), spans, torch.tensor(readouts) - known)


def _apart(branches: list[tuple[int, int]]) -> torch.Tensor:
    """What is hidden among tokens labelled (response, branch): other responses, other criteria, and what comes later."""
    response, branch = torch.tensor(branches).unbind(1)
    same = response[:, None] == response[None, :]
    in_sight = (branch[:, None] == branch[None, :]) | (branch[None, :] == 0)
    return ~(same & in_sight) | after(len(branches))


def root_of(model: Any, groups: Sequence[Group], kept: Root | None = None) -> Root:
    """What all groups begin with, and the last pass too where the root `kept` is its; what `kept` does not hold of that is
    read now, without gradient."""
    trunks = [group.rows[0].trunk for group in groups]
    alike = min(common_prefix([*trunks, kept.last] if kept else trunks), *(group.prefix for group in groups))
    known = min(len(kept.ids), alike) if kept else 0
    layers = [(k[:, :, :known], v[:, :, :known]) for k, v in kept.layers] if kept and known else []
    if alike - known < SHARED:
        return Root(trunks[0][:known], layers, trunks[0])
    ids, sees = trunks[0][known:alike], [(0, known)] if known else []
    layout = Layout(torch.tensor([ids]), torch.arange(known, alike)[None], in_order(known, alike, sees))
    cache: Any = DynamicCache(layers)
    with torch.inference_mode():
        read(base_of(model).get_decoder(), layout, cache)
    return Root(trunks[0][:alike], [(layer.keys, layer.values) for layer in cache.layers], trunks[0])


def log_probabilities(
    model: Any, groups: Sequence[Group], begun: Begun | None = None, root: Root | None = None
) -> list[torch.Tensor]:
    """The log-probabilities of a decision's levels, for each decision of the groups in order; float32.

    With `begun`, the pass goes on from there. With `root`, which `root_of` gives, it goes on behind that, without gradient.
    Raises ValueError for a model with another attention than ours, which would ignore who may see what.
    """
    base, layout = base_of(model), lay_out(groups, len(root.ids) if root else 0)
    if base.config._attn_implementation != attention.NAME:
        raise ValueError(f"the model has the attention {base.config._attn_implementation!r}; use engine.load_weights")
    decoder, head = base.get_decoder(), base.get_output_embeddings().weight
    if begun is None:
        hidden = read(decoder, layout, DynamicCache(root.layers) if root and root.ids else None)
    else:
        with _part(decoder, begun.layers, None), _starting_with(begun.states.to(head.device), decoder.layers[0]):
            hidden = read(decoder, layout)
    codes = [c for group in groups for row in group.rows for c in row.codes]
    return read_out(hidden[0, layout.readouts.to(head.device)], head, codes)


def states_after(model: Any, group: Group, layers: int) -> torch.Tensor:
    """The states [1, tokens, width] of a group's flat sequence after the first `layers` layers, without gradient."""
    decoder, seen = base_of(model).get_decoder(), []
    with torch.no_grad(), _part(decoder, 0, layers):
        # The decoder would hand out what its last norm makes of them.
        hook = decoder.layers[-1].register_forward_hook(lambda layer, given, states: seen.append(states))
        try:
            read(decoder, lay_out([group]))
        finally:
            hook.remove()
    return seen[0][0] if isinstance(seen[0], tuple) else seen[0]


@contextmanager
def _part(decoder: Any, first: int, end: int | None) -> Iterator[None]:
    """The decoder with some of its layers only."""
    whole = decoder.layers
    decoder.layers = whole[first:end]
    try:
        yield
    finally:
        decoder.layers = whole


@contextmanager
def _starting_with(states: torch.Tensor, layer: Any) -> Iterator[None]:
    """The layer with `states` in place of what it is given: some models scale embeddings, so these cannot be swapped."""
    hook = layer.register_forward_pre_hook(lambda _, args, kwargs: ((states, *args[1:]), kwargs), with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def read_out(hidden: torch.Tensor, head: torch.Tensor, codes: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Log-probabilities over the level codes of each decision: only these rows of the vocabulary head are used."""
    used = sorted({c for row in codes for c in row})
    with torch.autocast(hidden.device.type, enabled=False):
        logits = hidden.float() @ head[torch.tensor(used, device=head.device)].float().T
        return [
            torch.log_softmax(row[[used.index(c) for c in ids]], dim=-1) for row, ids in zip(logits, codes, strict=True)
        ]
