"""A split that grows: what stood in a part stays there, and nothing can come to stand in two."""

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utta.core.errors import UttaError
from utta.core.files import sha256, write_lines
from utta.prepare.parts import read_split
from utta.prepare.split import grow_split, split_file
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.read import read_reviews, write_records
from utta.records.review import Review


def review(n, problem, dialogue, **change):
    fields = {"source": "s", "conversation": [], "rubric": "r", "levels": {}, "response": f"{n}"}
    return Review(**{**fields, "problem": problem, "dialogue_id": dialogue, **change})


def part_of(folder):
    """Id to part, of all records of a split."""
    return {record.id: part for part, record in read_split(folder).scan()}


def put(path, records):
    write_records(path, records)
    return path


# Few names, so that dialogues are about several problems, and some records have none.
BONDS = st.tuples(st.sampled_from(["", *"abcdefghijklmn"]), st.sampled_from("123456789"))


@settings(deadline=None, max_examples=40)
@given(old=st.lists(BONDS, min_size=1, max_size=12), new=st.lists(BONDS, max_size=12))
def test_adding_a_batch_moves_nothing_and_parts_no_problem(old, new):
    old = [*old, ("x", "x"), ("y", "y"), ("z", "z")]  # enough for three parts
    records = [review(n, *bond) for n, bond in enumerate([*old, *new])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split_file(put(folder / "old.jsonl", records[: len(old)]), folder / "old", ratios=(60, 20, 20))
        before = part_of(folder / "old")
        told = grow_split(put(folder / "all.jsonl", records), folder / "old", folder / "new")
        after = part_of(folder / "new")  # refuses a leak
        assert after.items() >= before.items()
        put_aside = folder / "new" / "rejects.jsonl"
        aside = [json.loads(line)["raw"] for line in put_aside.read_text().splitlines()] if told["rejects"] else []
        assert len(after) + len(aside) == len(records) and told["records"] == len(after)

        grow_split(put(folder / "backwards.jsonl", records[::-1]), folder / "old", folder / "other")
        assert part_of(folder / "other") == after


@pytest.fixture
def old(tmp_path):
    """A split of 20 problems with two dialogues of two reviews each."""
    records = [review(n, f"p{n // 4:02}", f"d{n // 2}") for n in range(80)]
    split_file(put(tmp_path / "old.jsonl", records), tmp_path / "old", seed=3)
    return tmp_path / "old", records


def test_new_problems_go_where_most_is_lacking(old, tmp_path):
    folder, records = old
    batch = [review(n, f"q{n // 4:02}", f"e{n // 2}") for n in range(240)]
    manifest = grow_split(put(tmp_path / "all.jsonl", [*batch, *records]), folder, tmp_path / "new")
    shares = [part["records"] / 320 for part in manifest["parts"].values()]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=4 / 320)
    assert manifest["continues"] == {"file": "../old/split.json", "sha256": sha256(folder / "split.json")}
    assert (manifest["seed"], manifest["ratios"], manifest["by"]) == (3, [70, 10, 20], "problem")
    assert manifest["note"] == ""


def test_folds_grow_too(tmp_path):
    records = [review(n, f"p{n // 4:02}", f"d{n}") for n in range(80)]
    split_file(put(tmp_path / "old.jsonl", records), tmp_path / "old", folds=4)
    more = [review(n, f"p{n // 4:02}", f"d{n}") for n in range(80, 160)]
    manifest = grow_split(put(tmp_path / "all.jsonl", records + more), tmp_path / "old", tmp_path / "new")
    assert [part["records"] for part in manifest["parts"].values()] == [40] * 4
    assert part_of(tmp_path / "new").items() >= part_of(tmp_path / "old").items()


def test_a_dialogue_about_problems_of_two_parts_is_put_aside_and_the_rest_is_not(old, tmp_path):
    folder, records = old
    before = part_of(folder)
    train, test = (next(r for r in records if before[r.id] == part) for part in ("train", "test"))
    tying = [review(100, train.problem, "new"), review(101, test.problem, "new")]
    harmless = [review(102, train.problem, "other"), review(103, test.problem, test.dialogue_id)]
    both = [review(104, "n1", "both"), review(105, "n2", "both")]
    records = [*tying, *records, *harmless, *both]
    random.Random(1).shuffle(records)
    manifest = grow_split(put(tmp_path / "all.jsonl", records), folder, tmp_path / "new")
    after = part_of(tmp_path / "new")
    assert [after[r.id] for r in harmless] == ["train", "test"] and len({after[r.id] for r in both}) == 1
    assert not {r.id for r in tying} & after.keys()
    assert manifest["rejects"] == 2 and "the dialogue 'new' is about" in manifest["note"]
    rejects = [json.loads(line) for line in (tmp_path / "new" / "rejects.jsonl").read_text().splitlines()]
    assert {records[r["line"] - 1].id for r in rejects} == {r.id for r in tying}
    assert {Review(**json.loads(r["raw"])).id for r in rejects} == {r.id for r in tying}


