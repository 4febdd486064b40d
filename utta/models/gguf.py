"""From a GGUF file to a Hugging Face folder: bf16 safetensors, tokenizer, chat template.

Transformers reads the weights (it undoes llama.cpp's permutation of the query and key rows). The tokenizer is built here
from the file's tokens and merges, because Transformers' own conversion does not know the `smollm` pre-tokenizer, which
splits digits one by one. Only byte-level BPE tokenizers of that kind are converted.
"""

from pathlib import Path
from typing import Any

from utta.core.errors import UttaError

CONTROL = 3  # token_type of control tokens in GGUF


def convert(gguf: Path, out: Path) -> None:
    """Write the model in `gguf` to the folder `out` as bf16 safetensors with its tokenizer; takes about 10 s for 135M."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = read_tokenizer(gguf)
    quantized = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    config = type(quantized.config).from_dict(
        {k: v for k, v in quantized.config.to_dict().items() if k != "quantization_config"}
    )
    # A model read from GGUF refuses to be saved, so its (already plain) weights move to a fresh one.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(quantized.state_dict())
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def read_tokenizer(gguf: Path) -> Any:
    """The fast tokenizer in a GGUF file; `UttaError` when its kind is not the one known here."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(gguf).fields

    def get(key: str) -> Any:
        return fields[key].contents()

    kind = (get("tokenizer.ggml.model"), get("tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise UttaError(
            f"The tokenizer of {gguf.name} is {kind}, and only ('gpt2', 'smollm') can be converted; use the safetensors model."
        )
    tokens, types = get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in get("tokenizer.ggml.merges")]
    core = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    control = [token for token, type in zip(tokens, types, strict=True) if type == CONTROL]
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=tokens[get("tokenizer.ggml.bos_token_id")],
        eos_token=tokens[get("tokenizer.ggml.eos_token_id")],
        pad_token=tokens[get("tokenizer.ggml.padding_token_id")],
        unk_token=tokens[get("tokenizer.ggml.unknown_token_id")],
        additional_special_tokens=[t for t in control if t not in {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}],
        chat_template=get("tokenizer.chat_template"),
        clean_up_tokenization_spaces=False,
        model_max_length=get("llama.context_length"),
    )
