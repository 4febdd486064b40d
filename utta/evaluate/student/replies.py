"""A simulated student in every scene, and its model's opinion of what the real students said.

predictions.jsonl   one line per scene: what the simulated student says
scores.jsonl        one line per dialogue: for each real turn the log-probability of all its tokens together, and their number
errors.jsonl        scenes and dialogues that could not be done; they are tried again when the run goes on

Lines are appended as answers come in, so a run that was stopped goes on with what is not there yet.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dspy

from utta.evaluate.predict import Line, worked_off
from utta.evaluate.student.scenes import Scene
from utta.models.text import TextEngine
from utta.programs.student import StudentSimulator, student_inputs
from utta.records.dialogue import Dialogue


def replies(student: StudentSimulator, scenes: Sequence[Scene], out: Path) -> tuple[list[Line], list[Line]]:
    """Let the student speak in every scene that `out/predictions.jsonl` does not hold yet; the lines, and the errors.

    Raises `UttaError` when the first scenes all fail.
    """

    def speak(scene: Scene) -> list[Line]:
        with dspy.context(disable_history=True):
            said = student(conversation=scene.conversation, **student_inputs(scene.dialogue)).student_turn
        return [dict(zip(("record_id", "turn", "teacher"), scene.key, strict=True)) | {"student_turn": said}]

    work = {scene.key: (scene.dialogue.id, partial(speak, scene)) for scene in scenes}
    return worked_off(work, _scene_key, out, "predictions", "Playing", student.cancel)


def scores(student: StudentSimulator, dialogues: Sequence[Dialogue], out: Path) -> tuple[list[Line], list[Line]]:
    """The log-probabilities of the real students' turns, for dialogues that `out/scores.jsonl` does not hold yet; the lines,
    and the errors. Both are empty for a model behind an API, which gives none."""
    engine = getattr(student.play.lm, "engine", None)
    if not isinstance(engine, TextEngine):
        return [], []

    def score(dialogue: Dialogue) -> list[Line]:
        found = engine.log_probabilities(student.play.lm.model, student.messages(dialogue))
        turns = {"log_probability": [sum(turn) for turn in found], "tokens": [len(turn) for turn in found]}
        return [{"record_id": dialogue.id} | turns]

    work = {(dialogue.id,): (dialogue.id, partial(score, dialogue)) for dialogue in dialogues}
    return worked_off(work, lambda line: (line["record_id"],), out, "scores", "Scoring", engine.engine.cancel)


def _scene_key(line: Line) -> tuple[Any, ...]:
    return line["record_id"], line["turn"], line["teacher"]
