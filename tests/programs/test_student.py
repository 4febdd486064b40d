from typing import Any

import dspy
import pytest
from dspy.lm15 import Message, Response, TextPart, Usage
from hypothesis import given
from hypothesis import strategies as st

from signatures.student import PROMPTS
from utta.core.errors import UttaError
from utta.models.load import Model
from utta.programs.folder import open_judge, open_program, program_name, save_program
from utta.programs.student import OPENING, StudentSimulator, chat
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.record import Turn

TOLD = [
    ("teacher", "How did you get 7?"),
    ("student", "I added"),
    ("student", "3 and 4"),
    ("teacher", "What does × mean?"),
    ("student", "Oh, times!"),
    ("teacher", "Right."),
]


class Writer:
    """A model that says one thing after another, the last one for ever, and keeps what it was given."""

    supports_response_schema = False
    supported_params = ("max_tokens",)

    def __init__(self, *replies: str) -> None:
        self.seen: list[Any] = []
        self.replies = list(replies or (" I still think 7. ",))

    def complete(self, request: Any) -> Response:
        self.seen.append([("system", request.system), *((m.role, m.parts[0].text) for m in request.messages)])
        said = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return Response(
            id="1",
            model=request.model,
            message=Message.assistant([TextPart(said)]),
            finish_reason="stop",
            usage=Usage(input_tokens=1, output_tokens=1),
        )

    def stream(self, request: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None: ...


def dialogue(**more: Any) -> Dialogue:
    turns = [DialogueTurn(speaker=speaker, utterance=said) for speaker, said in TOLD]
    known = {"question": "What is 3 × 4?", "solution": "It is twelve.", "student_solution": "3 × 4 = 7"} | more
    return Dialogue(source="test", dialogue_id="1", grade_level="4", dialogue_turns=turns, **known)


def playing(student: StudentSimulator, *replies: str) -> tuple[StudentSimulator, Writer]:
    writer = Writer(*replies)
    return student.use(Model("writer", None, dspy.LM("local/writer@", engine=writer, cache=False), local=False)), writer


def test_each_turn_of_a_training_dialogue_stands_behind_the_prompt_of_the_run_time():
    student, writer = playing(StudentSimulator(PROMPTS["mind"]))
    whole = student.messages(dialogue())
    assert [m["role"] for m in whole] == ["system", "user", "assistant", "user", "assistant"]
    for place in (2, 4):
        said = student(
            conversation=whole[1:place], grade_level="4", problem="What is 3 × 4?", student_solution="3 × 4 = 7"
        )
        assert said.student_turn == "I still think 7."
        assert writer.seen[-1] == [(m["role"], m["content"]) for m in whole[:place]]


def test_the_student_is_told_its_own_solution_and_never_the_right_one():
    system = StudentSimulator().messages(dialogue(misconception="adds instead"))[0]["content"]
    assert system.startswith(PROMPTS["plain"])
    assert "Student solution: 3 × 4 = 7" in system and "Misconception: adds instead" in system
    assert "twelve" not in system and "profile" not in system, "what is not known is left out"


def test_demonstrations_stand_before_the_student():
    student = StudentSimulator()
    student.play.demos = [
        {"problem": "1 + 1", "conversation": [{"role": "user", "content": "Well?"}], "student_turn": "3"}
    ]
    system = student.messages(dialogue())[0]["content"]
    assert "Example\nProblem: 1 + 1\nTeacher: Well?\nStudent: 3\n\nGrade level: 4" in system


def test_a_student_who_says_nothing_has_the_system_message_alone():
    silent = Dialogue(source="test", dialogue_id="1", dialogue_turns=[DialogueTurn(speaker="teacher", utterance="Hi")])
    assert [m["role"] for m in StudentSimulator().messages(silent)] == ["system"]


TURNS = st.builds(Turn, speaker=st.sampled_from(["student", "teacher", "aita"]), utterance=st.text(max_size=9))


@given(st.lists(TURNS, max_size=9))
def test_a_chat_alternates_from_the_teacher_on_and_loses_no_word(turns):
    messages = chat(turns)
    assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2) + ["user"] * (
        len(messages) % 2
    )
    said = "\n".join(m["content"] for m in messages if m["content"] != OPENING)
    assert said == "\n".join(turn.utterance.strip() for turn in turns if turn.utterance.strip())


