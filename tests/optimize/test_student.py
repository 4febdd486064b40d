import pytest

from signatures.student import PROMPTS
from tests.evaluate.student.talk import TALKS
from tests.models.tiny import save_tiny
from utta.core.errors import UttaError
from utta.optimize.plan import plan_student
from utta.optimize.student import Asked, optimize_student
from utta.programs.folder import open_program
from utta.records.read import write_records


def test_the_likeliest_wording_is_chosen_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    save_tiny(tmp_path / "tiny")
    write_records(tmp_path / "talks.jsonl", TALKS[:3])
    asked = Asked("student", tmp_path / "talks.jsonl", tmp_path / "out", model=str(tmp_path / "tiny"))
    assert {name: bill["requests"] for name, bill in plan_student(asked).items()} == dict.fromkeys(PROMPTS, 3)
    assert not (tmp_path / "out").exists()
    manifest = optimize_student(asked)
    tried = {each["prompt"]: each["nll"] for each in manifest["candidates"]}
    assert set(tried) == set(PROMPTS) and tried[manifest["chosen"]] == min(tried.values())
    assert manifest["validation"]["records"] == 3
    opened = open_program(str(tmp_path / "out"))
    assert opened.module.play.signature.instructions == PROMPTS[manifest["chosen"]]
    assert optimize_student(asked) == manifest, "the same request again finds it done"


def test_only_a_local_model_has_log_probabilities(tmp_path):
    write_records(tmp_path / "talks.jsonl", TALKS[:1])
    with pytest.raises(UttaError, match=r"openai/x gives no log-probabilities"):
        optimize_student(Asked("student", tmp_path / "talks.jsonl", tmp_path / "out", model="openai/x"))
