"""A program's folder: its DSPy state, the rubric it was made for, its adapter, and a manifest that says how it came about.

program.json    DSPy state as JSON, without a language model
rubric.yaml     a judge's rubric, whole; the loader builds the signature from the criteria of it that the manifest names,
                because DSPy restores state by position and would put it onto another rubric without a word
manifest.json   which program it is, model, hashes of weights, rubric and data, figures, versions
adapter/        LoRA weights in PEFT's format, when there are any
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import utta
from signatures.rubric import Rubric, RubricError
from utta.core.errors import UttaError
from utta.core.files import read_json, write_json, write_text
from utta.models.catalogue import DEFAULT, locate, tokenizer_hash
from utta.models.load import Model, load
from utta.programs.coach import ResponseCoach
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.student import StudentSimulator
from utta.programs.tutor import Tutor

# Programs that write, which need no rubric.
WRITERS: dict[str, Any] = {each.name: each for each in (StudentSimulator, Tutor, ResponseCoach)}
UNOPTIMISED = (TeachingEvaluator.name, *WRITERS)
HERE = "."  # as the model's name: the program's folder holds the model too


@dataclass
class Program:
    """A program with the model it runs on. `whole` is the rubric that a judge's labels belong to; its module may judge a
    part of the criteria. `folder` is None for an unoptimised program."""

    name: str
    module: Any  # a TeachingEvaluator or one of the writers
    model_name: str
    whole: Rubric | None = None
    folder: Path | None = None
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def rubric(self) -> Rubric:
        """A judge's whole rubric."""
        assert self.whole is not None, "a judge has one, and only `open_judge` leads here"
        return self.whole

    @property
    def adapter(self) -> Path | None:
        """The folder of the program's LoRA weights, if it has any."""
        return self.folder / "adapter" if self.folder and (self.folder / "adapter").is_dir() else None

    @property
    def state(self) -> dict[str, Any]:
        """What tells two states of one program apart: a judge's level weights, and a hash of its demonstrations if it has
        any; for any other program a hash of what each of its predictors is told, and of its settings."""
        states = state_of(self.module)
        if not isinstance(self.module, TeachingEvaluator):
            return {
                name: _hash([told["signature"], told["demos"]] if "signature" in told else told)
                for name, told in states.items()
            }
        judge = states["judge"]
        return judge.get("fields", {}) | ({"demos": _hash(judge["demos"])} if judge["demos"] else {})

    def __call__(self, **inputs: str) -> Any:
        """One answer of the program with its own model and adapter, loaded at the first call."""
        if any(predictor.lm is None for predictor in self.module.predictors()):
            self.load_model()
        return self.module(**inputs)

    def load_model(self, cache: bool = True) -> Model:
        """Load the program's model and let the program answer with it; `UttaError` where the model reads text in another way
        than when the program was tuned."""
        kept = self.manifest.get("tokenizer")
        if kept and kept != (found := tokenizer_hash(locate(self.model_name).folder)):
            raise UttaError(
                f"{self.folder} was tuned with another tokenizer or chat template of {self.model_name} ({kept}, and here is "
                f"{found}); put that one back, or make the program anew."
            )
        model = load(self.model_name, self.adapter, cache)
        self.module.use(model)
        return model