def test_a_chain_of_new_dialogues_between_two_parts_is_put_aside(old, tmp_path):
    """Neither dialogue is about problems of two parts; only both together tie them, by a new problem."""
    folder, records = old
    before = part_of(folder)
    train, test = (next(r.problem for r in records if before[r.id] == part) for part in ("train", "test"))
    chain = [review(100, train, "x"), review(101, "new", "x"), review(102, "new", "y"), review(103, test, "y")]
    manifest = grow_split(put(tmp_path / "all.jsonl", records + chain), folder, tmp_path / "new")
    assert manifest["rejects"] == 4 and part_of(tmp_path / "new") == before


def test_a_problem_stays_in_its_part_when_its_records_were_taken_out(old, tmp_path):
    """A part that lost lines, and a split that was continued without some: the names in the manifests still count."""
    folder, records = old
    gone = next(r.problem for r in read_reviews(folder / "test.jsonl").reviews)
    left = [r for r in records if r.problem != gone]
    write_records(folder / "test.jsonl", [r for r in read_reviews(folder / "test.jsonl").reviews if r.problem != gone])
    manifest = grow_split(put(tmp_path / "left.jsonl", left), folder, tmp_path / "second")
    assert f"{folder / 'test.jsonl'} has changed since the old split was made" in manifest["note"]
    again = grow_split(put(tmp_path / "again.jsonl", records), tmp_path / "second", tmp_path / "third")
    assert {
        part for id_, part in part_of(tmp_path / "third").items() if id_ in {r.id for r in records if r.problem == gone}
    } == {"test"}
    assert again["note"] == ""


def test_records_that_are_missing_are_told(old, tmp_path):
    folder, records = old
    manifest = grow_split(put(tmp_path / "some.jsonl", records[4:]), folder, tmp_path / "new")
    assert manifest["note"] == f"{tmp_path / 'some.jsonl'} lacks 4 records of {folder}, and so does the new split."


def test_what_leaks_is_refused(old, tmp_path):
    folder, records = old
    file = put(tmp_path / "all.jsonl", records)
    moved = read_reviews(folder / "test.jsonl").reviews[0]
    with open(folder / "train.jsonl", "a") as train:
        train.write(review(999, moved.problem, "elsewhere").model_dump_json() + "\n")
    with pytest.raises(UttaError, match=f"old leaks: the problem '{moved.problem}' stands in train and in test"):
        grow_split(file, folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_problem_that_is_named_in_two_parts_is_refused(old, tmp_path):
    folder, records = old
    lines = [json.loads(line) for line in (folder / "names.jsonl").read_text().splitlines()]
    twice = next(line for line in lines if line["part"] == "train")
    write_lines(folder / "names.jsonl", [*lines, {**twice, "part": "test"}])
    with pytest.raises(UttaError, match=f"the problem '{twice['name']}' stands in train and in test"):
        grow_split(put(tmp_path / "all.jsonl", records), folder, tmp_path / "new")


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda folder: (folder / "split.json").unlink(), "holds no split.json"),
        (lambda folder: (folder / "split.json").write_text("{}"), "was not written by a split"),
        (lambda folder: (folder / "test.jsonl").unlink(), "has no test.jsonl"),
        (lambda folder: (folder / "test.jsonl").write_text("{}\n"), "mend that line of the old split"),
        (lambda folder: (folder / "names.jsonl").unlink(), "has no names.jsonl"),
        (
            lambda folder: (folder / "names.jsonl").write_text('{"name": "p00", "part": "x"}'),
            "names.jsonl:1 names no problem",
        ),
        (lambda folder: (folder / "names.jsonl").write_text("[]"), "names.jsonl:1 names no problem"),
    ],
)
def test_a_folder_that_is_no_whole_split_is_refused(spoil, wrong, old, tmp_path):
    folder, records = old
    spoil(folder)
    with pytest.raises(UttaError, match=wrong):
        grow_split(put(tmp_path / "all.jsonl", records), folder, tmp_path / "new")


def test_the_old_split_is_not_overwritten(old, tmp_path):
    folder, records = old
    before = (folder / "split.json").read_bytes()
    with pytest.raises(UttaError, match="is an input and would be overwritten"):
        grow_split(put(tmp_path / "all.jsonl", records), folder, folder)
    assert (folder / "split.json").read_bytes() == before


def test_dialogues_are_split_and_grow_like_reviews(tmp_path):
    turns = [DialogueTurn(speaker="student", utterance="5")]
    talk = [Dialogue(source="s", dialogue_id=f"d{n}", problem=f"p{n // 2}", dialogue_turns=turns) for n in range(40)]
    manifest = split_file(put(tmp_path / "old.jsonl", talk[:20]), tmp_path / "old")
    assert manifest["holds"] == "dialogues" and manifest["records"] == 20
    grow_split(put(tmp_path / "all.jsonl", talk), tmp_path / "old", tmp_path / "new")
    assert part_of(tmp_path / "new").items() >= part_of(tmp_path / "old").items()
    split_file(put(tmp_path / "r.jsonl", [review(n, f"p{n}", f"d{n}") for n in range(9)]), tmp_path / "r")
    with pytest.raises(UttaError, match="holds dialogues, not reviews"):
        grow_split(tmp_path / "all.jsonl", tmp_path / "r", tmp_path / "mixed")
    with pytest.raises(UttaError, match="Only reviews have labels to stratify by"):
        split_file(tmp_path / "all.jsonl", tmp_path / "s", stratify=True)
