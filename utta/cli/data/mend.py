"""`utta data clean | dedupe | split`: from reviews as they came to parts that can be learnt from and tested on."""

from pathlib import Path

import click

from utta.cli.data.show import print_counts, print_json, print_table, printable
from utta.core.errors import UttaError


@click.command("clean")
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
        print_json(found)
        return
    print_counts(found, ("responses", "changed", "merged"))
    if found["changes"]:
        print_table(("what was done", "texts"), list(found["changes"].items()))
    for change in found["first"]:
        click.echo(printable(f"{change['record_id']} {change['place']}: {', '.join(change['done'])}"))
        for sign, text in zip("-+", _where_they_part(change["before"], change["after"]), strict=True):
            click.echo(f"  {sign} {text!r}")
    if found["note"]:
        click.echo(printable(found["note"]))
    click.echo(f"Wrote {out}")


@click.command("dedupe")
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
        print_json(found)
        return
    click.echo(
        f"{found['responses']:,} responses: {found['same']:,} stand again, {found['nearly_same']:,} nearly, "
        f"{found['labels_differ']:,} of these with other levels; {found['kept']:,} kept"
    )
    for each in found["first"]:
        click.echo(printable(f"{each['record_id']} repeats {each['of']}: {each['why']}"))
    if found["note"]:
        click.echo(printable(found["note"]))
    click.echo(f"Wrote {out}")


@click.command("split")
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
        print_json(manifest)
        return
    total = manifest["input"]["reviews"]
    rows = [
        (name, part["reviews"], f"{part['reviews'] / total:.0%}", part["problems"])
        for name, part in manifest["parts"].items()
    ]
    print_table(("part", "reviews", "share", "problems"), rows)
    if manifest["note"]:
        click.echo(printable(manifest["note"]))
    click.echo(f"Wrote {out} (by {key}, seed {seed})")


def _where_they_part(before: str, after: str) -> tuple[str, str]:
    """A piece of both texts around the first character that differs."""
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = max(0, same - 30)
    return before[start : same + 40], after[start : same + 40]


def _numbers(ratios: str) -> list[float]:
    try:
        return [float(part) for part in ratios.split("/")]
    except ValueError:
        raise UttaError(f"The ratios {ratios!r} are not numbers like 70/10/20.") from None
