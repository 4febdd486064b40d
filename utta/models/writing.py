"""Writing many texts at once: one token for each of them in a pass, until the last one has ended.

What all prompts begin with is read once. A text that has ended leaves the batch, so that the others do not carry it on.
Each text has its own settings; those with a schema are led by a `Guide` and are always whole.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from utta.models.grammar import Guide
from utta.models.render import common_prefix

SHARED = 16  # a common beginning of fewer tokens is not worth a pass of its own


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
    once it is certain to stay; `finish` is empty until the text has ended, then "stop" or "length"."""

    prompt: tuple[int, ...]
    settings: TextSettings
    guide: Guide | None = None
    tell: Callable[[int], None] | None = None
    written: list[int] = field(default_factory=list)
    finish: str = ""
    told: int = 0

    def __post_init__(self) -> None:
        seed = self.settings.seed
        self.dice = None if seed is None else torch.Generator().manual_seed(seed)

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
            self.written, self.finish = self.guide.close(), "stop"
        if self.tell and (self.finish or not self.guide or self.guide.fits):
            for certain in self.written[self.told :]:
                self.tell(certain)
            self.told = len(self.written)


def write(model: Any, drafts: Sequence[Draft], ends: set[int], begins: torch.Tensor) -> Iterator[Draft]:
    """Write all drafts with a causal language model; yields each as it has ended.

    `begins` [vocabulary] says which tokens may begin a text without a schema.
    """
    going, batch = list(drafts), _Batch(model, drafts)
    while True:
        for draft, logits in zip(going, batch.logits.float().cpu(), strict=True):
            draft.add(draft.choose(logits, begins), ends)
        yield from (draft for draft in going if draft.finish)
        left = [i for i, draft in enumerate(going) if not draft.finish]
        if not left:
            return
        if len(left) < len(going):
            batch.keep(left)
            going = [going[i] for i in left]
        batch.read([draft.written[-1] for draft in going])


class _Batch:
    """What the model has read of each text. `logits` [texts, vocabulary] are those of the next token.

    The prompts' common beginning stands first, then each one's padding, then the rest of it.
    """

    def __init__(self, model: Any, drafts: Sequence[Draft]):
        self.model, self.cache = model, DynamicCache(config=model.config)
        prompts = [draft.prompt for draft in drafts]
        shared = min(common_prefix(prompts), min(map(len, prompts)) - 1) if len(prompts) > 1 else 0
        shared = shared if shared >= SHARED else 0
        longest = max(map(len, prompts))
        pads = [longest - len(prompt) for prompt in prompts]
        if shared:
            self._pass([prompts[0][:shared]], torch.ones(1, shared, dtype=torch.long), torch.arange(shared)[None])
            self.cache.batch_repeat_interleave(len(prompts))
        place = torch.arange(longest)[None]
        padding = (place >= shared) & (place < shared + torch.tensor(pads)[:, None])
        self.mask = (~padding).long()
        self.positions = torch.tensor(list(map(len, prompts)))[:, None]
        self._pass(
            [(0,) * pad + prompt[shared:] for pad, prompt in zip(pads, prompts, strict=True)],
            self.mask,
            (self.mask.cumsum(1) - 1)[:, shared:],
        )

    def keep(self, texts: list[int]) -> None:
        """Go on with some of the texts only."""
        chosen = torch.tensor(texts)
        self.cache.batch_select_indices(chosen.to(self.model.device))
        self.mask, self.positions = self.mask[chosen], self.positions[chosen]

    def read(self, tokens: list[int]) -> None:
        """Read one more token of each text."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        self._pass([(token,) for token in tokens], self.mask, self.positions)
        self.positions = self.positions + 1

    def _pass(self, ids: list[tuple[int, ...]], mask: torch.Tensor, positions: torch.Tensor) -> None:
        device = self.model.device
        self.logits = self.model(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
