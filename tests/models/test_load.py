import json

import dspy
import pytest

from tests.models.tiny import save_tiny
from utta.core.errors import UttaError
from utta.core.paths import answers_folder, home
from utta.models.catalogue import DEFAULT
from utta.models.load import is_api, load, use_own_cache


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path, memory_cache):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("UTTA_CACHE", raising=False)


@pytest.mark.parametrize("name", ["no-such-model", "someone/no-such-model", "/no/such/folder"])
def test_an_unknown_model_is_told_in_one_sentence(name, capfd):
    with pytest.raises(UttaError, match=rf"^The model '{name}' is not on this machine; [^\n]*\.$"):
        load(name)
    printed = capfd.readouterr()
    assert printed.out + printed.err == "", "nothing but the sentence"


def test_a_provider_s_name_is_an_api_unless_the_model_is_here(tmp_path):
    assert is_api("openai/gpt-4o-mini") and is_api("anthropic/claude-sonnet-4-5") and is_api("ollama/llama3")
    assert not any(map(is_api, [DEFAULT, "gpt-4o-mini", "someone/small", str(tmp_path)]))
    save_tiny(home() / "models" / "openai--small")
    assert not is_api("openai/small")


def test_a_local_model_decides_and_writes_with_one_engine(tmp_path):
    save_tiny(tmp_path / "small")
    model = load(str(tmp_path / "small"))
    again = load(str(tmp_path / "small"))
    assert model.local and model.decisions.engine is again.decisions.engine
    located = model.decisions.engine.located
    assert model.version == f"{located.name}:{located.fingerprint}@"
    assert model.lm.model == model.decisions.model == f"local/{model.version}"
    assert model.lm.copy(max_tokens=3)("Hello")[0]


def test_answers_are_kept_in_our_own_folder_across_runs():
    use_own_cache()
    dspy.cache.put({"asked": 1}, {"level": "Good"})
    assert answers_folder() == home() / "answers" and any(answers_folder().iterdir())
    use_own_cache()  # as a new run does: memory is empty, the disk is not
    assert dspy.cache.get({"asked": 1}) == {"level": "Good"}
    assert dspy.cache.get({"asked": 2}) is None


def test_kept_answers_cannot_run_code(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    dspy.configure_cache(disk_cache_dir=str(answers_folder()))  # a cache without our restriction
    dspy.cache.put({"asked": 1}, Harmful())
    use_own_cache()
    assert dspy.cache.cache_key({"asked": 1}) in dspy.cache
    assert dspy.cache.get({"asked": 1}) is None
    assert not (tmp_path / "written").exists()


def test_the_cache_can_be_kept_off_the_disk(monkeypatch):
    monkeypatch.setenv("UTTA_CACHE", "off")
    use_own_cache()
    dspy.cache.put({"asked": 1}, {"level": "Good"})
    assert dspy.cache.get({"asked": 1}) == {"level": "Good"}
    assert not answers_folder().exists()


def test_a_decision_is_kept_for_the_same_weights_alone(tmp_path):
    from safetensors.torch import load_file, save_file

    state = {"instructions": "Judge.", "inputs": {"conversation": "Student: 7", "teacher_response": "Sure?"}}
    questions = {"Hint": {"instructions": "A hint?", "type": "choice", "criteria": {"No": "none", "Yes": "one"}}}
    answers = []
    for name, factor in (("one", 1.0), ("other", 0.5)):
        save_tiny(tmp_path / name)
        weights = load_file(tmp_path / name / "model.safetensors")
        weights = {k: w * (factor if "mlp" in k else 1.0) for k, w in weights.items()}
        save_file(weights, tmp_path / name / "model.safetensors", metadata={"format": "pt"})
        client = load(str(tmp_path / name)).decisions
        answers.append(client(state=state, questions=questions))
        client.probabilities = lambda *_: pytest.fail("asked again")
        assert client(state=state, questions=questions) == answers[-1]
    assert json.dumps(answers[0]) != json.dumps(answers[1])
