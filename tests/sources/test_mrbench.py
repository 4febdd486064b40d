import json
from collections import Counter

import pytest

from utta.core.errors import UttaError
from utta.records.read import Fault
from utta.records.review import Review
from utta.records.rubrics import find_rubric
from utta.sources import import_records
from utta.sources.mrbench import problem_of, read, turns

HISTORY = (
    "Tutor: Hi! The question is: What is 2 + 2?\u00a0\n\u00a0Student: I add.\n2 + 2\n\u00a05\u00a0\n\u00a0"
    "Student : So 5.\u00a0\u00a0\n\u00a0Tutor:  Sure?\n\u00a0\n\u00a0Student: yes"
)
REAL = ("mrbench_v3", "mrbench_v2", "mrbench_unlabelled")


def entry(id="1", history=HISTORY, **replies):
    replies = replies or {"GPT4": {"response": " Look\u00a0again. ", "annotation": {"Actionability": "Yes"}}}
    return {"conversation_id": id, "conversation_history": history, "tutor_responses": replies}


def save(path, *entries):
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def items(path):
    return [item for entry_items in read(path) for item in entry_items]


def test_turns_join_lines_without_a_speaker_and_keep_the_text():
    assert [(turn.speaker, turn.utterance) for turn in turns(HISTORY)] == [
        ("teacher", "Hi! The question is: What is 2 + 2?"),
        ("student", "I add.\n2 + 2\n5"),
        ("student", "So 5."),
        ("teacher", "Sure?"),
        ("student", "yes"),
    ]


def test_v3_reply_becomes_a_review(tmp_path):
    [review] = items(save(tmp_path / "v3.json", entry()))
    assert (review.source, review.licence, review.subject) == ("mrbench", "CC BY-SA 4.0", "mathematics")
    assert (review.dialogue_id, review.responder, review.reviewer, review.rubric) == ("1", "GPT4", None, "mrbench")
    assert (review.response, review.levels, review.context) == ("Look again.", {"Actionability": "Yes"}, None)
    assert review.problem.startswith("q-") and len(review.problem) == 14


def test_v1_and_v2_layout_bring_topic_and_solution(tmp_path):
    old = entry() | {"Data": "Bridge", "Split": "train", "Topic": "Fractions", "Ground_Truth_Solution": "Not Available"}
    old["anno_llm_responses"] = old.pop("tutor_responses")
    [review] = items(save(tmp_path / "v2.json", old))
    assert review.metadata == {"data": "Bridge", "split": "train", "topic": "Fractions"}
    old |= {"Topic": "Not Available", "Ground_Truth_Solution": "2 + 2 = 4\n4"}
    assert items(save(tmp_path / "v1.json", old))[0].metadata["solution"] == "2 + 2 = 4\n4"


def test_reply_without_labels_is_a_review_without_levels(tmp_path):
    [review] = items(save(tmp_path / "test.json", entry(Tutor_1={"response": "Look again."})))
    assert review.levels == {}


@pytest.mark.parametrize(
    "other",
    [
        "Tutor: Hello. The question is:  what is\u00a02 + 2 ?\n Student: 6",
        "Tutor: The question is: What is 2 + 2\n Student: 7",
    ],
)
def test_problem_is_the_stated_question_without_regard_to_spacing_and_punctuation(other):
    assert problem_of(turns(other)) == problem_of(turns(HISTORY))


def test_problem_differs_with_the_question_and_without_one_with_the_words():
    assert problem_of(turns("Tutor: The question is: What is 2 + 3?")) != problem_of(turns(HISTORY))
    first, second = problem_of(turns("Student: 5\n Tutor: 2+2?")), problem_of(turns("Student: 5 \n\u00a0Tutor:  2 + 2"))
    assert first == second and first.startswith("c-")
    assert problem_of(turns("Student: 6\n Tutor: 2+2?")) != first


def test_reply_that_stands_twice_is_a_second_judgement(tmp_path):
    again = entry(GPT4={"response": "Look again.", "annotation": {"Actionability": "No"}})
    first, second = items(save(tmp_path / "v2.json", entry(), again))
    assert (first.reviewer, second.reviewer) == (None, "2")
    assert first.id != second.id and first.problem == second.problem


