import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utta.core.errors import UttaError
from utta.core.files import sha256
from utta.prepare.split import PARTS, grow_split, split_by, split_file
from utta.records.read import read_reviews, write_records
from utta.records.review import Review

RATIOS = (70, 10, 20)
ROOT = Path(__file__).resolve().parents[2]


def reviews_of(sizes: dict[str, int]) -> list[Review]:
    """Reviews without a line of text in common, so many of each problem."""
    return [
        Review(
            source="test",
            dialogue_id=f"{p} {i // 3}",
            problem=p,
            conversation=[],
            response=f"{i}",
            rubric="r",
            levels={},
        )
        for p, n in sizes.items()
        for i in range(n)
    ]


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 12), min_size=3, max_size=30),
    seed=st.integers(0, 1000),
    ratios=st.tuples(*[st.floats(0.5, 100)] * 3),
)
def test_parts_are_whole_disjoint_and_near_the_ratios(sizes, seed, ratios):
    reviews = reviews_of(sizes)
    parts = split_by(reviews, "problem", ratios, seed)
    assert Counter(r.id for part in parts for r in part) == Counter(r.id for r in reviews)
    problems = [{r.problem for r in part} for part in parts]
    assert all(problems) and sum(map(len, problems)) == len(sizes)
    for part, ratio in zip(parts, ratios, strict=True):
        target = len(reviews) * ratio / sum(ratios)
        assert len(part) <= target + max(sizes.values()) + 1e-6 or len({r.problem for r in part}) == 1


def test_same_seed_gives_the_same_parts_in_any_order_and_another_seed_others():
    reviews = reviews_of({f"p{n}": 3 for n in range(40)})
    first, backwards = split_by(reviews, seed=7), split_by(reviews[::-1], seed=7)
    assert [{r.id for r in part} for part in first] == [{r.id for r in part} for part in backwards]
    assert first != split_by(reviews, seed=8)
    assert [r.id for r in first[0]] == [r.id for r in reviews if r in first[0]]


PINNED = [{"p0", "p1", "p3", "p4", "p5", "p7", "p8"}, {"p9"}, {"p2", "p6"}]


def test_parts_do_not_change_with_the_version_or_the_hash_seed():
    """The parts of seed 0, pinned: figures on a test part must mean the same part on every machine."""
    assert [{r.problem for r in part} for part in split_by(reviews_of({f"p{n}": 2 for n in range(10)}))] == PINNED
    code = (
        "from tests.prepare.test_split import reviews_of, split_by;"
        "print([sorted({r.problem for r in part}) for part in split_by(reviews_of({f'p{n}': 2 for n in range(10)}))])"
    )
    path = ":".join([str(ROOT), *sys.path])
    runs = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": path},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(runs) == 1


def test_review_without_a_problem_stays_with_its_dialogue():
    reviews = reviews_of({"": 30})
    parts = split_by(reviews)
    dialogues = [{r.dialogue_id for r in part} for part in parts]
    assert sum(map(len, dialogues)) == len({r.dialogue_id for r in reviews})


def test_a_dialogue_is_never_parted():
    """Whether some of its reviews lack the problem, or name another one."""
    reviews = reviews_of({f"p{n}": 3 for n in range(12)})
    odd = [r.model_copy(update={"problem": "", "id": f"x{r.id[1:]}"}) for r in reviews[:6]]
    odd += [r.model_copy(update={"problem": "p7", "id": f"y{r.id[1:]}"}) for r in reviews[6:9]]
    for seed in range(5):
        parts = split_by([*reviews, *odd], seed=seed)
        dialogues = [{r.dialogue_id for r in part} for part in parts]
        assert sum(map(len, dialogues)) == 12
        assert len({i for i, part in enumerate(parts) for r in part if r.problem in ("p2", "p7")}) == 1


