"""Base model and adapter as one: added up in float32, written in bf16 as a Hugging Face folder."""

import shutil
from pathlib import Path
from typing import Any

import torch

from utta.core.errors import UttaError
from utta.models.catalogue import Located

TOKENIZER = (
    "tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json tokenizer.model vocab.json merges.txt "
    "chat_template.jinja"
).split()


def merge(located: Located, adapter: Path) -> Any:
    """The model in float32 with the adapter's weights added to its own; `UttaError` when a sum is no number."""
    from peft import PeftModel

    from utta.models.engine import load_weights

    model = PeftModel.from_pretrained(load_weights(located, torch.float32), adapter)
    try:
        return model.merge_and_unload(safe_merge=True).eval()
    except ValueError as error:
        raise UttaError(f"The adapter {adapter} cannot be merged ({error}); train it anew.") from None


def write_merged(model: Any, out: Path) -> None:
    """Write the model to the folder `out`; it is cast to bf16."""
    model.to(torch.bfloat16).save_pretrained(out)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copy a model's tokenizer and chat template, byte by byte."""
    for name in TOKENIZER:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
