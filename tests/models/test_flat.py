"""Rows in one flat sequence against the plain way: each row on its own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utta.models.flat import SHARED, STRETCH, lay_out_rows, read

BEGINNING = [5 + i % 30 for i in range(STRETCH + 7)]


@st.composite
def families(draw):
    """Rows that grow out of one another, so that some share a beginning, some a longer one, and some nothing."""
    found = [draw(st.lists(st.integers(3, 39), max_size=40))]
    for _ in range(draw(st.integers(0, 6))):
        before = found[draw(st.integers(0, len(found) - 1))]
        kept = draw(st.integers(0, len(before)))
        found.append(before[:kept] + draw(st.lists(st.integers(3, 39), max_size=30)))
    return [row for row in found if row] or [[7]]


@given(families())
def test_the_places_of_a_row_spell_it(rows):
    layout, places = lay_out_rows(rows)
    assert [layout.ids[0, own].tolist() for own in places] == rows
    assert all(layout.positions[0, own].tolist() == list(range(len(own))) for own in places)
    assert layout.ids.shape == layout.positions.shape


@given(families())
def test_no_token_is_laid_out_that_no_row_has_and_none_twice_that_is_worth_sharing(rows):
    layout, places = lay_out_rows(rows)
    used = torch.cat(places).unique()
    assert len(used) == layout.ids.shape[1] <= sum(map(len, rows))
    again, _ = lay_out_rows([*rows, rows[0]])
    assert again.ids.shape == layout.ids.shape


def test_a_conversation_that_goes_on_is_read_once():
    rows = [[*BEGINNING[: SHARED + 20 * turn], 3] for turn in range(5)]
    assert lay_out_rows(rows)[0].ids.shape[1] < len(rows[-1]) + 4 * (SHARED + 1)


@settings(max_examples=25)
@given(families())
def test_each_row_is_read_as_if_it_were_alone(tiny_engine, rows):
    assert_alone(tiny_engine.base, rows)


@pytest.mark.parametrize("rows", [[BEGINNING], [BEGINNING, [*BEGINNING, 3, 4]], [[3, *BEGINNING], BEGINNING * 2]])
def test_so_are_rows_longer_than_a_stretch(tiny_engine, rows):
    assert_alone(tiny_engine.base, rows)


def assert_alone(model, rows):
    with torch.inference_mode():
        layout, places = lay_out_rows(rows)
        together = read(model.get_decoder(), layout)[0]
        for row, own in zip(rows, places, strict=True):
            alone = model.get_decoder()(torch.tensor([row])).last_hidden_state[0]
            assert torch.allclose(together[own], alone, atol=1e-4)
