"""Which replies without labels may be learnt from: none about a problem that is scored."""

import pytest

from tests.evaluate.scripted import RUBRIC, make_review, put_down
from utta.core.errors import UttaError
from utta.distill.pool import find_held_out, read_pool
from utta.prepare.split import split_file
from utta.records.read import read_reviews, write_records
from utta.records.rubrics import find_rubric
from utta.sources import import_records


@pytest.fixture
def files(tmp_path):
    """Writes reviews as a file of the name."""

    def write(name, reviews):
        write_records(tmp_path / name, reviews)
        return tmp_path / name

    return write


def unlabelled(number, problem, **more):
    return make_review(number, problem, None, None, **more)


def test_what_is_held_out_labelled_known_or_withheld_is_left_out_and_counted(files, capsys):
    train = [make_review(1, "ants", responder="GPT4"), make_review(2, "bees")]
    train_file, validation = files("train.jsonl", train), files("validation.jsonl", [make_review(3, "cats")])
    test = files("test.jsonl", [make_review(4, "dogs")])
    same_dialogue = unlabelled(10, "cats").model_copy(update={"problem": "owls", "id": ""})
    pool = [
        unlabelled(1, "ants", responder="Tutor_1"),  # the very reply of the training file
        unlabelled(5, "ants"),
        make_review(6, "bees", tone=None),
        unlabelled(7, "cats"),
        unlabelled(8, "dogs"),
        unlabelled(9, "eels"),
        type(same_dialogue).model_validate(same_dialogue.model_dump()),
        unlabelled(11, "eels", consent="evaluate"),
        unlabelled(12, "eels", keep_until="2020-12-31"),
    ]
    found = read_pool(
        files("pool.jsonl", pool), RUBRIC, RUBRIC, train, find_held_out(train_file, validation, [test, test])
    )
    assert [review.id for review in found.replies] == [pool[1].id, pool[5].id]
    assert found.told["left_out"] == {"held_out": 3, "labelled": 1, "in_training": 1}
    assert found.told["withheld"] == {"consent": 1, "keep_until": 1}
    assert (found.told["records"], found.told["problems"], found.told["problems_held_out"]) == (2, 2, 3)
    assert "withheld from what is used to train: 1 by consent, 1 past the day" in capsys.readouterr().err


def test_a_label_on_a_criterion_that_is_not_learnt_does_no_harm(files):
    nothing = find_held_out(
        files("train.jsonl", [make_review(1, "ants")]), files("v.jsonl", [make_review(3, "cats")]), []
    )
    path = files("pool.jsonl", [make_review(6, "bees", clarity=None)])
    assert len(read_pool(path, RUBRIC, RUBRIC.only(["clarity"]), [], nothing).replies) == 1
    with pytest.raises(UttaError, match=r"No reply in .*pool\.jsonl may be learnt from \(1 labelled\)"):
        read_pool(path, RUBRIC, RUBRIC, [], nothing)


def test_the_other_parts_of_the_training_files_split_are_held_out(tmp_path, files):
    split_file(files("all.jsonl", [make_review(n, f"p{n}") for n in range(10)]), tmp_path / "split")
    train, validation, test = (tmp_path / "split" / f"{part}.jsonl" for part in ("train", "validation", "test"))
    held_out = find_held_out(train, validation, [])
    assert held_out.problems == {r.cluster for path in (validation, test) for r in read_reviews(path).reviews}
    elsewhere = files("other.jsonl", read_reviews(train).reviews)
    assert find_held_out(elsewhere, validation, []).problems == {r.cluster for r in read_reviews(validation).reviews}


def test_a_file_without_reviews_holds_nothing_out_and_is_refused(tmp_path, files):
    other = tmp_path / "other.jsonl"
    other.write_text('{"turns": []}\n', encoding="utf-8")
    train, _ = put_down(tmp_path, [make_review(1, "ants")], "train.jsonl")
    with pytest.raises(UttaError, match=r"other\.jsonl holds no reviews, so it names no problem to leave out"):
        find_held_out(train, train, [other])
    with pytest.raises(UttaError, match=r"There is no file .*gone\.jsonl"):
        find_held_out(train, train, [tmp_path / "gone.jsonl"])


def test_no_problem_of_the_scored_part_is_left_in_the_real_pool(tmp_path, shared_data):
    v3, pool = (
        import_records("mrbench", [shared_data / f"{name}.json"]).records
        for name in ("mrbench_v3", "mrbench_unlabelled")
    )
    write_records(tmp_path / "v3.jsonl", v3)
    write_records(tmp_path / "pool.jsonl", pool)
    assert len({r.problem for r in pool}) == 86 and len({r.problem for r in pool} & {r.problem for r in v3}) == 37
    split_file(tmp_path / "v3.jsonl", tmp_path / "split")
    train, validation, test = (tmp_path / "split" / f"{part}.jsonl" for part in ("train", "validation", "test"))
    scored = {r.cluster for path in (validation, test) for r in read_reviews(path).reviews}
    shared = scored & {r.problem for r in pool}
    rubric = find_rubric("mrbench")
    learnt = read_pool(
        tmp_path / "pool.jsonl", rubric, rubric, read_reviews(train).reviews, find_held_out(train, validation, [test])
    )
    assert shared and not scored & {r.problem for r in learnt.replies}
    assert len(learnt.replies) + learnt.told["left_out"]["held_out"] == 961
    assert learnt.told["problems"] == 86 - len(shared) and learnt.told["problems_held_out"] == len(shared)
