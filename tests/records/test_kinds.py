import json

import pytest

from utta.core.errors import UttaError
from utta.records.dialogue import Dialogue
from utta.records.kinds import KINDS, kind_of
from utta.records.read import read_reviews, scan_reviews
from utta.records.rubrics import find_rubric

REVIEW = {"source": "s", "dialogue_id": "d", "conversation": [], "response": "Why?", "rubric": "utta", "levels": {}}
DIALOGUE = {"source": "s", "dialogue_id": "d", "dialogue_turns": []}
EXAMPLE = {"source": "s", "input": {"student_question": "5?"}, "output": {"teacher_response": "Why?"}}


def file(tmp_path, *values):
    path = tmp_path / "file.jsonl"
    path.write_text("".join(v if isinstance(v, str) else json.dumps(v) + "\n" for v in values), encoding="utf-8")
    return path


@pytest.mark.parametrize(("value", "kind"), [(REVIEW, "reviews"), (DIALOGUE, "dialogues"), (EXAMPLE, "examples")])
def test_a_kind_is_told_by_its_name_or_by_its_fields(value, kind, tmp_path):
    named = {"kind": KINDS[kind].model_fields["kind"].default}
    assert kind_of(file(tmp_path, value)) == kind_of(file(tmp_path, named)) == kind
    assert kind_of(file(tmp_path, "\n", "{broken\n", [1], value)) == kind


def test_another_kind_than_asked_for_is_one_sentence_that_says_what_to_type(tmp_path):
    with pytest.raises(
        UttaError, match=r"holds dialogues, not reviews; type --as dialogues, or give a file of reviews"
    ):
        kind_of(file(tmp_path, DIALOGUE), "reviews")
    assert kind_of(file(tmp_path, DIALOGUE), "dialogues") == "dialogues"


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (['[{"a": 1}]\n'], "it is a JSON list, not one record a line"),
        ([{"qid": 1, "messages": []}], "its first line has the fields qid, messages"),
        ([{"kind": []}], "its first line has the fields kind"),
        ([{}], "its first line has the fields (none)"),
        (["Reply,Rating\n", "Why?,Good\n"], "its first line is no JSON object, seen 'Reply,Rating'"),
        (["5\n"], "its first line is no JSON object, seen '5'"),
        ([b"\xff\xfeR\x00".decode("latin-1")], "its first line is no JSON object"),
    ],
)
def test_what_is_no_record_at_all_is_told_with_the_way_in(content, seen, tmp_path):
    path = file(tmp_path, *content)
    with pytest.raises(UttaError) as error:
        kind_of(path)
    assert seen in str(error.value) and f"bring it in with 'utta data import SOURCE {path} --out FILE'" in str(
        error.value
    )


def test_an_empty_or_missing_file_is_told_as_ever(tmp_path):
    with pytest.raises(UttaError, match="it is empty"):
        kind_of(file(tmp_path, "\n"))
    with pytest.raises(UttaError, match="There is no file"):
        kind_of(tmp_path / "none")


def test_readers_of_one_kind_say_which_they_were_given(tmp_path):
    with pytest.raises(UttaError, match="holds dialogues, not reviews; give a file of reviews"):
        read_reviews(file(tmp_path, DIALOGUE, Dialogue(**{**DIALOGUE, "dialogue_id": "e"}).model_dump(mode="json")))


@pytest.mark.parametrize(
    ("levels", "hint"),
    [
        ({"accuracy": "good "}, "did you mean 'Good'?"),
        ({"Accuracy": "Good"}, "did you mean 'accuracy'?"),
        ({"accuracy": "Great"}, None),
        ({"clarity": "Good"}, None),
    ],
)
def test_a_label_that_differs_in_case_or_space_gets_a_hint(levels, hint, tmp_path):
    [fault] = scan_reviews(file(tmp_path, {**REVIEW, "levels": levels}), find_rubric("utta"))
    assert (str(fault).endswith(hint)) if hint else "did you mean" not in str(fault)
