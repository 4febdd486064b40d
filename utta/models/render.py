"""From a decision request to token sequences: one function for scoring and for training.

A prompt is: instructions, the whole rubric, demonstrations (labels only), the inputs with the response last, then a line
with the criterion's name; the level's code (A, B, C, …) would stand on the next line, and its probability is read there.
All criteria of a response share everything up to that last line, and all responses of a conversation share everything up
to the response.

Text is tokenised whole, or in pieces where the tokenizer itself cuts: at control tokens (`Renderer._tokenise`). Control
tokens in data are taken out (`neutralise`), so that nothing typed by a student can close the prompt and answer for the
judge.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from signatures.rubric import INPUT_FIELDS
from utta.core.errors import UttaError

CODES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PIECES_KEPT = 256  # tokenised pieces of prompts: the rubric is in all, a response in those of its criteria


@dataclass(frozen=True)
class DecisionRow:
    """One response to judge, tokenised: `trunk` is shared by its criteria, `suffixes[i]` leads to the read-out of
    `criteria[i]`.

    `shared` names the part that other responses of the same conversation share. `codes[i]` holds the token ids of the
    levels of criterion i, in the order of `labels[i]`; the read-out is at the last token of the suffix. `response` holds the
    response's own tokens, by themselves.
    """

    shared: str
    trunk: tuple[int, ...]
    criteria: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    suffixes: tuple[tuple[int, ...], ...]
    codes: tuple[tuple[int, ...], ...]
    response: tuple[int, ...] = ()

    @property
    def prompts(self) -> list[list[int]]:
        """The plain way: one whole prompt per criterion."""
        return [[*self.trunk, *suffix] for suffix in self.suffixes]


class TooLong(UttaError):
    """A prompt that is longer than the model reads: `tokens` of it."""

    def __init__(self, tokens: int, name: str, most: int):
        super().__init__(f"A prompt has {tokens} tokens and {name} reads at most {most}: shorten the conversation.")
        self.tokens = tokens


class Renderer:
    """Renders decision requests for one tokenizer, having checked that its tokens allow the read-out."""

    def __init__(self, tokenizer: Any, name: str, max_tokens: int):
        self.tokenizer = tokenizer
        self.name = name
        self.max_tokens = max_tokens
        self._ids = lru_cache(PIECES_KEPT)(self._ids_of)
        self._cuts = False
        self.code_ids = self._check()

    @cached_property
    def _control(self) -> re.Pattern[str] | None:
        tokens = [t.content for t in self.tokenizer.added_tokens_decoder.values()]
        tokens += [t for t in self.tokenizer.all_special_tokens if t not in tokens]
        any_of = "|".join(re.escape(t) for t in sorted(tokens, key=len, reverse=True))
        return re.compile(f"({any_of})") if tokens else None  # in brackets, so that splitting keeps them

    def neutralise(self, text: str) -> str:
        """`text` without the tokenizer's control tokens, also those that taking out others would make."""
        if self._control is None:
            return text
        while (cleaned := self._control.sub("", text)) != text:
            text = cleaned
        return text

    def render(self, state: Mapping[str, Any], questions: Mapping[str, Mapping[str, Any]]) -> DecisionRow:
        """Tokenise a DSPy decision request of `choice` questions. `TooLong` when it is longer than the model reads."""
        shared, before = self._chat(state, questions)
        labels = {name: tuple(question["criteria"]) for name, question in questions.items()}
        sequences = []
        for name in questions:
            ids = self._tokenise(f"{before}{name}:\n{CODES[0]}")
            if ids[-1] != self.code_ids[0]:
                raise UttaError(
                    f"{self.name} does not end the prompt of {name!r} with the level's code; use another model."
                )
            sequences.append(ids[:-1])
        longest = max(map(len, sequences))
        if longest > self.max_tokens:
            raise TooLong(longest, self.name, self.max_tokens)
        # A suffix holds at least the token of its read-out.
        trunk = min(common_prefix(sequences), min(map(len, sequences)) - 1)
        return DecisionRow(
            shared=shared,
            trunk=tuple(sequences[0][:trunk]),
            criteria=tuple(questions),
            labels=tuple(labels.values()),
            suffixes=tuple(tuple(ids[trunk:]) for ids in sequences),
            codes=tuple(self.code_ids[: len(x)] for x in labels.values()),
            response=self._ids_of(self._value(state["inputs"].get(INPUT_FIELDS[-1]))),
        )

    def _chat(self, state: Mapping[str, Any], questions: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
        """What responses of the same conversation share, and the prompt's text up to the first criterion's line."""
        system = "\n\n".join([state["instructions"], rubric_text(questions), *self._demos(state, questions)])
        inputs = self._inputs(state["inputs"])
        shared = self._inputs({k: v for k, v in state["inputs"].items() if k != INPUT_FIELDS[-1]})
        messages = [{"role": "system", "content": system}, {"role": "user", "content": inputs}]
        text = self.chat([*messages, {"role": "assistant", "content": _HERE}])
        return f"{system}\n{shared}", text[: text.rindex(_HERE)]  # the last one: data may hold the mark too

    def chat(self, messages: list[dict[str, str]], **options: Any) -> str:
        """The messages as the model's chat template writes them. Where a template refuses a system message or leaves it
        out, it stands at the head of the next one."""
        from jinja2.exceptions import TemplateError

        first, *others = messages
        try:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, **options)
            if first["role"] != "system" or first["content"].strip() in text:
                return text
        except TemplateError:
            if first["role"] != "system":
                raise
        joined = {**others[0], "content": first["content"] + "\n\n" + others[0]["content"]}
        return self.tokenizer.apply_chat_template([joined, *others[1:]], tokenize=False, **options)

    def _inputs(self, inputs: Mapping[str, Any]) -> str:
        """The inputs in the signature's order (a caller's order would break the shared prefix); empty ones are left out."""
        names = [n for n in INPUT_FIELDS if n in inputs] + sorted(n for n in inputs if n not in INPUT_FIELDS)
        parts = []
        for name in names:
            value = self._value(inputs[name])
            if value or name == INPUT_FIELDS[-1]:
                parts.append(f"{name.replace('_', ' ').capitalize()}:{_between(name)}{value}")
        return "\n".join(parts)

    def _value(self, given: Any) -> str:
        """An input as the prompt shows it."""
        return self.neutralise(str(given or "")).strip()

    def _demos(self, state: Mapping[str, Any], questions: Mapping[str, Any]) -> list[str]:
        parts = []
        for demo in state.get("demos", ()):
            answers = "\n".join(f"{name}: {_label(demo[name])}" for name in questions if demo.get(name) is not None)
            inputs = {k: v for k, v in demo.items() if k in INPUT_FIELDS}
            parts.append(f"Example\n{self._inputs(inputs)}\nJudgement\n{answers}")
        return parts

    def _tokenise(self, text: str) -> list[int]:
        """The token ids of a prompt. Most of it stands in others too, so it is tokenised piece by piece between control tokens,
        and pieces are remembered, if the tokenizer cuts there by itself (`_cuts_at_control_tokens`)."""
        if not self._cuts or self._control is None:
            return list(self._ids_of(text))
        return [token for piece in self._control.split(text) if piece for token in self._ids(piece)]

    def _ids_of(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _check(self) -> tuple[int, ...]:
        """Token ids of the codes; refuses a model whose tokens for the levels of a prompt differ in more than the last."""
        question = {"instructions": "Is it so?", "type": "choice", "criteria": {"No": "not so", "Yes": "so"}}
        state = {"instructions": "Judge.", "inputs": {"conversation": "Student: 7", "teacher_response": "Why 7?"}}
        _, text = self._chat(state, {"Quality": question})
        sequences = [self._ids_of(f"{text}Quality:\n{code}") for code in CODES]
        stems, last = {ids[:-1] for ids in sequences}, [ids[-1] for ids in sequences]
        if len(stems) != 1 or len(set(last)) != len(CODES):
            raise UttaError(
                f"{self.name} cannot be a judge: its tokens for the level codes A to Z do not differ in the last token alone."
            )
        self._cuts = self._cuts_at_control_tokens(f"{text}Quality:\n{CODES[0]}", sequences[0])
        return tuple(last)

    def _cuts_at_control_tokens(self, prompt: str, whole: tuple[int, ...]) -> bool:
        """Whether a prompt's pieces between control tokens have the token ids that they have in the `whole`. Some tokenizers
        mark where a text begins, or have control tokens that depend on what stands beside them."""
        added = self.tokenizer.added_tokens_decoder.values()
        if self._control is None or any(t.lstrip or t.rstrip or t.single_word or t.normalized for t in added):
            return False
        pieces = filter(None, self._control.split(prompt))
        return whole == tuple(token for piece in pieces for token in self._ids_of(piece))


_HERE = "\N{OBJECT REPLACEMENT CHARACTER}here"


def _between(name: str) -> str:
    return "\n" if name in INPUT_FIELDS[-2:] else " "


def _label(value: Any) -> str:
    return str(value["value"]) if isinstance(value, Mapping) else str(getattr(value, "value", value))


def rubric_text(questions: Mapping[str, Mapping[str, Any]]) -> str:
    """The rubric as the prompt shows it: each criterion with its question and the codes of its levels."""
    parts = []
    for name, question in questions.items():
        levels = [
            f"{code}. {label}: {means}"
            for code, (label, means) in zip(CODES, question["criteria"].items(), strict=False)
        ]
        parts.append("\n".join([f"{name}: {question['instructions']}", *levels]))
    return "\n\n".join(parts)


def common_prefix(sequences: Iterable[Any]) -> int:
    """The number of leading tokens that all sequences share."""
    first, *others = sequences
    length = len(first)
    for other in others:
        length = min(length, len(other))
        if first[:length] != other[:length]:
            length = next(i for i in range(length) if first[i] != other[i])
    return length
