"""Models behind an API: LiteLLM asks a server on this machine. What the server is asked shows what would leave it."""

import asyncio
import copy
import json
import re
from dataclasses import replace
from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError

from tests.models.openai_server import KEY, of_engine, serve
from utta.core.errors import UttaError
from utta.core.files import read_json
from utta.core.paths import data_dir
from utta.core.surrogates import SURROGATE
from utta.evaluate.predict import predict
from utta.models.load import Model, load
from utta.models.text import TextEngine
from utta.programs.coach import ResponseCoach
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.student import StudentSimulator
from utta.records.read import read_reviews
from utta.records.rubrics import find_rubric, rubric_names


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, memory_cache: None) -> None:
    """A key, no answers kept on disk, and no proxy between this machine and itself."""
    monkeypatch.setenv("UTTA_CACHE", "off")
    monkeypatch.delenv("UTTA_ROSTER", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def ask_api(monkeypatch: pytest.MonkeyPatch, base: str, name: str) -> Model:
    monkeypatch.setenv("OPENAI_API_BASE", base)
    return load(f"openai/{name}", cache=False)


def short(model: Model, tokens: int) -> Model:
    return replace(model, lm=model.lm.copy(max_tokens=tokens, temperature=0.0))


INPUTS = {
    "grade_level": "4",
    "subject": "mathematics",
    "context": "",
    "conversation": "Student: 3 × 4 is 7",
    "teacher_response": "No, it is 12.",
}


def played(model: Model) -> Any:
    student = StudentSimulator(tries=1).use(model)
    student.play.config = {}
    return student(conversation=[{"role": "user", "content": "How did you get 7?"}], problem="What is 3 × 4?")


@pytest.mark.parametrize("which", ["tiny", "embedded"])
def test_a_served_model_writes_what_its_engine_writes(monkeypatch, request, which):
    if which == "tiny":
        local = load(str(request.getfixturevalue("tiny").folder), cache=False)
    else:
        local = request.getfixturevalue("embedded_model")
    name = "tiny" if which == "tiny" else local.name
    with serve(of_engine(TextEngine(local.decisions.engine)), (name,)) as base:
        api = ask_api(monkeypatch, base, name)
        assert (api.local, api.version) == (False, f"openai/{name}")
        ours, theirs = short(local, 6), short(api, 6)
        written = ours.lm("Name one animal.")
        assert theirs.lm("Name one animal.") == written and written[0]
        there, here = (played(m).student_turn for m in (theirs, ours))
        assert there == here


def test_a_wrong_key_and_an_unknown_model_are_errors(monkeypatch):
    with serve(lambda body: {"content": "Hello."}, ("known",)) as base:
        assert ask_api(monkeypatch, base, "known").lm("Hi") == ["Hello."]
        with pytest.raises(Exception, match="there is no model unknown"):
            ask_api(monkeypatch, base, "unknown").lm("Hi")
        monkeypatch.setenv("OPENAI_API_KEY", "stolen")
        with pytest.raises(Exception, match="this is not the key"):
            ask_api(monkeypatch, base, "known").lm("Hi")


class ScriptedJudge:
    """Gives every criterion the probabilities in its script, as JSON in the form that the request asks for.

    A conversation that holds `hopeless` gets an answer without any."""

    def __init__(self, levels: dict[str, dict[str, float]], fields: bool, hopeless: str = "\0"):
        self.levels, self.fields, self.hopeless = levels, fields, hopeless
        self.asked: list[str] = []

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append("\n".join(m["content"] for m in body["messages"]))
        if self.hopeless in self.asked[-1]:
            return {"content": "I would rather talk about the weather."}
        answers = {name: {"probabilities": p, "confidence": max(p.values())} for name, p in self.levels.items()}
        if self.fields and "[[ ## completed ## ]]" in self.asked[-1]:
            parts = [f"[[ ## {name} ## ]]\n{json.dumps(answer)}" for name, answer in answers.items()]
            return {"content": "\n\n".join([*parts, "[[ ## completed ## ]]"])}
        return {"content": json.dumps(answers)}


def test_what_a_program_says_is_as_it_was_where_nothing_points_to_a_person(monkeypatch):
    asked = []

    def answer(body):
        asked.append(body["messages"])
        return {"content": '{"rationale": "r", "improved_response": "i"}'}

    with serve(answer) as base:
        model = ask_api(monkeypatch, base, "test")
        ResponseCoach().use(model)(judgement="accuracy: Weak", **INPUTS)
        for rubric in rubric_names():
            with pytest.raises(AdapterParseError):
                TeachingEvaluator(find_rubric(rubric)).use(model)(**INPUTS)
        for reviewed in read_reviews(data_dir() / "samples" / "reviews.jsonl").reviews[:8]:
            model.lm(reviewed.response)
            assert asked[-1][-1]["content"] == reviewed.response
    assert not SURROGATE.search(json.dumps(asked)) and not model.lm.surrogates.counts


SECRETS = (
    "Alejandra",
    "alejandra@example.org",
    "555-0142",
    "14 Elm Street",
    "@ale_draws",
    "4471920",
    "Okafor",
    "Winnie",
)
PRIVATE = {
    "grade_level": "4",
    "subject": "mathematics",
    "context": "Winnie reads slowly. Student id 4471920.",
    "conversation": "Student: my name is Alejandra, text me at 555-0142 or alejandra@example.org\nTeacher: Hi Alejandra!"
    "\nStudent: I live at 14 Elm Street, that is 14. I am @ale_draws and Marie has 12 apples. Newton said F = ma.",
    "teacher_response": "Great catch, Alejandra! Show Mr. Okafor. Alejandra's 14 + 1,200 is 1,214.",
}
KEPT = ("Marie has 12 apples", "Newton said F = ma", "14 + 1,200 is 1,214")


@pytest.fixture
def roster(tmp_path, monkeypatch):
    """A roster that knows of Winnie, whom no pattern can know."""
    (tmp_path / "roster.txt").write_text("Winnie Abara\n", encoding="utf-8")
    monkeypatch.setenv("UTTA_ROSTER", str(tmp_path / "roster.txt"))


def gone(asked: str) -> None:
    """Nobody's secret is in what was asked, and the problem still is."""
    assert [secret for secret in SECRETS if secret.casefold() in asked.casefold()] == []
    assert {match[0].split("-")[0] for match in SURROGATE.finditer(asked)} == {
        "Person", "email", "phone", "address", "handle", "id",
    }  # fmt: skip
    assert all(text in asked for text in KEPT)


def test_no_decision_takes_a_secret_out_of_the_house(monkeypatch, roster, capsys):
    judge = ScriptedJudge(LEVELS, True)
    with serve(judge) as base:
        program = TeachingEvaluator(RUBRIC).use(model := ask_api(monkeypatch, base, "test"))
        program.judge.demos = [{**PRIVATE, "accuracy": "Weak", "engagement": "Good"}]
        assert program(**PRIVATE)["accuracy"].value == "Weak"
        gone(judge.asked[0])
        again = "Student: Yes.\nTeacher: Thanks, Alejandra."
        program(**{**INPUTS, "conversation": again})
    person = SURROGATE.search(judge.asked[1])
    assert person and person[0] in judge.asked[0]  # the same person is the same one in another request
    model.say_replaced()
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"Replaced by surrogates in what openai/test was asked: (\d+ (address|email|handle|id|name|phone)(, |\.\n)){6}",
        said,
    )
    model.say_replaced()
    assert capsys.readouterr().err == ""