def test_split_by_dialogue():
    parts = split_by(reviews_of({"p": 30}), "dialogue_id")
    dialogues = [{r.dialogue_id for r in part} for part in parts]
    assert all(dialogues) and not dialogues[0] & dialogues[1] and not dialogues[0] & dialogues[2]


@pytest.mark.parametrize(
    ("sizes", "key", "ratios", "wrong"),
    [
        ({"a": 9, "b": 9}, "problem", RATIOS, "2 distinct problem values, and a split into 3 parts needs as many"),
        ({"a": 1, "b": 1, "c": 1}, "responder", RATIOS, "cannot be split by 'responder'"),
        ({"a": 1, "b": 1, "c": 1}, "problem", (90,), "90 are not positive numbers"),
        ({"a": 1, "b": 1, "c": 1}, "problem", (90, 10, 0), "90/10/0 are not"),
        ({"a": 1, "b": 1, "c": 1}, "problem", (90, 10, float("nan")), "90/10/nan are not"),
    ],
)
def test_refuses_in_one_sentence(sizes, key, ratios, wrong):
    with pytest.raises(UttaError, match=wrong):
        split_by(reviews_of(sizes), key, ratios)


def test_split_file_writes_parts_and_a_manifest_that_vouches_for_them(tmp_path):
    reviews = reviews_of({f"p{n}": 5 for n in range(20)})
    write_records(tmp_path / "in.jsonl", reviews)
    with open(tmp_path / "in.jsonl", "a") as file:
        file.write("nonsense\n")
    manifest = split_file(tmp_path / "in.jsonl", tmp_path / "out", ratios=RATIOS, seed=3)
    assert manifest == json.loads((tmp_path / "out" / "split.json").read_text())
    assert manifest["inputs"] == [{"file": "../in.jsonl", "sha256": sha256(tmp_path / "in.jsonl")}]
    assert (manifest["holds"], manifest["records"], manifest["rejects"]) == ("reviews", 100, 1)
    assert (manifest["by"], manifest["seed"], manifest["continues"]) == ("problem", 3, None)
    assert "in.jsonl:101: " in manifest["note"] and (tmp_path / "out" / "rejects.jsonl").exists()
    for name, expected in zip(PARTS, split_by(reviews, ratios=RATIOS, seed=3), strict=True):
        part = manifest["parts"][name]
        file = tmp_path / "out" / part["file"]
        assert read_reviews(file).reviews == expected
        assert part["sha256"] == sha256(file)
        assert part["records"] == len(expected) and part["problems"] == len({r.problem for r in expected})
        lines = [json.loads(line) for line in (tmp_path / "out" / "names.jsonl").read_text().splitlines()]
        held = {line["name"]: line["records"] for line in lines if line["part"] == name}
        assert held == Counter(r.problem for r in expected)


def test_folds_are_equal_and_together_the_whole(tmp_path):
    reviews = reviews_of({f"p{n}": 5 for n in range(20)})
    write_records(tmp_path / "in.jsonl", reviews)
    manifest = split_file(tmp_path / "in.jsonl", tmp_path / "out", folds=4)
    folds = [read_reviews(tmp_path / "out" / f"fold-{n}.jsonl").reviews for n in (1, 2, 3, 4)]
    assert [len(fold) for fold in folds] == [25] * 4 and list(manifest["parts"]) == [f"fold-{n}" for n in (1, 2, 3, 4)]
    assert {r.id for fold in folds for r in fold} == {r.id for r in reviews}
    assert len(set.union(*({r.problem for r in fold} for fold in folds))) == sum(
        len({r.problem for r in f}) for f in folds
    )


def test_parts_of_an_earlier_split_do_not_stay_behind(tmp_path):
    write_records(tmp_path / "in.jsonl", reviews_of({f"p{n}": 5 for n in range(20)}))
    split_file(tmp_path / "in.jsonl", tmp_path / "out", folds=4)
    split_file(tmp_path / "in.jsonl", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "split.json", "names.jsonl", *(f"{part}.jsonl" for part in PARTS),
    }  # fmt: skip


