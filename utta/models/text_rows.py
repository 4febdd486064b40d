"""Chats as token sequences, with the tokens that a model would have written itself marked.

A chat's system and user messages are what a model is given, its assistant messages are what it wrote, each ending with
the token that ends a turn. Each of them stands behind exactly the tokens of the prompt that the engine is given at run
time, so that one pass over a whole chat scores, or trains, every turn of it at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from utta.core.errors import UttaError
from utta.models.flat import lay_out_rows, read
from utta.models.render import Renderer, TooLong


@dataclass(frozen=True)
class TextRow:
    """One token sequence; `learned` says of each token whether it is one that the model should have written."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]


def conversation_row(renderer: Renderer, messages: Sequence[Mapping[str, str]], only_last: bool = False) -> TextRow:
    """The row of a chat. Control tokens in its texts are taken out, as they are at run time. With `only_last` the assistant's
    earlier messages, such as demonstrations, are a part of the prompt and not learned.

    Raises `TooLong` when it is longer than the model reads, `UttaError` when the model's chat template or tokenizer puts
    together what the run-time prompt holds apart.
    """
    clean = [{"role": m["role"], "content": renderer.neutralise(m["content"])} for m in messages]
    ids: list[int] = []
    learned: list[bool] = []
    for place, message in enumerate(clean):
        if message["role"] != "assistant" or (only_last and place < len(clean) - 1):
            continue
        prompt = _tokens(renderer, clean[:place], add_generation_prompt=True)
        answered = _tokens(renderer, clean[: place + 1])
        end = _end_of_turn(renderer, answered, len(prompt))
        if answered[: len(prompt)] != prompt or prompt[: len(ids)] != ids or end is None:
            raise UttaError(
                f"{renderer.name} reads a turn in another way once it is followed by more, so a whole chat cannot be "
                "one sequence; use another model."
            )
        learned += [False] * (len(prompt) - len(ids)) + [True] * (end + 1 - len(prompt))
        ids = answered[: end + 1]
    if len(ids) > renderer.max_tokens:
        raise TooLong(len(ids), renderer.name, renderer.max_tokens)
    return TextRow(tuple(ids), tuple(learned))


def log_probabilities(model: Any, rows: Sequence[TextRow]) -> list[list[float]]:
    """For each row the log-probabilities (natural, float32) of its learned tokens, each given all that stands before it."""
    layout, places = lay_out_rows([row.ids for row in rows])
    head = model.get_output_embeddings().weight.float()
    hidden = read(model.get_decoder(), layout)[0]
    found = []
    for own, row in zip(places, rows, strict=True):
        learned = torch.tensor(row.learned).nonzero()[:, 0]
        logits = hidden[own[learned - 1].to(head.device)].float() @ head.T
        tokens = torch.tensor(row.ids, device=head.device)[learned.to(head.device)]
        found.append(logits.log_softmax(dim=-1).gather(1, tokens[:, None])[:, 0].tolist())
    return found


def padded(rows: Sequence[TextRow]) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows' `ids` and `learned` [rows, tokens], padded at their ends."""
    ids, learned = (
        pad_sequence([torch.tensor(part) for part in parts], batch_first=True)
        for parts in ([row.ids for row in rows], [row.learned for row in rows])
    )
    return ids, learned


def turns(row: TextRow) -> list[tuple[int, int]]:
    """Where each learned run of a row begins and ends (exclusive)."""
    edges = [i for i in range(len(row.ids) + 1) if _at(row, i) != _at(row, i - 1)]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _at(row: TextRow, place: int) -> bool:
    return 0 <= place < len(row.learned) and row.learned[place]


def _tokens(renderer: Renderer, messages: list[dict[str, str]], **options: bool) -> list[int]:
    return list(renderer.tokenizer(renderer.chat(messages, **options), add_special_tokens=False)["input_ids"])


def _end_of_turn(renderer: Renderer, ids: list[int], start: int) -> int | None:
    """The place of the first control token from `start` on: texts hold none, so it is the template's."""
    return next((i for i in range(start, len(ids)) if ids[i] in renderer.tokenizer.added_tokens_decoder), None)
