"""`distill student | tutor`: LoRA weights from what real students said, or from experts' model answers.

    out/run.json         what was asked; a second call with the same goes on where it was
    out/checkpoints/     the Trainer's, while it trains
    out/losses.jsonl     the loss of each step; history.json, the loss on validation after each epoch
    out/program.json, adapter/, manifest.json     the finished program

A record becomes the chat that the program's model would be given, and what the person said is learned; validation chooses the
epoch. Chats that a judge found good (`utta.records.chats`) are learned beside them. The program's prompt stays what it was.
A judge learns levels, not texts (`utta.distill.run`). Under `accelerate launch` all processes train, and the first one saves.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.core.runs import claim
from utta.distill.recipe import TextRecipe
from utta.evaluate.open import read_records, refuse_leak
from utta.models.catalogue import DEFAULT, Located, locate, tokenizer_hash
from utta.models.text_rows import TextRow
from utta.programs.folder import Program, open_program, program_name, save_program
from utta.programs.student import StudentSimulator
from utta.programs.tutor import Tutor
from utta.records.chats import Message, apart, passing, read_rows
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample

LEARNS: dict[str, Any] = {StudentSimulator.name: Dialogue, Tutor.name: TeachingExample}


@dataclass(frozen=True)
class AskedText:
    """What the distillation of a program that writes is asked to do. `rows` is a file of chats to learn as well, such as what
    the program wrote itself, those that scored at least `threshold`."""

    program: str
    train: Path
    validation: Path
    out: Path
    model: str | None = None
    recipe: TextRecipe = field(default_factory=TextRecipe)
    rows: Path | None = None
    threshold: float = 0.5


@dataclass
class Part:
    """The rows of a file, and what became of its records."""

    rows: list[TextRow]
    told: dict[str, Any]


@dataclass
class Prepared:
    """Everything that training needs, read and checked."""

    program: Program
    located: Located
    train: Part
    validation: Part
    config: dict[str, Any]


def learns_text(name_or_folder: str) -> bool:
    """Whether this is a program whose texts are distilled here."""
    return program_name(name_or_folder) in LEARNS


def prepare(asked: AskedText) -> Prepared:
    """Read and check what was asked; `UttaError` for a leak between the parts or a missing model. Records that are longer than
    the model reads, or than the program may write, are put aside, never cut."""
    program = open_program(asked.program, model=asked.model)
    if program.adapter:
        raise UttaError(f"{asked.program} has an adapter already; distil {program.name!r} or one without an adapter.")
    (learned, put_aside), (held_out, put_aside_too) = (
        read_records(path, LEARNS[program.name], "train") for path in (asked.train, asked.validation)
    )
    refuse_leak(learned, held_out, (asked.train, asked.validation))
    located = locate(asked.model or program.model_name or DEFAULT)
    chats, counts = _good_chats(asked, {record.cluster for record in held_out})
    train = _part(program, located, asked.train, learned, put_aside | counts, chats)
    validation = _part(program, located, asked.validation, held_out, put_aside_too)
    config = {
        "kind": "distillation",
        "program": asked.program,
        "state": program.state,
        "model": {"name": located.name, "fingerprint": located.fingerprint},
        "train": {"file": str(asked.train), "sha256": sha256(asked.train)},
        "validation": {"file": str(asked.validation), "sha256": sha256(asked.validation)},
        "recipe": asdict(asked.recipe),
    }
    if asked.rows:
        config["rows"] = {"file": str(asked.rows), "sha256": sha256(asked.rows), "threshold": asked.threshold}
    return Prepared(program, located, train, validation, config)


def _good_chats(asked: AskedText, held_out: set[str]) -> tuple[list[list[Message]], dict[str, Any]]:
    """The chats of `asked.rows` that are good enough and about none of the problems held out, and how many they are of all."""
    if not asked.rows:
        return [], {}
    given = read_rows(asked.rows)
    kept = [row.messages for row in passing(apart(given, held_out, asked.rows), asked.threshold)]
    return kept, {"chats": len(kept), "chats_given": len(given)}


def _part(
    program: Program,
    located: Located,
    path: Path,
    records: Sequence[Any],
    put_aside: dict[str, Any],
    chats: Sequence[Sequence[Message]] = (),
) -> Part:
    from utta.distill.sft import text_rows

    module = program.module
    within = [record for record in records if not (isinstance(module, Tutor) and module.goes_beyond(record))]
    rows, long = text_rows(located, [module.messages(record) for record in within])
    more, long_too = text_rows(located, chats, only_last=True)
    rows, too_long = rows + more, len(records) - len(within) + len(long) + len(long_too)
    if not rows:
        raise UttaError(
            f"There is nothing to learn in {path}: of {len(records):,} records, {too_long:,} are longer than {located.name} "
            f"reads or a {program.name} may write, and in the others nobody speaks whose words a {program.name} learns."
        )
    told = {"records": len(records), "rows": len(rows), "too_long": too_long, **put_aside}
    return Part(
        rows, told | {"tokens": sum(len(r.ids) for r in rows), "learned_tokens": sum(sum(r.learned) for r in rows)}
    )


def distill_text(asked: AskedText) -> dict[str, Any] | None:
    """Train and save; returns the manifest, and None in every process but the first. Goes on where an interrupted call with
    the same request was."""
    from utta.distill.processes import one_voice
    from utta.distill.sft import train_text

    with one_voice() as among:
        prepared = prepare(asked)
        if among.num_processes > 1:
            prepared.config["processes"] = among.num_processes  # other batches, so another training
        with among.main_process_first():
            claim(asked.out, prepared.config)
            finished = (asked.out / "manifest.json").is_file()
        if not finished:
            rows, validation = prepared.train.rows, prepared.validation.rows
            history = train_text(asked.out, asked.recipe, prepared.located, rows, validation)
    if not among.is_main_process:
        return None
    if not finished:
        _save(asked, prepared, history)
    return read_json(asked.out / "manifest.json")


def _save(asked: AskedText, prepared: Prepared, history: list[dict[str, Any]]) -> None:
    located = prepared.located
    program = replace(prepared.program, model_name=located.name, folder=asked.out)
    model = program.load_model()
    manifest = {
        "model": located.name,
        "base_fingerprint": located.fingerprint,
        "tokenizer": tokenizer_hash(located.folder),
        "output_adapter": type(program.module.adapter).__name__,
        "adapter": model.version.rsplit("@", 1)[-1],
        "train": prepared.config["train"] | prepared.train.told,
        "validation": prepared.config["validation"] | prepared.validation.told,
        **({"rows_from": prepared.config["rows"]} if asked.rows else {}),
        "recipe": prepared.config["recipe"],
        "history": history,
        "seconds": history[-1]["seconds"],
    }
    save_program(asked.out, program.module, manifest)


def plan_text(asked: AskedText) -> dict[str, Any]:
    """What would be trained, as counts, a row as text and an `estimate`; trains and writes nothing.

    In the row, what is learned stands in 【 】.
    """
    from utta.distill.estimate import clocks, estimate_text
    from utta.distill.training import with_adapter

    started, prepared = clocks(), prepare(asked)
    model, tokenizer = with_adapter(prepared.located, asked.recipe)
    rows, held_out = prepared.train.rows, prepared.validation.rows
    return {
        "model": prepared.located.name,
        "train": prepared.train.told,
        "validation": prepared.validation.told,
        "epochs": asked.recipe.epochs,
        "row": _shown(min(rows, key=lambda row: len(row.ids)), tokenizer),
        "estimate": estimate_text(model, asked.recipe, rows, held_out, asked.out, clocks() - started),
    }


def _shown(row: TextRow, tokenizer: Any) -> str:
    runs = groupby(zip(row.ids, row.learned, strict=True), key=itemgetter(1))
    texts = ((learned, tokenizer.decode([token for token, _ in run])) for learned, run in runs)
    return "".join(f"【{text}】" if learned else text for learned, text in texts)
