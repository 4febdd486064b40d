import json

import pytest

from utta.core.errors import UttaError
from utta.records.read import write_records
from utta.records.review import Review
from utta.sources import SOURCES, import_records, merge


def review(response="Look again.", **change):
    fields = {
        "source": "test",
        "dialogue_id": "d1",
        "problem": "p1",
        "conversation": [{"speaker": "student", "utterance": "5"}],
        "response": response,
        "rubric": "utta",
        "levels": {"accuracy": "Good"},
    }
    return Review(**{**fields, **change})


def test_utta_source_keeps_reviews_as_they_are(tmp_path):
    reviews = [review("a"), review("b", metadata={"x": [1, None]}, rationale="so")]
    write_records(tmp_path / "in.jsonl", reviews)
    imported = import_records("utta", [tmp_path / "in.jsonl"])
    assert imported.records == reviews
    assert imported.summary() == {
        "entries": 2,
        "dialogues": 1,
        "problems": 1,
        "responses": 2,
        "labelled": 2,
        "unlabelled": 0,
        "labels": {"accuracy": 2},
        "merged": 0,
        "rejects": 0,
    }


def test_same_review_in_two_files_unites_its_levels(tmp_path):
    write_records(tmp_path / "1.jsonl", [review(), review("other")])
    write_records(tmp_path / "2.jsonl", [review(levels={"engagement": "Fair"}, rationale="so", problem="")])
    imported = import_records("utta", [tmp_path / "1.jsonl", tmp_path / "2.jsonl"])
    assert (len(imported.records), imported.merged, imported.faults) == (2, 1, [])
    [both] = [r for r in imported.records if r.response == "Look again."]
    assert both.levels == {"accuracy": "Good", "engagement": "Fair"}
    assert (both.rationale, both.problem) == ("so", "p1")


def test_contradicting_label_is_a_fault_and_the_first_is_kept(tmp_path):
    write_records(tmp_path / "1.jsonl", [review()])
    write_records(tmp_path / "2.jsonl", [review(levels={"accuracy": "Poor"}), review("other")])
    imported = import_records("utta", [tmp_path / "1.jsonl", tmp_path / "2.jsonl"])
    assert [r.levels for r in imported.records] == [{"accuracy": "Good"}, {"accuracy": "Good"}]
    [fault] = imported.faults
    assert "levels.accuracy 'Poor' here and 'Good' in what was read before" in str(fault)
    assert json.loads(fault.raw)["levels"] == {"accuracy": "Poor"}


@pytest.mark.parametrize("change", [{"problem": "p2"}, {"rationale": "no"}, {"metadata": {"": 2}}, {"licence": "MIT"}])
def test_any_contradiction_is_told(change):
    first = review(rationale="so", metadata={"": 1}, licence="CC BY 4.0")
    assert isinstance(merge(first, review(**change)), str)
    assert merge(first, review()) == first


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [("train", "none", "none"), ("evaluate", "train", "evaluate"), (None, "none", "none"), ("train", None, "train")],
)
def test_of_two_consents_the_one_that_allows_less_is_kept(first, second, joined):
    assert merge(review(consent=first), review(consent=second)).consent == joined
    days = merge(review(keep_until="2027-08-31"), review(keep_until="2026-12-01"))
    assert days.keep_until == "2026-12-01"


def test_nothing_good_is_one_sentence(tmp_path):
    (tmp_path / "in.jsonl").write_text("{}\n")
    with pytest.raises(UttaError, match=r"its only one is faulty, the first: .*in\.jsonl:1: the field 'source' is"):
        import_records("utta", [tmp_path / "in.jsonl"])


def test_unknown_source_lists_the_sources(tmp_path):
    with pytest.raises(UttaError, match=f"no source 'x'; the sources are {', '.join(sorted(SOURCES))}"):
        import_records("x", [tmp_path])
