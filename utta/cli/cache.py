"""`utta cache`: the answers that models gave, kept so that a question is not paid for twice."""

import click


@click.group()
def cache() -> None:
    """Look at or empty the kept answers; they hold what students and teachers wrote."""


@cache.command("clear")
def clear() -> None:
    """Delete every kept answer.

    \b
    Example:
      utta cache clear
    """
    import shutil

    from utta.core.paths import answers_folder

    folder = answers_folder()
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else 0
    shutil.rmtree(folder, ignore_errors=True)
    click.echo(f"Deleted {size / 1e6:,.1f} MB of kept answers.")
