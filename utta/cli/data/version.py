"""`utta data diff | history`: what became of the data, and where it comes from."""

from pathlib import Path

import click

from utta.cli.data.show import print_json, print_table, printable


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON, for a script.")
def diff_(old: Path, new: Path, as_json: bool) -> None:
    """What is different in NEW: records added, removed and changed, which fields, which labels from what to what.

    OLD and NEW are files of records, or folders of splits; of these it also says which records moved to another part. A
    record is the same one when its id is: a text that was corrected makes another. Exits with 0 whether or not there are
    differences; a script reads --json.

    \b
    Example:
      utta data diff data/samples/reviews.jsonl data/samples/reviews.jsonl
    """
    from utta.prepare.diff import diff

    found = diff(old, new)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['old']:,} {found['kind']} before, {found['new']:,} after")
    names = ["same", "changed", "added", "removed", *(["moved"] if found["moves"] else [])]
    click.echo(", ".join(f"{found[name]:,} {name}" for name in names))
    rows = [("fields that changed", name, n) for name, n in found["fields"].items()]
    rows += [(f"labels of {each['criterion']}", _became(each), each["records"]) for each in found["labels"]]
    rows += [("parts", _became(each), each["records"]) for each in found["moves"]]
    if rows:
        print_table(("what", "which", "records"), rows)
    for what, ids in found["first"].items():
        if ids:
            click.echo(f"{what}, the first: {', '.join(ids)}")
    for side, rejects in found["rejects"].items():
        if rejects:
            click.echo(printable(f"{rejects:,} faulty lines of {old if side == 'old' else new} were left out."))


@click.command("history")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON, for a script.")
def history_(file: Path, as_json: bool) -> None:
    """Where a FILE of records, or the folder of a split, comes from: which commands made it out of what.

    Each data command leaves a manifest beside what it writes (FILE.manifest.json; split.json in a split). A file that is
    missing, or is no longer what it was, is marked. Exits with 0 all the same.

    \b
    Example:
      utta data history data/samples/reviews.jsonl
    """
    from utta.prepare.manifest import history

    steps = history(file)
    if as_json:
        print_json({"file": str(file), "steps": [step.as_json() for step in steps]})
        return
    for step in steps:
        when = (step.created or "")[:16].replace("T", " ")
        made = [f"by {step.made_by}", f"{when} UTC", f"{step.records:,} records"] if step.made_by else []
        told = ", ".join([*made, *([step.state.upper() if made else step.state] if step.state else [])])
        click.echo(printable(f"{'  ' * step.depth}{step.file}: {told or 'as it was'}"))


def _became(each: dict[str, str | None]) -> str:
    return f"{each['from'] or '(none)'} → {each['to'] or '(none)'}"