def test_no_text_takes_a_secret_out_of_the_house(monkeypatch, roster):
    asked = []

    def answer(body):
        asked.append(json.dumps(body["messages"], ensure_ascii=False))
        return {"content": '{"rationale": "r", "improved_response": "i"}'}

    with serve(answer) as base:
        model = ask_api(monkeypatch, base, "test")
        coach = ResponseCoach().use(model)
        coach(judgement="accuracy: Weak, says Alejandra", **PRIVATE)
        asyncio.run(model.lm.acall("\n".join(PRIVATE.values())))
        model.lm.copy(temperature=0.5)("\n".join(PRIVATE.values()))
        parts = [{"type": "text", "text": "\n".join(PRIVATE.values())}]
        copy.deepcopy(model.lm)(messages=[{"role": "user", "content": parts}])
    assert len(asked) == 4
    for each in asked:
        gone(each)


def test_what_the_gate_cannot_look_into_does_not_leave(monkeypatch):
    from dspy.lm15 import Message, Request

    lm = ask_api(monkeypatch, "http://127.0.0.1:9/v1", "test").lm
    with pytest.raises(TypeError, match="takes a prompt or messages"):
        lm(Request("openai/test", messages=(Message.user("Hi Alejandra!"),)))
    with pytest.raises(UttaError, match="train a local model"):
        lm.finetune([{"messages": []}], None)


