import json

import pytest

from tests.models.tiny import save_adapter, save_tiny
from utta.core.errors import UttaError
from utta.core.files import read_json, write_json
from utta.models.catalogue import DEFAULT, locate
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import open_program, save_program
from utta.records.rubrics import find_rubric

RUBRIC = find_rubric("mrbench").only(["Mistake_Identification", "Revealing_of_the_Answer"])
INPUTS = {
    "grade_level": "",
    "subject": "",
    "context": "",
    "conversation": "Student: 3 × 4 is 7",
    "teacher_response": "It is 12.",
}
WEIGHTS = {"No": 0.5, "To some extent": 4.0, "Yes": 1.0}
DEMO = {**INPUTS, "teacher_response": "Look again.", "Mistake_Identification": "Yes", "augmented": True}


def uncertain(state, questions):
    return [[0.5, 0.3, 0.2] for _ in questions]


@pytest.fixture
def made(tmp_path, scripted):
    """A program with weights and a demonstration, saved while it was bound to a model."""
    program = TeachingEvaluator(RUBRIC).use(scripted(uncertain))
    program.judge.fields["Mistake_Identification"] = {"weights": WEIGHTS}
    program.judge.demos = [DEMO]
    save_program(tmp_path / "judge", program, {"model": DEFAULT, "seed": 3})
    assert program.judge.lm is not None, "saving leaves the program as it was"
    return tmp_path / "judge"


def test_a_saved_program_opens_as_it_was(made, scripted):
    opened = open_program(str(made))
    assert (opened.name, opened.model_name, opened.folder, opened.adapter) == ("evaluator", DEFAULT, made, None)
    assert opened.module.rubric == RUBRIC and opened.module.judge.lm is None
    assert opened.module.judge.fields["Mistake_Identification"]["weights"] == WEIGHTS
    asked = []

    def script(state, questions):
        asked.append(state)
        return uncertain(state, questions)

    judged = opened.module.use(scripted(script))(**INPUTS)
    assert judged["Mistake_Identification"].value == "To some extent", "the weights decide"
    assert judged["Revealing_of_the_Answer"].value == "No"
    (shown,) = asked[0]["demos"]
    assert shown["teacher_response"] == "Look again." and shown["Mistake_Identification"] == "Yes"


def test_the_manifest_says_what_was_made_and_comes_last(made):
    manifest = read_json(made / "manifest.json")
    assert (manifest["kind"], manifest["schema_version"], manifest["program"]) == ("program", 1, "evaluator")
    assert manifest["rubric"] == {"id": "mrbench", "hash": RUBRIC.hash, "criteria": [c.id for c in RUBRIC.criteria]}
    assert (manifest["model"], manifest["seed"]) == (DEFAULT, 3)
    assert {"utta", "dspy", "torch", "transformers"} <= set(manifest["versions"])
    (made / "manifest.json").unlink()
    with pytest.raises(UttaError, match=r"is no program: give evaluator, student, tutor, coach, or a folder .*\.$"):
        open_program(str(made))


def test_the_state_is_plain_json_without_a_model(made):
    text = (made / "program.json").read_text(encoding="utf-8")
    assert json.loads(text)["judge"]["lm"] is None
    assert "scripted" not in text and not list(made.glob("*.pkl"))


def test_a_changed_rubric_is_refused(made):
    rubric = made / "rubric.yaml"
    rubric.write_text(rubric.read_text(encoding="utf-8").replace("treats it as correct", "is silent"), encoding="utf-8")
    with pytest.raises(
        UttaError, match=rf"rubric\.yaml was changed after .* not {RUBRIC.hash}\); put it back, or .*\.$"
    ):
        open_program(str(made))


@pytest.mark.parametrize("content", ["criteria: []", "- not a rubric", None])
def test_a_rubric_that_cannot_be_read_is_told(made, content):
    if content is None:
        (made / "rubric.yaml").unlink()
    else:
        (made / "rubric.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UttaError, match=r"^The rubric in .* cannot be read \(.*\); make the program anew\.$"):
        open_program(str(made))


def test_a_state_that_is_cut_off_is_told(made):
    (made / "program.json").write_text('{"judge": ', encoding="utf-8")
    with pytest.raises(UttaError, match=r"program\.json is not valid JSON"):
        open_program(str(made))


def test_another_model_may_run_prompts_but_not_an_adapter(made):
    assert open_program(str(made), model="openai/gpt-4o-mini").model_name == "openai/gpt-4o-mini"
    write_json(made / "manifest.json", read_json(made / "manifest.json") | {"adapter": "0123456789ab"})
    (made / "adapter").mkdir()
    assert open_program(str(made)).adapter == made / "adapter"
    assert open_program(str(made), model=DEFAULT).model_name == DEFAULT
    with pytest.raises(UttaError, match=rf"holds an adapter for {DEFAULT}, so it cannot run on phi-3-mini; .*\.$"):
        open_program(str(made), model="phi-3-mini")


def test_the_unoptimised_evaluator_needs_a_rubric():
    program = open_program("evaluator", RUBRIC)
    assert (program.model_name, program.folder, program.adapter) == (DEFAULT, None, None)
    assert open_program("evaluator", RUBRIC, "phi-3-mini").model_name == "phi-3-mini"
    with pytest.raises(UttaError, match=r"needs a rubric; name one with --rubric\.$"):
        open_program("evaluator")


@pytest.mark.parametrize("name", ["nothing-here", "tutor!"])
def test_a_folder_that_is_no_program_is_told(name, tmp_path):
    with pytest.raises(UttaError, match=rf"{name}' is no program: "):
        open_program(str(tmp_path / name))


@pytest.mark.usefixtures("memory_cache")
def test_a_program_answers_with_its_own_adapter(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_CACHE", "off")
    save_tiny(tmp_path / "tiny")
    base = open_program("evaluator", RUBRIC, str(tmp_path / "tiny"))
    save_program(tmp_path / "judge", base.module, {"model": base.model_name, "adapter": "of this test"})
    save_adapter(locate(base.model_name), tmp_path / "judge" / "adapter", 1)
    distilled = open_program(str(tmp_path / "judge"))
    versions = [program.load_model(cache=False).version for program in (base, distilled)]
    assert versions[1].startswith(versions[0]) and len(versions[1]) == len(versions[0]) + 12
    before, after = base(**INPUTS), distilled(**INPUTS)
    assert all(before[c.id].probabilities != after[c.id].probabilities for c in RUBRIC.criteria)
    assert base.module(**INPUTS).effectiveness == pytest.approx(before.effectiveness, abs=1e-6)
    fresh = open_program(str(tmp_path / "judge"))(**INPUTS)  # loads its own weights
    assert all(fresh[c.id].probabilities == pytest.approx(after[c.id].probabilities, abs=1e-6) for c in RUBRIC.criteria)
