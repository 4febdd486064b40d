"""Whatever a file holds, every source reads it into records and faults, or says in one sentence why it cannot.

Here each reader sees a hundred files; `HYPOTHESIS_PROFILE=thorough` shows all of them together ten thousand.
"""

import copy
import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources import made, test_aita, test_argilla, test_bridge, test_label_studio, test_mathdial
from utta.core.errors import UttaError
from utta.records.kinds import KINDS
from utta.records.read import Fault, write_records
from utta.records.record import Record
from utta.sources import SOURCES, TABLES, import_records
from utta.sources.table import Table

MRBENCH = {
    "conversation_id": "c1",
    "conversation_history": "Tutor: Hi. The question is: 2 + 2?\n\xa0Student: 5",
    "tutor_responses": {"Expert": {"response": "Count again.", "annotation": {"Actionability": "Yes"}}},
}
REVIEW = {
    "source": "s", "dialogue_id": "d", "conversation": [{"speaker": "student", "utterance": "5"}], "response": "No.",
    "rubric": "utta", "levels": {"accuracy": "Good"},
}  # fmt: skip
GOOD = {
    "aita": test_aita.DIALOGUE, "argilla": test_argilla.ENTRY, "bridge": test_bridge.ENTRY,
    "label-studio": {**test_label_studio.TASK, "drafts": [test_label_studio.annotation()]},
    "mathdial": test_mathdial.ENTRY, "mrbench": MRBENCH, "utta": REVIEW,
}  # fmt: skip
ODD = st.sampled_from(
    [None, True, 0, -1, 1e400, 10**30, "", " ", "\u200f‮right", "\x00", "\ud800", "x" * 3000, [], {}, [[]], {"": {}}]
)
VALUES = ODD | st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)


def containers(value):
    """A JSON value's objects and lists that hold something, itself included."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if inner else []), *(found for each in inner for found in containers(each))]


def replaced(entry, draw):
    """A copy of an entry in which one part, however deep, is gone or something else."""
    entry = copy.deepcopy(entry)
    place = draw(st.sampled_from(containers(entry)))
    key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
    if draw(st.booleans()):
        del place[key]
    else:
        place[key] = draw(VALUES)
    return entry


@st.composite
def json_files(draw, good):
    """Bytes of a file of good and broken entries, as a list or as lines, or of no known kind, perhaps cut off."""
    kinds = (lambda: good, lambda: replaced(good, draw), lambda: draw(VALUES))
    entries = [draw(st.sampled_from(kinds))() for _ in range(draw(st.integers(1, 3)))]
    as_list = draw(st.booleans())
    text = json.dumps(entries) if as_list else "\n".join(map(json.dumps, entries))
    raw = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace")
    return damaged(raw, draw)


@st.composite
def tables(draw):
    """Bytes of a table whose cells are odd."""
    header = ["response", "conversation", "levels.accuracy", "Mood"]
    cells = st.sampled_from(["", "No.", "Student: 5", "[{}]", "[", "a\nb", '"', "\x00", "\u200f", "é" * 50, "Good"])
    rows = draw(st.lists(st.lists(cells, max_size=5), max_size=4))
    file = io.StringIO()
    csv.writer(file, delimiter=draw(st.sampled_from(",;\t"))).writerows([header, *rows])
    return damaged(
        file.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace"), draw
    )


def damaged(raw, draw):
    match draw(st.integers(0, 5)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            return draw(st.binary(max_size=80))
        case 2:
            place = draw(st.integers(0, len(raw)))
            return raw[:place] + draw(st.binary(max_size=3)) + raw[place:]
        case _:
            return raw


def nothing_lost(source, kind, file):
    """Read with the source itself and through the import: no traceback, each entry a record or a fault, all writable."""
    try:
        found = import_records(source, [file], kind)
    except UttaError as said:
        sentence = str(said)
    else:
        sentence = ""
    if sentence:
        assert "\n" not in sentence
        return
    read = SOURCES[source][kind]
    entries = list(read(file, layout=Table()) if source in TABLES else read(file))
    assert found.entries == len(entries)
    assert all(isinstance(item, Record | Fault) for items in entries for item in items)
    assert sum(map(len, entries)) == len(found.records) + found.merged + len(found.faults)
    write_records(file.with_name("out.jsonl"), found.records)
    for fault in found.faults:
        assert json.dumps(fault.as_json(), ensure_ascii=False).encode() and "\n" not in str(fault)


@pytest.mark.parametrize(
    ("source", "kind"), [(s, kind) for s, kinds in SOURCES.items() if s not in TABLES for kind in kinds]
)
def test_any_json_is_records_and_faults(source, kind, tmp_path):
    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(json_files(GOOD[source]))
    def check(raw):
        (tmp_path / "in.json").write_bytes(raw)
        nothing_lost(source, kind, tmp_path / "in.json")

    check()


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=tables())
def test_any_table_is_records_and_faults(raw, tmp_path):
    (tmp_path / "in.csv").write_bytes(raw)
    nothing_lost("csv", "reviews", tmp_path / "in.csv")


@st.composite
def columns(draw):
    """Rows as typed columns: those of a review that was exported, some changed, left out or of another type."""
    column = st.one_of(
        st.lists(each, min_size=2, max_size=2)
        for each in (st.none() | made.TEXTS, st.integers(0, 9), st.floats(), st.lists(made.TEXTS), st.dates(),
                     st.lists(st.fixed_dictionaries({"speaker": made.TEXTS, "utterance": made.TEXTS})), st.binary())
    )  # fmt: skip
    own = {"kind": ["review"] * 2, "schema_version": [1] * 2, "source": ["s"] * 2, "dialogue_id": ["a", "b"],
           "conversation": [[]] * 2, "response": ["No."] * 2, "rubric": ["r"] * 2, "metadata": ["{}"] * 2}  # fmt: skip
    foreign = {"response": ["No.", "Yes."], "Mood": ["calm", None], "messages": [[], []]}
    names = st.sampled_from([*own, "messages", "levels.accuracy", "Mood", "id", ""])
    return draw(st.sampled_from([own, foreign])) | draw(st.dictionaries(names, column, max_size=3))


@pytest.mark.parametrize("kind", KINDS)
def test_any_columns_are_records_and_faults(kind, tmp_path):
    import pyarrow
    from pyarrow import parquet

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(columns(), st.data())
    def check(held, data):
        parquet.write_table(pyarrow.table(held), tmp_path / "in.parquet")
        if data.draw(st.integers(0, 3)) == 0:
            (tmp_path / "in.parquet").write_bytes(damaged((tmp_path / "in.parquet").read_bytes(), data.draw))
        nothing_lost("parquet", kind, tmp_path / "in.parquet")

    check()


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(held=columns(), data=st.data())
def test_any_data_set_is_records_and_faults(held, data, tmp_path_factory):
    from datasets import Dataset

    folder = tmp_path_factory.mktemp("any") / "set"
    Dataset.from_dict(held).save_to_disk(str(folder))
    file = data.draw(st.sampled_from(sorted(folder.iterdir())))
    if data.draw(st.booleans()):
        file.write_bytes(damaged(file.read_bytes(), data.draw))
    nothing_lost("datasets", "reviews", folder)
