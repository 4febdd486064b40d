"""`distill`: LoRA weights from expert labels, a calibrated program on them, and a run that goes on after a kill.

    out/run.json         what was asked; a second call with the same goes on where it was
    out/teacher/         what teachers said of replies without labels, if there are any (`utta.distill.teacher`)
    out/checkpoints/     the Trainer's, while it trains
    out/best/            the adapter that agreed best with the experts on validation so far
    out/losses.jsonl     the loss of each step; history.json, the agreement after each epoch
    out/program.json, rubric.yaml, adapter/, manifest.json     the finished program; in adapter/ the probe too

Training sees the training file alone; validation chooses the epoch and fits the level weights; no test data comes near.
Under `accelerate launch` all processes train; the first one alone claims the folder, calibrates and saves.
"""

import gc
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.core.runs import claim
from utta.distill.pool import Pool, find_held_out, read_pool
from utta.distill.probe import fit_probe
from utta.distill.processes import one_voice, processes
from utta.distill.recipe import Recipe, Teachers
from utta.distill.rows import Lessons, too_long, training_items
from utta.distill.teacher import identity, open_teachers, teach
from utta.evaluate.answers import by_decision
from utta.evaluate.calibrate import calibrate
from utta.evaluate.open import labelled, open_on, read, refuse_leak
from utta.evaluate.predict import predict
from utta.models.catalogue import DEFAULT, Located, locate
from utta.models.engine import engine
from utta.models.probe import FILE, Probe
from utta.models.render import Renderer
from utta.programs.folder import Program, save_program
from utta.records.review import Review


