"""Surrogates: what is replaced by what, once and for all, and what stays."""

import os
import re
import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utta.core.errors import UttaError
from utta.core.surrogates import SURROGATE, Surrogates, own_key, read_roster

KEY = b"k" * 32
ROSTER = ["Mia Fernandez", "Will Turner", "May Lopez", "Ana Diaz", "Ana Lee", "Jean-Luc O'Brien"]
WORDS = """my name is I'm Hi Great catch Ms Dr. , . ! ? : ' " ( ) - # @ + = / Mia mia MIA's Will will Turner May Ana
    O'Brien Jean-Luc Alejandra Newton Monday student id number 4471920 call me 555-0142 +44 7700 900461 mia@example.org at dot
    com 14 Elm Street Apt 2 @ale_draws roblox x_1 1,200 345 3-4-5 Person-kqtbmd id-bcdfgh email- Person and Student:
    https://example.org/a@b.org"""
PIECES = st.sampled_from([*WORDS.split(), "\n", " "])
TEXTS = st.one_of(
    st.lists(PIECES, max_size=25).map(" ".join), st.lists(PIECES, max_size=12).map("".join), st.text(max_size=80)
)


def replaced(*texts, roster=()):
    return Surrogates(KEY, roster).replace(texts)


def person(text):
    """The only person's surrogate in a text."""
    [found] = {match[0] for match in SURROGATE.finditer(text)}
    return found


@given(st.lists(TEXTS, max_size=4), st.booleans())
def test_twice_changes_nothing_more_and_nothing_found_changes_nothing(texts, roster):
    surrogates = Surrogates(KEY, ROSTER if roster else ())
    once = surrogates.replace(texts)
    found = surrogates.counts.total()
    assert surrogates.replace(once) == once and surrogates.counts.total() == found
    assert (once == texts) == (found == 0)


@given(st.lists(TEXTS, max_size=3))
def test_what_is_no_surrogate_stood_in_the_text_before(texts):
    for before, after in zip(texts, replaced(*texts, roster=ROSTER), strict=True):
        pieces = [re.escape(piece) for piece in SURROGATE.sub("\0", after).split("\0")]
        assert re.fullmatch("(?s:.*)".join(pieces), before)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Great catch, {}! Where did the 3 come from?", "Alejandra"),
        ("mail {} please", "mia.f@example.org"),
        ("mail {} please", "mia at example dot org"),
        ("text me at {} tonight", "555-0142"),
        ("I live at {}, next to the park.", "14 Elm Street, Springfield, IL 62704"),
        ("my insta is {} ok", "mia.draws_"),
        ("My student id is {}.", "S-4471920"),
    ],
)
def test_the_words_around_stay(text, kept):
    [after] = replaced(text.format(kept))
    assert re.fullmatch(text.replace(".", r"\.").replace("?", r"\?").format(SURROGATE.pattern), after), after


def test_one_person_is_one_surrogate_in_every_case_text_and_run():
    first, second, third = replaced("Hi Mia!", "MIA's graph is not mia's.", "Well done, Mia Fernandez.", roster=ROSTER)
    assert person(first) == person(second) == person(third)
    assert second == f"{person(first)}'s graph is not {person(first)}'s."
    assert replaced("Hi Mia!", roster=ROSTER) == [first]
    assert Surrogates(b"x" * 32, ROSTER).replace(["Hi Mia!"]) != [first]
    ana, lee, diaz = replaced("Hi Ana!", "Hi Ana Lee!", "Hi Ana Diaz!", roster=ROSTER)
    assert len({person(ana), person(lee), person(diaz)}) == 3  # who is meant by Ana alone, nobody can tell


def test_who_is_named_in_one_text_is_known_in_those_that_go_with_it():
    there, here = replaced("my name is Alejandra", "What did Alejandra mean?")
    assert person(there) == person(here)
    assert replaced("What did Alejandra mean?") == ["What did Alejandra mean?"]


def test_spelling_makes_no_other_phone_or_id():
    assert len(set(replaced("call 312-555-0187", "call 312 555 0187", "call (312) 555-0187"))) == 1
    assert len(set(replaced("ID: s-4471", "ID: S4471"))) == 1
    assert len(set(replaced("MIA@example.org", "mia at example dot org"))) == 1


def test_counts_are_by_type():
    surrogates = Surrogates(KEY)
    surrogates.replace(["Hi Mia! Hi Ben! mia@example.org"])
    assert surrogates.counts == {"name": 2, "email": 1}


def test_values_keep_their_shape_and_what_is_skipped():
    value = {"a": ["Hi Mia!", 3, None, {"b": "Mia"}], "kind": "Hi Mia!", "Mia": True}
    inside = Surrogates(KEY).inside(value, skip=("kind",))
    who = person(inside["a"][0])
    assert inside == {"a": [f"Hi {who}!", 3, None, {"b": who}], "kind": "Hi Mia!", "Mia": True}


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "A", "a.", "@", "Aa ", "(", "555-", "x at ", "Hi "])
def test_long_texts_take_no_longer_than_their_length(piece):
    started = time.monotonic()
    replaced(piece * 50_000)
    assert time.monotonic() - started < 20  # what grows with the square of the length takes minutes


def test_the_key_is_made_once_and_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path))
    assert own_key() == own_key() and len(own_key()) == 32
    assert [p.name for p in tmp_path.iterdir()] == ["surrogates.key"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "surrogates.key").stat().st_mode) == 0o600
    (tmp_path / "surrogates.key").write_bytes(b"short")
    with pytest.raises(UttaError, match=r"has 5 bytes instead of 32; put it back from a copy, or remove it"):
        own_key()


def test_the_roster_is_the_one_given_or_named_or_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path))
    monkeypatch.delenv("UTTA_ROSTER", raising=False)
    assert read_roster() == []
    (tmp_path / "roster.txt").write_text("Mia Fernandez\n\n Ben Carter \n", encoding="utf-8-sig")
    assert read_roster() == ["Mia Fernandez", "Ben Carter"]
    (tmp_path / "named.txt").write_text("Zoe Lee", encoding="utf-8")
    monkeypatch.setenv("UTTA_ROSTER", str(tmp_path / "named.txt"))
    assert read_roster() == ["Zoe Lee"] and read_roster(tmp_path / "roster.txt") == ["Mia Fernandez", "Ben Carter"]
    monkeypatch.setenv("UTTA_ROSTER", str(tmp_path / "lost.txt"))
    with pytest.raises(
        UttaError, match=r"The roster .*lost\.txt cannot be read .*; give a text file with one name a line"
    ):
        Surrogates.of_this_machine()
