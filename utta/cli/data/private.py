"""`utta data surrogates | purge`: records without what points to a person, and without a person."""

from pathlib import Path

import click

from utta.cli.data.show import print_counts, print_json, print_table, printable


@click.command("surrogates")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The records with surrogates."
)
@click.option("--roster", type=click.Path(path_type=Path), metavar="FILE",
              help="Names, one a line; by default that of UTTA_ROSTER, or roster.txt in the user's folder.")  # fmt: skip
@click.option("--entities", metavar="MODEL",
              help="Also what a named-entity model finds: a folder, or an id of the hub.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, for a script.")
def surrogates_(file: Path, out: Path, roster: Path | None, entities: str | None, as_json: bool) -> None:
    """Replace names, e-mails, phones, addresses, handles and ids in a FILE of records by surrogates like Person-kqtbmd.

    The same thing has the same surrogate everywhere on this machine. Names need a roster, or a text that shows who they
    are ("my name is …"); data/privacy/README.md says how much is found. The same is done, always, before a text goes to
    a model that is not on this machine.

    \b
    Example:
      utta data surrogates data/samples/reviews.jsonl --out shared.jsonl
    """
    from utta.core.surrogates import Surrogates
    from utta.prepare.replace import replace_file

    persons = None
    if entities:
        from utta.models.entities import entities as load

        persons = load(entities)
    found = replace_file(file, out, Surrogates.of_this_machine(roster, persons))
    if as_json:
        print_json(found)
        return
    print_counts(found, ("records", "changed", "merged"))
    if found["replaced"]:
        print_table(("type", "replaced"), list(found["replaced"].items()))
    if found["note"]:
        click.echo(printable(found["note"]))
    click.echo(f"Wrote {out}")


@click.command("purge")
@click.option("--student", required=True, metavar="NAME|ID", help="Whose records go.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, for a script.")
def purge_(student: str, paths: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Remove a student's records from the files and folders at PATH, and what runs wrote down about them.

    A record is the student's when its field student says so, or when the name stands in it as a whole word. All kept
    answers of models are deleted too. Weights that learnt from a purged file cannot be purged: they are named.

    \b
    Example:
      utta data purge --student Dana data/samples --dry-run
    """
    from utta.prepare.purge import purge

    found = purge(student, paths, dry_run)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['records']:,} records {'would go' if dry_run else 'went'}")
    if found["files"]:
        print_table(("file", "lines"), list(found["files"].items()))
    for program in found["programs"]:
        click.echo(printable(f"made from a purged file, and not purged: {program}; make it anew"))
    for file in found["still_named_in"]:
        click.echo(printable(f"still holds the name: {file}"))
    if dry_run:
        click.echo("Nothing was changed: this was a dry run.")
    else:
        click.echo(f"Deleted {found['answers_bytes'] / 1e6:,.1f} MB of kept answers.")
