"""Cleaning changes how a text is spelled, never what it says."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utta.prepare.clean import CONTROL, clean, clean_file, clean_text
from utta.records.read import read_reviews, write_records
from utta.records.record import Turn
from utta.records.review import Review

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("  \t\n\r\x00\xa0"), max_size=30)


def review(response="Look again.", said="5", **change):
    fields = {"source": "s", "dialogue_id": "d", "rubric": "utta", "levels": {"accuracy": "Good"}}
    return Review(conversation=[Turn(speaker="student", utterance=said)], response=response, **{**fields, **change})


@pytest.mark.parametrize(
    ("text", "after", "done"),
    [
        ("cafe\u0301 ½ ²", "café ½ ²", ("Unicode",)),
        ("a\x00b\x1b[0m\ufeff", "ab[0m", ("control characters",)),
        ("a\xa0 b\t c ", "a b c", ("spaces",)),
        ("one\r\ntwo\rthree", "one\ntwo\nthree", ("line ends",)),
        ("\t\r0", "0", ("line ends", "spaces")),
        ("\n  12\n+  7  \n----\n\n", "  12\n+  7\n----", ("spaces",)),
        ("Tutor: Look again.", "Look again.", ("speaker's name",)),
        ("Sure! Here is a possible response: Look.", "Look.", ("wrapping",)),
        ("Teacher's response: Look.", "Look.", ("wrapping",)),
        ("Teacher:", "Teacher:", ()),
        ("Student: says who?", "Student: says who?", ()),
        ("Of course here is the sum", "Of course here is the sum", ()),
    ],
)
def test_what_is_done_to_a_reply(text, after, done):
    assert clean_text(text, "teacher", reply=True) == (after, done)


@given(TEXT, st.sampled_from(["student", "teacher", ""]), st.booleans())
def test_nothing_but_space_and_control_characters_goes(text, speaker, reply):
    after, done = clean_text(text, speaker, reply)
    assert clean_text(after, speaker, reply)[1] == () or {"speaker's name", "wrapping"} & set(done)
    if not {"speaker's name", "wrapping"} & set(done):
        bare = [re.sub(r"\s", "", CONTROL.sub("", unicodedata.normalize("NFC", t))) for t in (text, after)]
        assert unicodedata.normalize("NFC", bare[0]) == unicodedata.normalize("NFC", bare[1])
    assert (after == text) is not bool(done)


def test_a_clean_review_is_the_same_and_a_mended_one_says_where():
    tidy = review()
    assert clean(tidy) == (tidy, [])
    mended, changes = clean(review("Response: Look again.", "Student: 5 "))
    assert [(c.place, c.after) for c in changes] == [("conversation[0]", "5"), ("response", "Look again.")]
    assert mended.response == "Look again." and mended.id == tidy.id


def test_a_file_is_cleaned_with_every_change_on_record(tmp_path):
    other = review("Teacher: No. ", levels={"accuracy": "Poor"})
    reviews = [review(), review("Look again. "), other, review("Look again.  ", levels={"accuracy": "Poor"})]
    write_records(tmp_path / "in.jsonl", reviews)
    told = clean_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert [r.response for r in read_reviews(tmp_path / "out.jsonl").reviews] == ["Look again.", "No."]
    assert (told["changed"], told["merged"], told["rejects"]) == (3, 1, 1) and "levels.accuracy" in told["note"]
    log = [json.loads(line) for line in (tmp_path / "out.changes.jsonl").read_text().splitlines()]
    assert [c["before"] for c in log] == ["Look again. ", "Teacher: No. ", "Look again.  "]
