"""`utta data clean | dedupe | metadata | split`: from records as they came to parts that can be learnt from and tested on."""

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

    Case, white space and punctuation do not count. Judgements of one response by two reviewers are both kept, and so is a
    repeat with labels that the first lacks. With --near, a million reviews take about 2 GB of memory.

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


@click.command("metadata")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The filled records.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts and first fillings as JSON, for a script.")
def metadata_(file: Path, out: Path, as_json: bool) -> None:
    """Fill what the records of a FILE leave open from what their texts say: grade, subject, problem, standards' codes.

    Context, profiles and metadata are taken at their word ("4th grade", "Year 5", "Subject: science"); of what is said, only
    what somebody says of themselves ("I'm in 4th grade"), a label ("Grade: 4") and codes (4.NF.B.3, RL.4.1, MS-LS2-3). What
    is filled already stays. Where texts name two grades or subjects, nothing is filled: they are counted as unclear. The
    problem is named after the text of the exercise. Each filling, with the words that said it, goes to OUT.changes.jsonl.

    \b
    Example:
      utta data metadata data/samples/reviews.jsonl --out filled.jsonl
    """
    from utta.prepare.metadata import metadata_file

    found = metadata_file(file, out)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['records']:,} {found['kind']}, {found['changed']:,} changed")
    rows = [(name, each["empty"], each["filled"], each["unclear"]) for name, each in found["fields"].items()]
    print_table(("field", "empty", "filled", "unclear"), rows)
    for each in found["first"]:
        click.echo(
            printable(f"{each['record_id']} {each['field']} = {each['value']} ({each['place']}: {each['words']!r})")
        )
    if found["note"]:
        click.echo(printable(found["note"]))
    click.echo(f"Wrote {out}")


@click.command("split")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", "key", default="problem", show_default=True, metavar="FIELD",
              help="What must not stand in two parts: problem, or dialogue_id where problems are unknown.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Another number gives other parts.")
@click.option("--ratios", default="70/10/20", show_default=True,
              help="Shares of training, validation and test; two are of the first two.")  # fmt: skip
@click.option("--stratify", is_flag=True, help="Give each part its share of each label too.")
@click.option("--folds", type=click.IntRange(2), help="As many equal parts instead, for cross-validation.")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR",
              help="An earlier split: what it holds stays in its part, and its seed, ratios and so on are taken.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the parts.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON, for a script.")
@click.pass_context
def split_(
    ctx: click.Context,
    file: Path,
    key: str,
    seed: int,
    ratios: str,
    stratify: bool,
    folds: int | None,
    keep: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Split a FILE of records into train.jsonl, validation.jsonl and test.jsonl, or into fold-1.jsonl and so on.

    No problem stands in two parts, and the same seed gives the same parts everywhere. split.json says what is where.

    When there are more records, give the file with all of them and the earlier split with --keep: every problem and dialogue
    stays in its part, and new problems go where most is lacking. A new dialogue about problems of two parts is put aside.

    \b
    Example:
      utta data split data/samples/reviews.jsonl --out split
      utta data split data/samples/reviews.jsonl --keep split --out split-2
    """
    from utta.prepare.split import grow_split, split_file

    if keep:
        _refuse_choices(ctx, keep)
        manifest = grow_split(file, keep, out)
    else:
        manifest = split_file(file, out, key, _numbers(ratios), seed, stratify, folds)
    if as_json:
        print_json(manifest)
        return
    rows = [
        (name, part["records"], f"{part['records'] / max(1, manifest['records']):.0%}", part["problems"])
        for name, part in manifest["parts"].items()
    ]
    print_table(("part", manifest["holds"], "share", "problems"), rows)
    if manifest["note"]:
        click.echo(printable(manifest["note"]))
    click.echo(f"Wrote {out} (by {manifest['by']}, seed {manifest['seed']})")


def _refuse_choices(ctx: click.Context, keep: Path) -> None:
    """A split that is continued is continued as it was made."""
    for name, option in (
        ("key", "by"),
        ("seed", "seed"),
        ("ratios", "ratios"),
        ("stratify", "stratify"),
        ("folds", "folds"),
    ):
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise UttaError(f"--keep goes on as {keep} was made; leave --{option} out.")


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
