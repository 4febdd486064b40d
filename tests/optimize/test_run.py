"""`optimize`: which demonstrations are chosen, and that a run goes on where it was."""

import pytest

from tests.evaluate.scripted import RUBRIC, decisions, grid, hashed, knowing, make_review, put_down
from utta.core.errors import UttaError
from utta.core.files import JsonLines, read_json
from utta.evaluate.calibrate import examples
from utta.evaluate.predict import read_predictions
from utta.optimize.run import Asked, optimize
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import open_program, save_program
from utta.records.read import read_reviews, write_records

TRAIN = grid(["ants", "bees", "cats", "dogs", "eels"], 2)
VALIDATION = grid(["foxes", "goats", "hens", "ibex"], 3)


@pytest.fixture
def asked(tmp_path):
    """A request on the small rubric; keywords change it."""
    train, rubric = put_down(tmp_path, TRAIN, "train.jsonl")
    validation, _ = put_down(tmp_path, VALIDATION, "validation.jsonl")
    settings = {
        "program": "evaluator",
        "train": train,
        "validation": validation,
        "out": tmp_path / "prompted",
        "model": "scripted",
        "rubric": str(rubric),
    }
    return lambda **more: Asked(**settings | more)


def helped_by_demonstrations(state, criterion, labels):
    """A judge that knows the level where it was shown demonstrations, and guesses where it was not."""
    right = knowing(VALIDATION)
    return right(state, criterion, labels) if state.get("demos") else hashed(state, criterion, labels)


def without_times(manifest):
    return {name: value for name, value in manifest.items() if name != "created"}


def test_demonstrations_that_help_are_chosen(asked, judge):
    scripted = judge(helped_by_demonstrations, cache=True)
    manifest = optimize(asked())
    assert manifest["chosen"] == "2 demonstrations, set 1"  # among equals the fewest
    assert [each["demonstrations"] for each in manifest["candidates"]] == [
        "as it was", "2 demonstrations, set 1", "2 demonstrations, set 2", "4 demonstrations, set 1", "4 demonstrations, set 2",
    ]  # fmt: skip
    assert manifest["candidates"][0]["macro_f1_weighted"] < 1 == manifest["candidates"][1]["macro_f1_weighted"]
    assert manifest["train"]["records"] == 10 and manifest["validation"]["records"] == 12
    assert set(manifest["calibration"]["halves"]) == {"likeliest", "reanchor", "weights"}

    opened = open_program(str(asked().out))
    assert opened.module.rubric == RUBRIC and len(opened.module.judge.demos) == 2
    known = {review.response: review for review in read_reviews(asked().train).reviews}
    shown = [known[demo["teacher_response"]] for demo in opened.module.judge.demos]
    assert all(demo["clarity"] == r.levels["clarity"] for demo, r in zip(opened.module.judge.demos, shown, strict=True))
    assert len({review.problem for review in shown}) == 2
    # It shows them when it judges, and only labels, never who wrote the response.
    scripted.states.clear()
    opened.load_model()
    opened.module(conversation="Student: 7", teacher_response=VALIDATION[0].response)
    demos = scripted.states[0]["demos"]
    assert [set(demo) - {"clarity", "tone"} for demo in demos] == [set(scripted.states[0]["inputs"]) | INPUTS] * 2


INPUTS = {"grade_level", "subject", "context"}


def test_demonstrations_that_do_not_help_are_left_out(asked, judge):
    judge(knowing(VALIDATION), cache=True)
    manifest = optimize(asked(shots=(2,), tries=1))
    assert manifest["chosen"] == "as it was" and open_program(str(asked().out)).module.judge.demos == []


def test_demonstrations_that_do_not_fit_are_left_out(asked, judge, capsys):
    def narrow(state, criterion, labels):
        if len(state.get("demos", ())) > 2:
            raise UttaError("A prompt has 9000 tokens and scripted reads at most 4096: shorten the conversation.")
        return hashed(state, criterion, labels)

    judge(narrow, cache=True)
    manifest = optimize(asked(tries=1))
    assert [each["demonstrations"] for each in manifest["candidates"]] == ["as it was", "2 demonstrations, set 1"]
    assert "Left out: 4 demonstrations, set 1. A prompt has 9000 tokens" in capsys.readouterr().err


def test_a_program_that_was_made_anew_is_another_request(asked, judge, tmp_path):
    judge(cache=True)
    module = TeachingEvaluator(RUBRIC)
    for number, demos in enumerate((TRAIN[:1], TRAIN[1:2])):
        module.judge.demos = examples(module, demos)
        save_program(tmp_path / "judge", module, {"model": "scripted"})
        request = asked(program=str(tmp_path / "judge"), optimizer="calibrate", model=None)
        if number == 0:
            optimize(request)
        else:
            with pytest.raises(UttaError, match="holds a run with another state"):
                optimize(request)


