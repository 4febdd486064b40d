"""`utta data check | stats | patterns`: what is in a file, and what would spoil training or figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utta.cli.data.show import print_counts, print_json, print_table, printable
from utta.core.errors import UttaError, shorten

if TYPE_CHECKING:
    from utta.prepare.check import Check

SHOWN_FAULTS = 20


KIND = click.option(
    "--as",
    "kind",
    type=click.Choice(["reviews", "dialogues", "examples"]),
    help="What the file must hold; by default what its first line says.",
)


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@KIND
@click.option("--rubric", metavar="NAME|FILE", help="Also hold the labels of reviews against this rubric.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a script.")
def check_(file: Path, kind: str | None, rubric: str | None, as_json: bool) -> None:
    """Look a FILE of reviews, dialogues or teaching examples through, and say how complete it is.

    Faults are lines that cannot be used. Warnings are about what misleads: repeats, unknown problems, empty or one-sided
    conversations, grades that name none, thin labels. Changes nothing. Exits with 1 when a line is faulty; warnings alone
    exit with 0.

    \b
    Example:
      utta data check data/samples/reviews.jsonl --rubric utta
    """
    from utta.prepare.check import check
    from utta.records.rubrics import find_rubric

    found = check(file, find_rubric(rubric) if rubric else None, kind)
    if as_json:
        print_json(found.as_json())
    else:
        _print_check(found)
    if found.faults:
        count = "1 faulty line" if len(found.faults) == 1 else f"{len(found.faults)} faulty lines"
        raise UttaError(f"{file} has {count}; mend them, or go on without them: every command puts them aside.")


@click.command("stats")
@click.argument("file", type=click.Path(path_type=Path))
@KIND
@click.option("--rubric", metavar="NAME|FILE", help="For reviews: the rubric that the labels belong to.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a script.")
def stats_(file: Path, kind: str | None, rubric: str | None, as_json: bool) -> None:
    """Count what a FILE holds: sources, subjects by grade, techniques; of reviews also levels and how far reviewers agree.

    What is thin, under 10 of a kind, is marked with an asterisk.

    \b
    Example:
      utta data stats data/samples/reviews.jsonl --rubric utta
    """
    from utta.prepare.stats import stats
    from utta.records.rubrics import find_rubric

    found = stats(file, find_rubric(rubric) if rubric else None, kind)
    if as_json:
        print_json(found)
        return
    print_counts({**found, found["kind"]: found["records"]}, (found["kind"], "problems", "rejects"))
    text = "turn" if found["kind"] == "dialogues" else "response"
    click.echo(f"words in a {text}: {', '.join(f'{n} ({share})' for share, n in found['words'].items())}")
    criteria = found.get("criteria", {})
    levels = [
        (criterion, f"{label}{'*' if label in each['thin'] else ''}", n)
        for criterion, each in criteria.items()
        for label, n in each["levels"].items()
    ]
    _print_rows(("criterion", "level", "labels"), levels)
    slices = [(name, value, n) for name, values in found["slices"].items() for value, n in values.items()]
    _print_rows(("slice", "value", found["kind"]), slices)
    cells = [(each["subject"], f"{each['grade_level']}{_star(each)}", each["records"]) for each in found["coverage"]]
    _print_rows(("subject", "grade", found["kind"]), cells)
    techniques = [(f"{shorten(each['technique'])}{_star(each)}", each["records"]) for each in found["techniques"]]
    _print_rows(("technique", found["kind"]), techniques)
    if (more := found["distinct_techniques"] - len(techniques)) > 0:
        click.echo(f"and {more:,} more techniques")
    if any(str(row[-2]).endswith("*") for row in [*levels, *cells, *techniques]):
        click.echo("* fewer than 10")
    for criterion, each in criteria.items():
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


def _star(each: dict[str, Any]) -> str:
    return "*" if each["thin"] else ""


def _print_rows(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    if rows:
        print_table(columns, rows)


def _print_check(found: "Check") -> None:
    counts = {**vars(found), found.kind: found.records}
    names = (found.kind, *(["labelled"] if found.kind == "reviews" else []), "dialogues", "problems")
    print_counts(counts, tuple(dict.fromkeys(names)))
    rows = [(criterion, label, n) for criterion, labels in found.labels.items() for label, n in labels.items()]
    _print_rows(("criterion", "level", "labels"), rows)
    filled = [(name, n, f"{n / found.records:.0%}") for name, n in found.filled.items() if n]
    _print_rows(("field", "filled", "share"), filled)
    if found.records and (empty := [name for name, n in found.filled.items() if not n]):
        click.echo(f"nowhere filled: {', '.join(empty)}")
    for warning in found.warnings:
        click.echo(printable(f"warning: {warning}"))
    for fault in found.faults[:SHOWN_FAULTS]:
        click.echo(printable(f"fault: {fault}"))
    if len(found.faults) > SHOWN_FAULTS:
        click.echo(f"… and {len(found.faults) - SHOWN_FAULTS} more faults (all of them with --json)")
    if not found.faults:
        click.echo("No faults.")
