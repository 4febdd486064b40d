"""Rubrics: what experts judge a teacher's response by, read from YAML.

A rubric is a list of criteria; a criterion is one question with described levels. `Rubric.load` refuses a faulty file
and lists all of its faults at once. Ids and labels are the data source's own strings.
"""

import hashlib
import json
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

# The judge's inputs, in the order of its prompt. A criterion of the same name would delete the input.
INPUT_FIELDS = ("grade_level", "subject", "context", "conversation", "teacher_response")

# Names that cannot be an output field: pydantic's own, attributes of DSPy's Signature and Prediction classes that an
# output of the same name would hide (`prediction.items`), and what the judge adds to its prediction.
RESERVED = frozenset(
    "instructions fields signature demos config lm new_signature items keys values get copy inputs labels completions "
    "model_config model_fields toDict with_inputs without get_lm_usage set_lm_usage from_completions input_fields "
    "output_fields effectiveness append prepend insert delete equals dump_state load_state with_instructions "
    "with_updated_fields".split()
)


class RubricError(ValueError):
    """A rubric file that cannot be used; `faults` lists everything wrong with it."""

    def __init__(self, source: str, faults: list[str]):
        self.faults = faults
        super().__init__(f"{source} is not a usable rubric: " + "; ".join(faults) + ".")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(_Strict):
    """One level of a criterion: its label, what it means, its desirability in [0, 1] and whether it counts as good."""

    label: str
    means: str
    value: float = Field(ge=0, le=1)
    good: bool


class Criterion(_Strict):
    """One question about a response; ordinal levels go from worst to best."""

    id: str
    question: str
    scale: Literal["ordinal", "nominal"]
    weight: float = Field(default=1.0, ge=0)
    levels: tuple[Level, ...]

    @property
    def labels(self) -> list[str]:
        return [level.label for level in self.levels]


class Rubric(_Strict):
    """A named list of criteria. `hash` identifies its content, so that a program is never used with another rubric."""

    id: str
    title: str
    description: str = ""
    criteria: tuple[Criterion, ...]

    @classmethod
    def load(cls, path: Path | str) -> "Rubric":
        """Read a rubric from a YAML file; raises `RubricError` with all faults, `OSError` when it cannot be read."""
        try:
            raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RubricError(str(path), [f"it is not valid YAML ({' '.join(str(error).split())})"]) from None
        return cls.parse(raw, str(path))

    @classmethod
    def parse(cls, raw: object, source: str = "the rubric") -> "Rubric":
        """A rubric from a plain mapping, checked as `load` does."""
        try:
            rubric = cls.model_validate(raw)
        except ValidationError as error:
            raise RubricError(source, [_sentence(e) for e in error.errors()] + _other_faults(raw)) from None
        if faults := rubric._faults():
            raise RubricError(source, faults)
        return rubric

    def _faults(self) -> list[str]:
        faults = [] if self.criteria else ["it has no criteria"]
        return (
            faults
            + _names_twice([c.id for c in self.criteria])
            + [f for c in self.criteria for f in _criterion_faults(c)]
        )

    @property
    def hash(self) -> str:
        """16 hex digits of the SHA-256 over the rubric's content."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def criterion(self, id: str) -> Criterion:
        """The criterion of that id; `KeyError` when there is none."""
        for criterion in self.criteria:
            if criterion.id == id:
                return criterion
        raise KeyError(id)

    def only(self, ids: list[str]) -> "Rubric":
        """The same rubric with only the criteria in `ids`, in the rubric's order."""
        return self.model_copy(update={"criteria": tuple(c for c in self.criteria if c.id in ids)})

    def dump(self) -> str:
        """The rubric as YAML, which `load` reads back to an equal rubric."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _name_faults(id: str) -> list[str]:
    if not id.isidentifier() or id.startswith("_"):
        return [f"criterion id {id!r} must be letters, digits and underscores, starting with a letter"]
    if id in INPUT_FIELDS:
        return [f"criterion {id!r} has the name of an input of the judge; rename it, for example {id}_quality"]
    if id in RESERVED or id.startswith("model_"):
        return [f"criterion {id!r} has a name that DSPy uses itself; rename it, for example {id}_quality"]
    return []


def _names_twice(ids: list[str]) -> list[str]:
    return [f"criterion {i!r} stands twice" for i in sorted({i for i in ids if ids.count(i) > 1})]


def _criterion_faults(criterion: Criterion) -> list[str]:
    faults, name = _name_faults(criterion.id), f"criterion {criterion.id!r}"
    if not criterion.question.strip():
        faults.append(f"{name} has no question")
    if not 2 <= len(criterion.levels) <= 26:
        faults.append(f"{name} has {len(criterion.levels)} levels, not 2 to 26")
    labels = criterion.labels
    faults += [f"{name} has the label {label!r} twice" for label in sorted({x for x in labels if labels.count(x) > 1})]
    for level in criterion.levels:
        if not level.label.strip():
            faults.append(f"{name} has a level without a label")
        if not level.means.strip():
            faults.append(f"level {level.label!r} of {name} has no description (means)")
    values = [level.value for level in criterion.levels]
    if criterion.scale == "ordinal" and values != sorted(values):
        faults.append(f"{name} is ordinal but its values do not go from worst to best: {values}")
    return faults


def _other_faults(raw: object) -> list[str]:
    """What else is wrong in a file that does not have the right shape, so that all faults are listed at once: of its
    criteria that have the right shape everything, of the others the name."""
    listed = raw.get("criteria") if isinstance(raw, dict) else None
    criteria = [c for c in listed if isinstance(c, dict)] if isinstance(listed, list) else []
    faults = _names_twice([c["id"] for c in criteria if isinstance(c.get("id"), str)])
    for each in criteria:
        try:
            faults += _criterion_faults(Criterion.model_validate(each))
        except ValidationError:
            faults += _name_faults(each["id"]) if isinstance(each.get("id"), str) else []
    return faults


def _sentence(error: object) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"  # type: ignore[index]
    message = str(error["msg"])  # type: ignore[index]
    seen = error.get("input")  # type: ignore[attr-defined]
    shown = "" if message == "Field required" else f" (seen: {str(seen)[:60]!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"