@dataclass(frozen=True)
class Asked:
    """What a distillation is asked to do; `criteria` empty means those that the training data labels."""

    program: str
    train: Path
    validation: Path
    out: Path
    model: str | None = None
    rubric: str | None = None
    criteria: tuple[str, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    teachers: Teachers | None = None


@dataclass
class Prepared:
    """Everything that training needs, read and checked."""

    program: Program
    located: Located
    train: list[Review]
    validation: list[Review]
    config: dict[str, Any]
    withheld: dict[str, dict[str, int]]
    teachers: list[Program]
    pool: Pool
    too_long: dict[str, dict[str, int]]  # tokens by record id, for each part


def prepare(asked: Asked) -> Prepared:
    """Read and check what was asked; `UttaError` for a leak between the parts, an unknown criterion or a missing model.
    Responses that are too long for the model are put aside."""
    program, found = open_on(asked.program, asked.train, asked.model, asked.rubric, asked.criteria, purpose="train")
    if program.adapter:
        raise UttaError(
            f"{asked.program} has an adapter already; distil from 'evaluator' or from a program without one."
        )
    train = labelled(found.reviews, program.module.rubric, asked.train)
    held_out = read(asked.validation, program.rubric, "train")
    validation = labelled(held_out.reviews, program.module.rubric, asked.validation)
    refuse_leak(train, validation, (asked.train, asked.validation))
    located = locate(asked.model or program.model_name or DEFAULT)
    renderer = _renderer(located)
    long = {
        "train": too_long(program.module, train, renderer),
        "validation": too_long(program.module, validation, renderer),
    }
    train = _short_enough(train, long["train"], asked.train, renderer)
    validation = _short_enough(validation, long["validation"], asked.validation, renderer)
    teachers, pool = _teachers(asked, program, train, renderer)
    config = {
        "kind": "distillation",
        "program": asked.program,
        "state": program.state,
        "model": {"name": located.name, "fingerprint": located.fingerprint},
        "rubric": {"hash": program.module.rubric.hash},
        "train": _file(asked.train),
        "validation": _file(asked.validation),
        "recipe": asdict(asked.recipe),
        "teacher": asked.teachers and _told(asked.teachers, teachers),
    }
    if (count := processes().num_processes) > 1:
        config["processes"] = count  # other batches, so another training
    withheld = {
        "train": found.withheld | _counted(long["train"]),
        "validation": held_out.withheld | _counted(long["validation"]),
    }
    return Prepared(program, located, train, validation, config, withheld, teachers, pool, long)


def _renderer(located: Located) -> Renderer:
    """What turns reviews into prompts for a model, without its weights."""
    from transformers import AutoConfig, AutoTokenizer

    from utta.models.engine import most_tokens

    tokenizer, config = (
        kind.from_pretrained(located.folder, local_files_only=True) for kind in (AutoTokenizer, AutoConfig)
    )
    return Renderer(tokenizer, located.name, most_tokens(config))


def _short_enough(reviews: Sequence[Review], long: Mapping[str, int], path: Path, renderer: Renderer) -> list[Review]:
    """The reviews of a file that the model can read whole. The others are put aside, never cut, and standard error says so;
    `UttaError` when none is left."""
    if not long:
        return list(reviews)
    first, tokens = next(iter(long.items()))
    said = f"longer than the {renderer.max_tokens:,} tokens that {renderer.name} reads (the first: {first}, {tokens:,})"
    if len(long) == len(reviews):
        raise UttaError(f"All responses in {path} are {said}; shorten the conversations, or give another --model.")
    print(f"{path}: put aside, not cut: {len(long):,} of {len(reviews):,} responses, {said}.", file=sys.stderr)
    return [review for review in reviews if review.id not in long]


def _counted(long: Mapping[str, int]) -> dict[str, int]:
    return {"too_long": len(long)} if long else {}


def _teachers(
    asked: Asked, program: Program, train: Sequence[Review], renderer: Renderer
) -> tuple[list[Program], Pool]:
    """The teachers and the replies that they are asked about; none of either without teachers."""
    pool = Pool([], {})
    if not asked.teachers:
        return [], pool
    judged = program.module.rubric
    held_out = find_held_out(asked.train, asked.validation, asked.teachers.leave_out)
    teachers = open_teachers(asked.teachers, judged, program.rubric, held_out)
    if asked.teachers.unlabelled:
        pool = read_pool(asked.teachers.unlabelled, program.rubric, judged, train, held_out)
        long = too_long(program.module, pool.replies, renderer)
        pool = replace(pool, replies=_short_enough(pool.replies, long, asked.teachers.unlabelled, renderer))
    return teachers, pool


def _told(asked: Teachers, teachers: Sequence[Program]) -> dict[str, Any]:
    """What a request says of its teachers."""
    return {
        "programs": identity(teachers),
        "unlabelled": asked.unlabelled and _file(asked.unlabelled),
        "leave_out": [_file(path) for path in asked.leave_out],
        "confidence": asked.confidence,
        "weight": asked.weight,
        "blend": asked.blend,
    }


def _file(path: Path) -> dict[str, str]:
    return {"file": str(path), "sha256": sha256(path)}


def distill(asked: Asked) -> dict[str, Any] | None:
    """Train, calibrate and save; returns the manifest, and None in every process but the first. Goes on where an
    interrupted call with the same request was."""
    from utta.distill.training import train

    with one_voice() as among:
        prepared = prepare(asked)
        with among.main_process_first():
            claim(asked.out, prepared.config)
            finished = (asked.out / "manifest.json").is_file()
        if not finished:
            module = prepared.program.module
            with among.main_process_first():  # the others read what it was told
                lessons, taught = _lessons(asked, prepared)
            located, parts = prepared.located, (prepared.train, prepared.validation)
            history = train(asked.out, asked.recipe, module, located, *parts, lessons)
    among.wait_for_everyone()
    if not among.is_main_process:
        return None
    if not finished:
        _finish(asked, prepared, lessons, taught, history)
    return _finished(asked.out)


def _finish(
    asked: Asked, prepared: Prepared, lessons: Lessons | None, taught: dict[str, Any], history: list[dict[str, Any]]
) -> None:
    """Make the program of the best adapter: put a probe beside it, calibrate both and save them."""
    gc.collect()  # what trained is part of a circle, and the base weights are loaded again
    if not (asked.out / "adapter").is_dir():
        made = asked.out / ".adapter"
        shutil.copytree(asked.out / "best", made, dirs_exist_ok=True)
        _probe(asked, prepared, lessons).save(made)
        made.rename(asked.out / "adapter")
    program = replace(prepared.program, model_name=prepared.located.name, folder=asked.out)
    model = program.load_model()
    (asked.out / "validation").mkdir(exist_ok=True)
    told = predict(program.module, prepared.validation, asked.out / "validation", "Calibrating")
    calibration = calibrate(program.module, prepared.validation, by_decision(told["predictions"]))
    probe = asked.out / "adapter" / FILE  # none in a run that stopped here before there were probes
    manifest = {
        "model": prepared.located.name,
        "base_fingerprint": prepared.located.fingerprint,
        "adapter": model.version.rsplit("@", 1)[-1],
        **({"probe": {"file": f"adapter/{FILE}", "sha256": sha256(probe)}} if probe.is_file() else {}),
        "train": _part(prepared, "train", prepared.train),
        "validation": _part(prepared, "validation", prepared.validation),
        "recipe": prepared.config["recipe"],
        **taught,
        "history": history,
        "calibration": {"on": "validation", "criteria": calibration},
        "seconds": history[-1]["seconds"],
    }
    save_program(asked.out, program.module, manifest, program.rubric)


def _probe(asked: Asked, prepared: Prepared, lessons: Lessons | None) -> Probe:
    """A probe of what the adapter learnt from. No level is weighed up in it: calibration does that."""
    base, program = engine(prepared.located.name), prepared.program.module
    items = training_items(
        program, prepared.train, base.renderer, reviewer_cap=asked.recipe.reviewer_cap, lessons=lessons
    )
    return fit_probe(program.rubric, items, base.base.get_input_embeddings().weight)


def _lessons(asked: Asked, prepared: Prepared) -> tuple[Lessons | None, dict[str, Any]]:
    """What teachers teach, and what the manifest says of it; nothing without teachers."""
    if not asked.teachers:
        return None, {}
    lessons, report = teach(
        asked.out / "teacher",
        asked.teachers,
        prepared.teachers,
        prepared.program.module.rubric,
        prepared.pool.replies,
        prepared.train,
        prepared.validation,
    )
    return lessons, {"teacher": prepared.config["teacher"] | {"unlabelled": prepared.pool.told or None} | report}


def _finished(out: Path) -> dict[str, Any]:
    """The manifest of a finished program, in whose folder nothing is left of the training."""
    for rest in ("checkpoints", "best", ".best", ".before", ".adapter"):
        shutil.rmtree(out / rest, ignore_errors=True)
    for cut_short in out.glob(".*.part"):
        cut_short.unlink()
    return read_json(out / "manifest.json")


def _part(prepared: Prepared, name: str, used: Sequence[Review]) -> dict[str, Any]:
    """What the manifest says of a file: its hash, and how many of its reviews were used and withheld."""
    return prepared.config[name] | {"records": len(used), "withheld": prepared.withheld[name]}
