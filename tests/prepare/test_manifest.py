"""Every file that a data command wrote says what it was made of, and what no longer fits is told."""

import json
import os
import shutil
from pathlib import Path

import pytest

from utta.core.errors import UttaError
from utta.core.files import sha256
from utta.prepare.clean import clean_file
from utta.prepare.dedupe import dedupe_file
from utta.prepare.manifest import history, leave_manifest
from utta.prepare.metadata import metadata_file
from utta.prepare.split import grow_split, split_file
from utta.records.read import write_records
from utta.records.review import Review


def review(n, **change):
    fields = {
        "source": "s",
        "rubric": "utta",
        "levels": {},
        "conversation": [],
        "problem": f"p{n}",
        "dialogue_id": f"d{n}",
    }
    return Review(response=f"Why {n}?", **{**fields, **change})


@pytest.fixture
def made(tmp_path):
    """A chain in a folder: raw, clean, distinct, filled, split."""
    write_records(tmp_path / "raw.jsonl", [review(n) for n in range(10)])
    clean_file(tmp_path / "raw.jsonl", tmp_path / "clean.jsonl")
    dedupe_file(tmp_path / "clean.jsonl", tmp_path / "more" / "distinct.jsonl", near=0.9)
    metadata_file(tmp_path / "more" / "distinct.jsonl", tmp_path / "filled.jsonl")
    split_file(tmp_path / "filled.jsonl", tmp_path / "split")
    return tmp_path


def told(path):
    """Depth, name, command and state of each step."""
    return [(step.depth, os.path.basename(step.file), step.made_by, step.state) for step in history(path)]


UNKNOWN = "not made by a data command"
CHAIN = [
    (1, "filled.jsonl", "metadata", ""),
    (2, "distinct.jsonl", "dedupe near=0.9", ""),
    (3, "clean.jsonl", "clean", ""),
    (4, "raw.jsonl", None, UNKNOWN),
]
SPLIT = "split by=problem seed=0 ratios=70/10/20"


def test_a_manifest_says_what_was_made_of_what(made):
    manifest = json.loads((made / "more" / "distinct.jsonl.manifest.json").read_text())
    assert manifest["made_by"] == {"command": "dedupe", "options": {"near": 0.9}}
    assert manifest["inputs"] == [{"file": "../clean.jsonl", "sha256": sha256(made / "clean.jsonl")}]
    assert manifest["sha256"] == sha256(made / "more" / "distinct.jsonl")
    assert (manifest["file"], manifest["records"], manifest["rejects"]) == ("distinct.jsonl", 10, 0)
    assert manifest["created"].endswith("+00:00") and manifest["utta"]


def test_the_way_back_from_a_part_from_a_split_and_from_a_file(made):
    assert told(made / "split" / "test.jsonl") == [(0, "test.jsonl", SPLIT, ""), *CHAIN]
    assert told(made / "split") == told(made / "split" / "split.json") == [(0, "split.json", SPLIT, ""), *CHAIN]
    assert [step.records for step in history(made / "split" / "train.jsonl")] == [7, 10, 10, 10, None]
    assert told(made / "raw.jsonl") == [(0, "raw.jsonl", None, UNKNOWN)]


def test_a_split_that_grew_has_two_ways_back(made):
    grow_split(made / "filled.jsonl", made / "split", made / "second")
    deeper = [(depth + 1, *rest) for depth, *rest in CHAIN]
    # what was told once is not told again
    assert told(made / "second") == [(0, "split.json", SPLIT, ""), *CHAIN, (1, "split.json", SPLIT, ""), deeper[0]]


def test_folders_may_move_together(made, tmp_path_factory, monkeypatch):
    there = tmp_path_factory.mktemp("moved") / "data"
    shutil.copytree(made, there)
    assert told(there / "split") == [(0, "split.json", SPLIT, ""), *CHAIN]
    monkeypatch.chdir(there)
    assert [step.file for step in history(there / "filled.jsonl")][1:] == [
        os.path.join("more", "distinct.jsonl"), "clean.jsonl", "raw.jsonl",
    ]  # fmt: skip


