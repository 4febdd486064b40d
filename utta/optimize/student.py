"""`optimize student`: the wording of a student's instructions under which the model finds real students' words likeliest.

There are three wordings (`signatures.student.PROMPTS`) and the program's own, if that is another. The objective is the
negative log-likelihood per token of the real students' turns in the validation dialogues, which needs no text to be
written and no training data. What it chooses is the base that a distilled student is held against.

    out/run.json, out/candidate-0 …     what was asked, and each wording's scores: a killed run goes on with them
    out/program.json, manifest.json     the finished program
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signatures.student import PROMPTS
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.core.runs import claim
from utta.evaluate.answers import number
from utta.evaluate.open import read_records
from utta.evaluate.predict import Line
from utta.evaluate.student.replies import scores
from utta.models.load import is_api
from utta.programs.folder import Program, open_program, save_program
from utta.programs.student import StudentSimulator
from utta.records.dialogue import Dialogue

OPTIMIZER = "prompts"


@dataclass(frozen=True)
class Asked:
    """What an optimisation of a student is asked to do."""

    program: str
    validation: Path
    out: Path
    model: str | None = None


@dataclass(frozen=True)
class Opened:
    """What an optimisation works on: the student, the dialogues, and how many records were put aside."""

    program: Program
    dialogues: list[Dialogue]
    put_aside: dict[str, Any]


def open_all(asked: Asked) -> Opened:
    """What `asked` names, before a model is loaded; `UttaError` for what the user can mend."""
    program = open_program(asked.program, model=asked.model)
    if program.adapter:
        raise UttaError(
            f"{asked.program} has weights trained on its wording; choose one before you distil, from 'student'."
        )
    if is_api(program.model_name):
        raise UttaError(
            f"{program.model_name} gives no log-probabilities, by which a wording is chosen; name a local model with --model."
        )
    return Opened(program, *read_records(asked.validation, Dialogue, "train"))


def optimize_student(asked: Asked) -> dict[str, Any]:
    """Choose the wording and save the program with it; returns the manifest. The same request again goes on where it was."""
    opened = open_all(asked)
    program = opened.program
    model = program.load_model()
    file = {"file": str(asked.validation), "sha256": sha256(asked.validation)}
    claim(asked.out, {"kind": "optimization", "program": asked.program, "state": program.state, "model": model.version,
                      "validation": file, "optimizer": OPTIMIZER})  # fmt: skip
    if (asked.out / "manifest.json").is_file():
        return read_json(asked.out / "manifest.json")
    tried: dict[str, StudentSimulator] = {}
    scored: dict[str, dict[str, Line]] = {}
    for place, (name, instructions) in enumerate(wordings(program.module).items()):
        tried[name] = StudentSimulator(instructions).use(model)
        tried[name].play.demos = program.module.play.demos
        lines, _ = scores(tried[name], opened.dialogues, asked.out / f"candidate-{place}")
        scored[name] = {line["record_id"]: line for line in lines}
    by_all = set.intersection(*(set(lines) for lines in scored.values()))
    found = {name: nll([line for of, line in lines.items() if of in by_all]) for name, lines in scored.items()}
    chosen = min(found, key=lambda name: found[name])
    manifest = {
        "model": program.model_name,
        "model_version": model.version,
        "validation": file | {"records": len(by_all), **opened.put_aside},
        "optimizer": OPTIMIZER,
        "chosen": chosen,
        "candidates": [{"prompt": name, "nll": number(value)} for name, value in found.items()],
    }
    save_program(asked.out, tried[chosen], manifest)
    return read_json(asked.out / "manifest.json")


def nll(lines: list[Line]) -> float:
    """The negative log-likelihood per token (nats) of some lines of scores; `UttaError` where they hold no token."""
    tokens = sum(sum(line["tokens"]) for line in lines)
    if not tokens:
        raise UttaError("No student says a word in the validation dialogues; give dialogues with turns of a student.")
    return -sum(sum(line["log_probability"]) for line in lines) / tokens


def wordings(student: StudentSimulator) -> dict[str, str]:
    """The instructions that are tried, by name."""
    own = student.play.signature.instructions
    return PROMPTS | ({} if own in PROMPTS.values() else {"as it was": own})
