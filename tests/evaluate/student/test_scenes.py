from tests.evaluate.student.talk import TALKS, talk
from utta.evaluate.student.scenes import GENERIC, MISALIGNED, REAL, real_scenes, scenes
from utta.records.dialogue import Dialogue, DialogueTurn


def test_every_turn_of_the_student_is_a_scene_after_the_real_conversation():
    first, second, third = real_scenes(talk(10))
    assert [s.turn for s in (first, second, third)] == [0, 1, 2]
    assert [len(s.conversation) for s in (first, second, third)] == [1, 3, 5]
    assert first.real == "I added them, so 13." and first.previous == "3 and 10 make\n 13"
    assert second.previous == first.real
    assert (first.wrong, first.right) == (13.0, 30.0)
    assert [s.early for s in (first, second, third)] == [True, False, False], "the second teacher's turn is a focus"
    assert [s.unsaid for s in (first, second, third)] == [True, True, False]
    assert [s.turning for s in (first, second, third)] == [False, True, False]


def test_without_kinds_of_moves_only_the_first_turn_is_known_to_be_early():
    bare = talk(10)
    for turn in bare.dialogue_turns:
        turn.pedagogical_notes = None
    assert [s.early for s in real_scenes(bare)] == [True, False, False]


def test_where_both_answers_are_the_same_there_is_nothing_to_flip():
    same = talk(10).model_copy(update={"student_solution": "I guessed 30."})
    assert all(s.wrong is None and s.right is None and not s.turning for s in real_scenes(same))


def test_at_the_turning_point_the_teachers_words_are_changed_and_nothing_else():
    all_scenes = scenes(TALKS)
    assert [sum(s.teacher == kind for s in all_scenes) for kind in (REAL, MISALIGNED, GENERIC)] == [30, 10, 10]
    by_key = {s.key: s for s in all_scenes}
    assert len(by_key) == 50
    for changed in (s for s in all_scenes if s.teacher != REAL):
        real = by_key[changed.dialogue.id, changed.turn, REAL]
        assert real.turning and changed.conversation[:-1] == real.conversation[:-1]
        assert changed.conversation[-1] != real.conversation[-1] and changed.conversation[-1]["role"] == "user"
    misaligned = by_key[TALKS[0].id, 1, MISALIGNED]
    assert misaligned.conversation[-1]["content"] == "How many groups of 11 are there?"
    assert scenes(TALKS)[30:] == all_scenes[30:], "the same words every time"


def test_misaligned_words_never_tell_the_answer_and_come_from_another_problem():
    telling = talk(90).model_copy(update={"problem": "p90"})
    telling.dialogue_turns[2].utterance = "Think of 30."
    kinds = [s.teacher for s in scenes([talk(10), telling]) if s.dialogue.problem == "p10"]
    assert kinds == [REAL, REAL, REAL, GENERIC]
    assert MISALIGNED not in [s.teacher for s in scenes([talk(10)])]


def test_a_chat_that_the_student_begins_is_played_too():
    turns = [DialogueTurn(speaker="student", utterance="hi"), DialogueTurn(speaker="teacher", utterance="Hello")]
    [scene] = scenes([Dialogue(source="test", dialogue_id="1", dialogue_turns=turns)])
    assert scene.real == "hi" and scene.previous == "" and scene.wrong is scene.right is None
