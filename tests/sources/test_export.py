"""What is exported comes back equal in every field, whatever it holds."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signatures.rubric import Rubric
from tests.sources import made
from utta.core.errors import UttaError
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.read import read_reviews, write_records
from utta.records.review import Review
from utta.records.rubrics import find_rubric
from utta.sources import KINDS, import_records
from utta.sources.export import FORMATS, LABELLING, Asked, export_records
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
RECORDS = {
    "reviews": made.records(Review, levels=LEVELS),
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
