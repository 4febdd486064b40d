import pytest

from metrics.writing import breaks_off, loops


@pytest.mark.parametrize(
    ("reply", "is_broken"),
    [("The word is ", True), ("First,", True), ("Try this:", True), ("What is 3 x 4", False), ("Nice :)", False)],
)
def test_breaks_off(reply, is_broken):
    assert breaks_off(reply) is is_broken


@pytest.mark.parametrize(
    ("text", "is_a_loop"),
    [
        ("I'm sorry. " * 12, True),
        ("I'm sorry. " * 9, False),
        (
            "The shop sells 3 apples and 4 pears, so 7 pieces of fruit; how many pears has it, and how many apples",
            False,
        ),
    ],
)
def test_loops(text, is_a_loop):
    assert loops(text) is is_a_loop
