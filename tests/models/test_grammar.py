import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.models.tiny import byte_tokenizer, phi3_tokenizer
from utta.core.errors import UttaError
from utta.models.grammar import Grammar, Guide

TEXT = {"type": "string", "maxLength": 12, "pattern": r"^\S"}
TUTOR = {
    "type": "object",
    "properties": {"response": TEXT, "techniques": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 3}},
    "required": ["response", "techniques"],
    "additionalProperties": False,
}


def make(tokenizer: Any) -> Grammar:
    return Grammar(tokenizer, len(tokenizer), {tokenizer.eos_token_id})


BYTES = make(byte_tokenizer())
# Quotes, brackets and separators in one token, as real vocabularies have them.
MERGED = make(
    byte_tokenizer(
        merges=[('"', "}"), ('"', ","), ('",', "Ġ"), ('",Ġ', '"'), ("{", '"'), ("[", '"'), ('"', "]"), ("Ã", "ľ")]
    )
)

GAPS = make(byte_tokenizer(without="ĄĆ"))  # no tokens for the bytes 4 and 6, which stand in no JSON; SmolLM2 lacks them


def wander(guide: Guide, most: int, draw: Any) -> None:
    """Write any of the allowed tokens until nothing may follow or the tokens are used up."""
    while not guide.whole and len(guide.written) < most:
        allowed = guide.allowed().nonzero().flatten().tolist()
        token = draw(st.sampled_from(allowed))
        if token in BYTES.tokens.eos_tokens:
            return
        guide.add(token)


def text(grammar: Grammar, tokens: list[int]) -> str:
    return grammar.tokens.decode_bytes(tokens).decode()


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def made(properties: dict[str, Any], needed: bool) -> dict[str, Any]:
        listed = {"required": list(properties)} if needed else {}
        return {"type": "object", "properties": properties, "additionalProperties": False, **listed}

    names = st.text("abÜ_", min_size=1, max_size=4)
    return st.builds(made, st.dictionaries(names, inner, max_size=3), st.booleans())


def lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def made(items: Any, least: int, more: int) -> dict[str, Any]:
        return {"type": "array", "items": items, "minItems": least, "maxItems": least + more}

    return st.builds(made, inner, st.integers(0, 2), st.integers(0, 2))


SIMPLE = st.one_of(
    st.builds(lambda most: {"type": "string", "maxLength": most, "pattern": r"^\S"}, st.integers(1, 9)),
    st.builds(lambda least: {"type": "string", "minLength": least, "maxLength": 9}, st.integers(0, 9)),
    st.lists(st.text('ab]}"\\ Ü', max_size=4), min_size=1, max_size=3, unique=True).map(lambda x: {"enum": x}),
    st.builds(lambda least: {"type": "integer", "minimum": least, "maximum": least + 90}, st.integers(-50, 50)),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"type": "number"}, {"type": "integer"}, {"type": "string"}]
    ),
)
SCHEMAS = st.recursive(
    SIMPLE,
    lambda inner: objects(inner) | lists(inner) | st.tuples(inner, inner).map(lambda x: {"anyOf": [*x]}),
    max_leaves=5,
)


@given(st.data(), SCHEMAS, st.integers(0, 40), st.sampled_from([BYTES, MERGED, GAPS]))
@settings(deadline=None)
def test_whatever_is_written_ends_as_legal_json_within_its_tokens(data, schema, more, grammar):
    most = len(grammar.guide(json.dumps(schema), 999).close()) + more
    guide = grammar.guide(json.dumps(schema), most)
    wander(guide, most, data.draw)
    tokens = guide.close()
    assert len(tokens) <= most
    Draft202012Validator(schema).validate(json.loads(text(grammar, tokens)))


@given(st.data(), st.integers(45, 90))
@settings(deadline=None)
def test_what_fits_is_kept(data, most):
    guide = MERGED.guide(json.dumps(TUTOR), most)
    kept: list[int] = []
    while not guide.whole and len(guide.written) < most:
        guide.add(data.draw(st.sampled_from(guide.allowed().nonzero().flatten().tolist())))
        kept = list(guide.written) if guide.fits else kept
    assert guide.close()[: len(kept)] == kept


@pytest.mark.parametrize("grammar", [BYTES, GAPS])
def test_half_a_character_is_ended_too(grammar):
    guide = grammar.guide(json.dumps(TUTOR), 60)
    for byte in '{"response": "2 £'.encode()[:-1]:
        guide.add(*grammar.of_byte[byte])
    assert json.loads(text(grammar, guide.close()))["response"].startswith("2 ")


def test_a_text_without_bounds_is_ended_by_its_tokens():
    guide = BYTES.guide('{"type": "object"}', 20)
    for byte in b'{"a": ["longer than t':
        guide.add(*BYTES.of_byte[byte])
    assert not guide.fits
    assert text(BYTES, guide.close()) == '{"a": ["longer tha"]}'[:17] + '"]}'


@pytest.mark.parametrize(
    ("begun", "refused"),
    [('{"response": "', " "), ('{"response": "', "\\n"), ('{"response": "', '"'), ('{"response": "a', "\\u")],
)
def test_a_text_begins_with_something_to_see_and_holds_no_control_character(begun, refused):
    guide = BYTES.guide(json.dumps(TUTOR), 99)
    for byte in begun.encode():
        guide.add(*BYTES.of_byte[byte])
    *first, last = refused.encode()
    for byte in first:
        guide.add(*BYTES.of_byte[byte])
    assert not guide.allowed()[BYTES.of_byte[last][0]]


def test_the_json_has_the_separators_of_json_dumps():
    value = json.dumps({"response": 'Why?\n"Ü"', "techniques": ["a", "b"]}, ensure_ascii=False)
    guide = BYTES.guide(json.dumps(TUTOR), 99)
    for byte in value.encode():
        assert not guide.whole
        guide.add(*BYTES.of_byte[byte])
    assert guide.whole and text(BYTES, guide.close()) == value


def test_texts_of_one_grammar_are_led_apart():
    one, two = BYTES.guide('{"enum": ["a"]}', 5), BYTES.guide('{"enum": ["b"]}', 5)
    for guide in (one, two):
        guide.add(*BYTES.of_byte[ord('"')])
    assert one.allowed().nonzero().flatten().tolist() == BYTES.of_byte[ord("a")]
    assert two.allowed().nonzero().flatten().tolist() == BYTES.of_byte[ord("b")]


def test_logits_beyond_the_tokenizer_are_never_allowed():
    tokenizer = phi3_tokenizer()
    grammar = Grammar(tokenizer, len(tokenizer) + 40, {tokenizer.eos_token_id})
    allowed = grammar.guide('{"type": "string"}', 9).allowed()
    assert allowed.shape == torch.Size([len(tokenizer) + 40])
    assert not allowed[len(tokenizer) :].any()


@pytest.mark.parametrize(
    ("schema", "most", "message"),
    [
        ("no JSON", 9, r"The JSON schema is not a JSON object \(.*\): 'no JSON'\.$"),
        ('{"type": "nonsense"}', 9, r"The JSON schema cannot be followed: Invalid type: nonsense\.$"),
        ('{"type": "string", "minLength": 9999}', 99, r"The JSON schema allows no text of 4,096 bytes or fewer"),
        (json.dumps(TUTOR), 9, r"^The shortest text .* has \d\d tokens and 9 are asked for: ask for more, .*\.$"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused_in_one_sentence(schema, most, message):
    with pytest.raises(UttaError, match=message):
        BYTES.guide(schema, most)
