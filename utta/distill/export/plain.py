"""Plain LoRA: what vLLM, SGLang, llama.cpp and Ollama all load, from any adapter that is no more than that.

One rank for all layers, an explicit list of linear layers, no head, no bias, the scale alpha / rank. rsLoRA's scale
(alpha / √rank) is folded into alpha; a rank that servers do not offer is filled up with zeros, which changes nothing.
What cannot be said in these terms is refused: such an adapter is exported merged.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from utta.core.errors import UttaError
from utta.core.files import read_json, write_json

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM's --max-lora-rank may be
PREFIX = "base_model.model."
FACTORS = (".lora_A.weight", ".lora_B.weight")
# Settings of PEFT that change what the two factors mean, or add other weights to them.
FOREIGN = (
    "use_dora modules_to_save trainable_token_indices target_parameters layer_replication alora_invocation_tokens lora_bias "
    "use_qalora use_bdlora velora_config kasa_config monteclora_config arrow_config loftq_config fan_in_fan_out"
).split()
PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")  # the others change the base weights too


@dataclass(frozen=True)
class PlainLora:
    """The factors of each adapted layer by its name in the model, `down` [rank, in] and `up` [out, rank] in float32;
    a layer's weight grows by alpha / rank · up @ down."""

    rank: int
    alpha: float
    factors: dict[str, tuple[torch.Tensor, torch.Tensor]]

    @property
    def targets(self) -> list[str]:
        """The last part of the layers' names, as PEFT's `target_modules`."""
        return sorted({layer.rsplit(".", 1)[-1] for layer in self.factors})


def read_plain(folder: Path) -> PlainLora:
    """The adapter in `folder` (PEFT's format) as plain LoRA; `UttaError` says what of it other servers cannot load."""
    from safetensors.torch import load_file

    config, tensors = read_json(folder / "adapter_config.json"), load_file(folder / "adapter_model.safetensors")
    _refuse_foreign(folder, config, tensors)
    layers = sorted({_layer(name) for name in tensors})
    found = {name: tuple(tensors[PREFIX + name + part].float() for part in FACTORS) for name in layers}
    (rank,) = {down.shape[0] for down, _ in found.values()}
    alpha = config["lora_alpha"] * (math.sqrt(rank) if config.get("use_rslora") else 1)
    wide = next((r for r in RANKS if r >= rank), rank)
    factors = {name: (_padded(down, 0, wide - rank), _padded(up, 1, wide - rank)) for name, (down, up) in found.items()}
    return PlainLora(wide, alpha * wide / rank, factors)


def _refuse_foreign(folder: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    faults = [name for name in FOREIGN if config.get(name)]
    if config.get("peft_type") != "LORA":
        faults.append(f"peft_type {config.get('peft_type')}")
    if config.get("bias", "none") != "none":
        faults.append(f"bias {config['bias']}")
    if config.get("init_lora_weights", True) not in PLAIN_STARTS:
        faults.append(f"init_lora_weights {config['init_lora_weights']}")
    faults += [name for name in tensors if not name.endswith(FACTORS) or "lm_head" in name or "embed" in name][:1]
    ranks = {t.shape[0] for name, t in tensors.items() if name.endswith(FACTORS[0])}
    if len(ranks) > 1 or config.get("rank_pattern") or config.get("alpha_pattern"):
        faults.append("ranks or scales that differ between layers")
    if faults:
        raise UttaError(
            f"The adapter {folder} is more than plain LoRA ({faults[0]}), and other servers would refuse it or read it "
            "wrongly; export it with --to merged."
        )


def _layer(name: str) -> str:
    for part in FACTORS:
        name = name.removesuffix(part)
    return name.removeprefix(PREFIX)


def _padded(factor: torch.Tensor, side: int, more: int) -> torch.Tensor:
    shape = list(factor.shape)
    shape[side] = more
    return torch.cat([factor, factor.new_zeros(shape)], dim=side)


def write_peft(lora: PlainLora, base: str, layers: int, out: Path) -> None:
    """Write `lora` to the folder `out` in PEFT's format, in bf16, for the base model `base` of so many layers."""
    from safetensors.torch import save_file

    tensors = {
        f"{PREFIX}{name}{part}": factor.to(torch.bfloat16).contiguous()
        for name, pair in lora.factors.items()
        for part, factor in zip(FACTORS, pair, strict=True)
    }
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    adapted = sorted({int(part) for name in lora.factors for part in name.split(".") if part.isdigit()})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "revision": None,
        "r": lora.rank,
        "lora_alpha": int(lora.alpha) if lora.alpha == int(lora.alpha) else lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": lora.targets,
        "layers_to_transform": None if len(adapted) == layers else adapted,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "modules_to_save": None,
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
    }
    write_json(out / "adapter_config.json", config)
