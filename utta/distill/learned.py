"""The loss of text: cross-entropy at the learned tokens alone, with the gradient computed along with it.

Most tokens of a row are its prompt, and the vocabulary's head is a fifth of a small model: so the head is computed where a
token is learned and nowhere else. As the head is frozen, the gradient of the states is known as soon as the loss is: both are
computed in pieces, and the logits of all tokens never stand in memory together. On a CPU the rows are read as one flat
sequence (`utta.models.flat`): a step of 3,480 tokens of dialogues takes two thirds of its time with SDPA over padded rows.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from utta.models import attention
from utta.models.flat import base_of, lay_out_rows, read

PIECE = 256  # learned tokens whose logits are computed together


def learned_loss(model: Any, ids: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
    """The sum of the cross-entropies, in nats, of the learned tokens, each given all before it in its row.

    `ids` [rows, tokens] are padded at their ends, where no token sees the padding; `learned` is a mask of the same shape,
    false at a row's first token.
    """
    head = model.get_output_embeddings().weight
    if ids.device.type != "cpu" or model.config._attn_implementation != attention.NAME:
        states = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        # A token is predicted from the state of the one before it.
        return _HeadLoss.apply(states[:, :-1][learned[:, 1:]], head, ids[learned])
    # What stands behind the last learned token of a row need not be read.
    lengths = [int(row.nonzero().max()) + 1 if row.any() else 0 for row in learned]
    rows = [row[:length] for row, length in zip(ids, lengths, strict=True)]
    layout, places = lay_out_rows([row.tolist() for row in rows])
    before = torch.cat([own[:-1][row[1:length]] for own, row, length in zip(places, learned, lengths, strict=True)])
    states = read(base_of(model).get_decoder(), layout)[0]
    return _HeadLoss.apply(states[before], head, ids[learned])


class _HeadLoss(torch.autograd.Function):
    """Cross-entropy of `targets` [n] under a frozen head [vocabulary, width], with a gradient for `states` [n, width]."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        total, gradients = torch.zeros((), device=states.device), []
        for piece, wanted in zip(states.split(PIECE), targets.split(PIECE), strict=True):
            logits = (piece.to(head.dtype) @ head.T).float()
            logs = torch.log_softmax(logits, dim=-1)
            places = torch.arange(len(wanted), device=wanted.device)
            total -= logs[places, wanted].sum()
            if ctx.needs_input_grad[0]:
                errors = logs.exp_()
                errors[places, wanted] -= 1
                gradients.append((errors.to(head.dtype) @ head).to(states.dtype))
        ctx.save_for_backward(torch.cat(gradients) if gradients else torch.zeros_like(states))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (errors,) = ctx.saved_tensors
        return errors * gradient, None, None