def open_program(
    name_or_folder: str, rubric: Rubric | None = None, model: str | None = None, criteria: Sequence[str] = ()
) -> Program:
    """The program in a folder, or the unoptimised one of that name; an evaluator for `criteria` of `rubric`, by default all.

    `model` names another model for a program without an adapter. Raises `UttaError` for a folder that is not a program's
    or was changed.
    """
    if name_or_folder in WRITERS:
        return Program(name_or_folder, WRITERS[name_or_folder](), model or DEFAULT)
    if name_or_folder in UNOPTIMISED:
        if rubric is None:
            raise UttaError("An unoptimised evaluator needs a rubric; name one with --rubric.")
        judged = rubric.only(list(criteria)) if criteria else rubric
        return Program(name_or_folder, TeachingEvaluator(judged), model or DEFAULT, rubric)
    folder = Path(name_or_folder)
    if not (folder / "manifest.json").is_file():
        raise UttaError(
            f"{name_or_folder!r} is no program: give {', '.join(UNOPTIMISED)}, or a folder that 'utta optimize' or "
            "'utta distill' finished."
        )
    manifest = read_json(folder / "manifest.json")
    if manifest.get("kind", "program") != "program":
        raise UttaError(f"{folder} was exported for other servers; evaluate the program that it was made from.")
    module, whole = _made_again(folder, manifest)
    try:
        module.load_state(read_json(folder / "program.json"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UttaError(
            f"{folder}/program.json is not the state of a {manifest['program']} ({type(error).__name__}: {error}); put it "
            "back, or make the program anew."
        ) from None
    base = str(folder) if manifest["model"] == HERE else manifest["model"]
    if model and model != base and manifest.get("adapter"):
        raise UttaError(f"{folder} holds an adapter for {base}, so it cannot run on {model}; leave --model out.")
    return Program(manifest["program"], module, model or base, whole, folder, manifest)


def open_judge(
    name_or_folder: str, rubric: Rubric | None = None, model: str | None = None, criteria: Sequence[str] = ()
) -> Program:
    """What `open_program` opens, where it is a judge; `UttaError` for any other program."""
    program = open_program(name_or_folder, rubric, model, criteria)
    if program.whole is None:
        raise UttaError(f"{name_or_folder} is a {program.name}, which judges nothing; give an evaluator instead.")
    return program


def program_name(name_or_folder: str) -> str:
    """Which program a name or folder stands for, before it is opened; empty where it is none."""
    if name_or_folder in UNOPTIMISED:
        return name_or_folder
    manifest = Path(name_or_folder) / "manifest.json"
    return str(read_json(manifest).get("program", "")) if manifest.is_file() else ""


def _made_again(folder: Path, manifest: dict[str, Any]) -> tuple[Any, Rubric | None]:
    """The program's module as it was before it was tuned, and its rubric if it has one."""
    if manifest["program"] in WRITERS:
        module = WRITERS[manifest["program"]]()
        form = type(module.adapter).__name__
        if manifest.get("output_adapter", form) != form:
            raise UttaError(
                f"{folder} was tuned to answer as {manifest['output_adapter']}, and is asked as {form}; tune it anew."
            )
        return module, None
    whole = _kept_rubric(folder, manifest)
    return TeachingEvaluator(whole.only(manifest["rubric"]["criteria"])), whole


def _kept_rubric(folder: Path, manifest: dict[str, Any]) -> Rubric:
    try:
        rubric = Rubric.load(folder / "rubric.yaml")
    except (OSError, RubricError) as error:
        raise UttaError(f"The rubric in {folder} cannot be read ({error}); make the program anew.") from None
    judged = rubric.only(manifest["rubric"]["criteria"])
    if judged.hash != manifest["rubric"]["hash"]:
        raise UttaError(
            f"{folder}/rubric.yaml was changed after the program was made (its hash is {judged.hash}, not "
            f"{manifest['rubric']['hash']}); put it back, or make the program anew."
        )
    return rubric


def save_program(folder: Path, module: Any, manifest: dict[str, Any], rubric: Rubric | None = None) -> None:
    """Write a program's folder; the manifest comes last, so a folder with a manifest is whole. `rubric` is the one of
    which a judge judges a part, by default its own."""
    write_json(folder / "program.json", state_of(module))
    head: dict[str, Any] = {"kind": "program", "schema_version": 1, "program": module.name}
    if isinstance(module, TeachingEvaluator):
        judged = module.rubric
        write_text(folder / "rubric.yaml", (rubric or judged).dump())
        head["rubric"] = {"id": judged.id, "hash": judged.hash, "criteria": [c.id for c in judged.criteria]}
    write_json(folder / "manifest.json", head | {"created": now(), "versions": versions()} | manifest)


def state_of(module: Any) -> dict[str, Any]:
    """A module's DSPy state as JSON, without the language models that it is bound to."""
    predictors = module.predictors()
    bound = [predictor.lm for predictor in predictors]
    module.set_lm(None)
    try:
        return module.dump_state()
    finally:
        for predictor, lm in zip(predictors, bound, strict=True):
            predictor.lm = lm


def now() -> str:
    """The time as an ISO 8601 string in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """The versions of what a figure depends on."""
    return {"utta": utta.__version__} | {name: version(name) for name in ("dspy", "torch", "transformers", "peft")}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