@pytest.mark.parametrize(
    ("bad", "wrong"),
    [
        (entry(GPT4={"annotation": {}}), "the reply of 'GPT4' has no text in 'response'"),
        (entry(GPT4="Look again."), "the reply of 'GPT4' has no text in 'response', seen 'Look again.'"),
        (entry(GPT4={"response": "x", "annotation": {"Actionability": None}}), "'levels.Actionability' is not text"),
        (entry(GPT4={"response": "x", "annotation": "Yes"}), "the reply of 'GPT4': the field 'levels'"),
        (entry(GPT4={"response": "\ud800"}), "half of a surrogate pair"),
        (entry(history="Hello"), "does not start with 'Tutor:' or 'Student:', seen 'Hello'"),
        (entry(history=""), "does not start with"),
        (entry(history=None), "conversation_history is missing or not text"),
        (entry(id=7), "conversation_id is missing or not text, seen '7'"),
        (entry(id=" "), "the field 'dialogue_id' is blank"),
        ("x", "there is no tutor_responses or anno_llm_responses, seen 'x'"),
        ({"conversation_id": "2"}, "there is no tutor_responses"),
    ],
)
def test_bad_entry_is_a_fault_and_the_rest_is_read(bad, wrong, tmp_path):
    file = save(tmp_path / "v3.json", entry(), bad)
    good, fault = items(file)
    assert isinstance(good, Review) and isinstance(fault, Fault)
    assert str(fault).startswith(f"{file}: entry 2: ") and wrong in str(fault)
    assert fault.as_json()["entry"] == 2


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        (b'[{"conversation_id": "1"', "not valid JSON"),
        ("[{'ü'}]".encode("latin-1"), "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"{}", "not an MRBench file: seen '{}'"),
        (b"[]", "not an MRBench file"),
        (b'[{"a": 1}]', "not a list of dialogues with tutor_responses or anno_llm_responses"),
    ],
)
def test_file_of_another_kind_is_one_sentence(raw, wrong, tmp_path):
    file = tmp_path / "v3.json"
    file.write_bytes(raw)
    with pytest.raises(UttaError, match=wrong):
        items(file)


def test_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UttaError, match="There is no file"):
        items(tmp_path / "v3.json")


@pytest.mark.parametrize("name", REAL)
def test_counts_equal_those_of_the_raw_file(name, shared_data):
    path = shared_data / f"{name}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    replies = [r for e in raw for r in e.get("tutor_responses", e.get("anno_llm_responses")).values()]
    labels = Counter((c, label) for reply in replies for c, label in reply.get("annotation", {}).items())
    imported = import_records("mrbench", [path])
    assert not imported.faults
    summary = imported.summary()
    assert summary["entries"] == len(raw)
    assert summary["dialogues"] == len({e["conversation_id"] for e in raw})
    assert summary["responses"] == len(replies) == len({review.id for review in imported.records})
    assert summary["labelled"] == sum("annotation" in reply for reply in replies)
    assert Counter(pair for review in imported.records for pair in review.levels.items()) == labels
    rubric = find_rubric("mrbench")
    assert all(label in rubric.criterion(criterion).labels for criterion, label in labels)


def test_v2_ids_that_stand_twice_keep_all_their_replies(shared_data):
    imported = import_records("mrbench", [shared_data / "mrbench_v2.json"])
    replies = Counter((review.dialogue_id, review.responder) for review in imported.records)
    assert len({dialogue for (dialogue, _), n in replies.items() if n == 2}) == 3
    assert sum(review.reviewer == "2" for review in imported.records) == 3


def test_v2_and_v3_share_problems_and_judgements(shared_data):
    v2 = import_records("mrbench", [shared_data / "mrbench_v2.json"]).records
    v3 = import_records("mrbench", [shared_data / "mrbench_v3.json"]).records
    joined = import_records("mrbench", [shared_data / "mrbench_v2.json", shared_data / "mrbench_v3.json"])
    shared = {review.id for review in v2} & {review.id for review in v3}
    assert (joined.merged, len(shared), len(joined.faults)) == (946, 946, 0)
    assert len(joined.records) == len(v2) + len(v3) - 946
    problems = {turn_texts(review): review.problem for review in v2}
    assert all(problems.get(turn_texts(review), review.problem) == review.problem for review in v3)
    assert {review.problem for review in v2} <= {review.problem for review in v3}


def test_problems_of_the_real_files(shared_data):
    problems = {
        name: {review.problem for review in import_records("mrbench", [shared_data / f"{name}.json"]).records}
        for name in REAL
    }
    stated = {name: sum(problem.startswith("q-") for problem in found) for name, found in problems.items()}
    assert stated == {"mrbench_v3": 94, "mrbench_v2": 74, "mrbench_unlabelled": 77}
    assert {name: len(found) for name, found in problems.items()} == {
        "mrbench_v3": 135,  # 49 dialogues state no question; 8 conversations among them stand under two ids
        "mrbench_v2": 108,
        "mrbench_unlabelled": 86,
    }
    assert len(problems["mrbench_unlabelled"] & problems["mrbench_v3"]) == 37


def turn_texts(review):
    return tuple(turn.utterance for turn in review.conversation)
