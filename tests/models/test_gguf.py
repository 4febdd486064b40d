"""A GGUF file is written here as llama.cpp's converter writes one, and must come out as the model it was made from."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.models.tiny import CONTROL, TEMPLATE, byte_tokenizer, random_llama
from utta.core.errors import UttaError
from utta.models.gguf import convert, read_tokenizer

# Merges that digits split one by one must never meet.
MERGES = [("t", "h"), ("th", "e"), ("1", "2"), ("Ġ", "3")]


def write_gguf(path: Path, model: Any, pre: str = "smollm") -> None:
    """The model and its byte tokenizer as a GGUF file in float32."""
    from gguf import GGUFWriter, TokenType

    vocabulary = sorted(byte_tokenizer(merges=MERGES).get_vocab().items(), key=lambda item: item[1])
    config = model.config
    file = GGUFWriter(path, "llama")
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(config.rope_parameters["rope_theta"])
    file.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    file.add_vocab_size(len(vocabulary))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre(pre)
    file.add_token_list([token for token, _ in vocabulary])
    file.add_token_types([TokenType.CONTROL if token in CONTROL else TokenType.NORMAL for token, _ in vocabulary])
    file.add_token_merges([" ".join(merge) for merge in MERGES])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_pad_token_id(2)
    file.add_unk_token_id(0)
    file.add_chat_template(TEMPLATE)
    for name, tensor in model.state_dict().items():
        if gguf_name := tensor_name(name):
            heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
            count = next((n for kind, n in heads.items() if kind in name), 0)
            file.add_tensor(gguf_name, (permuted(tensor, count) if count else tensor).float().numpy())
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def tensor_name(name: str) -> str | None:
    """llama.cpp's name of a weight; None for a head that is the embedding."""
    if name == "lm_head.weight":
        return None
    for ours, theirs in {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "model.layers": "blk",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "post_attention_layernorm": "ffn_norm",
        "input_layernorm": "attn_norm",
    }.items():
        name = name.replace(ours, theirs)
    return name


def permuted(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows of a query or key matrix in llama.cpp's order."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape).contiguous()


@pytest.fixture(scope="module")
def original() -> Any:
    return random_llama(len(byte_tokenizer(merges=MERGES)), tied=True)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory, original: Any) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, original)
    return path


@pytest.fixture(scope="module")
def converted(gguf: Path) -> Any:
    return read_tokenizer(gguf)


def test_the_converted_model_is_the_one_that_the_file_was_made_from(tmp_path, gguf, original):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    convert(gguf, tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True)
    assert model.dtype == torch.bfloat16
    for name, weight in original.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.bfloat16()), name
    rounded = copy.deepcopy(original)
    rounded.load_state_dict({name: weight.bfloat16().float() for name, weight in original.state_dict().items()})
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        torch.testing.assert_close(model.float()(ids).logits, rounded(ids).logits)
    assert model.generation_config.eos_token_id == 2
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert tokenizer("the 123", add_special_tokens=False) == read_tokenizer(gguf)("the 123", add_special_tokens=False)
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token) == (
        "<|im_end|>",
        "<|im_end|>",
        "<|endoftext|>",
    )
    assert tokenizer.chat_template == TEMPLATE


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_tokenizer_gives_back_any_text(converted, text):
    ids = converted(text, add_special_tokens=False)["input_ids"]
    assert converted.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("text", ["1", "12", "the 312 + 12", "x3", "٣4"])
def test_digits_are_split_one_by_one(converted, text):
    pieces = [converted.decode([i]) for i in converted(text, add_special_tokens=False)["input_ids"]]
    assert not any(len(piece) > 1 and any(c in "0123456789" for c in piece) for piece in pieces)


def test_merges_and_control_tokens_come_along(converted):
    assert converted.tokenize("the") == ["the"]
    assert set(converted.all_special_tokens) == set(CONTROL)
    assert converted("a<|im_end|>", add_special_tokens=False)["input_ids"][-1] == converted.eos_token_id == 2


def test_a_tokenizer_of_another_kind_is_refused_in_one_sentence(tmp_path, original):
    write_gguf(tmp_path / "other.gguf", original, pre="llama-bpe")
    with pytest.raises(UttaError, match=r"^The tokenizer of other\.gguf is \('gpt2', 'llama-bpe'\), and only .*\.$"):
        read_tokenizer(tmp_path / "other.gguf")


@pytest.mark.parametrize("text", ["12 × 34 = 408", "Wie schön!\n\n\tTab", "日本語 😀", "3.14159"])
def test_the_embedded_tokenizer_gives_back_text_with_its_digits_split(embedded, text):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded.folder, local_files_only=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert not any(len(t) > 1 and any(c.isdigit() for c in t) for t in map(tokenizer.decode, ids))
