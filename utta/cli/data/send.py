"""`utta data export`: records go to other people's tools."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from utta.cli.data.show import print_json, printable

if TYPE_CHECKING:
    from signatures.rubric import Rubric
    from utta.sources.labelling import Predictions

FORMATS = ("jsonl", "csv", "parquet", "datasets", "chat", "argilla", "label-studio")


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(FORMATS), help="The format to write.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="PATH", help="The file or folder to write."
)
@click.option("--as", "kind", type=click.Choice(["reviews", "dialogues", "examples"]),
              help="What FILE holds; by default what its first record is.")  # fmt: skip
@click.option("--rubric", metavar="NAME|FILE",
              help="For labelling tools: what annotators are asked; by default the rubric that FILE names.")  # fmt: skip
@click.option("--predictions", type=click.Path(path_type=Path), metavar="RUN",
              help="For labelling tools: a run of 'utta evaluate' whose levels experts are to correct.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, for a script.")
def export_(
    file: Path, to: str, out: Path, kind: str | None, rubric: str | None, predictions: Path | None, as_json: bool
) -> None:
    """Write the records of FILE in the format of another tool; 'utta data import' brings them back, equal in every field.

    \b
    FORMAT          what is written                                          records
      jsonl         UTTA's own file                                          any
      csv           a table for spreadsheets, one review in a row            reviews
      parquet       a table with typed columns                               any
      datasets      a folder that datasets.load_from_disk opens              any
      chat          messages with role and content, to train on              dialogues
      argilla       records, with settings made from the rubric beside       reviews
      label-studio  tasks, with a configuration made from the rubric beside  reviews

    Annotators are shown what the judge is shown, never who wrote a response; experts' levels go along as their answers.
    From chat only the words come back. What cannot be written is put aside beside OUT and counted. To chat and to labelling
    tools goes no record whose consent or last day forbids training on it or rating it; the others keep their consent.

    \b
    Example:
      utta data export data/samples/reviews.jsonl --to csv --out ratings.csv
      utta data export data/samples/reviews.jsonl --to label-studio --out tasks.json
    """
    from utta.core.files import refuse_overwriting
    from utta.prepare.manifest import leave_manifest
    from utta.records.read import put_aside, rejects_note
    from utta.sources.export import LABELLING, Asked, export_records

    refuse_overwriting(out, [file])
    asked_of = _rubric(file, rubric) if to in LABELLING else None
    told = export_records(Asked(file, to, out, kind, asked_of, _predictions(predictions) if predictions else None))
    options = {"to": to, "as": told["kind"], "predictions": str(predictions) if predictions else None}
    leave_manifest(out, "export", options, [file], told["records"], len(told["faults"]))
    place = put_aside(told["faults"], out.with_name(f"{out.stem}.export-rejects.jsonl"))
    if as_json:
        paths = [str(path) for path in told["paths"]]
        found = {**told, "paths": paths, "faults": len(told["faults"]), "rejects_file": str(place) if place else None}
        print_json({"file": str(file), **found})
        return
    click.echo(f"{told['records']:,} {told['kind']} as {to}")
    if count := sum(told["withheld"].values()):
        click.echo(f"{count:,} withheld by consent or date")
    if note := rejects_note([str(fault) for fault in told["faults"]], place):
        click.echo(printable(note))
    for path in told["paths"]:
        click.echo(f"Wrote {path}")


def _rubric(file: Path, name: str | None) -> "Rubric":
    from utta.evaluate.open import data_rubric

    return data_rubric(file, name)


def _predictions(run: Path) -> "Predictions":
    """What a run's judge said of each review."""
    from utta.evaluate.predict import read_predictions
    from utta.sources.labelling import Guess, Predictions

    guesses: dict[str, dict[str, Guess]] = {}
    for line in read_predictions(run):
        guesses.setdefault(line["record_id"], {})[line["criterion"]] = Guess(line["label"], line["confidence"])
    return Predictions(run.name, guesses)
