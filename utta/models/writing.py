"""Writing many texts at once: one token for each of them in a pass, until the last one has ended.

What prompts begin with alike is read once (`utta.models.flat`). When a quarter of the texts have ended they leave the batch,
and others take their place. Each text has its own settings; those with a schema are led by a `Guide`
and are always legal; one whose tokens ran out before its own end is closed, and ends with "length" as any other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from utta.core.errors import UttaError
from utta.models.flat import lay_out_rows, read
from utta.models.grammar import Guide

CARRIED = (
    0.75  # the share of a batch's texts above which those that have ended stay in it: to drop them copies all others
)
ROOM = 64  # tokens that a text may grow by before its keys and values are copied


@dataclass(frozen=True)
class TextSettings:
    """How text is generated. `temperature` 0 takes the likeliest token; `schema` is a JSON schema that the text obeys, as
    JSON itself."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    schema: str | None = None


@dataclass(eq=False)
class Draft:
    """A text that is being written. `written` holds its tokens, without the one that ended it; `tell` is given each token
    once it is certain to stay; `finish` is empty until the text has ended, then "stop" or "length", or "error" where its schema
    could not be kept."""

    prompt: tuple[int, ...]
    settings: TextSettings
    guide: Guide | None = None
    tell: Callable[[int], None] | None = None
    written: list[int] = field(default_factory=list)
    finish: str = ""
    error: UttaError | None = None
    told: int = 0

    def __post_init__(self) -> None:
        self.dice = None
        if self.settings.seed is not None:
            # Each prompt has draws of its own: with the same ones, texts on different prompts would begin alike.
            own = crc32(repr((self.settings.seed, self.prompt)).encode())
            self.dice = torch.Generator().manual_seed(own)

    def go_on(self, logits: torch.Tensor, begins: torch.Tensor, ends: set[int]) -> None:
        """Write the next token, or end; a schema that cannot be kept is this text's error and no other's."""
        try:
            self.add(self.choose(logits, begins), ends)
        except UttaError as error:
            self.finish, self.error = "error", error

    def choose(self, logits: torch.Tensor, begins: torch.Tensor) -> int:
        """The next token, from logits [vocabulary] in float32. `begins` [vocabulary] says which tokens may begin a text."""
        if self.guide:
            logits = logits.masked_fill(~self.guide.allowed(), -torch.inf)
        elif not self.written:
            logits = logits.masked_fill(~begins, -torch.inf)
        if not self.settings.temperature:
            return int(logits.argmax())
        chances = torch.softmax(logits / self.settings.temperature, dim=-1)
        if self.settings.top_p < 1:
            likeliest, order = chances.sort(descending=True)
            beyond = likeliest.cumsum(0) - likeliest >= self.settings.top_p
            chances[order[beyond]] = 0
        return int(torch.multinomial(chances, 1, generator=self.dice))

    def add(self, token: int, ends: set[int]) -> None:
        """Write a token, or end the text where it is an end or where nothing may follow."""
        if token in ends:
            self.finish = "stop"
        else:
            self.written.append(token)
            if self.guide:
                self.guide.add(token)
                self.finish = "stop" if self.guide.whole else ""
            if not self.finish and len(self.written) == self.settings.max_tokens:
                self.finish = "length"
        if self.guide and self.finish == "length":
            self.written = self.guide.close()
        if self.tell and (self.finish or not self.guide or self.guide.fits):
            for certain in self.written[self.told :]:
                self.tell(certain)
            self.told = len(self.written)


def write(
    model: Any,
    drafts: Sequence[Draft],
    ends: set[int],
    begins: torch.Tensor,
    more: Callable[[int], Sequence[Draft]] = lambda going: (),
) -> Iterator[Draft]:
    """Write all drafts with a causal language model; yields each as it has ended.

    `begins` [vocabulary] says which tokens may begin a text without a schema. After each token `more`
    is told how many drafts are going on and gives further ones, which are written along with them; what it raises ends it all.
    """
    rows, batch = list(drafts), _Batch(model, drafts)
    while rows:
        going = [draft for draft in rows if not draft.finish]
        for draft, logits in zip(rows, batch.logits.float().cpu(), strict=True):
            if not draft.finish:
                draft.go_on(logits, begins, ends)
        yield from (draft for draft in going if draft.finish)
        left = [i for i, draft in enumerate(rows) if not draft.finish]
        if len(left) <= CARRIED * len(rows):
            rows = [rows[i] for i in left]
            if left:
                batch.keep(left)
        if left:
            batch.read([0 if draft.finish else draft.written[-1] for draft in rows])
        if fresh := more(len(left)):
            joining = _Batch(model, fresh)
            batch = batch.joined(joining) if left else joining
            rows += fresh


