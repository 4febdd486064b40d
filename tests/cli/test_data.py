import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from utta.cli.data import data
from utta.core.errors import UttaError
from utta.records.read import read_reviews

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "reviews.jsonl"


def run(*args):
    """Standard output of a command that succeeds."""
    result = CliRunner().invoke(data, [str(arg) for arg in args])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def fails(*args):
    """The sentence a command stops with, and what it printed before."""
    result = CliRunner().invoke(data, [str(arg) for arg in args])
    assert isinstance(result.exception, UttaError), (result.output, result.exception)
    return str(result.exception), result.stdout


@pytest.fixture
def spoilt(tmp_path):
    """A file with the sample's reviews and one cut-off line."""
    file = tmp_path / "spoilt.jsonl"
    file.write_text(SAMPLE.read_text(encoding="utf-8") + '{"source": "x', encoding="utf-8")
    return file


def test_import_writes_reviews_and_counts(tmp_path):
    text = run("import", "utta", SAMPLE, "--out", tmp_path / "r.jsonl")
    assert "responses" in text and f"Wrote {tmp_path / 'r.jsonl'}" in text
    assert read_reviews(tmp_path / "r.jsonl").reviews == read_reviews(SAMPLE).reviews


def test_import_puts_faults_aside_beside_what_it_writes(spoilt, tmp_path):
    out = tmp_path / "out" / "r.jsonl"
    counts = json.loads(run("import", "utta", spoilt, "--out", out, "--json"))
    assert counts["rejects"] == 1 and counts["rejects_file"] == str(tmp_path / "out" / "r.import-rejects.jsonl")
    assert counts["responses"] == len(read_reviews(out).reviews) == counts["labelled"]
    assert "1 faulty line was put aside in" in run("import", "utta", spoilt, "--out", out)


def test_import_of_real_files_joins_them(shared_data, tmp_path):
    files = [shared_data / "mrbench_v2.json", shared_data / "mrbench_v3.json"]
    text = run("import", "mrbench", *files, "--out", tmp_path / "r.jsonl")
    assert text.startswith("307 entries, 189 dialogues, 135 problems, 1,596 responses, 946 merged\n")
    assert re.search(r"Tutor_Tone +1,045", text)


def test_import_names_what_is_missing(tmp_path):
    out = tmp_path / "r.jsonl"
    assert "no file" in fails("import", "mrbench", tmp_path / "none.json", "--out", out)[0]
    assert "no source 'csvx'" in fails("import", "csvx", SAMPLE, "--out", out)[0]
    assert not out.exists()


def test_check_of_a_good_file_says_so():
    text = run("check", SAMPLE, "--rubric", "utta")
    assert "No faults." in text and re.search(r"Excellent +\d+", text)
    assert json.loads(run("check", SAMPLE, "--rubric", "utta", "--json"))["faults"] == []


def test_check_lists_faults_and_fails(spoilt):
    lines = len(spoilt.read_text(encoding="utf-8").splitlines())
    sentence, text = fails("check", spoilt)
    assert sentence.startswith(f"{spoilt} has 1 faulty line")
    assert f"fault: {spoilt}:{lines}: the line is not valid JSON" in text
    sentence, text = fails("check", spoilt, "--json")
    assert len(json.loads(text)["faults"]) == 1


def test_check_holds_labels_against_the_rubric():
    sentence, text = fails("check", SAMPLE, "--rubric", "mrbench")
    assert "faulty lines" in sentence and "is not in the rubric mrbench" in text and "more faults" in text
    assert "no rubric 'x'" in fails("check", SAMPLE, "--rubric", "x")[0]


def test_control_characters_of_the_data_do_not_reach_the_terminal(tmp_path):
    file = tmp_path / "r.jsonl"
    fields = {"source": "s", "dialogue_id": "d", "conversation": [], "response": "", "rubric": "r"}
    file.write_text(json.dumps({**fields, "levels": {"\x1b[2J": "\x1b[31m"}}) + "\n")
    text = run("check", file)
    assert "\x1b" not in text and "\\x1b[2J" in text


def test_split_writes_the_parts(tmp_path):
    text = run("split", SAMPLE, "--by", "problem", "--seed", 1, "--ratios", "50/25/25", "--out", tmp_path / "s")
    assert re.search(r"train +\d+ +50%", text)
    manifest = json.loads(run("split", SAMPLE, "--seed", 1, "--ratios", "50/25/25", "--out", tmp_path / "s", "--json"))
    assert manifest == json.loads((tmp_path / "s" / "split.json").read_text(encoding="utf-8"))
    assert manifest["made_by"]["options"] == {"by": "problem", "seed": 1, "ratios": [50, 25, 25], "stratified": False}
    assert sum(part["records"] for part in manifest["parts"].values()) == len(read_reviews(SAMPLE).reviews)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--ratios", "most/some/few"], "'most/some/few' are not numbers"),
        (["--ratios", "70/10/10/10"], "4 ratios cannot be those of train"),
        (["--by", "responder"], "cannot be split by 'responder'"),
    ],
)
def test_split_refuses_in_one_sentence(options, wrong, tmp_path):
    assert wrong in fails("split", SAMPLE, "--out", tmp_path / "s", *options)[0]


def test_split_into_folds(tmp_path):
    text = run("split", SAMPLE, "--folds", 3, "--stratify", "--out", tmp_path / "f")
    assert re.search(r"fold-3 +\d+ +3\d%", text) and (tmp_path / "f" / "fold-3.jsonl").is_file()


