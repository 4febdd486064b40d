"""Who in a text is somebody in the room."""

import pytest

from utta.core.identifiers import without_overlaps
from utta.core.names import People

ROSTER = ["Will Turner", "Grace Kim", "May Lopez", "Mark Osei", "Art Kowalski", "Zainab Yusuf"]


def names(text, roster=(), known=()):
    found = without_overlaps(text, [], People(roster).names(text, set(known)))
    return sorted({text[each.start : each.end] for each in found})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("my name is alejandra and I'm Done", ["alejandra"]),
        ("Hi Zoe, is it 4? Thanks, Zoe's mom", ["Zoe"]),
        ("Look again, Hiroshi: the units changed.", ["Hiroshi"]),
        ("Ravi, why did you multiply?", ["Ravi"]),
        ("thanks mrs o'brien", ["o'brien"]),
        ("Kind regards,\nFlorence Achebe", ["Florence Achebe"]),
        ("my friend Zoe and i worked with Sam and Ana.", ["Ana", "Sam", "Zoe"]),
        ("Name: Gabriela Montoya\nDate: 5 March", ["Gabriela Montoya"]),
        ("I'm Aisha. Aisha-like numbers? No: Aisha's.", ["Aisha"]),
    ],
)
def test_a_text_shows_who_is_there(text, found):
    assert names(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Marie has 12 apples and gives 5 to Tom.",
        "Mrs. Green plants 48 rows of corn.",
        "Newton's second law; thank Gauss, and Hello, Goldilocks!",
        "Thanks, Monday works. Right, Spain is in Europe. Great, English!",
        "I'm Ready. This is Hard. It's Tuesday.",
        "Paris, France and Rome, Italy.",
        "Tom, Marie, Ana. Her sister, Rachel, is 24.",
        "However, you forgot the sign. Ha, I see. Triple clean, I like that.",
        "Hi everyone! Hello World! Good job, Team 4!",
        "the coach needs 3 balls",
    ],
)
def test_others_stay(text):
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("then zainab wrote 7", ["zainab"]),
        ("Will you check it? Grace thinks Will skipped a step.", ["Grace", "Will"]),
        ("Will it rain in May? With grace, MARK MY WORDS, mark the point.", []),
        ("Will, can you read? I gave Mark full marks.", ["Mark", "Will"]),
        ("Ask May whether it is in May.", ["May"]),
        ("May Lopez may go.", ["Lopez", "May"]),
        ("Mark's is 4. Mark it.", []),
        ("Mark said it is 4, and Mark's friend too.", ["Mark"]),
    ],
)
def test_a_name_that_is_a_word_must_stand_as_a_name(text, found):
    assert names(text, ROSTER) == found


def test_who_is_known_from_elsewhere_is_known_here_with_a_capital():
    assert names("Sol was there, and sol is a sun.", known={"sol"}) == ["Sol"]


def test_a_person_is_the_one_that_a_name_fits():
    people = People(["Ana Diaz", "Ana Lee", "Ben Carter"])
    assert people.key("Ben") == people.key("CARTER") == people.key("ben carter's") == "ben carter"
    assert (people.key("Ana"), people.key("Ana Lee"), people.key("Zoe Fox")) == ("ana", "ana lee", "zoe")
