import json

import pytest

from utta.core.errors import UttaError
from utta.prepare.dedupe import dedupe_file, duplicates
from utta.records.read import read_reviews, write_records
from utta.records.record import Turn
from utta.records.review import Review

LONG = "How did you get the 5 and why did you add the two lower numbers before you looked at how large each part is"


def review(response=LONG, said="I think that 1/2 + 1/3 is 2/5 because 1 + 1 is 2", dialogue="d1", **change):
    fields = {"source": "s", "dialogue_id": dialogue, "rubric": "utta", "levels": {"accuracy": "Good"}}
    return Review(conversation=[Turn(speaker="student", utterance=said)], response=response, **{**fields, **change})


def found(*reviews, near=None):
    place = {r.id: n for n, r in enumerate(reviews)}
    return [(place[d.record_id], place[d.of], d.similarity, d.labels_differ) for d in duplicates(reviews, near)]


def test_the_same_words_are_a_duplicate_wherever_they_come_from():
    assert found(review(), review(LONG.upper() + "?", dialogue="d2"), review(LONG + " ")) == [
        (1, 0, 1.0, False), (2, 0, 1.0, False),
    ]  # fmt: skip


def test_another_reviewer_or_another_conversation_is_no_duplicate():
    assert found(review(), review(reviewer="B"), review(said="7"), near=0.8) == []


def test_other_levels_are_told():
    [each] = duplicates([review(), review(dialogue="d2", levels={"accuracy": "Poor"})])
    assert each.labels_differ and each.why == "the same words, other levels"


@pytest.mark.parametrize("near", [None, 0.7])
def test_a_repeat_with_labels_that_the_first_lacks_is_kept(near):
    more = {"accuracy": "Good", "engagement": "Fair"}
    texts = [LONG, LONG, LONG] if near is None else [LONG, LONG.replace("large", "big"), LONG.replace("large", "wide")]
    first, fuller, third = (
        review(text, dialogue=f"d{n}", levels=levels)
        for n, (text, levels) in enumerate(zip(texts, [{"accuracy": "Good"}, more, more], strict=True))
    )
    assert [(a, b) for a, b, *_ in found(first, fuller, near=near)] == []
    [(repeat, _, _, differ)] = found(first, fuller, third, near=near)
    assert repeat == 2 and not differ


def test_what_is_nearly_the_same_is_found_on_demand():
    other = review(LONG.replace("large", "big"), dialogue="d2")
    far = review("What is a half of a pizza, and is a third of it more than that or less?", dialogue="d3")
    assert found(review(), other, far) == []
    [(second, first, similarity, _)] = found(review(), other, far, near=0.7)
    words = len(LONG.split())
    assert (second, first) == (1, 0) and similarity == pytest.approx((words - 5) / (words + 1), abs=1e-4)
    assert found(review(), other, near=0.9) == []


def test_the_same_3_grams_are_not_the_same_words():
    [each] = duplicates([review("a b a b a b a b"), review("a b a b a b a b a b", dialogue="d2")], near=0.9)
    assert each.why == "100% of the word 3-grams in common" and not each.exact and each.similarity == 1


def test_a_file_keeps_the_first_of_each_and_the_reason_for_the_rest(tmp_path):
    write_records(tmp_path / "in.jsonl", [review(), review(dialogue="d2"), review("No.")])
    told = dedupe_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", near=0.8)
    assert (told["same"], told["nearly_same"], told["kept"]) == (1, 0, 2)
    assert [r.dialogue_id for r in read_reviews(tmp_path / "out.jsonl").reviews] == ["d1", "d1"]
    [line] = [json.loads(line) for line in (tmp_path / "out.duplicates.jsonl").read_text().splitlines()]
    assert line["why"] == "the same words" and Review(**line["record"]) == review(dialogue="d2")


def test_an_impossible_similarity_is_one_sentence():
    with pytest.raises(UttaError, match=r"The similarity 80 is not in \(0, 1\]"):
        list(duplicates([review()], near=80))


def test_real_replies_that_stand_twice_are_found(shared_data):
    from utta.sources import import_records

    reviews = import_records("mrbench", [shared_data / "mrbench_v3.json"]).records
    exact = list(duplicates(reviews))
    assert 0 < len(exact) < len(reviews) / 10
    near = list(duplicates(reviews, near=0.8))
    assert {d.record_id for d in exact} <= {d.record_id for d in near}
