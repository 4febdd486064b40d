import hashlib
import json
from datetime import date

import pytest
from pydantic import ValidationError

from utta.core.paths import data_dir
from utta.records.review import Review
from utta.records.schema import RECORDS, schema_text

FIELDS = {
    "source": "test",
    "dialogue_id": "d1",
    "conversation": [{"speaker": "student", "utterance": "½ + ½ = 2"}],
    "response": "Is it?",
    "rubric": "utta",
    "levels": {"accuracy": "Good"},
}


def test_id_is_the_hash_of_what_was_judged_and_by_whom():
    text = '["test","d1",[["student","½ + ½ = 2"]],null,"Is it?",null]'
    assert Review(**FIELDS).id == hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


@pytest.mark.parametrize(
    "change",
    [
        {"source": "other"},
        {"dialogue_id": "d2"},
        {"conversation": [{"speaker": "teacher", "utterance": "½ + ½ = 2"}]},
        {"response": "No."},
        {"responder": "someone"},
        {"reviewer": "r1"},
    ],
)
def test_id_differs_with_each_part_of_what_was_judged(change):
    assert Review(**{**FIELDS, **change}).id != Review(**FIELDS).id


def test_id_stays_when_a_level_is_corrected():
    assert Review(**{**FIELDS, "levels": {"accuracy": "Poor"}}).id == Review(**FIELDS).id


def test_given_id_is_kept_when_it_fits_and_refused_when_not():
    right = Review(**FIELDS).id
    assert Review(**FIELDS, id=right).id == right
    with pytest.raises(ValidationError, match=f"whose id is '{right}'"):
        Review(**FIELDS, id="0" * 16)


def test_empty_response_and_no_levels_are_allowed():
    review = Review(**{**FIELDS, "response": "", "levels": {}})
    assert (review.response, review.levels) == ("", {})


@pytest.mark.parametrize(
    "change",
    [
        {"source": " "},
        {"dialogue_id": ""},
        {"levels": {"accuracy": 3}},
        {"levels": {"accuracy": ""}},
        {"levels": {" ": "Good"}},
        {"conversation": [{"speaker": "", "utterance": "x"}]},
        {"conversation": [{"speaker": "student", "utterance": "x", "mood": "bored"}]},
        {"schema_version": 2},
        {"kind": "dialogue"},
        {"stars": 5},
        {"consent": "yes"},
        {"metadata": {"x": float("nan")}},
        {"metadata": {"x": "\ud800"}},
        {"metadata": {"x": {1, 2}}},
    ],
)
def test_refuses(change):
    with pytest.raises(ValidationError):
        Review(**{**FIELDS, **change})


RIGHTS = {"student": "s-17", "consent": "train", "keep_until": "2027-08-31"}


def test_what_a_record_may_be_used_for_is_no_part_of_its_id():
    review = Review(**FIELDS, **RIGHTS)
    assert review.id == Review(**FIELDS).id
    assert Review.model_validate_json(review.model_dump_json()) == review


@pytest.mark.parametrize(
    ("change", "train", "evaluate"),
    [
        ({}, None, None),
        ({"consent": "train"}, None, None),
        ({"consent": "evaluate"}, "consent", None),
        ({"consent": "none"}, "consent", "consent"),
        ({"keep_until": "2027-03-01"}, None, None),
        ({"keep_until": "2027-02-28"}, "keep_until", "keep_until"),
        ({"consent": "none", "keep_until": "2027-02-28"}, "keep_until", "keep_until"),
    ],
)
def test_consent_and_the_last_day_withhold_a_record(change, train, evaluate):
    review, today = Review(**FIELDS, **change), date(2027, 3, 1)
    assert (review.withheld("train", today), review.withheld("evaluate", today)) == (train, evaluate)


@pytest.mark.parametrize(
    "day", ["tomorrow", "31.8.2027", "2027-8-31", "20270831", "2027-02-30", "2027-08-31T00:00:00", ""]
)
def test_a_last_day_is_written_in_one_way(day):
    with pytest.raises(ValidationError, match="is not a day like 2027-08-31, seen"):
        Review(**FIELDS, keep_until=day)


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_shipped_schema_is_current(kind):
    shipped = (data_dir() / "schemas" / f"{kind}.json").read_text(encoding="utf-8")
    assert shipped == schema_text(kind), "run `python -m utta.records.schema`"
    assert set(json.loads(shipped)["properties"]) == set(RECORDS[kind].model_fields)
