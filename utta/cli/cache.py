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
    from utta.core.paths import empty_answers

    click.echo(f"Deleted {empty_answers() / 1e6:,.1f} MB of kept answers.")
