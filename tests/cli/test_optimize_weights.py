"""`utta optimize --optimizer bootstrap-finetune` from the command line, on the coach."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.evaluate.conftest import own_home  # noqa: F401 — a fixture
from tests.evaluate.scripted import ROOT, SAMPLES, grid, put_down, sentence
from tests.models.openai_server import KEY, serve
from tests.models.tiny import save_tiny
from tests.optimize.conftest import writing as writing  # a fixture
from utta.cli.main import cli
from utta.core.errors import UttaError
from utta.core.files import read_json
from utta.models.text import adapter_of
from utta.optimize.traces import sampled
from utta.programs import coach, folder
from utta.programs.folder import open_program, save_program
from utta.programs.inputs import coach_inputs
from utta.programs.tutor import Tutor
from utta.records.read import read_reviews, write_records

ADVISE = """
import json, sys
from utta.programs.folder import open_program
from utta.programs.inputs import coach_inputs
from utta.records.read import read_reviews

program = open_program(sys.argv[1])
lm = program.load_model().lm
told = program(**coach_inputs(read_reviews(sys.argv[2]).reviews[0]))
print(json.dumps([lm.model, told.rationale, told.improved_response]))
"""


EXPERTS = {"rationale": "It asks.", "improved_response": "What do you see?"}


@pytest.fixture
def command(tmp_path, own_home, monkeypatch):  # noqa: F811
    """Run `utta optimize coach` on a tiny model; options come after, named again they win."""
    for name, reviews in {"train": grid(["ants", "bees"], 2), "val": grid(["cats", "dogs"], 1)}.items():
        _, rubric = put_down(tmp_path, [review.model_copy(update=EXPERTS) for review in reviews], f"{name}.jsonl")
    tiny = tmp_path / "tiny"
    save_tiny(tiny, may_end=True, closes_json=True)
    monkeypatch.setattr(coach, "ADVICE_TOKENS", 120)

    def run(*more):
        arguments = [
            "optimize",
            "coach",
            "--optimizer",
            "bootstrap-finetune",
            "--model",
            tiny,
            "--out",
            tmp_path / "coach",
        ]
        arguments += ["--train", tmp_path / "train.jsonl", "--val", tmp_path / "val.jsonl", "--rubric", rubric]
        arguments += ["--threshold", "0", "--samples", "6", "--epochs", "1", "--rank", "4", *more]
        return CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="utta")

    return run


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_coach_is_tuned_shown_and_opened_again(command, tmp_path):
    done = command()
    assert done.exit_code == 0, done.output
    assert (
        "Loss on validation rows" in done.stdout and "words shared with the experts' improved_response" in done.stdout
    )
    out = tmp_path / "coach"
    manifest = read_json(out / "manifest.json")
    assert manifest["program"] == "coach" and manifest["output_adapter"] == "BoundedJSON" and manifest["adapter"]
    assert [manifest[name]["n"] for name in ("before", "after", "gain")] == [2, 2, 2]
    assert manifest["rows"]["learned"] <= len(rows_of(out / "rows.jsonl")) and not (out / "training").exists()
    again = command("--json")
    assert json.loads(again.stdout) == manifest

    program = open_program(str(out))
    program.load_model()
    assert {adapter_of(p.lm.model) for p in program.module.predictors()} == {manifest["adapter"]}
    for changed, said in (
        ({"output_adapter": "ChatAdapter"}, "was tuned to answer as ChatAdapter, and is asked as BoundedJSON;"),
        ({"tokenizer": "0" * 12}, "was tuned with another tokenizer or chat template"),
    ):
        (out / "manifest.json").write_text(json.dumps(manifest | changed), encoding="utf-8")
        with pytest.raises(UttaError, match=said):
            open_program(str(out)).load_model()


def test_rows_that_were_edited_are_learned_from(command, tmp_path):
    chat = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "What do you see?"}]
    rows = tmp_path / "mine.jsonl"
    others = [
        {"messages": [*chat[:1], {"role": "assistant", "content": said}]} for said in ("Is it one?", "Is it a cat?")
    ]
    of_validation = others[1] | {"problem": grid(["cats"], 1)[0].cluster}
    told = [{"score": 0.9}, {"score": 0.7} | others[0], {"score": 0.1}, {"score": 0.8} | of_validation]
    rows.write_text("".join(json.dumps({"messages": chat} | row) + "\n" for row in told), encoding="utf-8")
    done = command("--rows", rows, "--threshold", "0.5", "--json")
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert manifest["rows"]["learned"] + manifest["rows"]["validation"] == 2
    assert not (tmp_path / "coach" / "rows.jsonl").exists()


def test_a_teacher_writes_what_is_learned_from(command, tmp_path):
    command()
    done = command("--teacher", tmp_path / "coach", "--out", tmp_path / "taught", "--samples", "6", "--json")
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert manifest["written_by"] == str(tmp_path / "coach")
    taught = rows_of(tmp_path / "taught" / "rows.jsonl")
    reviews = {review.id: review for review in read_reviews(tmp_path / "train.jsonl").reviews}
    teacher = open_program(str(tmp_path / "coach"))
    teacher.load_model()
    said = set()
    for number in range(6):
        with sampled(teacher.module, number) as writer:
            said |= {tuple(writer(**coach_inputs(review)).values()) for review in reviews.values()}
    assert taught and all(tuple(json.loads(row["messages"][-1]["content"]).values()) in said for row in taught)


def test_a_teacher_may_be_behind_an_api_and_is_shown_surrogates(command, tmp_path, monkeypatch, memory_cache):
    seen: list[str] = []

    def answer(body):
        seen.append(body["messages"][-1]["content"])
        texts = {"rationale": f"It asks, {len(seen)}.", "improved_response": "What did you see, Alejandra?"}
        return {"content": json.dumps(texts)}

    private = EXPERTS | {"context": "Write to alejandra@example.org."}
    put_down(tmp_path, [review.model_copy(update=private) for review in grid(["ants"], 2)], "train.jsonl")
    for name, value in (("OPENAI_API_KEY", KEY), ("NO_PROXY", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    more = ("--teacher", "coach", "--teacher-model", "openai/test", "--samples", "6", "--json")
    planned = json.loads(command(*more, "--dry-run").stdout)
    assert not (tmp_path / "coach").exists() and planned["teacher"]["leaves_this_machine"]
    with serve(answer) as base:
        monkeypatch.setenv("OPENAI_API_BASE", base)
        done = command(*more)
    assert planned["teacher"]["requests"] <= len(seen) <= planned["teacher"]["requests_at_most"]
    assert done.exit_code == 0, done.output
    rows = rows_of(tmp_path / "coach" / "rows.jsonl")
    assert len(rows) == 6 * len({row["record_id"] for row in rows}) > 0
    assert all("alejandra@example.org" in row["messages"][-2]["content"] for row in rows)
    assert seen and not any("alejandra@example.org" in content for content in seen)


def test_a_plain_evaluator_is_a_judge_and_another_one_another_request(command, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "DEFAULT", str(tmp_path / "tiny"))
    done = command("--judge", "evaluator", "--samples", "6", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["objective"]["name"] == "effectiveness by evaluator"
    run = tmp_path / "coach" / "run.json"
    asked = read_json(run)
    run.write_text(json.dumps(asked | {"judge": asked["judge"] | {"model": "local/other@1"}}), encoding="utf-8")
    again = command("--judge", "evaluator", "--samples", "6")
    assert again.exit_code == 1 and "holds a run with another judge;" in sentence(again.stderr)


def test_faults_are_one_sentence(command, tmp_path):
    for arguments, said in (
        (("--threshold", "1"), "Nothing of what the program wrote is good enough to learn from"),
        (("--rows", tmp_path / "none.jsonl"), "none.jsonl cannot be used"),
        (("--judge", "coach"), "coach is a coach, which judges nothing; give an evaluator instead."),
        (("--val", tmp_path / "train.jsonl"), "2 problems stand in both"),
        (("--optimizer", "better-together", "--rows", tmp_path / "train.jsonl"), "the program writes for itself."),
        (("--teacher", "coach", "--rows", tmp_path / "train.jsonl"), "give one of the two."),
        (
            ("--teacher", "tutor"),
            "The teacher tutor is of the kind 'tutor'; give one of the kind that is tuned, 'coach'.",
        ),
        (("--teacher", tmp_path / "none"), "is no program"),
    ):
        done = command("--out", tmp_path / f"out-{len(said)}", *arguments)
        assert done.exit_code == 1 and said in sentence(done.stderr), done.output
    done = CliRunner().invoke(
        cli, ["optimize", "evaluator", "--optimizer", "better-together", "--train", "a", "--val", "b", "--out", "c"]
    )
    assert done.exit_code == 1 and "a judge's weights are trained by 'utta distill'" in done.stderr
    for program, named in (("coach", []), ("coach", ["mipro"]), ("student", ["mipro"])):
        words = ["optimize", program, "--val", "b", "--out", "c", *(["--optimizer", *named] if named else [])]
        done = CliRunner().invoke(cli, words)
        allowed = "prompts" if program == "student" else "bootstrap-finetune or better-together"
        said = f"For the {program}, --optimizer is {allowed}{', not ' + repr(named[0]) if named else ''}; name one of these."
        assert done.exit_code == 2 and said in " ".join(done.stderr.split())


def test_without_a_judge_the_experts_texts_must_be_there_before_anything_is_written(command, tmp_path):
    put_down(tmp_path, grid(["cats", "dogs"], 1), "bare.jsonl")
    done = command("--val", tmp_path / "bare.jsonl")
    assert done.exit_code == 1 and "has an expert's improved_response to hold the coach against" in sentence(
        done.stderr
    )
    assert not (tmp_path / "coach").exists()


def test_the_embedded_model_is_tuned_and_writes_the_same_in_a_fresh_process(embedded, own_home, tmp_path, monkeypatch):  # noqa: F811
    own_home.mkdir(exist_ok=True)
    (own_home / "models").symlink_to(Path(embedded.folder).parent)
    reviews = read_reviews(SAMPLES).reviews
    for name, part in (("train", reviews[:1]), ("val", reviews[4:5])):
        write_records(tmp_path / f"{name}.jsonl", part)
    chats = [
        {
            "messages": [
                {"role": "user", "content": f"How is {n}?"},
                {"role": "assistant", "content": "Ask what it shows."},
            ]
        }
        for n in range(4)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")
    monkeypatch.setattr(coach, "ADVICE_TOKENS", 40)
    arguments = ["optimize", "coach", "--optimizer", "bootstrap-finetune", "--rows", tmp_path / "rows.jsonl"]
    arguments += ["--train", tmp_path / "train.jsonl", "--val", tmp_path / "val.jsonl", "--out", tmp_path / "coach"]
    arguments += ["--epochs", "1", "--rank", "8", "--json"]
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert manifest["base_fingerprint"] == embedded.fingerprint and 0 <= manifest["after"]["mean"] <= 1

    program = open_program(str(tmp_path / "coach"))
    here = program(**coach_inputs(reviews[4]))
    there = subprocess.run(
        [sys.executable, "-c", ADVISE, str(tmp_path / "coach"), str(tmp_path / "val.jsonl")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert there.returncode == 0, there.stderr[-2000:]
    model, rationale, improved = json.loads(there.stdout.splitlines()[-1])
    assert model.endswith(f"@{manifest['adapter']}")
    assert (rationale, improved) == (here.rationale, here.improved_response) and rationale


@pytest.mark.parametrize("optimizer", ["bootstrap-finetune", "better-together"])
def test_a_tutor_is_tuned_on_its_own_answers(optimizer, tmp_path, own_home):  # noqa: F811
    save_tiny(tmp_path / "tiny", may_end=True, closes_json=True)
    for name, reviews in {"train": grid(["ants", "bees"], 2), "val": grid(["cats", "dogs"], 1)}.items():
        _, rubric = put_down(tmp_path, [review.model_copy(update=EXPERTS) for review in reviews], f"{name}.jsonl")
    save_program(tmp_path / "terse", Tutor(temperature=1.0, tries=1), {"model": str(tmp_path / "tiny")})
    arguments = ["optimize", tmp_path / "terse", "--optimizer", optimizer, "--out", tmp_path / "tutor"]
    arguments += ["--train", tmp_path / "train.jsonl", "--val", tmp_path / "val.jsonl", "--rubric", rubric]
    arguments += ["--threshold", "0", "--samples", "8", "--epochs", "1", "--rank", "4", "--json"]
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert manifest["program"] == "tutor" and manifest["output_adapter"] == "BoundedJSON"
    assert manifest["before"]["n"] == manifest["after"]["n"] == 2  # places, each of which may have several replies
    if optimizer == "bootstrap-finetune":
        (row, *_) = rows_of(tmp_path / "tutor" / "rows.jsonl")
        assert set(json.loads(row["messages"][-1]["content"])) == {"teacher_response", "techniques_used", "rationale"}
        assert manifest["adapter"]
    said = open_program(str(tmp_path / "tutor"))(student_question="I do not know about ants.")
    assert said.teacher_response.strip() and said.techniques_used and said.rationale.strip()
