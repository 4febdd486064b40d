"""Reading decisions with llama.cpp, where the optional package llama-cpp-python is installed (`pip install 'utta[gguf]'`)."""

import ctypes
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utta.distill.export.parity import Reference
from utta.models.render import common_prefix

NOT_INSTALLED = "not checked: llama-cpp-python is not installed"


def installed() -> bool:
    """Whether llama.cpp can be asked here."""
    return find_spec("llama_cpp") is not None


def check(reference: Reference, tokenizer: Any, model: Path, adapter: Path | None = None) -> dict[str, Any]:
    """What llama.cpp says with a model's GGUF file, and an adapter's over it, against the program."""
    from llama_cpp import Llama, __version__

    prompts = [(prompt, codes) for row in reference.rows for prompt, codes in zip(row.prompts, row.codes, strict=True)]
    llama = Llama(
        str(model),
        lora_path=str(adapter) if adapter else None,
        n_ctx=max(len(prompt) for prompt, _ in prompts) + 1,
        n_threads=torch.get_num_threads(),
        n_threads_batch=torch.get_num_threads(),
        verbose=False,
    )
    try:
        logs = [_read(llama, prompt, codes) for prompt, codes in prompts]
        texts = [tokenizer.decode(prompt).encode() for prompt, _ in prompts]
        tokens = [llama.tokenize(text, add_bos=False, special=True) for text in texts]
        template = llama.metadata.get("tokenizer.chat_template")
    finally:
        llama.close()
    return {
        "loaded_by": f"llama-cpp-python {__version__}",
        "with_the_program": reference.compare(logs, reference.as_run),
        "in_float32": reference.compare(logs, reference.exact),
        "prompts": {
            "n": len(prompts),
            "same_tokens": sum(a == b for a, (b, _) in zip(tokens, prompts, strict=True)),
            "same_template": template == tokenizer.chat_template,
        },
    }


def _read(llama: Any, prompt: list[int], codes: tuple[int, ...]) -> Any:
    """The log-probabilities of the codes after a prompt; what it shares with the one before is not computed again."""
    import llama_cpp

    before = llama.input_ids[: llama.n_tokens].tolist()
    llama.n_tokens = min(common_prefix([before, prompt]), len(prompt) - 1)
    llama.eval(prompt[llama.n_tokens :])
    pointer = ctypes.cast(llama_cpp.llama_get_logits_ith(llama.ctx, -1), ctypes.POINTER(ctypes.c_float))
    logits = np.ctypeslib.as_array(pointer, shape=(llama.n_vocab(),))[list(codes)].astype(np.float64)
    return logits - np.logaddexp.reduce(logits)