def test_a_table_is_read_with_the_columns_that_are_named(tmp_path):
    (tmp_path / "r.csv").write_text("Reply,Rating,Chat\nLook again.,Good,Student: 5\n", encoding="utf-8")
    columns = ["--column", "response=Reply", "--column", "levels.accuracy=Rating", "--column", "conversation = Chat"]
    text = run("import", "csv", tmp_path / "r.csv", *columns, "--rubric", "mine", "--out", tmp_path / "r.jsonl")
    assert text.startswith("1 entries, 1 dialogues, 0 problems, 1 responses\n")
    [review] = read_reviews(tmp_path / "r.jsonl").reviews
    assert (review.rubric, review.levels, review.conversation[0].utterance) == ("mine", {"accuracy": "Good"}, "5")
    assert (
        "--column 'x' has no '='"
        in fails("import", "csv", tmp_path / "r.csv", "--column", "x", "--out", tmp_path / "o")[0]
    )
    told = fails("import", "utta", SAMPLE, "--column", "response=Reply", "--out", tmp_path / "o")[0]
    assert told == "Columns, speakers and labels are named for csv, datasets, parquet only, not for utta."


def test_a_kind_that_the_source_has_not_is_refused(tmp_path):
    told = fails("import", "mrbench", SAMPLE, "--as", "dialogues", "--out", tmp_path / "o")[0]
    assert told == "The source mrbench has no dialogues; it has reviews."


def test_dialogues_are_counted_as_such(shared_data, tmp_path):
    text = run("import", "mathdial", shared_data / "mathdial.jsonl", "--out", tmp_path / "d.jsonl")
    assert text.startswith("394 entries, 394 dialogues, 263 problems, 4,499 turns\n")
    counts = json.loads(
        run("import", "utta", tmp_path / "d.jsonl", "--as", "dialogues", "--out", tmp_path / "e.jsonl", "--json")
    )
    assert (counts["kind"], counts["dialogues"], counts["rejects"]) == ("dialogues", 394, 0)
    assert (tmp_path / "e.jsonl").read_bytes() == (tmp_path / "d.jsonl").read_bytes()


def test_stats_counts_levels_and_tells_thin_ones():
    text = run("stats", SAMPLE, "--rubric", "utta")
    assert re.search(r"accuracy +Poor\*? +\d+", text) and "words in a response" in text
    assert json.loads(run("stats", SAMPLE, "--rubric", "utta", "--json"))["records"] == len(
        read_reviews(SAMPLE).reviews
    )


def test_clean_shows_where_a_text_changed(tmp_path):
    first = read_reviews(SAMPLE).reviews[0].model_dump(mode="json", exclude={"id"})
    (tmp_path / "r.jsonl").write_text(
        json.dumps({**first, "response": "Look " * 30 + "at\xa0 it"}) + "\n", encoding="utf-8"
    )
    text = run("clean", tmp_path / "r.jsonl", "--out", tmp_path / "c.jsonl")
    assert "1 responses, 1 changed" in text and "response: spaces" in text
    assert "at\\xa0 it'" in text and "Look at it'" in text


@pytest.mark.parametrize("command", [["import", "utta"], ["clean"], ["dedupe"], ["metadata"]])
def test_an_input_is_never_overwritten(command, tmp_path):
    (tmp_path / "r.jsonl").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "r.jsonl")
    told = fails(*command, tmp_path / "r.jsonl", "--out", tmp_path / "link.jsonl")[0]
    assert told == f"{tmp_path / 'link.jsonl'} is an input and would be overwritten; name another file with --out."
    assert (tmp_path / "r.jsonl").read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize("command", ["clean", "dedupe"])
def test_a_file_without_a_good_review_is_refused(command, tmp_path):
    (tmp_path / "r.jsonl").write_text('{"kind": "review"}\n')
    assert "holds no usable review" in fails(command, tmp_path / "r.jsonl", "--out", tmp_path / "o.jsonl")[0]
    assert not (tmp_path / "o.jsonl").exists()


def test_dedupe_says_what_repeats_what(tmp_path):
    first = read_reviews(SAMPLE).reviews[0]
    again = {**first.model_dump(mode="json", exclude={"id"}), "dialogue_id": "again"}
    (tmp_path / "r.jsonl").write_text(SAMPLE.read_text(encoding="utf-8") + json.dumps(again) + "\n", encoding="utf-8")
    text = run("dedupe", tmp_path / "r.jsonl", "--out", tmp_path / "d.jsonl")
    assert "1 stand again, 0 nearly, 0 of these with other levels" in text
    assert f"repeats {first.id}: the same words" in text
    assert read_reviews(tmp_path / "d.jsonl").reviews == read_reviews(SAMPLE).reviews


@pytest.mark.parametrize(
    "command",
    "import check stats clean dedupe metadata split diff history surrogates purge export".split(),
)
def test_example_in_the_help_runs(command, tmp_path, monkeypatch):
    help_text = run(command, "--help")
    examples = re.findall(r"^ +utta data (.+)", help_text, re.MULTILINE)
    assert examples, help_text
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UTTA_HOME", str(tmp_path / "home"))
    for example in examples:
        if "ratings.csv --column" not in example:
            run(*shlex.split(example))


def test_help_imports_nothing_heavy():
    code = "import sys, utta.cli.data; print({'pydantic', 'rich', 'torch', 'dspy', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
