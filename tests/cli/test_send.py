import json
import shlex

import pytest

from tests.cli.test_data import SAMPLE, fails, run
from utta.core.files import write_lines
from utta.records.read import read_reviews
from utta.sources.export import FORMATS


def test_the_help_names_every_format_and_its_examples_run(tmp_path, monkeypatch):
    text = run("export", "--help")
    assert all(f" {name} " in text for name in FORMATS)
    monkeypatch.chdir(SAMPLE.parents[2])
    examples = [
        line.split("utta data ")[1] for line in text.splitlines() if line.strip().startswith("utta data export")
    ]
    assert len(examples) == 2
    for number, example in enumerate(examples):
        *args, out = shlex.split(example)
        assert "Wrote" in run(*args, tmp_path / str(number) / out)


def test_what_was_written_is_told(tmp_path):
    text = run("export", SAMPLE, "--to", "label-studio", "--out", tmp_path / "t.json")
    assert text.startswith("96 reviews as label-studio\n")
    assert f"Wrote {tmp_path / 't.json'}\nWrote {tmp_path / 't.config.xml'}\n" in text
    told = json.loads(run("export", SAMPLE, "--to", "csv", "--out", tmp_path / "t.csv", "--json"))
    assert told == {
        "file": str(SAMPLE), "format": "csv", "kind": "reviews", "records": 96, "paths": [str(tmp_path / "t.csv")],
        "faults": 0, "withheld": {}, "rejects_file": None,
    }  # fmt: skip


def test_what_cannot_be_written_is_put_aside(tmp_path):
    (tmp_path / "r.jsonl").write_text(SAMPLE.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    text = run("export", tmp_path / "r.jsonl", "--to", "csv", "--out", tmp_path / "t.csv")
    assert "1 faulty line was put aside in" in text and (tmp_path / "t.export-rejects.jsonl").is_file()


def test_a_runs_levels_are_proposed_to_experts(tmp_path):
    reviews = read_reviews(SAMPLE).reviews
    run_folder = tmp_path / "run"
    lines = [
        {"record_id": each.id, "dialogue_id": each.dialogue_id, "responder": None, "criterion": "accuracy", "level": 3,
         "label": "Good", "probabilities": None, "confidence": 0.5}
        for each in reviews[:2]
    ]  # fmt: skip
    write_lines(run_folder / "predictions.jsonl", lines)
    out = tmp_path / "t.json"
    run("export", SAMPLE, "--to", "argilla", "--out", out, "--predictions", run_folder)
    proposed = [
        record["suggestions"] for record in json.loads(out.read_text(encoding="utf-8")) if record["suggestions"]
    ]
    assert proposed == [{"accuracy": {"value": "Good", "score": 0.5, "agent": "run"}}] * 2
    told = fails("export", SAMPLE, "--to", "csv", "--out", tmp_path / "t.csv", "--predictions", run_folder)[0]
    assert told == "Predictions are for argilla and label-studio only, not for csv."


@pytest.mark.parametrize("to", FORMATS)
def test_the_file_itself_is_never_overwritten(to, tmp_path):
    (tmp_path / "r.jsonl").write_bytes(SAMPLE.read_bytes())
    told = fails("export", tmp_path / "r.jsonl", "--to", to, "--out", tmp_path / "r.jsonl")[0]
    assert "is an input and would be overwritten" in told and (tmp_path / "r.jsonl").read_bytes() == SAMPLE.read_bytes()


def test_a_file_that_is_missing_or_of_no_records_is_one_sentence(tmp_path):
    assert "There is no file" in fails("export", tmp_path / "none", "--to", "csv", "--out", tmp_path / "o")[0]
    (tmp_path / "x").write_text("{}\n")
    assert "holds no records of UTTA" in fails("export", tmp_path / "x", "--to", "csv", "--out", tmp_path / "o")[0]
