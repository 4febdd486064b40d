"""`evaluate`: what a run says, for which request a folder stands, and what the judge is shown."""

import json
from pathlib import Path

import pytest

from signatures.rubric import Rubric
from tests.evaluate.scripted import RUBRIC, SAMPLES, grid, hashed, knowing, make_review, put_down
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.evaluate.run import Asked, evaluate
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import save_program
from utta.records.read import read_reviews, write_records
from utta.records.rubrics import find_rubric
from utta.reports.results import check_results
from utta.reports.verdict import warnings

REVIEWS = grid(["ants", "bees", "cats"], 4)


@pytest.fixture
def asked(tmp_path):
    """A request on the small rubric; keywords change it."""
    data, rubric = put_down(tmp_path, REVIEWS)
    settings = {"program": "evaluator", "data": data, "out": tmp_path / "run", "rubric": str(rubric)}
    return lambda **more: Asked(**settings | more)


def tuned(folder: Path, weights=None, rubric=RUBRIC, demos=(), whole=None, **manifest) -> str:
    """A saved program, with level weights for the first criterion."""
    module = TeachingEvaluator(rubric)
    if weights:
        module.judge.fields[rubric.criteria[0].id] = {"weights": weights}
    module.judge.demos = list(demos)
    save_program(folder, module, {"model": "scripted", **manifest}, whole)
    return str(folder)


def test_a_run_tells_the_whole_story(asked, judge):
    judge()
    results = evaluate(asked())
    assert read_json(asked().out / "results.json") == json.loads(json.dumps(results))
    checked = check_results(results)
    assert checked.rubric.id == "small" and checked.data.sha256 == sha256(asked().data)
    assert (checked.data.records, checked.data.problems, checked.times_scored) == (12, 3, 0)
    assert results["model"] == "scripted" and results["seed"] == 0
    assert {"utta", "dspy", "torch", "transformers"} <= results["versions"].keys()
    assert all(Path(path).is_file() for path in results["paths"].values())
    assert results["counts"] == {
        "decisions": 24,
        "scored": 24,
        "unscored": 0,
        "errors": 0,
        "rejects": 0,
        "withheld": {},
    }


def test_scored_unscored_errors_and_rejects_are_counted_apart(tmp_path, judge, capsys):
    reviews = [
        make_review(1, "ants"),
        make_review(2, "ants", tone=None),
        make_review(3, "bees", clarity=None),
        make_review(4, "bees"),
        make_review(5, "bees"),
        make_review(6, "cats", clarity=None, tone=None),  # judged, and in no figure
    ]
    data, rubric = put_down(tmp_path, reviews)
    odd = make_review(7, "cats", tone="Lukewarm").model_dump_json()
    data.write_text(data.read_text(encoding="utf-8") + odd + "\n{\n", encoding="utf-8")

    def failing(state, criterion, labels):
        if state["inputs"]["teacher_response"] == reviews[4].response:
            raise ValueError("it fails")
        return hashed(state, criterion, labels)

    scripted = judge(failing)
    results = evaluate(Asked("evaluator", data, tmp_path / "run", rubric=str(rubric)))
    assert results["counts"] == {"decisions": 12, "scored": 6, "unscored": 4, "errors": 2, "rejects": 2, "withheld": {}}
    assert {name: found["n"] for name, found in results["criteria"].items()} == {"clarity": 3, "tone": 3}
    assert (results["data"]["records"], results["data"]["problems"]) == (6, 2)
    assert reviews[5].response in scripted.asked
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Judging")]
    assert len(said) == 1 and said[0].startswith(f"2 faulty lines were put aside in {tmp_path}/reviews.rejects.jsonl")


