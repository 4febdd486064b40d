"""Scenes: the places of dialogues at which a simulated student speaks, beside what the real student said there.

At each turn of a real student the simulated one is given the real conversation up to there. At one turn of a dialogue the
teacher's last words are also changed, to see what it takes to make the student give up the mistake. That is where the real
student first reached the right answer, if that was not the first turn and nobody had said the answer before:

    targeted     the real teacher's words, after which the real student reached it
    misaligned   words that did the same for another student, with another problem
    generic      words that fit any student and tell nothing (`data/generic_turns.yaml`)
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

import yaml

from metrics.fidelity import answer, same, states
from utta.core.paths import data_dir
from utta.programs.student import Messages, chat
from utta.records.dialogue import Dialogue

REAL = "real"
MISALIGNED, GENERIC = "misaligned", "generic"
ADDRESSING = ("focus", "telling")  # the kinds of teacher's moves that point at a mistake, in MathDial's words


@dataclass(frozen=True)
class Scene:
    """One place at which the student speaks; `teacher` says whose words come before: REAL, MISALIGNED or GENERIC.

    `turn` counts the student's turns from 0; `conversation` ends with the teacher. `real` is what the real student said,
    `previous` what it said before (before the first turn, its written solution). `wrong` and `right` are the answers of its
    solution and of the right one, None where unknown or the same. `unsaid`: nobody has said the right answer so far.
    `early`: no teacher's turn has pointed at the mistake. `turning`: the real student first reached the right answer here.
    """

    dialogue: Dialogue
    turn: int
    teacher: str
    conversation: Messages
    real: str
    previous: str
    wrong: float | None
    right: float | None
    unsaid: bool
    early: bool
    turning: bool

    @property
    def key(self) -> tuple[str, int, str]:
        """What names the scene in a file of predictions."""
        return self.dialogue.id, self.turn, self.teacher


def scenes(dialogues: Sequence[Dialogue]) -> list[Scene]:
    """All scenes of the dialogues, in order; those with a teacher's other words come after all real ones."""
    real = [scene for dialogue in dialogues for scene in real_scenes(dialogue)]
    return real + list(_changed([scene for scene in real if scene.turning]))


def real_scenes(dialogue: Dialogue) -> list[Scene]:
    """The student's turns of a dialogue, each after the real conversation."""
    right, wrong = answer(dialogue.solution or ""), answer(dialogue.student_solution or "")
    if same(right, wrong):
        right = wrong = None
    messages, pointed_at = chat(dialogue.dialogue_turns), _pointed_at(dialogue)
    found: list[Scene] = []
    previous, reached = (dialogue.student_solution or "").strip(), False
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        real, before = message["content"], messages[:place]
        unsaid = not any(states(m["content"], right) for m in before)
        reaches = same(answer(real), right) and not reached
        scene = Scene(
            dialogue,
            turn=len(found),
            teacher=REAL,
            conversation=before,
            real=real,
            previous=previous,
            wrong=wrong,
            right=right,
            unsaid=unsaid,
            early=not pointed_at[len(found)],
            turning=reaches and unsaid and bool(found),
        )
        found.append(scene)
        previous, reached = real, reached or reaches
    return found


def _pointed_at(dialogue: Dialogue) -> list[bool]:
    """For each of the student's turns whether the teacher has pointed at the mistake before. Where a source does not say
    what kind of move a teacher's turn is, only those before the student's first turn are known not to."""
    spoken = [turn for turn in dialogue.dialogue_turns if turn.utterance.strip()]
    unknown = all(turn.pedagogical_notes is None for turn in spoken)
    found: list[bool] = []
    pointed = False
    for student, turns in groupby(spoken, key=lambda turn: turn.speaker == "student"):
        if student:
            found.append(pointed or (unknown and bool(found)))
        else:
            pointed = pointed or any(turn.pedagogical_notes in ADDRESSING for turn in turns)
    return found


def _changed(turning: Sequence[Scene]) -> Iterator[Scene]:
    """The turning scenes with misaligned words, where there are any, and with generic ones."""
    for place, scene in enumerate(turning):
        words = {MISALIGNED: _misaligned(scene, [*turning[place + 1 :], *turning[:place]]), GENERIC: _generic(scene)}
        for teacher, said in words.items():
            if said:
                told = [*scene.conversation[:-1], {"role": "user", "content": said}]
                yield replace(scene, teacher=teacher, conversation=told)


def _misaligned(scene: Scene, others: Iterable[Scene]) -> str | None:
    """What the next teacher said at the turning point of another problem, if it does not hold this one's answer."""
    for other in others:
        said = other.conversation[-1]["content"]
        if other.dialogue.cluster != scene.dialogue.cluster and not states(said, scene.right):
            return said
    return None


def _generic(scene: Scene) -> str:
    turns = _generic_turns()
    return turns[zlib.crc32(scene.dialogue.id.encode()) % len(turns)]


@cache
def _generic_turns() -> list[str]:
    text = (data_dir() / "generic_turns.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text)["turns"])
