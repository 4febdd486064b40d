import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utta.core.store import Store

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


@given(st.lists(st.tuples(TEXT, TEXT)))
def test_it_is_a_dictionary_that_keeps_the_first(pairs):
    store, known = Store(), {}
    for key, value in pairs:
        assert store.add(key, value) == known.get(key)
        known.setdefault(key, value)
    assert list(store) == list(known.values()) and len(store) == len(known)
    assert list(store.items()) == list(known.items())
    for key in known:
        store.replace(key, known[key] + "!")
    assert list(store) == [value + "!" for value in known.values()]


def test_a_full_disk_is_an_operating_system_error():
    store = Store()
    store._database.execute("PRAGMA max_page_count = 20")
    with pytest.raises(OSError, match="No space left on device") as caught:
        [store.add(str(number), "x" * 1000) for number in range(10_000)]
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
