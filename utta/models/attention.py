"""Attention over a tree of tokens, which skips what a mask would hide.

The tokens of many prompts stand in one flat sequence, each shared part once. A `Span` is a run of tokens that attend
together: to earlier runs, which they see whole, and to themselves through a small mask. Transformers calls
`tree_attention` through its attention registry and hands it the spans; a call without spans goes to SDPA, unless texts are
written on a CPU, token by token. On a 2-core CPU, forward and backward by plain matrix products take half the time of SDPA
with one dense mask, which computes mostly what is hidden; forward alone, SDPA over each span is faster still where its kernel
suits the processor (`_sdpa_is_faster`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "utta_tree"


@dataclass
class Span:
    """The tokens `start` to `end` of the flat sequence, counted with those that were read before. They see the earlier runs
    `sees` [(start, end), …] whole, and each other where `hidden` [end - start, end - start] is false."""

    start: int
    end: int
    sees: list[tuple[int, int]]
    hidden: torch.Tensor

    @property
    def runs(self) -> list[tuple[int, int]]:
        """All that the span sees, itself last."""
        return [*self.sees, (self.start, self.end)]

    def add_to(self, total: torch.Tensor, parts: torch.Tensor) -> None:
        """Add `parts` [heads, what the span sees, width] to `total` [1, heads, tokens, width], each where it stands."""
        for (a, b), part in zip(self.runs, parts.split([b - a for a, b in self.runs], dim=1), strict=True):
            total[0, :, a:b] += part


def tree_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    spans: Sequence[Span] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of `query` [1, heads, tokens, width] over `key`, `value` [1, key heads, known + tokens, width], where `known`
    tokens were read before; the result is [1, tokens, heads, width]."""
    if spans is None and query.shape[2] == 1 and query.device.type == "cpu" and not torch.is_grad_enabled():
        return _next_token(query, key, value, attention_mask, scaling), None
    if spans is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    scaling = scaling or query.shape[3] ** -0.5
    if not torch.is_grad_enabled() and _sdpa_is_faster(query):
        read = [_read_by_sdpa(span, query, key, value, scaling) for span in spans]
        return torch.cat(read, dim=2).transpose(1, 2).contiguous(), None
    states: torch.Tensor = _Read.apply(query, key, value, spans, scaling)
    return states, None


def _sdpa_is_faster(query: torch.Tensor) -> bool:
    """Whether SDPA reads a span faster than plain matrix products, without gradient: on a CPU in float32 (in two thirds of
    the time) and in bf16 with AMX (in a third). In bf16 without AMX it takes 1.7 times as long."""
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return query.device.type == "cpu" and (query.dtype == torch.float32 or amx())


def _seen(span: Span, tokens: torch.Tensor) -> torch.Tensor:
    """The keys or values [1, key heads, tokens, width] of what a span sees, its own tokens last."""
    return torch.cat([tokens[:, :, a:b] for a, b in span.runs], dim=2)


class _Read(torch.autograd.Function):
    """What the tokens of all spans read, [1, tokens, heads, width], by plain matrix products.

    Autograd would make a tensor of all tokens' size for each run of each span, and add them up.
    """

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any, spans: Sequence[Span], scaling: float) -> torch.Tensor:
        _, heads, tokens, width = query.shape
        out, kept = query.new_empty(1, tokens, heads, width), []
        for span in spans:
            scores = torch.bmm(_grouped(span, query, key) * scaling, _seen(span, key)[0].transpose(1, 2))
            own = scores.view(len(scores), -1, len(span.hidden), scores.shape[2])[..., -len(span.hidden) :]
            own.masked_fill_(span.hidden, torch.finfo(own.dtype).min)
            weights = torch.softmax(scores, dim=-1).to(value.dtype)  # on a GPU autocast makes it float32
            read = torch.bmm(weights, _seen(span, value)[0])
            out[0, _own(span, query, key)] = read.view(heads, -1, width).transpose(0, 1)
            if any(ctx.needs_input_grad):  # else the next span can use the memory
                kept.append(weights)
        ctx.save_for_backward(query, key, value, *kept)
        ctx.spans, ctx.scaling = spans, scaling
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        query, key, value, *kept = ctx.saved_tensors
        gradient = gradient.transpose(1, 2)
        to_query, to_key, to_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for span, weights in zip(ctx.spans, kept, strict=True):
            coming = _grouped(span, gradient, key)
            span.add_to(to_value, torch.bmm(weights.transpose(1, 2), coming))
            to_weights = torch.bmm(coming, _seen(span, value)[0].transpose(1, 2))
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
            span.add_to(to_key, torch.bmm(to_scores.transpose(1, 2), _grouped(span, query, key)))
            own = torch.bmm(to_scores, _seen(span, key)[0])
            to_query[:, :, _own(span, query, key)] = own.view(1, query.shape[1], -1, query.shape[3])
        return to_query.mul_(ctx.scaling), to_key.mul_(ctx.scaling), to_value, None, None


def _own(span: Span, queries: torch.Tensor, key: torch.Tensor) -> slice:
    """Where a span stands among `queries` [1, heads, tokens, width]: those of tokens that were read before are not there."""
    known = key.shape[2] - queries.shape[2]
    return slice(span.start - known, span.end - known)


def _grouped(span: Span, queries: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """A span's part of `queries` [1, heads, tokens, width]; the heads that share a key head form one longer matrix:
    [key heads, heads per key head x tokens, width]."""
    return queries[:, :, _own(span, queries, key)].reshape(key.shape[1], -1, queries.shape[3])


def _read_by_sdpa(
    span: Span, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """What the tokens of one span read, [1, heads, tokens, width], without gradient."""
    own, keys = query[:, :, _own(span, query, key)], _seen(span, key)
    mask = query.new_zeros(own.shape[2], keys.shape[2])
    mask[:, -own.shape[2] :].masked_fill_(span.hidden, -torch.inf)
    values = _seen(span, value)
    return scaled_dot_product_attention(own, keys, values, attn_mask=mask[None, None], scale=scaling, enable_gqa=True)


def _next_token(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float | None
) -> torch.Tensor:
    """Attention of one new token of each text, `query` [texts, heads, 1, width]. SDPA would take six times as long."""
    texts, heads, _, width = query.shape
    # The query heads of one key head form one matrix.
    grouped = (query * (scaling or width**-0.5)).view(texts, key.shape[1], -1, width)
    scores = grouped @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1).to(value.dtype)
    return (weights @ value).view(texts, heads, 1, width).transpose(1, 2).contiguous()


AttentionInterface.register(NAME, tree_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