class _Batch:
    """What the model has read of each text. `logits` [texts, vocabulary] are those of the next token.

    The prompts are read as one flat sequence; from then on each text is a row of its own.
    """

    logits: torch.Tensor

    def __init__(self, model: Any, drafts: Sequence[Draft]):
        self.model, flat = model, DynamicCache()
        prompts = [draft.prompt for draft in drafts]
        layout, places = lay_out_rows(prompts)
        read(model.get_decoder(), layout, flat)
        places = [own[:-1] for own in places]  # a prompt's last token is read below, as those that follow are
        chosen = pad_sequence(places, batch_first=True, padding_side="left")
        self.layers = [_RoomyLayer(layer, chosen.to(model.device)) for layer in flat.layers]
        self.cache = Cache(list(self.layers))
        self.positions = torch.tensor(list(map(len, places)))[:, None]
        self.used = chosen.shape[1]
        self.mask = torch.arange(self.used) >= self.used - self.positions
        self.read([prompt[-1] for prompt in prompts])

    def keep(self, texts: list[int]) -> None:
        """Go on with some of the texts only."""
        chosen = torch.tensor(texts)
        self.cache.batch_select_indices(chosen.to(self.model.device))
        self.mask, self.positions = self.mask[chosen], self.positions[chosen]

    def joined(self, other: "_Batch") -> "_Batch":
        """This batch with the texts of the other one behind its own, both as far as they have been read."""
        begin = int(self.mask.any(0).int().argmax())  # what stands before is left of texts that have ended
        used = max(self.used - begin, other.used)

        def both(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
            parts = (ours[..., begin : self.used, :], theirs[..., : other.used, :])
            return torch.cat([nn.functional.pad(x, (0, 0, used - x.shape[-2], ROOM)) for x in parts])

        for layer, joining in zip(self.layers, other.layers, strict=True):
            layer.keys, layer.values, layer.used = (
                both(layer.keys, joining.keys),
                both(layer.values, joining.values),
                used,
            )
        self.mask = both(self.mask[..., None], other.mask[..., None])[..., 0]
        self.positions = torch.cat([self.positions, other.positions])
        self.logits = torch.cat([self.logits, other.logits])
        self.used = used
        return self

    def read(self, tokens: list[int]) -> None:
        """Read one more token of each text."""
        if self.used == self.mask.shape[1]:
            self.mask = nn.functional.pad(self.mask, (0, ROOM))
            for layer in self.layers:
                layer.make_room()
        self.mask[:, self.used] = True
        self.used += 1
        device = self.model.device
        self.logits = self.model(
            input_ids=torch.tensor(tokens, device=device)[:, None],
            attention_mask=self.mask[:, None, None].to(device),
            position_ids=self.positions.to(device),
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]
        self.positions = self.positions + 1


class _RoomyLayer(DynamicLayer):
    """A layer's keys and values [texts, heads, tokens, width] with room for more tokens, which the mask hides: Transformers'
    own layer copies all of them for each token. In the beginning they are the `chosen` [texts, tokens] ones of a flat
    sequence's `layer`."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, layer: Any, chosen: torch.Tensor):
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self.keys, self.values = (x[0][:, chosen].transpose(0, 1).contiguous() for x in (layer.keys, layer.values))
        self.used = chosen.shape[1]

    def make_room(self) -> None:
        self.keys, self.values = (nn.functional.pad(x, (0, 0, 0, ROOM)) for x in (self.keys, self.values))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys[:, :, self.used], self.values[:, :, self.used] = key_states[:, :, 0], value_states[:, :, 0]
        self.used += 1
        return self.keys, self.values
