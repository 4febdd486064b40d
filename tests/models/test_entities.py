"""The named-entity model: a tiny one of random weights shows the way from its labels to surrogates."""

import pytest
import torch
from transformers import BertConfig, BertForTokenClassification

from tests.models.tiny import byte_tokenizer
from utta.core.errors import UttaError
from utta.core.surrogates import Surrogates
from utta.models.entities import entities


def save(folder, labels):
    """A tiny token classifier that gives each single byte a label of its own."""
    tokenizer = byte_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=128, num_labels=len(labels), id2label=dict(enumerate(labels)),
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return entities(save(tmp_path_factory.mktemp("tagger"), ["O", "B-PER", "I-PER", "B-LOC"]))


@pytest.mark.parametrize("text", ["", "  ", "we asked Ngozi and she said 12", "Ngozi was here. " * 40])
def test_it_gives_whole_words_that_are_replaced(tagger, text):
    found = list(tagger(text))
    for start, end in found:
        assert 0 <= start < end <= len(text)
        assert not (start and text[start - 1].isalnum() and text[start].isalnum())
        assert not (end < len(text) and text[end - 1].isalnum() and text[end].isalnum())
    surrogates = Surrogates(b"k" * 32, persons=tagger)
    [once] = surrogates.replace([text])
    assert surrogates.replace([once]) == [once]
    assert ("Person-" in once) == bool(found) == ("Ngozi" in text)


def test_a_model_that_knows_no_persons_and_one_that_is_missing_are_one_sentence(tmp_path):
    with pytest.raises(UttaError, match=r"knows no persons \(its labels: loc, o\); give another"):
        entities(save(tmp_path / "places", ["O", "B-LOC"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UttaError, match=r"cannot be loaded .*; give a folder or a hub id"):
        entities(str(tmp_path / "empty"))
