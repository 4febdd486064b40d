"""The planted identifiers: what the set holds, and that its card states what is found of them."""

from collections import Counter

import pytest

from scripts.measure_privacy import planted, share, table
from utta.core.identifiers import TYPES
from utta.core.paths import data_dir

CARD = (data_dir() / "privacy" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("part", "texts", "traps"), [("tune", 190, 38), ("test", 196, 44)])
def test_the_set_is_what_its_card_says(part, texts, traps):
    lines = planted(part)
    assert (len(lines), sum("trap" in line for line in lines)) == (texts, traps)
    assert f"({texts})" in CARD or f"({texts} texts)" in CARD
    counts = Counter(type_ for line in lines for _, _, type_ in line["spans"])
    assert counts.keys() == set(TYPES) and min(counts.values()) >= 20
    for line in lines:
        assert "trap" not in line or not line["spans"]
        for start, end, _ in line["spans"]:
            assert line["text"][start:end].strip() == line["text"][start:end] != ""


def test_no_text_stands_in_both_parts():
    assert not {line["text"] for line in planted("tune")} & {line["text"] for line in planted("test")}


def test_the_card_states_the_measured_figures():
    assert table(planted("test")) in CARD


def test_a_share_has_its_n_and_wilsons_interval():
    assert share(9, 10) == "0.90 [0.60 0.98] (n 10)"
    assert share(0, 0) == "– (n 0)"
