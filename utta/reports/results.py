"""What stands in a run's `results.json`, and how a run folder is opened for a report.

The models check the shape once, so that the drawing code never meets a half-written file. Keys that a later version
adds are ignored. This module reads; `utta.evaluate` writes.
"""

import os
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from utta.core.errors import UttaError, shorten
from utta.core.files import read_json

SCHEMA_VERSION = 1


class Figure(BaseModel):
    """A figure with its 95% interval; None (or a value that is not finite) where it could not be computed."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> bool:
        return self.value is not None and isfinite(self.value)

    @property
    def side(self) -> Literal["above", "below", "unclear"]:
        """For a difference: where its interval lies; "unclear" when the interval holds 0 or is missing."""
        if self.low is not None and self.low > 0:
            return "above"
        return "below" if self.high is not None and self.high < 0 else "unclear"


Figures = dict[str, Figure]


class CriterionResult(BaseModel):
    """One criterion. `thin_levels` have fewer than 10 labels; `left_out` are those of them that macro-F1 leaves out."""

    n: int
    scale: Literal["ordinal", "nominal"]
    gold: dict[str, int]
    thin_levels: list[str] = []
    left_out: list[str] | None = None
    metrics: Figures
    confusion: list[list[int]] = []
    baselines: dict[str, Figures] = {}


class MeanResult(BaseModel):
    metrics: Figures
    baselines: dict[str, Figures] = {}


class Paired(BaseModel):
    """Paired differences of macro-F1, this judge minus something else."""

    criteria: Figures
    mean: Figure

    @property
    def above(self) -> tuple[int, int]:
        """On how many criteria the difference is above 0, and on how many it is known."""
        values = [figure.value for figure in self.criteria.values() if figure.value is not None and figure.known]
        return sum(value > 0 for value in values), len(values)


class Comparison(BaseModel):
    """The paired differences to another run, for each metric."""

    run: str
    n: dict[str, int] = {}
    criteria: dict[str, Figures]
    mean: Figures

    @property
    def paired(self) -> Paired:
        macro_f1 = {name: figures.get("macro_f1", Figure()) for name, figures in self.criteria.items()}
        return Paired(criteria=macro_f1, mean=self.mean.get("macro_f1", Figure()))


class Counts(BaseModel):
    """Decisions by what became of them; `rejects`: lines of the data file that are no reviews; `withheld`: reviews that may
    not be used, by reason (consent, keep_until)."""

    decisions: int
    scored: int
    unscored: int
    errors: int
    rejects: int = 0
    withheld: dict[str, int] = {}


class RubricRef(BaseModel):
    id: str
    hash: str


class DataRef(BaseModel):
    file: str
    sha256: str
    records: int
    problems: int


class FileRef(BaseModel):
    file: str
    sha256: str


class Gate(BaseModel):
    gate: str
    value: float | None = None
    passed: bool


class Effectiveness(BaseModel):
    mean: float | None = None
    gold_mean: float | None = None
    spearman: Figure = Figure()


class Disagreement(BaseModel):
    """A decision on which the judge left the experts' level; `responder` and `conversation` are read from the data."""

    record_id: str
    criterion: str
    gold: str
    label: str
    confidence: float | None = None
    gold_probability: float | None = None
    response: str | None = None
    student: str | None = None
    responder: str | None = None
    conversation: list[tuple[str, str]] = []


class Group(BaseModel):
    """A group of a slice. `few`: too small for figures. `gap`: how much more effectiveness (0 to 1) the judge sees in it
    than the experts do, beside the slice's other groups; its interval holds for all groups at once, and `biased` says
    that it excludes 0."""

    value: str
    n: int
    problems: int
    few: bool = False
    agreement: Figure | None = None
    gap: Figure | None = None
    biased: bool = False


class Bin(BaseModel):
    """The decisions whose confidence lies between `low` and `high`: its mean, and the share on the experts' level."""

    low: float
    high: float
    n: int
    confidence: float | None = None
    agreement: float | None = None


class Deferral(BaseModel):
    """The least confident `share` given to a person: agreement on the `kept` decisions, and its gain over all."""

    share: float
    kept: int
    agreement: Figure
    gain: Figure


class Confidence(BaseModel):
    bins: list[Bin] = []
    deferral: list[Deferral] = []


class Reviewer(BaseModel):
    """One reviewer: the share of `n` levels on which the judge, and the other reviewers, gave the same."""

    reviewer: str
    n: int
    judge: Figure
    others: Figure | None = None


class CriterionReviewers(BaseModel):
    """Reviewers on one criterion: Krippendorff's `alpha` between them, over the responses that two or more judged."""

    alpha: float | None = None
    judged_twice: int
    each: list[Reviewer] = []


class Reviewers(BaseModel):
    n: int
    responses: int
    criteria: dict[str, CriterionReviewers]


class Form(BaseModel):
    """One form of edge case, or of instruction to the judge, and how often the judge was `fooled` by it."""

    form: str
    group: Literal["edge", "instruction"]
    n: int
    fooled: Figure
    levels: dict[str, dict[str, int]] = {}