def test_the_judge_sees_neither_the_responder_nor_the_labels(asked, judge):
    secret = [
        make_review(1, "ants", responder="Sphinx-9", reviewer="Rev-7", rationale="Because-5", metadata={"m": "Meta-3"}),
        make_review(2, "bees", responder="Sphinx-9", improved_response="Better-8"),
    ]
    write_records(asked().data, secret)
    scripted = judge()
    evaluate(asked())
    told = json.dumps(scripted.states)
    for word in ("Sphinx-9", "Rev-7", "Because-5", "Meta-3", "Better-8", "dialogue-ants"):
        assert word not in told
    for state in scripted.states:
        names = {"grade_level", "subject", "context", "conversation", "teacher_response"}
        assert state["inputs"].keys() == names
    # It stands in the predictions, for slicing.
    assert all(line["responder"] == "Sphinx-9" for line in map(json.loads, open_lines(asked().out)))


def open_lines(run):
    return (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()


def test_only_the_criteria_that_the_data_labels_are_asked(asked, judge):
    write_records(asked().data, [make_review(n, f"p{n}", tone=None) for n in range(3)])
    judge()
    assert set(evaluate(asked())["criteria"]) == {"clarity"}
    with pytest.raises(UttaError, match=r"has no criterion 'warmth'; it has clarity, tone\."):
        evaluate(asked(criteria=("warmth",)))


def test_criteria_that_are_asked_for(asked, judge):
    judge()
    results = evaluate(asked(criteria=("tone",)))
    assert set(results["criteria"]) == {"tone"} and results["counts"]["decisions"] == 12


def test_a_folder_belongs_to_one_request(asked, judge, tmp_path):
    scripted = judge()
    evaluate(asked())
    before = len(scripted.asked)
    evaluate(asked())
    assert len(scripted.asked) == before
    for change in ({"seed": 1}, {"criteria": ("tone",)}, {"program": tuned(tmp_path / "program")}):
        with pytest.raises(UttaError, match=r"holds a run with another .*; give another --out, or remove that folder"):
            evaluate(asked(**change))
    write_records(asked().data, REVIEWS[:-1])
    with pytest.raises(UttaError, match="holds a run with another data"):
        evaluate(asked())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(UttaError, match="is not empty and holds no run"):
        evaluate(asked(out=tmp_path / "other"))
    assert len(scripted.asked) == before


def test_a_program_with_other_demonstrations_is_another_request(asked, judge, tmp_path):
    """A program that was made anew in the same folder must not be given its predecessor's answers."""
    judge()
    demo = {"conversation": "Student: 7", "teacher_response": "Why?", "clarity": "Good", "tone": "Warm"}
    folder = tuned(tmp_path / "program", demos=[demo])
    evaluate(asked(program=folder))
    tuned(tmp_path / "program", demos=[demo | {"clarity": "Poor"}])
    with pytest.raises(UttaError, match="holds a run with another state"):
        evaluate(asked(program=folder))


def test_times_scored_counts_the_tuned_programs_on_this_data(asked, judge, tmp_path):
    judge()
    one = tuned(tmp_path / "one", {"Poor": 0.5, "Fair": 1.0, "Good": 1.0})
    two = tuned(tmp_path / "two", {"Poor": 0.1, "Fair": 1.0, "Good": 1.0})

    def times(**change):
        return evaluate(asked(**change))["times_scored"]

    assert times() == 0  # nothing was chosen: the plain evaluator does not count
    assert times(program=one, out=tmp_path / "run-1") == 1
    assert times(program=one, out=tmp_path / "run-1") == 1
    assert times(program=one, out=tmp_path / "run-1-again") == 1
    assert times(program=two, out=tmp_path / "run-2") == 2
    assert times(out=tmp_path / "run-plain") == 0
    write_records(asked().data, REVIEWS[:8])
    assert times(program=two, out=tmp_path / "run-3") == 1


def test_a_saved_program_decides_with_its_weights_and_keeps_the_probabilities(asked, judge, tmp_path):
    judge(lambda state, criterion, labels: [0.5, 0.3, 0.2][: len(labels)])
    results = evaluate(asked(program=tuned(tmp_path / "program", {"Poor": 0.1, "Fair": 1.0, "Good": 1.0})))
    lines = [json.loads(line) for line in open_lines(asked().out)]
    assert {line["label"] for line in lines if line["criterion"] == "clarity"} == {"Fair"}
    assert all(line["probabilities"]["Poor"] == 0.5 for line in lines if line["criterion"] == "clarity")
    assert sum(results["criteria"]["clarity"]["confusion"][0]) == results["criteria"]["clarity"]["confusion"][0][1]


def test_labels_are_held_against_a_saved_programs_rubric(asked, judge, tmp_path):
    judge()
    program = tuned(tmp_path / "program")
    reviews = [*REVIEWS, make_review(999, "dogs", clarity="Splendid")]
    write_records(asked().data, reviews)
    results = evaluate(asked(program=program, rubric=None))
    assert results["counts"]["rejects"] == 1 and results["data"]["records"] == 12
    with pytest.raises(UttaError, match=r"judges clarity, tone and nothing else; leave --criteria out\."):
        evaluate(asked(program=program, rubric=None, criteria=("tone",)))


def test_a_program_may_judge_a_part_of_a_rubric(judge, tmp_path):
    judge()
    rubric = find_rubric("utta")
    program = tuned(tmp_path / "program", {"Poor": 0.5}, rubric.only(["engagement"]), whole=rubric)
    results = evaluate(Asked(program, SAMPLES, tmp_path / "run"))
    assert set(results["criteria"]) == {"engagement"}
    asked = len(read_reviews(SAMPLES).reviews)
    counts = {"decisions": asked, "scored": asked, "unscored": 0, "errors": 0, "rejects": 0, "withheld": {}}
    assert results["counts"] == counts
    with pytest.raises(UttaError, match="has not the criteria that the program judges"):
        evaluate(Asked(program, SAMPLES, tmp_path / "run", rubric="mrbench"))


def test_baselines_come_from_the_file_that_the_program_was_trained_on(asked, judge, tmp_path):
    judge()
    train = tmp_path / "train.jsonl"
    write_records(train, [*grid(["dogs", "eels"], 6), make_review(999, "dogs", clarity="Splendid")])
    program = tuned(tmp_path / "program", train={"file": str(train), "sha256": sha256(train)})
    results = evaluate(asked(program=program))
    assert results["baseline_train"] == {"file": str(train), "sha256": sha256(train)}
    assert set(results["mean"]["baselines"]) == {"commonest", "tfidf"}
    assert set(results["against_tfidf"]["criteria"]) == {"clarity", "tone"}
    train.write_text("changed\n")
    results = evaluate(asked(program=program))
    assert results["baseline_train"] is None and results["mean"]["baselines"] == {}
    write_records(train, grid(["dogs"], 6))
    assert evaluate(asked(program=program, baseline_train=train))["baseline_train"]["sha256"] == sha256(train)


def test_responses_that_no_expert_judged_are_judged(asked, judge, tmp_path):
    judge()
    new = [make_review(n, "newts", clarity=None, tone=None) for n in range(3)]
    write_records(asked().data, new)
    results = evaluate(asked(program=tuned(tmp_path / "program")))
    assert results["counts"] == {"decisions": 6, "scored": 0, "unscored": 6, "errors": 0, "rejects": 0, "withheld": {}}
    assert len(open_lines(asked().out)) == 6 and results["criteria"] == {}
    check_results(results)
    plain = evaluate(asked(criteria=("tone",), out=tmp_path / "plain"))
    assert plain["counts"]["unscored"] == 3


def test_problems_that_the_judge_has_seen_before_are_told(asked, judge, tmp_path):
    judge()
    train = tmp_path / "train.jsonl"
    write_records(train, grid(["ants", "dogs"], 6))
    program = tuned(tmp_path / "program", train={"file": str(train), "sha256": sha256(train)})
    results = evaluate(asked(program=program))
    assert results["seen_problems"] == {"train": 1}
    assert "1 problem of 3 stood in the judge's own train data" in warnings(check_results(results))[0]
    with pytest.raises(UttaError, match=r"1 problems stand in both .*\(the first: ants\); split by problem"):
        evaluate(asked(baseline_train=train, out=tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    assert results["unseen_files"] == []


def test_a_file_learned_from_that_has_changed_is_told(asked, judge, tmp_path):
    judge()
    train = tmp_path / "train.jsonl"
    write_records(train, grid(["ants", "dogs"], 6))
    program = tuned(tmp_path / "program", train={"file": str(train), "sha256": "0" * 64})
    results = evaluate(asked(program=program))
    assert results["seen_problems"] == {} and results["unseen_files"] == [str(train)]
    assert f"{train}, which was learned from, is gone or has changed" in warnings(check_results(results))[0]


def test_a_run_against_another(asked, judge, tmp_path):
    judge(knowing(REVIEWS))
    evaluate(asked())
    nothing = evaluate(asked(out=tmp_path / "same", against=asked().out))["comparison"]
    assert nothing["run"] == str(asked().out) and nothing["n"] == {"clarity": 12, "tone": 12}
    assert nothing["mean"]["macro_f1"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    judge(name="worse")
    worse = evaluate(asked(out=tmp_path / "worse", against=asked().out))
    assert worse["comparison"]["mean"]["accuracy"]["value"] < 0
    assert worse["comparison"]["mean"]["accuracy"]["high"] < 0
    check_results(worse)
    with pytest.raises(UttaError, match="is no evaluation run"):
        evaluate(asked(against=tmp_path))


def test_a_run_is_compared_with_a_finished_run_on_the_same_levels(asked, judge, tmp_path):
    judge()
    evaluate(asked())
    raw = RUBRIC.model_dump(mode="json")
    raw["criteria"][1]["levels"].append({"label": "Hot", "means": "it is hot", "value": 1.0, "good": True})
    (tmp_path / "three.yaml").write_text(Rubric.parse(raw).dump(), encoding="utf-8")
    with pytest.raises(UttaError, match=r"judged tone on other levels .* than Cold, Warm, Hot; evaluate it on this"):
        evaluate(asked(rubric=str(tmp_path / "three.yaml"), out=tmp_path / "three", against=asked().out))
    (asked().out / "results.json").unlink()
    with pytest.raises(UttaError, match="is not finished; give the same command again"):
        evaluate(asked(out=tmp_path / "second", against=asked().out))


def test_the_time_of_a_finished_run_stays(asked, judge):
    judge(seconds=0.02)
    before = evaluate(asked())["seconds"]
    assert before >= 0.2 and evaluate(asked())["seconds"] == before


def test_gates_stand_in_the_results(asked, judge):
    judge(knowing(REVIEWS))
    results = evaluate(asked(gates=("macro_f1 >= 0.9", "tone.accuracy < 0.5")))
    assert [(gate["value"], gate["passed"]) for gate in results["gates"]] == [(1.0, True), (1.0, False)]


def test_a_rubric_that_does_not_ship_must_be_named(asked, judge):
    scripted = judge()
    with pytest.raises(UttaError, match="on the rubric 'small', which does not ship; give its file with --rubric"):
        evaluate(asked(rubric=None))
    with pytest.raises(UttaError, match=r"no usable review: all 12 are faulty.*'clarity' is not in the rubric mrbench"):
        evaluate(asked(rubric="mrbench"))
    write_records(asked().data, [make_review(1, "ants", clarity=None, tone=None)])
    with pytest.raises(UttaError, match="has a label of the rubric small"):
        evaluate(asked())
    assert scripted.asked == [] and not asked().out.exists()


def test_samples_need_no_rubric(judge, tmp_path):
    judge()
    results = evaluate(Asked("evaluator", SAMPLES, tmp_path / "run"))
    assert results["rubric"]["id"] == "utta" and results["counts"]["scored"] == 5 * len(read_reviews(SAMPLES).reviews)


def test_looking_for_problems_seen_before_writes_nothing(asked, judge, tmp_path):
    """The rejects of the training file are those that its reading with the rubric put aside."""
    judge()
    train = tmp_path / "train.jsonl"
    write_records(train, [*grid(["dogs", "eels"], 6), make_review(999, "dogs", clarity="Splendid")])
    train.write_text(train.read_text(encoding="utf-8") + "{\n", encoding="utf-8")
    evaluate(asked(program=tuned(tmp_path / "program", train={"file": str(train), "sha256": sha256(train)})))
    assert len((tmp_path / "train.rejects.jsonl").read_text(encoding="utf-8").splitlines()) == 2
