"""What is an e-mail, a phone, an address, a handle or an id, and what is a part of a problem."""

import pytest

from utta.core.identifiers import identifiers


@pytest.mark.parametrize(
    ("text", "type_", "found"),
    [
        ("write to <mia.f+x@mail.example.co.uk>.", "email", "mia.f+x@mail.example.co.uk"),
        ("mia (at) example (dot) com", "email", "mia (at) example (dot) com"),
        ("see https://example.org/?who=mia@example.org", "email", None),
        ("my number is 555 0142", "phone", "555 0142"),
        ("+1 (312) 555-0187 is the office", "phone", "+1 (312) 555-0187"),
        ("my student number is 4471920", "id", "4471920"),
        ("SSN 078-05-1120", "id", "078-05-1120"),
        ("we moved to 8 oak drive", "address", "8 oak drive"),
        ("P.O. Box 391, Dover, DE 19901 please", "address", "P.O. Box 391, Dover, DE 19901"),
        ("Goethestraße 7, 80336 München", "address", "Goethestraße 7, 80336 München"),
        ("ask @mia_draws", "handle", "@mia_draws"),
        ("it is mia.draws on instagram", "handle", "mia.draws"),
        ("discord mia_d#0042", "handle", "mia_d#0042"),
    ],
)
def test_finds(text, type_, found):
    [each] = identifiers(text)
    assert each.type == type_
    assert found is None or text[each.start : each.end] == found


@pytest.mark.parametrize(
    "text",
    [
        "What is 1,200 + 345?",
        "A 3-4-5 triangle",
        "555 x 1234 = 684870",
        "Solve 555-1234 and 100 200 3000.",
        "Call it x: 1000 + 2000 = 3000",
        "call me at 10:45 on 2024-03-18, not on 18.03.2024",
        "Round 4471920 to the nearest thousand.",
        "the candidate wins 3108 votes",
        "12 eggs @ 25c each, look at the dot product",
        "from x import y\n@dataclass\nclass A: z = a @ b.T",
        "She walked 3 blocks down the street and lives 5 houses along the road.",
        "https://example.org/@channel/5551234567",
        "my insta is broken and scratch is fun",
        "5 of 12 is in chapter 3, page 142",
    ],
)
def test_a_problem_stays(text):
    assert identifiers(text) == []
