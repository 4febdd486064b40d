"""What a text says; how records use it is tested in test_metadata.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utta.prepare.wording import grade_in, read_text


def test_everything_is_told_with_its_words_in_the_order_of_the_text():
    found = read_text("I'm in 4th grade, we do 5.NF.B.3 and RL.4.1 in my math class")
    assert found.grades == [("4", "I'm in 4th grade"), ("5", "5.NF.B.3"), ("4", "RL.4.1")]
    assert found.subjects == [
        ("mathematics", "my math class"), ("mathematics", "5.NF.B.3"), ("English language arts", "RL.4.1"),
    ]  # fmt: skip
    assert found.codes == [("5.NF.B.3", "5.NF.B.3"), ("RL.4.1", "RL.4.1")]


def test_the_setting_is_taken_at_its_word_and_what_is_said_is_not():
    text = "A first-grade classroom with a science unit"
    assert [words.value for words in read_text(text, setting=True).grades] == ["1"]
    assert [words.value for words in read_text(text, setting=True).subjects] == ["science"]
    assert read_text(text) == ([], [], [])


@given(st.text(), st.booleans())
def test_any_text_is_read_and_what_it_says_stands_in_it(text, setting):
    for mentions in read_text(text, setting):
        assert all(words.words in text for words in mentions)


@pytest.mark.parametrize(
    ("level", "plain"),
    [
        ("4", "4"), ("Grade 4", "4"), ("4th grade", "4"), ("fourth-grade", "4"), ("4th", "4"), ("Year 5", "Year 5"), ("K", "k"),
        ("grades 3-5", "3-5"), ("Klasse 7", "klasse 7"), ("Middle school", "middle school"), ("n/a", None), ("2019", None),
        ("", None), ("math", None),
    ],
)  # fmt: skip
def test_the_plain_form_of_a_grade(level, plain):
    assert grade_in(level) == plain