def test_calibration_alone(asked, judge):
    scripted = judge(cache=True)
    manifest = optimize(asked(optimizer="calibrate"))
    assert [each["demonstrations"] for each in manifest["candidates"]] == ["as it was"]
    assert set(manifest["calibration"]["criteria"]) == {"clarity", "tone"}
    fitted = {name: {"weights": told["weights"]} for name, told in manifest["calibration"]["criteria"].items()}
    assert open_program(str(asked().out)).module.judge.fields == fitted
    assert sorted(scripted.asked) == sorted(review.response for review in VALIDATION)


def test_demonstrations_are_fully_labelled(asked, judge):
    write_records(asked().train, [make_review(n, f"p{n}", tone=None if n < 4 else "Warm") for n in range(6)])
    judge(helped_by_demonstrations, cache=True)
    manifest = optimize(asked(tries=1))
    assert [each["demonstrations"] for each in manifest["candidates"]] == ["as it was", "2 demonstrations, set 1"]


def test_an_interrupted_run_goes_on(asked, judge, tmp_path, monkeypatch):
    judge(helped_by_demonstrations, cache=False)
    monkeypatch.setattr("utta.optimize.run.beside_reanchor", lambda *_: {})  # it needs the cache
    whole = optimize(asked(out=tmp_path / "unbroken", tries=1))

    append, written = JsonLines.append, []

    def interrupted(log, values):
        if len(written) == 17:  # in the second of three candidates
            raise KeyboardInterrupt
        append(log, values)
        written.append(values)

    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            optimize(asked(tries=1))
    assert not (asked().out / "manifest.json").exists()
    assert len(read_predictions(asked().out / "candidate-1")) == 2 * 5
    scripted = judge(helped_by_demonstrations, cache=False)
    assert without_times(optimize(asked(tries=1))) == without_times(whole)
    assert len(scripted.asked) == 3 * 12 - 17
    for name in ("candidate-0", "candidate-1", "candidate-2"):
        assert decisions(asked().out / name) == decisions(tmp_path / "unbroken" / name)
    scripted.states.clear()
    assert optimize(asked(tries=1)) == read_json(asked().out / "manifest.json") and scripted.states == []


def test_a_folder_belongs_to_one_request(asked, judge):
    judge(cache=True)
    optimize(asked(optimizer="calibrate"))
    with pytest.raises(UttaError, match="holds a run with another optimizer"):
        optimize(asked(seed=1, optimizer="calibrate"))


def test_a_model_that_is_missing_leaves_the_folder_free(asked):
    with pytest.raises(UttaError, match="The model 'scripted' is not on this machine"):
        optimize(asked())
    assert not asked().out.exists()


def test_a_problem_in_both_files_is_refused(asked, judge):
    scripted = judge()
    write_records(asked().validation, [*VALIDATION, make_review(999, "cats")])
    with pytest.raises(
        UttaError, match=r"1 problems stand in both .*train\.jsonl.*\(the first: cats\); split by problem"
    ):
        optimize(asked())
    assert scripted.asked == [] and not asked().out.exists()


def test_other_faults_of_a_request(asked, judge):
    scripted = judge()
    with pytest.raises(UttaError, match="There is no optimizer 'gepa'; choose calibrate or fewshot"):
        optimize(asked(optimizer="gepa"))
    write_records(asked().validation, [make_review(1, "goats", clarity=None, tone=None)])
    with pytest.raises(UttaError, match=r"No review in .*validation\.jsonl has a label on the program's criteria"):
        optimize(asked())
    assert scripted.asked == [] and not asked().out.exists()


def test_a_distilled_program_keeps_its_adapter_and_gets_new_weights(asked, judge, tmp_path):
    judge(cache=True)
    module = TeachingEvaluator(RUBRIC)
    module.judge.demos = examples(module, TRAIN[:1])
    save_program(tmp_path / "judge", module, {"model": "scripted", "adapter": "a1b2"})
    (tmp_path / "judge" / "adapter").mkdir()
    (tmp_path / "judge" / "adapter" / "base.json").write_text('{"name": "scripted"}')
    manifest = optimize(asked(program=str(tmp_path / "judge"), optimizer="calibrate", model=None, rubric=None))
    assert manifest["adapter"] == "a1b2" and manifest["model"] == "scripted"
    assert (asked().out / "adapter" / "base.json").read_text() == '{"name": "scripted"}'
    assert len(open_program(str(asked().out)).module.judge.demos) == 1
