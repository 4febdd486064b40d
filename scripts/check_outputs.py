"""Whether what the programs that write say always parses, on many different inputs.

    python scripts/check_outputs.py --data talk.jsonl --out DIR
    python scripts/check_outputs.py --data talk.jsonl --out DIR --programs tutor,coach --tries 1
    python scripts/check_outputs.py --out DIR --count 20                 (the sample dialogues)

Each turn of the dialogues is another input: a student and a tutor answer it, a coach advises on what the teacher said. Prints
`name: value` lines for each program: inputs, how many outputs parse, how many of these have an empty field, and the share of
outputs that say the same as an earlier one. With `--tries 1` what is written first is said, with all its faults, in a sixth
of the time. The same command goes on where it was; what was said stands in `DIR`.
"""

import argparse
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dspy

from utta.core.paths import data_dir
from utta.evaluate.open import read_records
from utta.evaluate.predict import Line, worked_off
from utta.programs.coach import ResponseCoach
from utta.programs.folder import open_program
from utta.programs.inputs import conversation_text
from utta.programs.student import StudentSimulator, chat, student_inputs
from utta.programs.tutor import Tutor, context
from utta.records.dialogue import Dialogue
from utta.records.record import content_id

Inputs = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir() / "samples" / "dialogues.jsonl", help="dialogues")
    parser.add_argument("--out", type=Path, required=True, help="folder for what was said")
    parser.add_argument("--count", type=int, default=1000, help="how many different inputs for each program")
    parser.add_argument("--programs", default=",".join(INPUTS), help="of these, or folders of such programs")
    parser.add_argument("--tries", type=int, help="times that a text with a fault is written, at most")
    asked = parser.parse_args()
    logging.getLogger("dspy.clients.lm").setLevel(logging.ERROR)  # it warns of each text that its budget ends
    dialogues, _ = read_records(asked.data, Dialogue, "evaluate")
    for name in asked.programs.split(","):
        check(name, dialogues, asked.count, asked.tries, asked.out)


def check(name: str, dialogues: list[Dialogue], count: int, tries: int | None, out: Path) -> None:
    """Ask a program `count` different inputs and print how it went."""
    program = open_program(name)
    if tries:
        program.module.tries = tries
    program.load_model(cache=False)
    found = {content_id([inputs]): inputs for of in dialogues for inputs in INPUTS[program.name](of)}
    work = {(key,): (key, partial(say, program, key, found[key])) for key in list(found)[:count]}
    folder = out / Path(name).name
    folder.mkdir(parents=True, exist_ok=True)
    lines, _ = worked_off(
        work, lambda line: (line["record_id"],), folder, "outputs", program.name, program.module.cancel
    )
    fields = [[value for key, value in line.items() if key != "record_id"] for line in lines]
    empty = sum(any(not words(value) for value in values) for values in fields)
    print(f"{program.name}_inputs: {len(work)}")
    print(f"{program.name}_parsed: {len(lines)}")
    print(f"{program.name}_with_an_empty_field: {empty}")
    print(f"{program.name}_identical: {1 - len(set(map(repr, fields))) / len(fields):.4f}")


def say(program: Any, key: str, inputs: Inputs) -> list[Line]:
    """What the program says, field by field."""
    with dspy.context(disable_history=True):
        return [{"record_id": key} | dict(program(**inputs).items())]


def words(value: Any) -> bool:
    """Whether a field, or every item of one, says anything."""
    return all(map(words, value)) and bool(value) if isinstance(value, list) else bool(str(value).strip())


def of_a_student(dialogue: Dialogue) -> Iterator[Inputs]:
    """The conversation up to each of the teacher's turns."""
    for place, turn in enumerate(dialogue.dialogue_turns):
        if turn.speaker != "student":
            yield student_inputs(dialogue) | {"conversation": chat(dialogue.dialogue_turns[: place + 1])}


def of_a_tutor(dialogue: Dialogue) -> Iterator[Inputs]:
    """Each of the student's turns, with what was said before."""
    for place, turn in enumerate(dialogue.dialogue_turns):
        if turn.speaker == "student" and turn.utterance.strip():
            yield known(dialogue) | {
                "context": context(f"Exercise: {dialogue.question}", dialogue.dialogue_turns[:place]),
                "student_question": turn.utterance,
            }


def of_a_coach(dialogue: Dialogue) -> Iterator[Inputs]:
    """Each of the teacher's turns behind a conversation, judged as any might be."""
    for place, turn in enumerate(dialogue.dialogue_turns):
        if place and turn.speaker != "student" and turn.utterance.strip():
            yield known(dialogue) | {
                "context": f"Exercise: {dialogue.question}",
                "conversation": conversation_text(dialogue.dialogue_turns[:place]),
                "teacher_response": turn.utterance,
                "judgement": "accuracy: Good; engagement: Weak",
            }


def known(dialogue: Dialogue) -> Inputs:
    return {"grade_level": dialogue.grade_level or "", "subject": dialogue.subject or ""}


INPUTS = {StudentSimulator.name: of_a_student, Tutor.name: of_a_tutor, ResponseCoach.name: of_a_coach}


if __name__ == "__main__":
    main()
