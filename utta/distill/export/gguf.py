"""GGUF files as llama.cpp reads them, written with the package `gguf` alone: a LoRA adapter, and a whole merged model.

The names of tensors come from gguf's own map. llama.cpp turns the halves of each query and key head the other way round
than Transformers (for its rotary embedding), so these rows are reordered for the LLAMA architecture. An adapter is
written for LLAMA and PHI3, a whole model for LLAMA with a byte-level BPE tokenizer; anything else is refused.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from utta.core.errors import UttaError
from utta.distill.export.plain import PlainLora

Tensors = dict[str, NDArray[Any]]
# How a tokenizer cuts text into pieces, as tokenizers' JSON says it and as llama.cpp calls it.
CUTS = {("Digits", "ByteLevel"): "smollm", ("ByteLevel",): "gpt-2"}
WHOLE = ("llama",)  # kinds of models that are written whole
ARCHITECTURES = {"llama": "LLAMA", "phi3": "PHI3"}


def write_adapter(lora: PlainLora, config: Any, out: Path) -> Tensors:
    """Write an adapter in f16 for a base model of the configuration `config`; returns the tensors by their GGUF names."""
    from gguf import GGUFWriter, Keys

    tensors: Tensors = {}
    for layer, (down, up) in lora.factors.items():
        name = _gguf_name(f"{layer}.weight", config)
        tensors[f"{name}.lora_a"] = _half(name, down)
        tensors[f"{name}.lora_b"] = _half(name, reordered(up, layer, config))
    file = GGUFWriter(out, _architecture(config).lower())
    file.add_type("adapter")
    file.add_file_type(1)
    file.add_string(Keys.Adapter.TYPE, "lora")
    file.add_float32(Keys.Adapter.LORA_ALPHA, lora.alpha)
    return _finish(file, tensors)


def write_model(model: Any, tokenizer: Any, name: str, out: Path) -> Tensors:
    """Write a merged model (float32) in f16 with its tokenizer; returns the tensors by their GGUF names."""
    from gguf import GGUFWriter

    config, rope = model.config, model.config.rope_parameters
    if (kind := rope.get("rope_type", "default")) != "default":
        raise UttaError(
            f"A model with positions of the kind {kind!r} cannot be written as GGUF here; export it with --to merged and "
            "convert that folder with llama.cpp."
        )
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    tensors: Tensors = {}
    for key, weight in model.state_dict().items():
        if key not in tied:
            known = _gguf_name(key, config)
            ready = reordered(weight, key, config)
            tensors[known] = ready.numpy() if weight.ndim == 1 else _half(known, ready)
    file = GGUFWriter(out, "llama")
    file.add_type("model")
    file.add_name(name)
    file.add_file_type(1)
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(rope["rope_theta"])
    file.add_rope_dimension_count(config.head_dim)
    file.add_vocab_size(config.vocab_size)
    for field, value in tokenizer_fields(tokenizer, config.vocab_size).items():
        getattr(file, f"add_{field}")(value)
    return _finish(file, tensors)


def tokenizer_fields(tokenizer: Any, size: int) -> dict[str, Any]:
    """What GGUF says of a tokenizer, by the names of gguf's `add_…`; `UttaError` for a kind that is not known here."""
    from gguf import TokenType

    told = json.loads(tokenizer.backend_tokenizer.to_str())
    cut = told["pre_tokenizer"] or {}
    parts = cut.get("pretokenizers", [cut])
    pre = CUTS.get(tuple(part.get("type") for part in parts))
    plain = all(part.get("use_regex", True) and part.get("individual_digits", True) for part in parts)
    if told["model"]["type"] != "BPE" or told["normalizer"] or not pre or not plain:
        raise UttaError(
            "The model's tokenizer is of a kind that cannot be written as GGUF here; export it with --to merged and convert "
            "that folder with llama.cpp."
        )
    tokens = {i: token for token, i in tokenizer.get_vocab().items()}
    added = {token["id"]: token["special"] for token in told["added_tokens"]}
    kinds = {
        i: (TokenType.CONTROL if added[i] else TokenType.USER_DEFINED) if i in added else TokenType.NORMAL
        for i in tokens
    }
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in told["model"]["merges"]]
    ids = {name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "unk", "pad")}
    return {
        "tokenizer_model": "gpt2",
        "tokenizer_pre": pre,
        "token_list": [tokens.get(i, f"[PAD{i}]") for i in range(size)],
        "token_types": [kinds.get(i, TokenType.UNUSED) for i in range(size)],
        **({"token_merges": merges} if merges else {}),
        **{f"{name}_token_id": i for name, i in ids.items() if i is not None},
        "add_bos_token": False,
        "add_space_prefix": False,
        "chat_template": tokenizer.chat_template,
    }


