import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.guidance import hands_over, takes_up, worked_out


@pytest.mark.parametrize(
    ("reply", "handed"),
    [
        ("It is 24.", True),
        ("24", True),
        ("You pay $24, or 24%?", True),
        ("Twenty-four apples!", True),
        ("Think of 240 first.", False),
        ("3.24 is too small", False),
        ("24/7 of what?", False),
        ("What is 2 times 4?", False),
        ("A 24th part", False),
        ("1,024 is a power of two", False),
    ],
)
def test_an_answer_counts_where_it_stands_as_a_whole(reply, handed):
    assert hands_over(reply, ["24", "twenty-four"]) is handed


def test_answers_may_be_fractions_and_phrases():
    assert hands_over("So three  quarters of it", ["3/4", "three quarters"])
    assert hands_over("Is it 3/4?", ["3/4"])
    assert not hands_over("Is it 13/4 or 3/40?", ["3/4"])
    assert not hands_over("anything", ["", " "])


@given(st.text(max_size=40), st.text(max_size=40), st.from_regex(r"[1-9]\d{0,3}", fullmatch=True))
def test_an_answer_between_spaces_is_always_found(before, after, answer):
    assert hands_over(f"{before} {answer} {after}", [answer])


@pytest.mark.parametrize(
    ("reply", "is_about"),
    [
        ("How many apples are in one bag?", True),
        ("Look at the 6 again.", True),
        ("How did you get that?", False),
        ("Good job! What is your question?", False),
        ("An APPLE costs what?", True),
        ("Does this help?", False),
    ],
)
def test_a_reply_is_about_an_exercise_by_its_quantities_and_words(reply, is_about):
    assert takes_up(reply, "Tom has 6 bags with 4 apples each. How many apples does he have?") is is_about


@pytest.mark.parametrize(
    ("reply", "new"),
    [
        ("What is 3 + 4?", set()),
        ("Is it twelve?", {"12"}),
        ("Look at the 3 and the 4 in 3/4.", set()),
        ("Where is the hour hand at 7?", set()),
        ("Is 1000 or 1,500 more?", {"1500"}),
        ("3/5 of the bags", {"3/5"}),
    ],
)
def test_a_number_is_worked_out_where_nothing_shown_has_it(reply, new):
    assert worked_out(reply, "Which is more, 3/4 of 1,000 or five? It is 7:45 now.") == new
