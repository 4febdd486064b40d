"""What is exported comes back equal in every field, whatever it holds."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signatures.rubric import Rubric
from tests.sources import made
from utta.core.errors import UttaError
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.kinds import KINDS
from utta.records.read import read_reviews, write_records
from utta.records.review import Review
from utta.records.rubrics import find_rubric
from utta.sources import import_records
from utta.sources.export import FORMATS, LABELLING, PURPOSES, Asked, export_records
from utta.sources.labelling import Guess, Predictions

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "reviews.jsonl"
SOURCE = {to: {"jsonl": "utta"}.get(to, to) for to in FORMATS if to != "chat"}
HELD = [(to, kind) for to, (kinds, _) in FORMATS.items() if to in SOURCE for kind in kinds]
LABELS = ["No", " Yes ", "=1", "Yes (but the answer is incorrect)", "é\u2028"]
CRITERIA = ["accuracy", "Accuracy", "context_", "clarté", "count"]
RUBRIC = Rubric.parse(
    {"id": "odd", "title": "Odd", "criteria": [
        {"id": criterion, "question": "Is it <good> & \"right\"?", "scale": "nominal", "levels": [
            {"label": label, "means": "what it means", "value": 0.5, "good": True} for label in LABELS]}
        for criterion in CRITERIA]}
)  # fmt: skip
LEVELS = st.dictionaries(st.sampled_from(CRITERIA), st.sampled_from(LABELS))
SPEAKERS = st.sampled_from(["student", "teacher", "Teacher", "aita", " x"])
TURNS = st.lists(st.fixed_dictionaries({"speaker": SPEAKERS, "utterance": made.TEXTS}), max_size=3)
RECORDS = {
    "reviews": made.records(Review, levels=LEVELS, conversation=TURNS),
    "dialogues": made.records(Dialogue),
    "examples": made.records(TeachingExample),
}


def there_and_back(file, to, kind, folder, rubric=RUBRIC, predictions=None):
    """The records of `file` after an export and an import, and what the export told."""
    out = folder / "out" / to
    told = export_records(Asked(file, to, out, kind, rubric if to in LABELLING else None, predictions))
    return import_records(SOURCE[to], [out], kind), told


def distinct(records):
    return list({record.id: record for record in records}.values())


def by_id(records):
    return sorted(records, key=lambda record: record.id)


@pytest.mark.parametrize(("to", "kind"), HELD)
def test_any_record_comes_back_equal(to, kind, tmp_path_factory):
    @settings(deadline=None, max_examples=25 if to == "datasets" else 60, suppress_health_check=list(HealthCheck))
    @given(st.lists(RECORDS[kind], min_size=1, max_size=4).map(distinct))
    def check(records):
        folder = tmp_path_factory.mktemp("any")
        write_records(folder / "in.jsonl", records)
        records = [r for r in records if to not in PURPOSES or not r.withheld(PURPOSES[to], date.today())]
        if not records:
            with pytest.raises(UttaError, match="by consent or by date"):
                there_and_back(folder / "in.jsonl", to, kind, folder)
            return
        found, told = there_and_back(folder / "in.jsonl", to, kind, folder)
        assert (told["records"], told["faults"], found.faults) == (len(records), [], [])
        # Reviews of one response by several people are one task of a labelling tool, and come back beside each other.
        assert found.records == records if to not in LABELLING else by_id(found.records) == by_id(records)

    check()


@pytest.mark.parametrize("to", SOURCE)
def test_the_sample_comes_back_to_the_byte(to, tmp_path):
    found, _ = there_and_back(SAMPLE, to, None, tmp_path, find_rubric("utta"))
    found.write(tmp_path / "back.jsonl")
    assert (tmp_path / "back.jsonl").read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize(
    ("source", "name", "kind", "counts"),
    [
        ("mrbench", "mrbench_v3.json", "reviews", 1497),
        ("bridge", "bridge_train.json", "reviews", 759),
        ("bridge", "bridge_train.json", "dialogues", 340),
        ("bridge", "bridge_train.json", "examples", 419),
        ("mathdial", "mathdial.jsonl", "dialogues", 394),
    ],
)
def test_real_data_comes_back_equal(source, name, kind, counts, shared_data, tmp_path):
    imported = import_records(source, [shared_data / name], kind)
    imported.write(tmp_path / "in.jsonl")
    assert len(imported) == counts
    rubric = find_rubric("mrbench" if source == "mrbench" else "utta")
    for to in [to for to, each in HELD if each == kind]:
        found, told = there_and_back(tmp_path / "in.jsonl", to, kind, tmp_path / to, rubric)
        assert (told["records"], told["faults"], found.faults) == (counts, [], [])
        assert by_id(found) == by_id(imported)


def review(response="Look again.", **change):
    fields = {
        "source": "s", "dialogue_id": "d", "problem": "p", "conversation": [{"speaker": "student", "utterance": "5"}],
        "response": response, "responder": "model-x", "rubric": "odd", "levels": {"accuracy": "No"},
    }  # fmt: skip
    return Review(**{**fields, **change})


def test_a_formula_is_no_formula_in_the_table(tmp_path):
    import csv

    cells = ["=1+1", "+1", "-1", "@A1", "\t=1", "＝1", "'=1"]
    write_records(tmp_path / "in.jsonl", [review(cell, rationale=cell) for cell in cells])
    found, _ = there_and_back(tmp_path / "in.jsonl", "csv", "reviews", tmp_path)
    assert [each.response for each in found] == [each.rationale for each in found] == cells
    with open(tmp_path / "out" / "csv", encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            assert not any(cell.lstrip()[:1] in tuple("=+-@＝") for cell in row.values())


def test_a_table_shows_turns_as_lines_unless_they_would_be_read_otherwise(tmp_path):
    plain = [{"speaker": "student", "utterance": "5\nI think"}, {"speaker": "teacher", "utterance": "Why?"}]
    odd = [{"speaker": "Ms Lee", "utterance": "Teacher: no"}]
    write_records(
        tmp_path / "in.jsonl", [review(conversation=plain), review(conversation=odd), review(conversation=[])]
    )
    found, _ = there_and_back(tmp_path / "in.jsonl", "csv", "reviews", tmp_path)
    assert found.records == read_reviews(tmp_path / "in.jsonl").reviews
    text = (tmp_path / "out" / "csv").read_text(encoding="utf-8-sig")
    assert '"Student: 5\nI think\nTeacher: Why?"' in text and '"[[""Ms Lee"", ""Teacher: no""]]"' in text


@pytest.mark.parametrize(("to", "goes"), [("chat", ["a", "none said"]), ("jsonl", ["a", "b", "c", "d", "none said"])])
def test_what_may_not_be_trained_on_is_not_written_to_train_on(to, goes, tmp_path):
    consents = {"a": ("train", None), "b": ("evaluate", None), "c": ("none", None), "d": ("train", "2020-01-31")}
    said = [{"speaker": who, "utterance": "Why?"} for who in ("student", "aita")]
    terms = {**consents, "none said": (None, None)}.items()
    dialogues = [
        Dialogue(source="test", dialogue_id=name, dialogue_turns=said, consent=consent, keep_until=day)
        for name, (consent, day) in terms
    ]
    write_records(tmp_path / "in.jsonl", dialogues)
    told = export_records(Asked(tmp_path / "in.jsonl", to, tmp_path / "out"))
    assert told["records"] == len(goes)
    assert told["withheld"] == ({"consent": 2, "keep_until": 1} if to == "chat" else {})


def test_chat_is_what_was_said(tmp_path):
    turns = [("student", "5"), ("aita", "Why?"), ("teacher", "Go on.")]
    said = [{"speaker": speaker, "utterance": text} for speaker, text in turns]
    whole = Dialogue(source="s", dialogue_id="d", aita_profile={"name": "Ada"}, dialogue_turns=said)
    other = Dialogue(source="s", dialogue_id="e", dialogue_turns=[{"speaker": "Dad", "utterance": "Hi"}])
    write_records(tmp_path / "in.jsonl", [whole, other])
    told = export_records(Asked(tmp_path / "in.jsonl", "chat", tmp_path / "out.jsonl"))
    [line] = (tmp_path / "out.jsonl").read_text().splitlines()
    roles = ["system", "user", "assistant", "assistant"]
    contents = ['{"name": "Ada"}', "5", "Why?", "Go on."]
    assert json.loads(line) == {
        "messages": [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
    }
    [fault] = told["faults"]
    assert told["records"] == 1 and "record 2: the speaker 'Dad' is neither student nor teacher nor AITA" in str(fault)
    assert Dialogue.model_validate_json(fault.raw) == other
    [back] = import_records("aita", [tmp_path / "out.jsonl"]).records
    assert [turn.utterance for turn in back.dialogue_turns] == ["5", "Why?", "Go on."]


@pytest.mark.parametrize("to", LABELLING)
def test_who_wrote_a_response_is_where_no_annotator_looks(to, tmp_path):
    write_records(tmp_path / "in.jsonl", [review()])
    export_records(Asked(tmp_path / "in.jsonl", to, tmp_path / "out.json", rubric=RUBRIC))
    [entry] = json.loads((tmp_path / "out.json").read_text())
    hidden = entry.pop("metadata" if to == "argilla" else "meta")
    assert "model-x" in json.dumps(hidden) and "model-x" not in json.dumps(entry)


@pytest.mark.parametrize("to", LABELLING)
def test_reviews_of_one_response_are_one_task(to, tmp_path):
    three = [review(reviewer=name, rationale=name) for name in ("A", "B", None)]
    write_records(tmp_path / "in.jsonl", [*three, review(reviewer="C", levels={}), review("Other.")])
    found, _ = there_and_back(tmp_path / "in.jsonl", to, "reviews", tmp_path)
    assert len(json.loads((tmp_path / "out" / to).read_text())) == 3  # one is still to be judged by C
    assert by_id(found) == by_id(read_reviews(tmp_path / "in.jsonl").reviews)


@pytest.mark.parametrize("to", LABELLING)
def test_a_label_outside_the_rubric_is_put_aside(to, tmp_path):
    write_records(tmp_path / "in.jsonl", [review(), review("b", levels={"accuracy": "Perhaps"})])
    found, told = there_and_back(tmp_path / "in.jsonl", to, "reviews", tmp_path)
    assert len(found) == told["records"] == 1
    assert "record 2: the label 'Perhaps' of accuracy is not in the rubric odd" in str(told["faults"][0])


@pytest.mark.parametrize("to", LABELLING)
def test_a_judges_levels_are_proposed_and_are_no_review(to, tmp_path):
    open_ = review(levels={})
    write_records(tmp_path / "in.jsonl", [open_])
    judged = Predictions("run 1", {open_.id: {"accuracy": Guess("=1", 0.75)}})
    found, _ = there_and_back(tmp_path / "in.jsonl", to, "reviews", tmp_path, predictions=judged)
    assert found.records == [open_]
    [entry] = json.loads((tmp_path / "out" / to).read_text())
    if to == "argilla":
        assert entry["suggestions"] == {"accuracy": {"value": "=1", "score": 0.75, "agent": "run 1"}}
    else:
        [proposed] = entry["predictions"]
        assert (proposed["model_version"], proposed["score"]) == ("run 1", 0.75)
        assert [result["value"] for result in proposed["result"]] == [{"choices": ["=1"]}]
    other = Predictions("run 1", {open_.id: {"accuracy": Guess("Perhaps", 0.75)}})
    with pytest.raises(UttaError, match="The run run 1 judged 'accuracy' as 'Perhaps', which is not in the rubric odd"):
        there_and_back(tmp_path / "in.jsonl", to, "reviews", tmp_path, predictions=other)


@pytest.mark.parametrize(
    ("to", "kind", "rubric", "wrong"),
    [
        ("csv", "dialogues", None, "The format csv has no dialogues; give one of jsonl, parquet, datasets, chat."),
        ("chat", "reviews", None, "The format chat has no reviews; give one of jsonl, csv, "),
        ("argilla", "reviews", None, "For argilla a rubric says what annotators are asked; give it with --rubric."),
    ],
)
def test_what_a_format_cannot_hold_is_one_sentence(to, kind, rubric, wrong, tmp_path):
    with pytest.raises(UttaError, match=wrong):
        export_records(Asked(SAMPLE.with_name(f"{kind}.jsonl"), to, tmp_path / "out", kind, rubric))
    assert not (tmp_path / "out").exists()


def test_a_criterion_that_is_no_column_is_one_sentence(tmp_path):
    write_records(tmp_path / "in.jsonl", [review(levels={"a\nb": "No"})])
    with pytest.raises(
        UttaError, match=r"The criterion 'a\\nb' cannot be the name of a column; export to jsonl or parquet"
    ):
        export_records(Asked(tmp_path / "in.jsonl", "csv", tmp_path / "out.csv"))


def test_a_text_for_experts_is_no_criterion(tmp_path):
    level = {"label": "No", "means": "no", "value": 0, "good": False}
    criterion = {"id": "rationale", "question": "?", "scale": "nominal", "levels": [level, {**level, "label": "Yes"}]}
    rubric = Rubric.parse({"id": "r", "title": "r", "criteria": [criterion]})
    with pytest.raises(UttaError, match="The criterion 'rationale' has the name of a text that experts write"):
        export_records(Asked(SAMPLE, "label-studio", tmp_path / "out", rubric=rubric))


def test_the_kind_is_that_of_the_first_record(tmp_path):
    whole = Dialogue(source="s", dialogue_id="d", dialogue_turns=[])
    write_records(tmp_path / "in.jsonl", [whole])
    told = export_records(Asked(tmp_path / "in.jsonl", "parquet", tmp_path / "out.parquet"))
    assert (told["kind"], told["records"]) == ("dialogues", 1)
    assert set(KINDS) >= {told["kind"]}