def reordered(weight: torch.Tensor, name: str, config: Any, back: bool = False) -> torch.Tensor:
    """The rows of a query or key matrix in llama.cpp's order, or `back` in Transformers'; other weights as they are."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    count = next((n for kind, n in heads.items() if f".{kind}" in name), 0)
    if not count or config.model_type != "llama":
        return weight
    half = weight.shape[0] // count // 2
    halves = (half, 2) if back else (2, half)
    return weight.reshape(count, *halves, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def read_back(path: Path, layers: Mapping[str, torch.Tensor], config: Any) -> dict[str, Any]:
    """Hold a written file's tensors against the weights that they stand for, by the names that these have in the model
    (`.lora_a` and `.lora_b` after a layer's weight in an adapter).

    Returns {"tensors", "missing", "largest_difference"}: how many there are, how many of either side the other has not, and
    the largest difference of a weight, as a share of the largest weight of its tensor.
    """
    from gguf import GGUFReader

    held = {tensor.name: tensor.data for tensor in GGUFReader(path).tensors}
    wanted = {}
    for name, weight in layers.items():
        stem, dot, part = name.partition(".lora_")
        wanted[_gguf_name(stem, config) + dot + part] = (name, weight)
    largest = 0.0
    for name in held.keys() & wanted.keys():
        ours, weight = wanted[name]
        stored = torch.from_numpy(held[name].astype(np.float32)).reshape(weight.shape)
        stored = stored if ours.endswith(".lora_a") else reordered(stored, ours, config, back=True)
        largest = max(largest, ((stored - weight).abs().max() / weight.abs().max().clamp(min=1e-30)).item())
    return {
        "tensors": len(held),
        "missing": len(held.keys() ^ wanted.keys()),
        "largest_difference": float(f"{largest:.3g}"),
    }


def _architecture(config: Any) -> str:
    if config.model_type not in ARCHITECTURES:
        raise UttaError(
            f"An adapter for a model of the kind {config.model_type!r} cannot be written as GGUF here (only "
            f"{', '.join(ARCHITECTURES)}); export it with --to peft and convert that folder with llama.cpp."
        )
    return ARCHITECTURES[config.model_type]


def _gguf_name(name: str, config: Any) -> str:
    names = _names(_architecture(config), config.num_hidden_layers)
    if (found := names.get_name(name, try_suffixes=(".weight", ".bias"))) is None:
        raise UttaError(f"GGUF has no name for the layer {name}; export it with --to merged.")
    return found


@cache
def _names(architecture: str, layers: int) -> Any:
    import gguf

    return gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture], layers)


def _half(name: str, weight: torch.Tensor) -> NDArray[np.float16]:
    half = weight.to(torch.float16)
    if not half.isfinite().all():
        raise UttaError(
            f"The weights {name} are too large for the 16 bits of GGUF's f16; export them with --to merged."
        )
    return half.contiguous().numpy()


def _finish(file: Any, tensors: Tensors) -> Tensors:
    for name, tensor in tensors.items():
        file.add_tensor(name, tensor)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return tensors