RETOLD = (
    "Sure. I started with the three and the four, and then I thought about what to do with them, as we had learned it last "
    "week in class, when our teacher showed us many ways to put numbers together, and in the end "
)
BEGINS = [{"role": "user", "content": "How did you get it?"}]
GOES_ON = [*BEGINS, {"role": "assistant", "content": "I added."}, {"role": "user", "content": "Why?"}]


@pytest.mark.parametrize(
    ("conversation", "solution", "replies", "asked"),
    [
        (BEGINS, "3 × 4 = 7", (RETOLD, RETOLD + "so I got 8.", RETOLD + "so I got 7."), 3),
        (BEGINS, "3 × 4 = 7", (RETOLD,), 4),
        (BEGINS, "3 × 4 = 7", ("I added.",), 1),
        (BEGINS, "", (RETOLD,), 1),
        (GOES_ON, "3 × 4 = 7", (RETOLD,), 1),
    ],
)
def test_a_student_who_goes_through_its_solution_comes_to_its_own_answer(conversation, solution, replies, asked):
    student, writer = playing(StudentSimulator(), *replies)
    said = student(conversation=conversation, student_solution=solution).student_turn
    assert said == replies[-1].strip() and len(writer.seen) == asked


def test_a_student_does_not_help():
    student, writer = playing(StudentSimulator(), "I'm ready to help.", "Well done!", "I added them.")
    assert student(conversation=GOES_ON).student_turn == "I added them." and len(writer.seen) == 3


def test_a_state_that_is_none_is_one_sentence(tmp_path):
    save_program(tmp_path, StudentSimulator(), {"model": "smollm2-135m-q4"})
    (tmp_path / "program.json").write_text("{}")
    with pytest.raises(UttaError, match=r"program\.json is not the state of a student .*make the program anew\.$"):
        open_program(str(tmp_path))


def test_a_saved_student_opens_with_its_wording_and_without_a_rubric(tmp_path):
    student, _ = playing(StudentSimulator(PROMPTS["rules"]))
    save_program(tmp_path / "made", student, {"model": "smollm2-135m-q4"})
    assert student.play.lm is not None, "saving leaves the program as it was"
    assert not (tmp_path / "made" / "rubric.yaml").exists()
    opened = open_program(str(tmp_path / "made"))
    assert opened.name == program_name(str(tmp_path / "made")) == "student"
    assert opened.module.play.signature.instructions == PROMPTS["rules"]
    assert opened.state != open_program("student").state
    with pytest.raises(UttaError, match=r"made is a student, which judges nothing; give an evaluator instead\.$"):
        open_judge(str(tmp_path / "made"))


def test_a_student_without_a_model_of_its_own_asks_dspy_s_as_often_as_its_own():
    student = StudentSimulator()
    writer = Writer("Great job! Can I help you?", "I added them.")
    with dspy.context(lm=dspy.LM("local/writer@", engine=writer, cache=False)):
        said = student(conversation=[{"role": "user", "content": "How?"}])
    assert said.student_turn == "I added them." and len(writer.seen) == 2


@pytest.mark.parametrize(
    "conversation",
    [
        [],
        "How did you get 7?",
        [{"role": "teacher", "content": "How?"}],
        [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}],
        [{"speaker": "teacher", "utterance": "How?"}],
    ],
)
def test_what_is_no_conversation_is_said_in_one_sentence(conversation):
    student, writer = playing(StudentSimulator())
    with pytest.raises(
        UttaError, match=r"A conversation is a list of .*, not .*; `utta.programs.student.chat` makes it"
    ):
        student(conversation=conversation)
    assert not writer.seen
