"""`utta data check | stats | patterns`: what is in a file, and what would spoil training or figures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from utta.cli.data.show import print_counts, print_json, print_table, printable
from utta.core.errors import UttaError

if TYPE_CHECKING:
    from utta.prepare.check import Check

SHOWN_FAULTS = 20


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rubric", metavar="NAME|FILE", help="Also hold the labels against this rubric.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a script.")
def check_(file: Path, rubric: str | None, as_json: bool) -> None:
    """Look a FILE of reviews through: faulty lines, repeats, unknown problems, thin labels.

    Changes nothing. Exits with 1 when a line is faulty; warnings alone exit with 0.

    \b
    Example:
      utta data check data/samples/reviews.jsonl --rubric utta
    """
    from utta.prepare.check import check
    from utta.records.rubrics import find_rubric

    found = check(file, find_rubric(rubric) if rubric else None)
    if as_json:
        print_json(found.as_json())
    else:
        _print_check(found)
    if found.faults:
        count = "1 faulty line" if len(found.faults) == 1 else f"{len(found.faults)} faulty lines"
        raise UttaError(f"{file} has {count}; mend them, or go on without them: every command puts them aside.")


@click.command("stats")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rubric", required=True, metavar="NAME|FILE", help="The rubric that the labels belong to.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a script.")
def stats_(file: Path, rubric: str, as_json: bool) -> None:
    """Count what a FILE of reviews holds: levels, sources, subjects, reviewers and how far they agree.

    \b
    Example:
      utta data stats data/samples/reviews.jsonl --rubric utta
    """
    from utta.prepare.stats import stats
    from utta.records.rubrics import find_rubric

    found = stats(file, find_rubric(rubric))
    if as_json:
        print_json(found)
        return
    print_counts(found, ("responses", "problems", "rejects"))
    click.echo(f"words in a response: {', '.join(f'{n} ({share})' for share, n in found['words'].items())}")
    rows = [
        (criterion, f"{label}{'*' if label in each['thin'] else ''}", n)
        for criterion, each in found["criteria"].items()
        for label, n in each["levels"].items()
    ]
    if rows:
        print_table(("criterion", "level", "labels"), rows)
    if any(each["thin"] for each in found["criteria"].values()):
        click.echo("* fewer than 10 labels")
    print_table(
        ("slice", "value", "responses"), [(s, v, n) for s, vs in found["slices"].items() for v, n in vs.items()]
    )
    for criterion, each in found["criteria"].items():
        if each["judged_twice"]:
            alpha = "undefined" if each["agreement"] is None else f"{each['agreement']:.2f}"
            click.echo(
                f"{criterion}: reviewers' agreement {alpha} (Krippendorff's alpha, {each['judged_twice']} responses)"
            )


@click.command("patterns")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a script.")
def patterns_(file: Path, as_json: bool) -> None:
    """How the students of a FILE of dialogues talk, by profile: length, questions, self-corrections, changed answers.

    \b
    Example:
      utta data import mathdial mathdial.jsonl --out dialogues.jsonl
      utta data patterns dialogues.jsonl
    """
    from utta.core.errors import shorten
    from utta.prepare.patterns import patterns_of

    found = patterns_of(file)
    if as_json:
        print_json(found)
        return
    rows = []
    for number, (profile, each) in enumerate([("all", found["all"]), *found["profiles"].items()]):
        rates = (each["question_rate"], each["self_correction_rate"], each["answer_changes"])
        figures = ["–" if rate is None else f"{rate:.2f}" for rate in rates]
        words = " ".join(str(n) for n in each["words"].values())
        name = f"{number}. {shorten(profile, 24)}" if number else profile
        rows.append((name, each["dialogues"], each["turns"], words, *figures))
    columns = ("profile", "dialogues", "turns", "words", "ask", "take back", "change")
    print_table(columns, rows)
    click.echo("words: of a turn, at the 10%, 50% and 90% quantile; ask, take back: shares of turns")
    click.echo("change: how often the answer does, per dialogue")
    if found["rejects"]:
        click.echo(f"{found['rejects']} faulty lines were left out.")


def _print_check(found: "Check") -> None:
    print_counts(vars(found), ("responses", "labelled", "dialogues", "problems"))
    rows = [(criterion, label, n) for criterion, labels in found.labels.items() for label, n in labels.items()]
    if rows:
        print_table(("criterion", "level", "labels"), rows)
    for warning in found.warnings:
        click.echo(printable(f"warning: {warning}"))
    for fault in found.faults[:SHOWN_FAULTS]:
        click.echo(printable(f"fault: {fault}"))
    if len(found.faults) > SHOWN_FAULTS:
        click.echo(f"… and {len(found.faults) - SHOWN_FAULTS} more faults (all of them with --json)")
    if not found.faults:
        click.echo("No faults.")
