"""`utta data`: bring reviews in, look them through, split them by problem."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utta.core.errors import UttaError

if TYPE_CHECKING:
    from utta.prepare.check import Check

SHOWN_FAULTS = 20


@click.group()
def data() -> None:
    """Bring expert reviews in, check them, and split them by problem."""


@data.command("import")
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The reviews, as JSON Lines."
)
@click.option("--as", "kind", type=click.Choice(["reviews", "dialogues", "examples"]),
              help="What to make of them, where a source has more than one kind.")  # fmt: skip
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN",
              help="For csv: which column fills a field; levels.accuracy is a criterion's. May be repeated.")  # fmt: skip
@click.option("--speaker", "speakers", multiple=True, metavar="NAME=WHO",
              help="For csv: who a name in a conversation is, as in 'Ms Lee=teacher'. May be repeated.")  # fmt: skip
@click.option("--rubric", default="utta", show_default=True, metavar="ID",
              help="For csv: the rubric of rows that name none.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, for a script.")
def import_(
    source: str,
    files: tuple[Path, ...],
    out: Path,
    kind: str | None,
    columns: tuple[str, ...],
    speakers: tuple[str, ...],
    rubric: str,
    as_json: bool,
) -> None:
    """Turn the FILEs of a SOURCE into records: reviews, dialogues or teaching examples.

    \b
    SOURCE      what the files are                                    kinds, the first unless --as says otherwise
      mrbench   MRBench V1, V2, V3, or V3 without labels              reviews
      bridge    Bridge: tutoring chats with experts' replies          examples, dialogues, reviews
      mathdial  MathDial: teachers and a simulated student            dialogues
      aita      AITA dialogues, or chat data with role and content    dialogues
      csv       a table with one judged response in a row             reviews
      utta      UTTA's own files, to check or join them               reviews, dialogues, examples

    \b
    For csv, FIELD is response, conversation (lines like "Student: 5"), problem, dialogue_id, grade_level, subject,
    context, responder, reviewer (needed where two people judge one response), rationale, improved_response, rubric,
    source, licence, consent, or levels.CRITERION. In chat data, user is the student, assistant the AITA, and a first
    system turn its profile.

    A record that stands in several files becomes one. What cannot be used is put aside beside the records and counted.

    \b
    Example:
      utta data import utta data/samples/reviews.jsonl --out reviews.jsonl
      utta data import csv ratings.csv --column response=Reply --column levels.accuracy=Rating --out reviews.jsonl
    """
    from utta.core.files import refuse_overwriting
    from utta.records.read import put_aside, rejects_note
    from utta.sources import import_records
    from utta.sources.table import Table

    refuse_overwriting(out, files)
    table = Table(_pairs("column", columns), _pairs("speaker", speakers), rubric)
    imported = import_records(source, files, kind, table)
    place = put_aside(imported.faults, out.with_name(f"{out.stem}.import-rejects.jsonl"))
    imported.write(out)
    counts = imported.summary()
    if as_json:
        rejects_file = str(place) if place else None
        asked = {"source": source, "kind": imported.kind, "files": [str(file) for file in files], "out": str(out)}
        _print_json({**asked, **counts, "rejects_file": rejects_file})
        return
    _print_counts(
        counts, ("entries", "dialogues", "problems", "turns", "examples", "responses", "unlabelled", "merged")
    )
    if counts.get("labels"):
        _print_table(("criterion", "labels"), [(criterion, n) for criterion, n in counts["labels"].items()])
    if note := rejects_note([str(fault) for fault in imported.faults], place):
        click.echo(_printable(note))
    click.echo(f"Wrote {out}")


@data.command("check")
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
        _print_json(found.as_json())
    else:
        _print_check(found)
    if found.faults:
        count = "1 faulty line" if len(found.faults) == 1 else f"{len(found.faults)} faulty lines"
        raise UttaError(f"{file} has {count}; mend them, or go on without them: every command puts them aside.")


@data.command("stats")
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
        _print_json(found)
        return
    _print_counts(found, ("responses", "problems", "rejects"))
    click.echo(f"words in a response: {', '.join(f'{n} ({share})' for share, n in found['words'].items())}")
    rows = [
        (criterion, f"{label}{'*' if label in each['thin'] else ''}", n)
        for criterion, each in found["criteria"].items()
        for label, n in each["levels"].items()
    ]
    if rows:
        _print_table(("criterion", "level", "labels"), rows)
    if any(each["thin"] for each in found["criteria"].values()):
        click.echo("* fewer than 10 labels")
    _print_table(
        ("slice", "value", "responses"), [(s, v, n) for s, vs in found["slices"].items() for v, n in vs.items()]
    )
    for criterion, each in found["criteria"].items():
        if each["judged_twice"]:
            alpha = "undefined" if each["agreement"] is None else f"{each['agreement']:.2f}"
            click.echo(
                f"{criterion}: reviewers' agreement {alpha} (Krippendorff's alpha, {each['judged_twice']} responses)"
            )


@data.command("patterns")
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
        _print_json(found)
        return
    rows = []
    for number, (profile, each) in enumerate([("all", found["all"]), *found["profiles"].items()]):
        rates = (each["question_rate"], each["self_correction_rate"], each["answer_changes"])
        figures = ["–" if rate is None else f"{rate:.2f}" for rate in rates]
        words = " ".join(str(n) for n in each["words"].values())
        name = f"{number}. {shorten(profile, 24)}" if number else profile
        rows.append((name, each["dialogues"], each["turns"], words, *figures))
    columns = ("profile", "dialogues", "turns", "words", "ask", "take back", "change")
    _print_table(columns, rows)
    click.echo("words: of a turn, at the 10%, 50% and 90% quantile; ask, take back: shares of turns")
    click.echo("change: how often the answer does, per dialogue")
    if found["rejects"]:
        click.echo(f"{found['rejects']} faulty lines were left out.")


@data.command("clean")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The clean reviews.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts and first changes as JSON, for a script.")
def clean_(file: Path, out: Path, as_json: bool) -> None:
    """Mend the texts of a FILE of reviews: Unicode, white space, control characters, speakers' names, wrapping.

    A speaker's name before the own words goes, and wrapping like "Response:"; no other word, number or punctuation mark
    does. Every change, before and after, goes to OUT.changes.jsonl beside OUT.

    \b
    Example:
      utta data clean data/samples/reviews.jsonl --out clean.jsonl
    """
    from utta.prepare.clean import clean_file

    found = clean_file(file, out)
    if as_json:
        _print_json(found)
        return
    _print_counts(found, ("responses", "changed", "merged"))
    if found["changes"]:
        _print_table(("what was done", "texts"), list(found["changes"].items()))
    for change in found["first"]:
        click.echo(_printable(f"{change['record_id']} {change['place']}: {', '.join(change['done'])}"))
        for sign, text in zip("-+", _where_they_part(change["before"], change["after"]), strict=True):
            click.echo(f"  {sign} {text!r}")
    if found["note"]:
        click.echo(_printable(found["note"]))
    click.echo(f"Wrote {out}")


@data.command("dedupe")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The distinct reviews.")
@click.option("--near", type=float, metavar="SHARE",
              help="Also what is nearly the same: this share of word 3-grams in common, for example 0.8.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the counts and first duplicates as JSON, for a script.")
def dedupe_(file: Path, out: Path, near: float | None, as_json: bool) -> None:
    """Keep of each review in FILE the first; the others go to OUT.duplicates.jsonl with the reason.

    Case, white space and punctuation do not count. Judgements of one response by two reviewers are both kept. With --near,
    a million reviews take about 2 GB of memory.

    \b
    Example:
      utta data dedupe data/samples/reviews.jsonl --near 0.8 --out distinct.jsonl
    """
    from utta.prepare.dedupe import dedupe_file

    found = dedupe_file(file, out, near)
    if as_json:
        _print_json(found)
        return
    click.echo(
        f"{found['responses']:,} responses: {found['same']:,} stand again, {found['nearly_same']:,} nearly, "
        f"{found['labels_differ']:,} of these with other levels; {found['kept']:,} kept"
    )
    for each in found["first"]:
        click.echo(_printable(f"{each['record_id']} repeats {each['of']}: {each['why']}"))
    if found["note"]:
        click.echo(_printable(found["note"]))
    click.echo(f"Wrote {out}")


@data.command("split")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", "key", default="problem", show_default=True, metavar="FIELD",
              help="What must not stand in two parts: problem, or dialogue_id where problems are unknown.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Another number gives other parts.")
@click.option("--ratios", default="70/10/20", show_default=True, help="Shares of training, validation and test.")
@click.option("--stratify", is_flag=True, help="Give each part its share of each label too.")
@click.option("--folds", type=click.IntRange(2), help="As many equal parts instead, for cross-validation.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the parts.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON, for a script.")
def split_(
    file: Path, key: str, seed: int, ratios: str, stratify: bool, folds: int | None, out: Path, as_json: bool
) -> None:
    """Split a FILE of reviews into train.jsonl, validation.jsonl and test.jsonl, or into fold-1.jsonl and so on.

    No problem stands in two parts, and the same seed gives the same parts everywhere. split.json says what is where.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
    """
    from utta.prepare.split import split_file

    manifest = split_file(file, out, key, _numbers(ratios), seed, stratify, folds)
    if as_json:
        _print_json(manifest)
        return
    total = manifest["input"]["reviews"]
    rows = [
        (name, part["reviews"], f"{part['reviews'] / total:.0%}", part["problems"])
        for name, part in manifest["parts"].items()
    ]
    _print_table(("part", "reviews", "share", "problems"), rows)
    if manifest["note"]:
        click.echo(_printable(manifest["note"]))
    click.echo(f"Wrote {out} (by {key}, seed {seed})")


def _where_they_part(before: str, after: str) -> tuple[str, str]:
    """A piece of both texts around the first character that differs."""
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = max(0, same - 30)
    return before[start : same + 40], after[start : same + 40]


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    """The two sides of each A=B that was given."""
    if wrong := next((each for each in given if "=" not in each), None):
        example = "response=Reply" if option == "column" else "'Ms Lee=teacher'"
        raise UttaError(f"--{option} {wrong!r} has no '='; give it like --{option} {example}.")
    return dict((part.strip() for part in each.split("=", 1)) for each in given)  # type: ignore[misc]


def _numbers(ratios: str) -> list[float]:
    try:
        return [float(part) for part in ratios.split("/")]
    except ValueError:
        raise UttaError(f"The ratios {ratios!r} are not numbers like 70/10/20.") from None


def _print_check(found: "Check") -> None:
    _print_counts(vars(found), ("responses", "labelled", "dialogues", "problems"))
    rows = [(criterion, label, n) for criterion, labels in found.labels.items() for label, n in labels.items()]
    if rows:
        _print_table(("criterion", "level", "labels"), rows)
    for warning in found.warnings:
        click.echo(_printable(f"warning: {warning}"))
    for fault in found.faults[:SHOWN_FAULTS]:
        click.echo(_printable(f"fault: {fault}"))
    if len(found.faults) > SHOWN_FAULTS:
        click.echo(f"… and {len(found.faults) - SHOWN_FAULTS} more faults (all of them with --json)")
    if not found.faults:
        click.echo("No faults.")


def _print_counts(counts: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """One line of counts: those that were counted; "unlabelled" and "merged" only where there are any."""
    shown = [name for name in names if name in counts and (counts[name] or name not in ("unlabelled", "merged"))]
    click.echo(", ".join(f"{counts[name]:,} {name}" for name in shown))


def _print_table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A plain table: numbers to the right, a repeated first cell left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if isinstance(rows[0][i], str) and column != "share" else "right")
    before = None
    for first, *rest in rows:
        cells = ["" if first == before else first, *rest]
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else _printable(cell)) for cell in cells))
        before = first
    Console(highlight=False).print(table)


def _printable(text: str) -> str:
    """Text of the data as it may go to a terminal: control characters are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _print_json(value: Any) -> None:
    """One JSON object, escaped to ASCII so that no control character of the data reaches a terminal."""
    import json

    click.echo(json.dumps(value, indent=2))