def append(path, text="\n"):
    with open(path, "a") as file:
        file.write(text)


def test_a_file_that_was_changed_afterwards_is_told(made):
    append(made / "split" / "test.jsonl")
    assert told(made / "split" / "test.jsonl")[0] == (0, "test.jsonl", SPLIT, "changed since it was made")
    append(made / "clean.jsonl")
    assert told(made / "filled.jsonl")[2:] == [
        (2, "clean.jsonl", "clean", "changed since it was used"),
        (3, "raw.jsonl", None, UNKNOWN),
    ]


def test_a_file_that_was_changed_before_it_was_used_is_told_too(made):
    append(made / "clean.jsonl")
    dedupe_file(made / "clean.jsonl", made / "again.jsonl")
    assert told(made / "again.jsonl")[1] == (1, "clean.jsonl", "clean", "changed since it was made")


def test_the_way_ends_at_a_file_that_was_made_anew(made):
    write_records(made / "other.jsonl", [review(n) for n in range(5)])
    clean_file(made / "other.jsonl", made / "clean.jsonl")
    assert told(made / "filled.jsonl")[2:] == [(2, "clean.jsonl", "clean", "changed since it was used")]


def test_a_missing_file_is_told_and_its_manifest_still_leads_on(made):
    (made / "clean.jsonl").unlink()
    assert told(made / "filled.jsonl")[2:] == [(2, "clean.jsonl", "clean", "missing"), (3, "raw.jsonl", None, UNKNOWN)]
    assert told(made / "clean.jsonl")[0] == (0, "clean.jsonl", "clean", "missing")
    with pytest.raises(UttaError, match="nor a manifest that tells of it"):
        history(made / "nothing.jsonl")


def test_files_made_of_each_other_come_to_an_end(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).write_text("the same")
        (tmp_path / other).write_text("the same")
        leave_manifest(tmp_path / name, "clean", {}, [tmp_path / other], 1, 0)
    assert [step[:2] for step in told(tmp_path / "a")] == [(0, "a"), (1, "b"), (2, "a")]


@pytest.mark.parametrize("text", ["{}", "[", '{"kind": "manifest", "made_by": 1}'])
def test_a_broken_manifest_is_one_sentence(text, made):
    (made / "clean.jsonl.manifest.json").write_text(text)
    with pytest.raises(UttaError, match=r"clean\.jsonl\.manifest\.json is not (a manifest of UTTA|valid JSON)"):
        history(made / "filled.jsonl")


def test_a_split_json_of_another_tool_is_nobodys_manifest(tmp_path):
    write_records(tmp_path / "r.jsonl", [review(1)])
    (tmp_path / "split.json").write_text("{}")
    assert told(tmp_path / "r.jsonl") == [(0, "r.jsonl", None, UNKNOWN)]
    with pytest.raises(UttaError, match="is not a manifest"):
        history(tmp_path)


def test_a_folder_has_a_hash_too_and_what_is_not_here_has_none(tmp_path):
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "train" / "rows").write_text("1")
    write_records(tmp_path / "r.jsonl", [review(1)])
    leave_manifest(
        tmp_path / "r.jsonl", "import", {"source": "datasets"}, [tmp_path / "set", Path("owner/name:train")], 1, 0
    )
    away = (1, "name:train", None, "not on this machine when it was used")
    assert told(tmp_path / "r.jsonl")[1:] == [(1, "set", None, UNKNOWN), away]
    (tmp_path / "set" / "train" / "rows").rename(tmp_path / "set" / "rows")
    assert told(tmp_path / "r.jsonl")[1:] == [(1, "set", None, "changed since it was used"), away]
    leave_manifest(tmp_path / "set", "export", {"to": "datasets"}, [tmp_path / "r.jsonl"], 1, 0)
    assert told(tmp_path / "set")[:2] == [
        (0, "set", "export to=datasets", ""),
        (1, "r.jsonl", "import source=datasets", ""),
    ]
