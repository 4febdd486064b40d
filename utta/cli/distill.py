"""`utta distill`: expert labels into the weights of a small local model."""

from pathlib import Path
from typing import Any

import click

from utta.cli import options


@click.command()
@click.argument("program")
@options.data_file("train", "Reviews to learn from.")
@options.data_file("val", "Reviews that choose the epoch and calibrate; no problem of the training file.")
@options.out("Folder for the program; the same command again goes on where it was.")
@options.model
@options.rubric
@options.criteria
@click.option(
    "--epochs", default=5, type=options.Count, show_default=True, help="Passes over the training reviews, at most."
)
@click.option("--rank", default=16, type=options.Count, show_default=True, help="LoRA's r.")
@click.option(
    "--upper",
    default=1.0,
    type=click.FloatRange(0, 1, min_open=True),
    show_default=True,
    help="Share of the layers, from the top, that are trained; the rest is computed once. 0.5 takes half the time.",
)
@click.option(
    "--learning-rate",
    default=4e-4,
    type=click.FloatRange(min=0, min_open=True),
    show_default=True,
    help="Of the first steps; it falls to 0.",
)
@click.option(
    "--batch",
    default=1,
    type=options.Count,
    show_default=True,
    help="Conversations per step and process, with all their responses.",
)
@click.option(
    "--balance",
    default=0.5,
    type=click.FloatRange(0, 1),
    show_default=True,
    help="0 counts every label alike, 1 every level.",
)
@click.option(
    "--reviewer-cap",
    default=1.0,
    type=click.FloatRange(0, 1, min_open=True),
    show_default=True,
    help="The largest share of the weight that one reviewer's labels may have.",
)
@click.option(
    "--teacher",
    multiple=True,
    metavar="PROGRAM",
    help="A program that judges the same criteria, to learn from too; again for more, which are averaged.",
)
@click.option(
    "--teacher-model", metavar="NAME", help="What teachers without weights of their own run on: local, or an API model."
)
@click.option(
    "--unlabelled", type=options.File, metavar="FILE", help="Replies without labels, which the teacher judges."
)
@click.option(
    "--leave-out",
    multiple=True,
    type=options.File,
    metavar="FILE",
    help="Reviews whose problems are not learnt from --unlabelled, such as the test part; again for more. Validation's and "
    "those of the other parts of the training file's split never are.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1),
    help="How sure the teacher must be for a decision to be kept; by default chosen on validation.",
)
@click.option(
    "--teacher-weight",
    default=0.5,
    type=click.FloatRange(0, 1, min_open=True),
    show_default=True,
    help="What a decision of the teacher counts, against an expert's label.",
)
@click.option(
    "--blend",
    default=0.0,
    type=click.FloatRange(0, 1),
    show_default=True,
    help="The teacher's share in what is learnt of the labelled replies.",
)
@options.seed
@click.option("--qlora", is_flag=True, help="Hold the base weights in 4 bits (for large models).")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be trained, what to mend first, and what it costs; train nothing."
)
@options.as_json
def distill(
    program: str,
    train: Path,
    val: Path,
    out: Path,
    model: str | None,
    rubric: str | None,
    criteria: str,
    epochs: int,
    rank: int,
    upper: float,
    learning_rate: float,
    batch: int,
    balance: float,
    reviewer_cap: float,
    teacher: tuple[str, ...],
    teacher_model: str | None,
    unlabelled: Path | None,
    leave_out: tuple[Path, ...],
    confidence: float | None,
    teacher_weight: float,
    blend: float,
    seed: int,
    qlora: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train LoRA weights for PROGRAM from the experts' levels, calibrate it, and save it as a program of its own.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
      utta distill evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/judge --dry-run

    A teacher's levels on replies that nobody has judged are learnt as well, as far as it is right more often than wrong on
    validation. A teacher may be a judge behind an API, or several judges that were distilled from parts of the training file:

    \b
      utta distill evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/student \\
        --unlabelled replies.jsonl --teacher runs/fold-1 --teacher runs/fold-2 --teacher runs/fold-3

    \b
    On several GPUs, or in several processes of one machine:
      accelerate launch --config_file data/accelerate/ddp.yaml --num_processes 2 \\
        -m utta.cli.main distill evaluator --train … --val … --out runs/judge
    """
    import json

    from utta.distill.recipe import Recipe, Teachers
    from utta.distill.run import Asked
    from utta.distill.run import distill as run

    if bool(teacher) != bool(unlabelled or blend):
        raise click.UsageError("--teacher goes with --unlabelled FILE or --blend, and these with --teacher PROGRAM.")
    recipe = Recipe(
        epochs=epochs,
        rank=rank,
        upper=upper,
        learning_rate=learning_rate,
        batch=batch,
        balance=balance,
        reviewer_cap=reviewer_cap,
        seed=seed,
        qlora=qlora,
    )
    teachers = Teachers(teacher, teacher_model, unlabelled, leave_out, confidence, teacher_weight, blend)
    asked = Asked(
        program, train, val, out, model, rubric, options.names(criteria), recipe, teachers if teacher else None
    )
    if dry_run:
        from utta.distill.plan import plan

        outcome: dict[str, Any] | None = plan(asked)
    else:
        outcome = run(asked)
    if outcome is None:  # one of several processes, and not the one that speaks
        return
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
        return
    from utta.reports.layout import open_console

    if dry_run:
        from utta.reports.plan import render_plan

        render_plan(outcome, open_console())
    else:
        from utta.reports.program import render_program

        render_program(outcome, open_console(), out)
