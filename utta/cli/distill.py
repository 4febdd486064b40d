"""`utta distill`: expert labels into the weights of a small local model."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from utta.cli import options

OF_JUDGES = (
    *("rubric", "criteria", "balance", "reviewer_cap"),
    *("teacher", "teacher_model", "unlabelled", "leave_out", "confidence", "teacher_weight", "blend"),
)


@click.command()
@click.argument("program")
@options.data_file(
    "train", "What to learn from: reviews for a judge, dialogues for a student, model answers for a tutor."
)
@options.data_file("val", "The same to choose the epoch and calibrate; no problem of the training file.")
@options.out("Folder for the program; the same command again goes on where it was.")
@options.model
@options.rubric
@options.criteria
@click.option(
    "--epochs",
    type=options.Count,
    help="Passes over the training file, at most.  [default: 5; 3 for programs that write]",
)
@options.rank
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
    type=options.Count,
    help="Conversations per step and process, with all their responses.  [default: 1; 4 for programs that write]",
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
@click.option(
    "--rows",
    type=options.File,
    metavar="FILE",
    help="For a student or tutor: chats to learn from as well, such as the rows.jsonl that 'utta optimize' wrote.",
)
@options.threshold
@options.seed
@click.option("--qlora", is_flag=True, help="Hold the base weights in 4 bits (for large models).")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be trained, what to mend first, and what it costs; train nothing."
)
@options.as_json
def distill(program: str, dry_run: bool, as_json: bool, out: Path, **asked: Any) -> None:
    """Train LoRA weights for PROGRAM from what people said, and save it as a program of its own: a judge from the experts'
    levels, which is calibrated too, a student from what real students said, a tutor from experts' model answers.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
      utta distill evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/judge --dry-run

    \b
      utta data split data/samples/dialogues.jsonl --out talk
      utta distill student --train talk/train.jsonl --val talk/validation.jsonl --out runs/student --dry-run

    For a judge, a teacher's levels on replies that nobody has judged are learnt as well, as far as it is right more often
    than wrong on validation. A teacher may be a judge behind an API, or several judges that were distilled from parts of the
    training file:

    \b
      utta distill evaluator --train split/train.jsonl --val split/validation.jsonl --out runs/taught \\
        --unlabelled replies.jsonl --teacher runs/fold-1 --teacher runs/fold-2 --teacher runs/fold-3

    \b
    On several GPUs, or in several processes of one machine:
      accelerate launch --config_file data/accelerate/ddp.yaml --num_processes 2 \\
        -m utta.cli.main distill evaluator --train … --val … --out runs/judge
    """
    from utta.distill.writers import learns_text

    plan_or_run = _writer if learns_text(program) else _judge
    outcome = plan_or_run(program=program, dry_run=dry_run, out=out, **asked)
    if outcome is None:  # one of several processes, and not the one that speaks
        return
    if as_json:
        import json

        click.echo(json.dumps(outcome, indent=2))
        return
    from utta.reports.layout import open_console

    if dry_run:
        from utta.reports.plan import render_plan, render_text_plan

        (render_text_plan if "row" in outcome else render_plan)(outcome, open_console())
    else:
        from utta.reports.program import render_program

        render_program(outcome, open_console(), out)


def _judge(*, dry_run: bool, val: Path, rubric: str | None, criteria: str, model: str | None, **asked: Any) -> Any:
    from utta.distill.recipe import Recipe, Teachers
    from utta.distill.run import Asked
    from utta.distill.run import distill as run

    if asked["rows"]:
        raise click.UsageError("--rows is for a student or a tutor; a judge learns from levels: leave it out.")
    told = ("teacher", "teacher_model", "unlabelled", "leave_out", "confidence", "teacher_weight", "blend")
    teachers = Teachers(*(asked[name] for name in told))
    if bool(teachers.programs) != bool(teachers.unlabelled or teachers.blend):
        raise click.UsageError("--teacher goes with --unlabelled FILE or --blend, and these with --teacher PROGRAM.")
    recipe = Recipe(**_recipe(asked), balance=asked["balance"], reviewer_cap=asked["reviewer_cap"])
    paths = (asked["program"], asked["train"], val, asked["out"])
    wanted = Asked(*paths, model, rubric, options.names(criteria), recipe, teachers if teachers.programs else None)
    if dry_run:
        from utta.distill.plan import plan

        return plan(wanted)
    return run(wanted)


def _writer(*, dry_run: bool, val: Path, model: str | None, **asked: Any) -> Any:
    from utta.distill.recipe import TextRecipe
    from utta.distill.writers import AskedText, distill_text, plan_text

    source = click.get_current_context().get_parameter_source
    if given := [name for name in OF_JUDGES if source(name) is not ParameterSource.DEFAULT]:
        raise click.UsageError(
            f"--{given[0].replace('_', '-')} is for a judge, and {asked['program']} writes: leave it out."
        )
    paths = (asked["program"], asked["train"], val, asked["out"])
    wanted = AskedText(*paths, model, TextRecipe(**_recipe(asked)), asked["rows"], asked["threshold"])
    return plan_text(wanted) if dry_run else distill_text(wanted)


def _recipe(asked: dict[str, Any]) -> dict[str, Any]:
    """What all trainings have in common; what was not asked for is the recipe's own default."""
    names = ("epochs", "rank", "upper", "learning_rate", "batch", "seed", "qlora")
    return {name: asked[name] for name in names if asked[name] is not None}