class Swapped(BaseModel):
    n: int
    same_level: Figure
    mean_difference: float | None = None


class EdgeCases(BaseModel):
    replies: int
    forms: list[Form]
    fooled_instructions: Figure | None = None
    cost: dict[str, Any] | None = None
    swapped: Swapped | None = None


class CurvePoint(BaseModel):
    """Macro-F1 after training on so many `reviews` about so many `problems`."""

    reviews: int
    problems: int
    tfidf: Figure
    judge: Figure | None = None


class Forecast(BaseModel):
    reviews: int
    value: float


class LearningCurve(BaseModel):
    points: list[CurvePoint]
    forecast: Forecast | None = None
    note: str = ""


class Results(BaseModel):
    kind: Literal["evaluation"]
    schema_version: int = Field(ge=1, le=SCHEMA_VERSION)
    created: str | None = None
    seconds: float | None = None
    program: str
    model: str | None = None
    rubric: RubricRef
    data: DataRef
    times_scored: int
    seen_problems: dict[str, int] = {}
    unseen_files: list[str] = []
    counts: Counts
    criteria: dict[str, CriterionResult]
    mean: MeanResult
    against_tfidf: Paired | None = None
    comparison: Comparison | None = None
    gates: list[Gate] = []
    effectiveness: Effectiveness | None = None
    disagreements: list[Disagreement] = []
    slices: dict[str, list[Group]] | None = None
    confidence: Confidence | None = None
    reviewers: Reviewers | None = None
    edge_cases: EdgeCases | None = None
    learning_curve: LearningCurve | None = None
    baseline_train: FileRef | None = None
    seed: int | None = None
    versions: dict[str, str | None] = {}
    paths: dict[str, str | None] = {}


def check_results(results: Any, where: str = "The results") -> Results:
    """`results` as a checked `Results`; `UttaError` naming the first key that is missing or wrong.

    `where` names the results in the message, for example the path of their file.
    """
    try:
        return Results.model_validate(results)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the top"
        seen = "nothing" if first["type"] == "missing" else repr(shorten(first["input"], 40))
        raise UttaError(
            f"{where} cannot be shown: at {key} the report needs something else than {seen} ({first['msg']}), "
            "so make the run anew with `utta evaluate` of this version."
        ) from None


Kind = Literal["evaluation", "student_evaluation", "tutor_evaluation", "program"]


def open_run(folder: Path) -> tuple[Kind, dict[str, Any]]:
    """What `folder` holds and its content: the `results.json` of an evaluation, or a program's
    `manifest.json`.

    Raises `UttaError` when the folder is missing, unfinished, broken or no run at all.
    """
    if not folder.is_dir():
        raise UttaError(f"There is no run folder {folder}; give the folder that `utta evaluate … --out` wrote.")
    kind: Kind = "evaluation" if (folder / "results.json").exists() else "program"
    path = folder / ("results.json" if kind == "evaluation" else "manifest.json")
    if not path.exists():
        if (folder / "run.json").exists():
            raise UttaError(f"The run in {folder} is unfinished (no results.json); run its command again to go on.")
        raise UttaError(f"{folder} holds neither results.json nor manifest.json; give a run's or a program's folder.")
    try:
        content = read_json(path)
    except OSError as error:
        raise UttaError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    if not isinstance(content, dict):
        raise UttaError(f"{path} holds {shorten(repr(content), 40)} and not a run's figures; make the run anew.")
    if (writer := content.get("kind")) in ("student_evaluation", "tutor_evaluation"):
        return writer, content
    if kind == "evaluation":
        check_results(content, str(path))
    return kind, content


def open_evaluation(folder: Path) -> Results:
    """The checked results of an evaluation run; `UttaError` when `folder` holds none."""
    kind, content = open_run(folder)
    if kind != "evaluation":
        if kind != "program":
            raise UttaError(
                f"{folder} holds a {kind.replace('_', ' ')}: what draws and compares the run of a judge is not there for it; "
                "'utta report' alone, --json and --svg show it."
            )
        raise UttaError(
            f"{folder} holds a program and no evaluation; give a folder that `utta evaluate … --out` wrote."
        )
    return check_results(content, str(folder))


def run_inputs(folder: Path) -> list[Path]:
    """The files that a report of `folder` is made from."""
    kind, content = open_run(folder)
    data = [Path(content["data"]["file"])] if kind == "evaluation" else []
    return [folder / "results.json", folder / "predictions.jsonl", folder / "manifest.json", *data]


def same_run(named: str, folder: Path) -> bool:
    """Whether the path `named` in a stored comparison means `folder`, also when it was written from another folder."""
    given, stored = Path(folder).resolve(), Path(os.path.normpath(named))
    if stored.resolve() == given:
        return True
    return not stored.is_absolute() and bool(stored.parts) and given.parts[-len(stored.parts) :] == stored.parts
