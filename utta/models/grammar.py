"""Constrained decoding: what a model writes obeys a JSON schema and is whole when its tokens are used up.

`Grammar` belongs to one tokenizer; `Grammar.guide` gives each text a `Guide`, which says at every step which tokens the
schema allows, and in the end makes the text whole: where the tokens ran out first, the last ones give way to the
shortest legal end. The JSON stands on one line, with the separators that `json.dumps` writes, so that a model that is
trained on such lines writes on as it has learned. It does not judge what a text says.
"""

from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer

from utta.core.errors import UttaError

# Escapes that give control characters or half a character are left out: a text with them could not be shown or saved.
OPTIONS: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nt"\\',
}
LONGEST_END = 4096  # bytes; a schema whose shortest text is longer asks for too much
# After which an end is near, the nearest first: a text's end, a sign that stands in texts alone, the next item, a number.
NEAR = bytes(dict.fromkeys([*b'"_,0123456789n', *range(256)]))


class Grammar:
    """The schemas of one tokenizer. `vocabulary` is the number of the model's logits, `ends` the tokens that end a text."""

    def __init__(self, tokenizer: Any, vocabulary: int, ends: set[int]):
        self.vocabulary = vocabulary
        self.tokens = from_tokenizer(tokenizer, vocabulary, sorted(ends))
        self._matchers: dict[str, LLMatcher] = {}  # by schema
        # Some bytes stand in no text of UTF-8, and a tokenizer may have no tokens for those.
        self.of_byte = [self.tokens.tokenize_bytes(bytes([byte])) for byte in range(256)]

    def guide(self, schema: str, most: int) -> "Guide":
        """A guide for one text of at most `most` tokens. `UttaError` where the schema cannot be followed, or not in so
        few tokens."""
        if schema not in self._matchers:
            try:
                rules = LLMatcher.grammar_from_json_schema(schema, overrides=OPTIONS)
            except ValueError as error:
                raise UttaError(f"The JSON schema is not a JSON object ({error}): {schema[:60]!r}.") from None
            self._matchers[schema] = LLMatcher(self.tokens, rules, log_level=0)
        # Copies share what has been worked out about the schema, which takes megabytes.
        return Guide(self, self._matchers[schema].deep_copy(), most)


class Guide:
    """What one text may go on with. `written` are its tokens so far; it can always end within `most`."""

    def __init__(self, grammar: Grammar, matcher: LLMatcher, most: int):
        self.written: list[int] = []
        self._grammar, self._matcher, self._most = grammar, matcher, most
        self._check()
        if (shortest := len(self._end())) > most:
            raise UttaError(
                f"The shortest text that the JSON schema allows has {shortest} tokens and {most} are asked for: ask for "
                "more, or for less to be written."
            )

    def allowed(self) -> torch.Tensor:
        """Which tokens may come next [vocabulary], those that end the text included where it may end."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        return torch.from_numpy(np.unpackbits(bits, count=self._grammar.vocabulary, bitorder="little")).bool()

    def add(self, token: int) -> None:
        """Write one of the allowed tokens."""
        self._matcher.consume_token(token)
        self._check()
        self.written.append(token)

    @property
    def whole(self) -> bool:
        """Whether nothing more may be written."""
        return self._matcher.is_stopped()

    @property
    def fits(self) -> bool:
        """Whether the text can end within its tokens with all that is written, so that `close` will keep it."""
        return len(self.written) + len(self._end()) <= self._most

    def close(self) -> list[int]:
        """The whole text's tokens: those written, or as many of them as leave room for the shortest end."""
        while len(self.written) + len(end := self._end()) > self._most:
            self._matcher.rollback(1)
            self.written.pop()
        return self.written + end

    def _end(self) -> list[int]:
        """The tokens of a short legal end; none where the text may end as it is."""
        probe, end = self._matcher.deep_copy(), b""
        while not probe.is_accepting():
            step = probe.compute_ff_bytes() or self._nearest(probe)
            probe.consume_tokens(self._grammar.tokens.tokenize_bytes(step))
            end += step
            if probe.is_error() or len(end) > LONGEST_END:
                raise UttaError(f"The JSON schema allows no text of {LONGEST_END:,} bytes or fewer: make it smaller.")
        return self._grammar.tokens.tokenize_bytes(end)

    def _nearest(self, probe: LLMatcher) -> bytes:
        """The byte after which an end is near. A bracket closes, but where both may stand we are within a text."""

        def may(byte: int) -> bool:
            tokens = self._grammar.of_byte[byte]
            return bool(tokens) and probe.validate_tokens(tokens) == len(tokens)

        closing = [byte for byte in b"]}" if may(byte)]
        order = [*closing, *NEAR] if len(closing) == 1 else NEAR
        return bytes([next(byte for byte in order if may(byte))])

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error().splitlines()[0].rstrip(".")
            raise UttaError(f"The JSON schema cannot be followed: {reason}.")