def test_the_cache_answers_what_was_asked_with_the_same_surrogates(monkeypatch, roster, tmp_path):
    asked = []

    def answer(body):
        asked.append(body["messages"][-1]["content"])
        return {"content": f"answer {len(asked)}"}

    with serve(answer) as base:
        monkeypatch.setenv("OPENAI_API_BASE", base)

        def ask(text):
            lm = load("openai/test").lm
            monkeypatch.setattr(dspy, "cache", kept)
            return lm(text)

        kept = dspy.cache
        assert ask("Is winnie right?") == ask("Is winnie right?") == ask("Is Winnie right?") == ["answer 1"]
        (tmp_path / "roster.txt").write_text("Somebody Else\n", encoding="utf-8")
        assert ask("Is Winnie right?") == ["answer 2"]
    assert asked[0] != asked[1] == "Is Winnie right?"


RUBRIC = find_rubric("utta").only(["accuracy", "engagement"])
LEVELS = {
    "accuracy": {"Poor": 0.1, "Weak": 0.5, "Fair": 0.2, "Good": 0.1, "Excellent": 0.1},
    "engagement": {"Poor": 0.0, "Weak": 0.0, "Fair": 0.25, "Good": 0.0, "Excellent": 0.75},
}


@pytest.mark.parametrize("fields", [True, False], ids=["marked fields", "bare JSON"])
def test_an_api_model_decides_through_json(monkeypatch, fields):
    judge = ScriptedJudge(LEVELS, fields)
    with serve(judge) as base:
        program = TeachingEvaluator(RUBRIC).use(ask_api(monkeypatch, base, "test"))
        judged = program(**INPUTS)
    assert (judged["accuracy"].value, judged["engagement"].value) == ("Weak", "Excellent")
    assert {name: judged[name].probabilities for name in LEVELS} == LEVELS
    accuracy, engagement = 0.5 * 0.25 + 0.2 * 0.5 + 0.1 * 0.75 + 0.1, 0.25 * 0.5 + 0.75
    assert judged.effectiveness == pytest.approx((accuracy + engagement) / 2)
    for text in (INPUTS["teacher_response"], "3 × 4 is 7", "engagement", RUBRIC.criteria[0].levels[1].means):
        assert text in judge.asked[0]


def test_an_answer_that_is_no_judgement_is_an_error_that_a_run_counts(monkeypatch, tmp_path):
    reviews = read_reviews(data_dir() / "samples" / "reviews.jsonl").reviews[:4]
    hopeless = reviews[2]
    with serve(ScriptedJudge(LEVELS, True, hopeless.response)) as base:
        program = TeachingEvaluator(RUBRIC).use(ask_api(monkeypatch, base, "test"))
        found = predict(program, reviews, tmp_path)
    assert [
        (line["record_id"], line["criterion"], line["label"]) for line in sorted_by(reviews, found["predictions"])
    ] == [
        (r.id, criterion, {"accuracy": "Weak", "engagement": "Excellent"}[criterion])
        for r in reviews
        if r is not hopeless
        for criterion in LEVELS
    ]
    (error,) = found["errors"]
    assert error == {"record_id": hopeless.id, "error": "AdapterParseError"}  # what the model said is not quoted
    assert read_json(tmp_path / "errors.jsonl") == error


def sorted_by(reviews: list[Any], lines: list[Any]) -> list[Any]:
    order = [r.id for r in reviews]
    return sorted(lines, key=lambda line: order.index(line["record_id"]))


def test_a_model_that_answers_nothing_but_nonsense_stops_the_run(monkeypatch, tmp_path):
    reviews = read_reviews(data_dir() / "samples" / "reviews.jsonl").reviews[:2]
    with serve(ScriptedJudge(LEVELS, True, "Judge the teacher")) as base:
        program = TeachingEvaluator(RUBRIC).use(ask_api(monkeypatch, base, "test"))
        with pytest.raises(UttaError, match=r"^No response could be judged: "):
            predict(program, reviews, tmp_path)
