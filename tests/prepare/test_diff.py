import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utta.core.errors import UttaError
from utta.prepare.diff import diff
from utta.prepare.split import grow_split, split_file
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.read import write_records
from utta.records.review import Review


def review(n, **change):
    fields = {"source": "s", "rubric": "utta", "levels": {"accuracy": "Good"}, "conversation": []}
    return Review(response=f"Why {n}?", **{**fields, "problem": f"p{n}", "dialogue_id": f"d{n}", **change})


def put(path, records):
    write_records(path, records)
    return path


def compared(tmp_path, old, new):
    return diff(put(tmp_path / "old.jsonl", old), put(tmp_path / "new.jsonl", new))


def test_what_came_went_and_changed(tmp_path):
    old = [review(n) for n in range(6)]
    new = [
        review(5, levels={"accuracy": "Poor", "engagement": "Fair"}),
        review(0),
        review(1, levels={}),
        review(2, grade_level="4", metadata={"a": 1}),
        review(3, levels={"accuracy": "Poor"}),
        review(9),
    ]
    told = compared(tmp_path, old, new)
    assert {name: told[name] for name in ("old", "new", "same", "changed", "added", "removed", "moved")} == {
        "old": 6, "new": 6, "same": 1, "changed": 4, "added": 1, "removed": 1, "moved": 0,
    }  # fmt: skip
    assert told["fields"] == {"levels.accuracy": 3, "levels.engagement": 1, "grade_level": 1, "metadata.a": 1}
    assert sorted(told["labels"], key=str) == sorted([
        {"criterion": "accuracy", "from": "Good", "to": "Poor", "records": 2},
        {"criterion": "accuracy", "from": "Good", "to": None, "records": 1},
        {"criterion": "engagement", "from": None, "to": "Fair", "records": 1},
    ], key=str)  # fmt: skip
    assert told["first"]["added"] == [review(9).id] and told["first"]["removed"] == [review(4).id]
    assert (told["kind"], told["rejects"]) == ("reviews", {"old": 0, "new": 0})


def test_an_empty_field_is_no_field(tmp_path):
    told = compared(tmp_path, [review(1, rationale="")], [review(1, rationale=None)])
    assert (told["same"], told["changed"]) == (1, 0)


@settings(deadline=None, max_examples=20)
@given(
    old=st.sets(st.integers(0, 9), min_size=1),
    new=st.sets(st.integers(0, 9), min_size=1),
    relabelled=st.sets(st.integers(0, 9)),
)
def test_counts_add_up_and_turn_round(tmp_path_factory, old, new, relabelled):
    folder = tmp_path_factory.mktemp("diff")
    put(folder / "old.jsonl", [review(n) for n in old])
    put(
        folder / "new.jsonl",
        [review(n, levels={"accuracy": "Poor"} if n in relabelled else {"accuracy": "Good"}) for n in new],
    )
    told, back = diff(folder / "old.jsonl", folder / "new.jsonl"), diff(folder / "new.jsonl", folder / "old.jsonl")
    assert (told["added"], told["removed"]) == (len(new - old), len(old - new)) == (back["removed"], back["added"])
    assert told["changed"] == len(old & new & relabelled) == back["changed"]
    assert told["same"] + told["changed"] + told["added"] == told["new"] == len(new)
    assert told["same"] + told["changed"] + told["removed"] == told["old"] == len(old)


def test_splits_are_compared_part_by_part(tmp_path):
    records = [review(n) for n in range(20)]
    file = put(tmp_path / "r.jsonl", records)
    split_file(file, tmp_path / "a", seed=1)
    split_file(file, tmp_path / "b", seed=2)
    told = diff(tmp_path / "a", tmp_path / "b")
    assert told["same"] == 20 and told["moved"] == sum(each["records"] for each in told["moves"]) > 0
    grow_split(put(tmp_path / "more.jsonl", [*records, review(30)]), tmp_path / "a", tmp_path / "c")
    told = diff(tmp_path / "a", tmp_path / "c")
    assert (told["same"], told["added"], told["moved"], told["moves"]) == (20, 1, 0, [])
    assert diff(file, tmp_path / "b")["moved"] == 0


def test_dialogues_and_examples_are_compared_too(tmp_path):
    old = [Dialogue(source="s", dialogue_id="d", dialogue_turns=[])]
    told = compared(tmp_path, old, [old[0].model_copy(update={"subject": "science"})])
    assert (told["kind"], told["fields"]) == ("dialogues", {"subject": 1})
    fields = {"source": "s", "output": {"teacher_response": "Why?"}}
    one = TeachingExample(input={"student_question": "5?"}, **fields)
    two = TeachingExample(input={"student_question": "5?", "grade_level": "4"}, **fields)
    assert compared(tmp_path, [one], [two])["fields"] == {"input.grade_level": 1}
    with pytest.raises(UttaError, match=r"holds examples and .* dialogues; give two versions of the same data"):
        diff(tmp_path / "new.jsonl", put(tmp_path / "d.jsonl", old))


def test_faulty_lines_are_counted_and_a_leak_is_refused(tmp_path):
    file = put(tmp_path / "r.jsonl", [review(n) for n in range(9)])
    split_file(file, tmp_path / "a")
    with open(file, "a") as lines:
        lines.write("{}\n")
    assert diff(tmp_path / "a", file)["rejects"] == {"old": 0, "new": 1}
    with open(tmp_path / "a" / "test.jsonl", "a") as lines:
        lines.write((tmp_path / "a" / "train.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(UttaError, match="leaks: the problem"):
        diff(tmp_path / "a", file)
