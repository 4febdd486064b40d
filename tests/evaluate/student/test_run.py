import json

import pytest
from click.testing import CliRunner

from tests.evaluate.student.talk import TALKS
from tests.models.tiny import save_tiny
from utta.cli.main import cli
from utta.core.errors import UttaError
from utta.core.files import read_json
from utta.evaluate.student.run import Asked, evaluate_student
from utta.records.read import write_records

ROUNDING = 1e-4  # which texts are read in one pass is chance, and in bf16 it shows


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with dialogues and a tiny model that writes real text at random."""
    folder = tmp_path_factory.mktemp("student")
    save_tiny(folder / "tiny")
    write_records(folder / "talks.jsonl", TALKS)
    return folder


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")


def asked(place, out, **more):
    return Asked("student", place / "talks.jsonl", place / out, model=str(place / "tiny"), cache=False, **more)


@pytest.fixture(scope="module")
def made(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UTTA_HOME", str(place / "home"))
        patch.setenv("UTTA_CACHE", "off")
        return evaluate_student(asked(place, "made"))


def utta(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_every_scene_is_played_every_turn_scored_and_every_figure_has_its_n(place, made):
    assert made["counts"] | {"withheld": {}} == {
        "dialogues": 10, "turns": 30, "scenes": 50, "errors": 0, "rejects": 0, "withheld": {},
    }  # fmt: skip
    lines = [json.loads(line) for line in (place / "made" / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 50 and all(set(line) == {"record_id", "turn", "teacher", "student_turn"} for line in lines)
    scored = [json.loads(line) for line in (place / "made" / "scores.jsonl").read_text().splitlines()]
    assert made["figures"]["nll"]["n"] == sum(sum(line["tokens"]) for line in scored)
    assert {name: figure["n"] for name, figure in made["figures"].items() if name in ("wrong_first", "auc")} == {
        "wrong_first": 10, "auc": 30,
    }  # fmt: skip
    assert made["figures"]["wrong_first"]["real"]["value"] == 1.0
    assert made["figures"]["nll"]["real"] is None and made["figures"]["nll"]["program"]["low"] > 0


def test_a_dry_run_says_how_much_the_run_would_ask_and_asks_nothing(place, made, tmp_path):
    words = ["evaluate", "student", "--data", place / "talks.jsonl", "--out", tmp_path / "planned", "--dry-run"]
    planned = json.loads(utta(*words, "--json").stdout)
    assert planned["requests"] == made["counts"]["scenes"] and not planned["leaves_this_machine"]
    said = utta(*words, "--model", "openai/gpt-4o-mini").stdout
    assert "us dollars at most" in said and not (tmp_path / "planned").exists()


def test_a_run_that_was_stopped_goes_on_where_it_was(place, made):
    (place / "again").mkdir()
    for name in ("run.json", "predictions.jsonl", "scores.jsonl"):
        whole = (place / "made" / name).read_bytes()
        (place / "again" / name).write_bytes(whole if name == "run.json" else whole[: len(whole) // 2])
    again = evaluate_student(asked(place, "again"))
    assert again["counts"] == made["counts"] and again["figures"].keys() == made["figures"].keys()
    # What is written anew may differ where a model at random finds two tokens alike: other texts stand beside it in a batch.
    nll, before = (run["figures"]["nll"]["program"]["value"] for run in (again, made))
    assert nll == pytest.approx(before, rel=ROUNDING)
    before, after = ((place / run / "predictions.jsonl").read_bytes().splitlines() for run in ("made", "again"))
    kept = len(b"\n".join(before)[: sum(len(line) + 1 for line in before) // 2].splitlines()) - 1
    assert kept > 10 and after[:kept] == before[:kept] and len(after) == len(before)


def test_a_run_held_against_itself_differs_in_nothing(place, made):
    comparison = evaluate_student(asked(place, "beside", against=place / "made"))["comparison"]
    assert list(comparison["nll_reduction"].values()) == pytest.approx([0, 0, 0], abs=ROUNDING)
    assert comparison["n"] == 50
    assert comparison["figures"]["wrong_first"]["difference"]["value"] == 0.0


def test_a_dialogue_is_shown_with_what_the_student_said_in_the_real_one_s_place(place, made):
    shown = utta("show", TALKS[0].id, "--run", place / "made")
    words = " ".join(shown.stdout.split())
    assert shown.exit_code == 0 and "What is 3 times 10?" in words and "real student: Thank you" in words
    for line in map(json.loads, (place / "made" / "predictions.jsonl").read_text().splitlines()):
        assert line["record_id"] != TALKS[0].id or line["student_turn"][:20] in words
    assert words.count("this student") == 5 and "after generic words" in words
    refused = utta("show", "nobody", "--run", place / "made")
    assert refused.exit_code == 1 and "holds no record 'nobody'; ids stand in" in " ".join(refused.stderr.split())


def test_only_a_run_of_the_same_scenes_is_held_against(place, made):
    with pytest.raises(UttaError, match=r"made played other scenes \(.*talks\.jsonl, --limit None\)"):
        evaluate_student(asked(place, "fewer", limit=3, against=place / "made"))
    assert not (place / "fewer").exists()


def test_the_command_draws_the_report_and_stops_at_a_gate(place, made):
    arguments = ("evaluate", "student", "--data", place / "talks.jsonl", "--model", place / "tiny", "--limit", 4)
    done = utta(*arguments, "--out", place / "few")
    assert done.exit_code == 0, done.output
    assert "first impression" in " ".join(done.stdout.split()) and "Selective Flip Score" in done.stdout
    assert utta("report", place / "few").stdout == done.stdout
    assert read_json(place / "few" / "results.json")["counts"]["dialogues"] == 4
    assert json.loads(utta("report", place / "few", "--json").output)["kind"] == "student_evaluation"
    stopped = utta(*arguments, "--out", place / "few", "--gate", "wrong_first >= 0.99")
    assert stopped.exit_code == 100 and "The gate 'wrong_first >= 0.99' failed" in stopped.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rubric", "utta"), "--rubric is not for a student; leave it out."),
        (("--gate", "macro_f1 > 1"), "names no metric; choose one of nll"),
        (("--gate", "a.nll > 1"), "names a criterion, and this run has none"),
        (("--against", "nowhere"), "nowhere is no finished run of a student"),
        (("--data", "nothing.jsonl"), "There is no file nothing.jsonl"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(place, words, says):
    data = () if "--data" in words else ("--data", place / "talks.jsonl")
    failed = utta("evaluate", "student", *data, "--out", place / "never", "--model", place / "tiny", *words)
    assert failed.exit_code != 0 and says in " ".join(failed.output.split())
    assert not (place / "never").exists()


def test_dialogues_without_a_student_are_refused(place, tmp_path):
    silent = TALKS[0].model_copy(update={"id": "", "dialogue_turns": [TALKS[0].dialogue_turns[0]]})
    write_records(tmp_path / "silent.jsonl", [silent])
    with pytest.raises(UttaError, match=r"No student says a word in .*silent\.jsonl"):
        evaluate_student(Asked("student", tmp_path / "silent.jsonl", tmp_path / "out", model=str(place / "tiny")))
