from hypothesis import given
from hypothesis import strategies as st

from signatures.rubric import INPUT_FIELDS
from utta.programs.inputs import conversation_text, judge_inputs
from utta.records.record import Turn
from utta.records.review import Review

# Each part of a review is written in letters of its own, so that a letter shows where it came from.
shown = st.text("abcdef ", min_size=1, max_size=20).filter(str.strip)
hidden = st.text("UVWXYZ", min_size=1, max_size=20)
reviews = st.builds(
    Review,
    source=hidden,
    licence=st.none() | hidden,
    dialogue_id=hidden,
    problem=hidden,
    grade_level=st.none() | shown,
    subject=st.none() | shown,
    context=st.none() | shown,
    conversation=st.lists(
        st.builds(Turn, speaker=st.sampled_from(["student", "teacher"]), utterance=shown), max_size=3
    ),
    response=shown,
    responder=st.none() | hidden,
    reviewer=st.none() | hidden,
    rubric=hidden,
    levels=st.dictionaries(hidden, hidden, max_size=3),
    rationale=st.none() | hidden,
    improved_response=st.none() | hidden,
    student=st.none() | hidden,
    consent=st.sampled_from([None, "train", "evaluate", "none"]),
    metadata=st.dictionaries(hidden, hidden, max_size=2),
)


@given(reviews)
def test_a_program_never_sees_who_wrote_a_response_nor_what_was_said_of_it(review):
    inputs = judge_inputs(review)
    assert tuple(inputs) == INPUT_FIELDS
    assert not set("UVWXYZ") & set("".join(inputs.values()))


@given(reviews)
def test_a_program_sees_the_response_and_all_that_came_before(review):
    inputs = judge_inputs(review)
    assert inputs["teacher_response"] == review.response
    assert (inputs["grade_level"], inputs["subject"]) == (review.grade_level or "", review.subject or "")
    assert inputs["context"] == (review.context or "")
    assert [line.split(": ")[1] for line in inputs["conversation"].splitlines()] == [
        turn.utterance.strip() for turn in review.conversation
    ]


def test_each_turn_begins_with_its_speaker():
    turns = [Turn(speaker="teacher", utterance=" What is 3 × 4? "), Turn(speaker="student", utterance="7\nor 8?")]
    assert conversation_text(turns) == "Teacher: What is 3 × 4?\nStudent: 7\nor 8?"
    assert conversation_text([]) == ""
