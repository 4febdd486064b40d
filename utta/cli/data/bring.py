"""`utta data import`: other people's files become records."""

from pathlib import Path
from typing import Any

import click

from utta.cli.data.show import print_counts, print_json, print_table, printable
from utta.core.errors import UttaError


@click.command("import")
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The reviews, as JSON Lines."
)
@click.option("--as", "kind", type=click.Choice(["reviews", "dialogues", "examples"]),
              help="What to make of them, where a source has more than one kind.")  # fmt: skip
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN",
              help="For tables: which column fills a field; levels.accuracy is a criterion's. May be repeated.")  # fmt: skip
@click.option("--speaker", "speakers", multiple=True, metavar="NAME=WHO",
              help="For tables: who a name in a conversation is, as in 'Ms Lee=teacher'. May be repeated.")  # fmt: skip
@click.option("--label", "labels", multiple=True, metavar="RATING=LABEL",
              help="For tables: the level of a rating, as in '5=Excellent', or 'n/a=' for none. May be repeated.")  # fmt: skip
@click.option("--rubric", default="utta", show_default=True, metavar="ID",
              help="For tables: the rubric of rows that name none.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, for a script.")
def import_(
    source: str,
    files: tuple[Path, ...],
    out: Path,
    kind: str | None,
    columns: tuple[str, ...],
    speakers: tuple[str, ...],
    labels: tuple[str, ...],
    rubric: str,
    as_json: bool,
) -> None:
    """Turn the FILEs of a SOURCE into records: reviews, dialogues or teaching examples.

    \b
    SOURCE          what the files are                                    kinds, the first unless --as says otherwise
      mrbench       MRBench V1, V2, V3, or V3 without labels              reviews
      bridge        Bridge: tutoring chats with experts' replies          examples, dialogues, reviews
      mathdial      MathDial: teachers and a simulated student            dialogues
      aita          AITA dialogues, or chat data with role and content    dialogues
      csv           a table with one judged response in a row             reviews
      parquet       such a table, or what 'utta data export' wrote        reviews, dialogues, examples
      datasets      the same in a folder of Hugging Face datasets         reviews, dialogues, examples
      argilla       records with responses, of Argilla's to_json          reviews
      label-studio  tasks with annotations, exported as JSON              reviews
      utta          UTTA's own files, to check or join them               reviews, dialogues, examples

    \b
    For a table (csv, parquet, datasets), FIELD is response, conversation (lines like "Student: 5"), problem,
    dialogue_id, grade_level, subject, context, responder, reviewer (needed where two people judge one response),
    rationale, improved_response, rubric, source (by default the file's name; a record's id depends on it), licence,
    student (a pseudonym), consent (train, evaluate or none), keep_until (2027-08-31), or levels.CRITERION. A data set
    is a FOLDER, FOLDER:SPLIT, or ID:SPLIT of the hub. In chat data, user is the student, assistant the AITA, and a
    first system turn its profile.

    A record that stands in several files becomes one. What cannot be used is put aside beside the records and counted.

    \b
    Example:
      utta data import utta data/samples/reviews.jsonl --out reviews.jsonl
      utta data import csv ratings.csv --column response=Reply --column levels.accuracy=Rating --out reviews.jsonl
      utta data import csv ratings.csv --column response=Reply --label 2=Good --label 1=Weak --out reviews.jsonl
    """
    from utta.core.files import refuse_overwriting
    from utta.prepare.manifest import leave_manifest
    from utta.records.read import put_aside, rejects_note
    from utta.sources import TABLES, import_records
    from utta.sources.table import Table

    refuse_overwriting(out, files)
    table = Table(_pairs("column", columns), _pairs("speaker", speakers), rubric, _pairs("label", labels))
    imported = import_records(source, files, kind, table)
    place = put_aside(imported.faults, out.with_name(f"{out.stem}.import-rejects.jsonl"))
    imported.write(out)
    counts = imported.summary()
    options: dict[str, Any] = {
        "source": source,
        "as": imported.kind,
        "column": list(columns),
        "speaker": list(speakers),
        "label": list(labels),
    }
    options["rubric"] = rubric if source in TABLES else None
    leave_manifest(out, "import", options, files, len(imported), counts["rejects"])
    if as_json:
        rejects_file = str(place) if place else None
        asked = {"source": source, "kind": imported.kind, "files": [str(file) for file in files], "out": str(out)}
        print_json({**asked, **counts, "rejects_file": rejects_file})
    else:
        _show(counts, rejects_note([str(fault) for fault in imported.faults], place), out)


def _show(counts: dict[str, Any], rejects: str | None, out: Path) -> None:
    """Say what came in, and what was put aside."""
    print_counts(counts, ("entries", "dialogues", "problems", "turns", "examples", "responses", "unlabelled", "merged"))
    if counts.get("labels"):
        print_table(("criterion", "labels"), [(criterion, n) for criterion, n in counts["labels"].items()])
    if rejects:
        click.echo(printable(rejects))
    click.echo(f"Wrote {out}")


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    """The two sides of each A=B that was given."""
    if wrong := next((each for each in given if "=" not in each), None):
        example = {"column": "response=Reply", "speaker": "'Ms Lee=teacher'", "label": "5=Excellent"}[option]
        raise UttaError(f"--{option} {wrong!r} has no '='; give it like --{option} {example}.")
    return dict((part.strip() for part in each.split("=", 1)) for each in given)  # type: ignore[misc]
