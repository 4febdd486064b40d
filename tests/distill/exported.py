"""A distilled judge made on the spot: the tiny model, random LoRA weights that change its answers, a probe of random scores
beside them, and level weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.evaluate.scripted import RUBRIC, grid, put_down
from tests.models.tiny import byte_tokenizer, random_llama, save_adapter
from utta.core.files import read_json, sha256, write_json
from utta.models.catalogue import Located, locate
from utta.models.probe import Probe, Words
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import save_program

VALIDATION = grid(["eels", "foxes"], 3)
LAYERS = ("q_proj", "v_proj", "down_proj")
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "t")]


def smollm_tokenizer() -> Any:
    """The byte tokenizer with some merges, cutting text as the embedded model's does."""
    from tokenizers import pre_tokenizers

    tokenizer = byte_tokenizer(merges=MERGES)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def save_base(folder: Path) -> Located:
    """The tiny model in bf16, as hubs keep models, with a tokenizer that GGUF knows."""
    import torch

    tokenizer = smollm_tokenizer()
    random_llama(len(tokenizer), tied=True).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return locate(str(folder))


def save_judge(folder: Path, base: Located, targets: Sequence[str] = LAYERS, **config: Any) -> Path:
    """A program with an adapter on these layers of `base`; `config` changes what its adapter_config.json says."""
    save_adapter(base, folder / "adapter", seed=1, targets=tuple(targets))
    write_json(
        folder / "adapter" / "adapter_config.json",
        read_json(folder / "adapter" / "adapter_config.json") | {"lora_alpha": 8} | config,
    )
    scores = (
        np.random.default_rng(1)
        .normal(size=(read_json(base.folder / "config.json")["vocab_size"], 3))
        .astype(np.float32)
    )
    clarity = Words(tuple(RUBRIC.criteria[0].labels), scores, np.zeros(3, dtype=np.float32))
    Probe({"clarity": clarity}).save(folder / "adapter")
    data, _ = put_down(folder, VALIDATION, "validation.jsonl")
    module = TeachingEvaluator(RUBRIC)
    module.judge.fields["clarity"] = {"weights": {"Poor": 0.5, "Fair": 1.0, "Good": 0.25}}
    manifest = {
        "model": base.name,
        "base_fingerprint": base.fingerprint,
        "adapter": "aa",
        "validation": {"file": str(data), "sha256": sha256(data), "records": len(VALIDATION)},
    }
    save_program(folder, module, manifest)
    return folder
