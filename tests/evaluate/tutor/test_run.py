"""A whole evaluation of a tutor, with a tiny model that really writes and a judge on the same model that really judges."""

import json

import pytest
from click.testing import CliRunner

from tests.evaluate.scripted import RUBRIC, make_review
from tests.evaluate.tutor.test_pressing import MIA
from tests.models.tiny import save_tiny
from utta.cli.main import cli
from utta.core.files import read_json, sha256
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import save_program
from utta.programs.tutor import Tutor
from utta.records.read import write_records

REVIEWS = [
    make_review(2 * n + who, f"problem {n}", None, None, responder=name)
    for n in range(4)
    for who, name in enumerate(("Expert", "Novice"))
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny model, a judge that runs on it, reviews and one pressing student."""
    folder = tmp_path_factory.mktemp("tutor")
    save_tiny(folder / "tiny")
    save_program(folder / "judge", TeachingEvaluator(RUBRIC), {"model": str(folder / "tiny")})
    save_program(folder / "tutor", Tutor(max_tokens=100, tries=2), {"model": str(folder / "tiny")})
    write_records(folder / "reviews.jsonl", REVIEWS)
    (folder / "pressing.jsonl").write_text(json.dumps(MIA) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UTTA_CACHE", "off")


def utta(place, *more):
    words = ["evaluate", place / "tutor", "--data", place / "reviews.jsonl", "--judge", place / "judge"]
    words += ["--pressing", place / "pressing.jsonl", "--no-cache", *more]
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_everybody_s_replies_are_judged_beside_the_tutor_s_and_every_press_is_answered(place):
    done = utta(place, "--out", place / "run", "--json")
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    assert [(row["responder"], row["n"]) for row in results["judged"]] == [
        ("this tutor", 4),
        ("Expert", 4),
        ("Novice", 4),
    ]
    assert all(0 <= row["effectiveness"]["value"] <= 1 for row in results["judged"])
    assert results["pressed"]["n"] == 2 and results["counts"]["errors"] == 0
    lines = [json.loads(line) for line in (place / "run" / "pressed.jsonl").read_text().splitlines()]
    assert [line["turn"] for line in lines] == [0, 1] and all(line["teacher_response"].strip() for line in lines)
    shown = utta(place, "--out", place / "run")
    assert shown.exit_code == 0 and "Novice" in shown.stdout
    assert CliRunner().invoke(cli, ["report", str(place / "run")]).stdout == shown.stdout


def test_a_dry_run_says_how_much_the_run_would_ask_and_asks_nothing(place):
    def bills(*more):
        done = utta(place, "--out", place / "planned", "--dry-run", "--json", *more)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    local = bills()
    # Four conversations and two turns of Mia, two tries each; the tutor's four replies and the file's eight are judged.
    assert (local["tutor"]["requests"], local["tutor"]["requests_at_most"]) == (6, 12)
    assert (local["judge"]["requests"], local["judge"]["decisions"]) == (12, 24)
    assert "us_dollars_at_most" not in local
    paid = bills("--limit", "2", "--model", "openai/gpt-4o-mini")
    assert paid["tutor"]["requests"] == 4 and paid["tutor"]["tokens_written"] == 400
    assert 0 < paid["tutor"]["us_dollars"] < paid["us_dollars_at_most"] < 0.01
    assert not (place / "planned").exists()


def test_a_conversation_and_a_pressing_student_are_shown_with_what_the_tutor_said(place):
    assert utta(place, "--out", place / "seen").exit_code == 0
    said = json.loads((place / "seen" / "replies.jsonl").read_text().splitlines()[0])
    for record_id, words in ((said["record_id"], ("this tutor: ", "Expert: ", "Novice: ")), ("a", ("this tutor: ",))):
        shown = CliRunner().invoke(cli, ["show", record_id, "--run", str(place / "seen")])
        assert shown.exit_code == 0 and all(word in shown.stdout for word in words), shown.output
    refused = CliRunner().invoke(cli, ["show", "nobody", "--run", str(place / "seen")])
    assert refused.exit_code == 1 and "holds no record 'nobody'" in " ".join(refused.stderr.split())


def test_what_the_judge_learned_from_is_left_out_and_counted(place):
    file = place / "learned.jsonl"
    for learned, expected in ((REVIEWS[:2], 3), (REVIEWS, None)):
        write_records(file, learned)
        manifest = {"model": str(place / "tiny"), "train": {"file": str(file), "sha256": sha256(file)}}
        save_program(place / "taught", TeachingEvaluator(RUBRIC), manifest)
        done = utta(place, "--judge", place / "taught", "--out", place / f"unseen-{expected}", "--json")
        if expected:
            results = json.loads(done.stdout)
            assert results["data"]["conversations"] == expected and results["counts"]["left_out"] == {"judge": 1}
            shown = CliRunner().invoke(cli, ["report", str(place / "unseen-3")]).stdout
            assert "learned from: 1 by the judge" in " ".join(shown.split())
        else:
            assert done.exit_code == 1 and "All 4 conversations are about problems" in done.output


def test_groups_of_conversations_stand_beside_each_other(place):
    about = ["ecology" if n >= 20 else "mathematics" for n in range(22)]
    found = [make_review(n, f"problem {n}", None, None, responder="Expert", subject=about[n]) for n in range(22)]
    write_records(place / "subjects.jsonl", found)
    done = utta(place, "--data", place / "subjects.jsonl", "--out", place / "subjects", "--json")
    assert done.exit_code == 0, done.output
    ((name, (large, small)),) = json.loads(done.stdout)["slices"].items()
    assert (name, large["value"], large["n"], small["few"]) == ("subject", "mathematics", 20, True)
    shown = " ".join(CliRunner().invoke(cli, ["report", str(place / "subjects")]).stdout.split())
    assert "Effectiveness by subject (conversations)" in shown and "mathematics (20)" in shown
    assert "Too few conversations or problems to say anything about: ecology." in shown


def test_a_judge_s_words_never_say_whose_a_reply_is(place):
    """The tutor is not shown the replies that are there, and the same reply has the same level whoever gave it."""
    same = [review.model_copy(update={"response": "Look at it again.", "id": ""}) for review in REVIEWS]
    write_records(place / "same.jsonl", [type(review)(**review.model_dump(exclude={"id"})) for review in same])
    done = utta(place, "--data", place / "same.jsonl", "--out", place / "same", "--json")
    assert done.exit_code == 0, done.output
    expert, novice = json.loads(done.stdout)["judged"][1:]
    # Which replies are read in one pass is chance, and in bf16 it shows.
    assert expert["effectiveness"] == pytest.approx(novice["effectiveness"], abs=0.01)


def test_a_run_held_against_itself_differs_in_nothing_and_a_gate_ends_it(place):
    assert utta(place, "--out", place / "first", "--limit", "2").exit_code == 0
    again = utta(place, "--out", place / "beside", "--limit", "2", "--against", place / "first", "--json")
    found = json.loads(again.stdout)["comparison"]["figures"]
    assert found["effectiveness"]["value"] == pytest.approx(0, abs=1e-3)
    assert found["takes_up"]["value"] == 0 and read_json(place / "beside" / "results.json")["gates"] == []
    stopped = utta(place, "--out", place / "first", "--limit", "2", "--gate", "effectiveness >= 1")
    assert stopped.exit_code == 100 and "The gate 'effectiveness >= 1' failed" in stopped.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "nowhere"), "nowhere is no finished run of a tutor"),
        (("--gate", "nll > 1"), "names no metric; choose one of effectiveness"),
        (("--rubric", "utta"), "--rubric is not for a tutor"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(place, tmp_path, words, said):
    done = utta(place, "--out", tmp_path / "none", *words)
    assert done.exit_code and said in " ".join(done.stderr.split()) and not (tmp_path / "none").exists()