def test_a_manifest_of_another_maker_is_left_alone(tmp_path):
    write_records(tmp_path / "in.jsonl", reviews_of({f"p{n}": 5 for n in range(20)}))
    (tmp_path / "split.json").write_text("{}")
    with pytest.raises(UttaError, match="was not written by a split; give another --out"):
        split_file(tmp_path / "in.jsonl", tmp_path)
    assert (tmp_path / "split.json").read_text() == "{}"


def test_a_part_of_the_folder_is_not_overwritten_by_its_own_split(tmp_path):
    write_records(tmp_path / "in.jsonl", reviews_of({f"p{n}": 5 for n in range(20)}))
    split_file(tmp_path / "in.jsonl", tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for folds in (None, 3):
        with pytest.raises(UttaError, match="is an input and would be overwritten"):
            split_file(tmp_path / "out" / "train.jsonl", tmp_path / "out", folds=folds)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_ratios_and_parts_must_be_as_many(tmp_path):
    write_records(tmp_path / "in.jsonl", reviews_of({f"p{n}": 5 for n in range(20)}))
    with pytest.raises(UttaError, match="4 ratios cannot be those of train / validation / test"):
        split_file(tmp_path / "in.jsonl", tmp_path / "out", ratios=(70, 10, 10, 10))


def test_two_ratios_leave_no_test_part_not_even_an_older_one(tmp_path):
    write_records(tmp_path / "in.jsonl", reviews_of({f"p{n}": 5 for n in range(20)}))
    split_file(tmp_path / "in.jsonl", tmp_path / "out")
    manifest = split_file(tmp_path / "in.jsonl", tmp_path / "out", ratios=(90, 10))
    assert {name: part["records"] for name, part in manifest["parts"].items()} == {"train": 90, "validation": 10}
    assert not (tmp_path / "out" / "test.jsonl").exists()
    grown = grow_split(tmp_path / "in.jsonl", tmp_path / "out", tmp_path / "grown")
    assert list(grown["parts"]) == ["train", "validation"]


def test_stratified_parts_hold_a_rare_label_by_their_shares():
    reviews = reviews_of({f"p{n:02}": 4 for n in range(60)})
    levels = ["Rare" if int(r.problem[1:]) % 6 == 0 else "Often" for r in reviews]
    reviews = [r.model_copy(update={"levels": {"clarity": level}}) for r, level in zip(reviews, levels, strict=True)]
    off = {True: 0.0, False: 0.0}
    for seed in range(10):
        for stratify in off:
            parts = split_by(reviews, seed=seed, stratify=stratify)
            for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
                off[stratify] += abs(sum(r.levels["clarity"] == "Rare" for r in part) / 40 - share)
                assert abs(len(part) / len(reviews) - share) < 0.06
    assert off[True] < off[False] / 3


def test_interrupted_split_leaves_no_manifest(tmp_path, monkeypatch):
    write_records(tmp_path / "in.jsonl", reviews_of({f"p{n}": 5 for n in range(20)}))
    split_file(tmp_path / "in.jsonl", tmp_path / "out")

    def stop(path):
        if path.name == "test.jsonl":
            raise KeyboardInterrupt
        return sha256(path)

    monkeypatch.setattr("utta.prepare.split.sha256", stop)
    with pytest.raises(KeyboardInterrupt):
        split_file(tmp_path / "in.jsonl", tmp_path / "out", seed=1)
    assert not (tmp_path / "out" / "split.json").exists()


def test_real_split_keeps_conversations_together(shared_data):
    from utta.sources import import_records

    reviews = import_records("mrbench", [shared_data / "mrbench_v3.json"]).records
    parts = split_by(reviews)
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert abs(len(part) / len(reviews) - share) < 0.01
    talks = [{tuple(turn.utterance for turn in r.conversation) for r in part} for part in parts]
    assert not talks[0] & talks[1] and not talks[0] & talks[2] and not talks[1] & talks[2]
