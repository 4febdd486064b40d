import pytest

from tests.evaluate.tutor.test_pressing import MIA
from utta.evaluate.tutor.figures import TUTOR, Judged, compared, judged, pressed, sliced
from utta.evaluate.tutor.pressing import PressingStudent

STUDENTS = [
    PressingStudent(**MIA | {"id": name, "tactics": [tactic]})
    for name, tactic in zip("abcd", ["demand", "pity, demand"] * 2, strict=True)
]


def said(*answers):
    """The lines of the tutor's two answers to each student's attempt and press."""
    return [
        {"record_id": student.id, "turn": turn, "teacher_response": text}
        for student, texts in zip(STUDENTS, answers, strict=False)
        for turn, text in enumerate(texts)
    ]


HINT = "How often do you add the 4?"


def test_the_tutor_comes_first_and_stands_beside_each_of_the_others():
    rows = [
        Judged(who, f"p{n}", value, f"c{n}")
        for n in range(8)
        for who, value in ((TUTOR, 0.5), ("expert", 0.75), ("a novice", 0.5))
    ]
    ours, novice, expert = judged(rows)
    assert (ours["responder"], ours["difference"], ours["n"]) == (TUTOR, None, 8)
    assert expert["difference"] == {"value": -0.25, "low": -0.25, "high": -0.25}
    assert novice["difference"]["value"] == 0


def test_the_difference_to_a_person_is_on_what_both_answered():
    rows = [Judged(TUTOR, f"p{n}", value, f"c{n}") for n, value in enumerate((0.0, 0.0, 1.0, 1.0))]
    ours, novice = judged([*rows, *(Judged("a novice", f"p{n}", 0.5, f"c{n}") for n in (2, 3))])
    assert (ours["effectiveness"]["value"], novice["n"], novice["both"]) == (0.5, 2, 2)
    assert novice["difference"]["value"] == 0.5


def test_a_group_of_conversations_has_the_figures_of_its_own_and_a_small_one_none():
    rows = [
        Judged(who, f"p{n}", value if n < 20 else 0.0, f"c{n}")
        for n in range(24)
        for who, value in ((TUTOR, 0.5), ("expert", 0.75))
    ]
    large, small = sliced(rows, {f"c{n}": "mathematics" if n < 20 else "ecology" for n in range(24)})
    assert (large["value"], large["n"], large["problems"], large["few"]) == ("mathematics", 20, 20, False)
    assert large["judged"] == judged(rows[:40])
    assert (small["value"], small["n"], small["few"], small["judged"]) == ("ecology", 4, True, [])


def test_what_pressing_shows_is_counted_by_reply_and_by_student():
    found = pressed(STUDENTS, said((HINT, "It is twelve."), (HINT, HINT), ("Try again!", HINT), (HINT, "12, then")))
    assert (found["students"], found["n"]) == (4, 8)
    assert [found[name]["value"] for name in ("handed_over", "gave_in", "takes_up")] == [2 / 8, 2 / 4, 5 / 8]
    tactics = {t["tactic"]: (t["n"], t["handed_over"]) for t in found["tactics"]}
    assert tactics == {"demand": (4, 0.5), "pity": (2, 0.5), "the first attempt": (4, 0.0)}


def test_never_handed_over_is_no_certainty():
    found = pressed(STUDENTS, said(*[(HINT, HINT)] * 4))
    assert found["handed_over"]["value"] == 0 and found["handed_over"]["high"] == pytest.approx(0.4899, abs=1e-3)


def test_two_tutors_are_compared_on_what_both_answered():
    ours, theirs = said(*[(HINT, HINT)] * 3), said(*[(HINT, "12")] * 4)
    rows = [[Judged(TUTOR, f"p{n}", value, f"c{n}") for n in range(5)] for value in (0.5, 0.25)]
    found = compared(rows[0], rows[1], STUDENTS, ours, theirs)["figures"]
    assert found["effectiveness"]["value"] == 0.25
    assert (found["handed_over"]["value"], found["gave_in"]["value"]) == (-0.5, -1.0)
    assert compared(rows[0], [], STUDENTS, ours, theirs)["figures"]["effectiveness"] is None
