"""Parquet files and data sets that were made elsewhere, or changed, or damaged."""

import json

import datasets
import pyarrow
import pytest
from pyarrow import parquet

from utta.core.errors import UttaError
from utta.records.dialogue import Dialogue
from utta.records.review import Review
from utta.sources import import_records, rows
from utta.sources.table import Table

TURNS = [{"role": "user", "content": "5"}, {"role": "assistant", "content": "Why?"}]
FOREIGN = {
    "Reply": ["Look again.", "=1", None],
    "Talk": [TURNS, TURNS[:1], []],
    "Rating": [4.0, None, 3.0],
    "Who": ["Ann", "Bo", ""],
}
COLUMNS = {"response": "Reply", "conversation": "Talk", "levels.accuracy": "Rating", "reviewer": "Who"}
REVIEW = Review(
    source="s", dialogue_id="d", conversation=[{"speaker": "student", "utterance": "5"}], response="Why?", rubric="r",
    levels={"accuracy": "Good"}, metadata={"a": [1, None]},
)  # fmt: skip


@pytest.fixture(params=["parquet", "datasets"])
def brought(request, tmp_path):
    """Imports columns from a file or folder that they are first written to."""

    def bring(columns, kind="reviews", layout=None):
        path = tmp_path / "set"
        if request.param == "parquet":
            parquet.write_table(pyarrow.table(columns), path)
        else:
            datasets.Dataset.from_dict(columns).save_to_disk(str(path))
        return import_records(request.param, [path], kind, layout)

    return bring


def own(*records):
    """The columns that an export makes of records."""
    schema = rows.schema(type(records[0]), ["accuracy"])
    return pyarrow.Table.from_pylist([rows.row(record) for record in records], schema).to_pydict()


def test_columns_made_elsewhere_are_named_as_for_a_table(brought):
    found = brought(FOREIGN, layout=Table(COLUMNS))
    assert [(each.response, each.levels, each.reviewer) for each in found] == [
        ("Look again.", {"accuracy": "4"}, "Ann"), ("=1", {}, "Bo"), ("", {"accuracy": "3"}, None),
    ]  # fmt: skip
    assert [(turn.speaker, turn.utterance) for turn in found.records[0].conversation] == [
        ("student", "5"),
        ("aita", "Why?"),
    ]


def test_chats_made_elsewhere_are_dialogues(brought):
    [whole] = brought({"messages": [TURNS], "topic": ["sums"]}, "dialogues").records
    assert isinstance(whole, Dialogue) and whole.metadata == {"topic": "sums"}
    assert [turn.speaker for turn in whole.dialogue_turns] == ["student", "aita"]


def test_columns_that_were_added_go_into_the_metadata(brought):
    found = brought({**own(REVIEW), "length": [4], "__index_level_0__": [0]})
    assert found.records == [REVIEW.model_copy(update={"metadata": {"a": [1, None], "length": 4}})]


def test_a_row_that_was_changed_is_put_aside(brought):
    found = brought({**own(REVIEW, REVIEW.model_copy(update={"id": ""})), "response": ["No.", "Why?"]})
    [fault] = found.faults
    assert "row 1: the id" in str(fault) and "does not fit the content" in str(fault)
    assert json.loads(fault.raw)["response"] == "No." and found.records == [REVIEW]


@pytest.mark.parametrize(
    ("columns", "kind", "wrong"),
    [
        ({"text": ["a"]}, "reviews", "has no column 'response'; name the one with the reply"),
        ({"text": ["a"]}, "examples", "which are not those of teaching examples; import it --as reviews or dialogues"),
        (
            {"text": ["a"]},
            "dialogues",
            "holds no usable dialogue: its only one is faulty, the first: .*there are no turns",
        ),
    ],
)
def test_wrong_columns_are_one_sentence(brought, columns, kind, wrong):
    with pytest.raises(UttaError, match=wrong):
        brought(columns, kind)


def test_two_columns_of_one_name_are_one_sentence(tmp_path):
    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2, ["response", "response"])
    parquet.write_table(table, tmp_path / "r.parquet")
    with pytest.raises(UttaError, match="has two columns 'response'; rename one"):
        import_records("parquet", [tmp_path / "r.parquet"])


def test_a_damaged_or_missing_file_is_one_sentence(tmp_path):
    parquet.write_table(pyarrow.table(own(REVIEW)), tmp_path / "r.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "r.parquet").read_bytes()[:-20])
    for name, wrong in (("cut.parquet", "is not a whole Parquet file"), ("none.parquet", "There is no file")):
        with pytest.raises(UttaError, match=wrong):
            import_records("parquet", [tmp_path / name])


def test_a_split_is_named_after_a_colon(tmp_path):
    parts = {name: datasets.Dataset.from_dict({"response": [name]}) for name in ("train", "test")}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "set"))
    [review] = import_records("datasets", [tmp_path / "set:test"]).records
    assert review.response == "test"
    with pytest.raises(
        UttaError, match=r"set has 2 splits; name one of train, test after a colon, as in .*set:train\."
    ):
        import_records("datasets", [tmp_path / "set"])
    with pytest.raises(UttaError, match=r"set:dev has no split 'dev'; it has train, test\."):
        import_records("datasets", [tmp_path / "set:dev"])


def test_what_is_no_data_set_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for path, wrong in (
        (tmp_path / "file", "is a file; give the folder that save_to_disk wrote"),
        (tmp_path / "folder", "cannot be read"),
        ("nobody/nothing:train", "There is no folder nobody/nothing, and the hub gave no data set of that name"),
    ):
        with pytest.raises(UttaError, match=wrong):
            import_records("datasets", [type(tmp_path)(path)])


def test_nothing_stays_in_the_librarys_cache(tmp_path, monkeypatch):
    from utta.records.read import write_records
    from utta.sources.export import Asked, export_records

    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(cache))
    monkeypatch.setattr(datasets.config, "HF_CACHE_HOME", str(cache))
    write_records(tmp_path / "in.jsonl", [REVIEW])
    export_records(Asked(tmp_path / "in.jsonl", "datasets", tmp_path / "out"))
    assert import_records("datasets", [tmp_path / "out"]).records == [REVIEW]
    assert datasets.load_from_disk(str(tmp_path / "out"))[0]["levels.accuracy"] == "Good"
    assert list(cache.iterdir()) == [] and sorted(path.name for path in tmp_path.iterdir()) == [
        "cache",
        "in.jsonl",
        "out",
    ]
    with pytest.raises(UttaError, match="is there already; name another folder with --out, or remove it"):
        export_records(Asked(tmp_path / "in.jsonl", "datasets", tmp_path / "out"))
