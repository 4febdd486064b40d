"""Language models that are made on the spot: two layers with random weights and a tokenizer of single bytes.

They take the same paths through the engine as real ones and need no download: one is a Llama, one a Phi-3. Their answers
mean nothing, so tests hold them against each other and never against a text.
"""

from pathlib import Path
from typing import Any

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PHI3_CONTROL = ["<unk>", "<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
PHI3_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)


def byte_tokenizer(template: str = TEMPLATE, merges: list[tuple[str, str]] | None = None, without: str = "") -> Any:
    """A tokenizer with a token for each byte, for each merge, and for the control tokens of a ChatML template; `without` are
    letters of the byte alphabet whose bytes have none."""
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    control = [AddedToken(token, special=True, normalized=False) for token in CONTROL]
    return PreTrainedTokenizerFast(
        tokenizer_object=_of_bytes(control, merges or [], without),
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        additional_special_tokens=["<file_sep>"],
        chat_template=template,
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def phi3_tokenizer() -> Any:
    """The same with Phi-3's tags, which swallow the white space after them, and its template, which ends with one."""
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    control = [AddedToken(t, special=True, normalized=False, rstrip=t[1] == "|") for t in PHI3_CONTROL]
    return PreTrainedTokenizerFast(
        tokenizer_object=_of_bytes(control, [], ""),
        bos_token="<s>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<unk>",
        chat_template=PHI3_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def marking_tokenizer(template: str = TEMPLATE) -> Any:
    """A tokenizer of single letters that marks where a text begins, as SentencePiece does."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {chr(i): i for i in range(128)} | {"▁": 128, "×": 129}
    core = Tokenizer(models.WordLevel(letters, unk_token="×"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Split(Regex(""), "isolated")]
    )
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="×", chat_template=template)


def _of_bytes(control: list[Any], merges: list[tuple[str, str]], without: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokens = [str(token.content) for token in control] + sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(without))
    tokens += [left + right for left, right in merges]
    core = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(control)
    return core


def random_llama(vocabulary: int, tied: bool = False) -> Any:
    """Two layers of Llama with random weights, always the same, large enough to make some tokens far likelier."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=tied,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return LlamaForCausalLM(config)


def save_tiny(folder: Path, may_end: bool = False, closes_json: bool = False) -> None:
    """The tiny model in a folder, as a hub download would leave it; its texts end of themselves where they `may_end`, and
    those within JSON where it `closes_json`."""
    tokenizer = byte_tokenizer()
    model = random_llama(len(tokenizer))
    # It writes letters, digits and spaces alone: random bytes would seldom be text, and random ends come soon. A schema may
    # ask for other signs.
    for i, token in enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer)))):
        legible = token == "Ġ" or (token.isascii() and token.isalnum())
        if not legible and not (may_end and i == model.config.eos_token_id):
            model.lm_head.weight.data[i] = 0
    if closes_json:  # a text in it, as often as it writes an "e"
        quote, e = tokenizer.convert_tokens_to_ids(['"', "e"])
        model.lm_head.weight.data[quote] = model.lm_head.weight.data[e]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_tiny_phi3(folder: Path) -> None:
    """A Phi-3 in a folder: its layers and their names, its window of 2,047 tokens, its tokenizer's ways; two layers of it."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer = phi3_tokenizer()
    config = Phi3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        original_max_position_embeddings=4096,
        sliding_window=2047,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        Phi3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_adapter(
    located: Any,
    folder: Path,
    seed: int,
    made_for: str = "",
    targets: tuple[str, ...] = ("q_proj", "v_proj", "down_proj"),
) -> Path:
    """An untrained adapter for a model, whose random weights change every answer."""
    import torch
    from peft import LoraConfig, get_peft_model

    from utta.core.files import write_json
    from utta.models.engine import load_weights

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LoraConfig(r=4, lora_alpha=64, target_modules=list(targets), init_lora_weights=False)
        get_peft_model(load_weights(located, torch.float32), config).save_pretrained(folder)
    write_json(folder / "base.json", {"name": located.name, "fingerprint": made_for or located.fingerprint})
    return folder
