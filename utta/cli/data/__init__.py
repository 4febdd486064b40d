"""`utta data`: the commands that bring records in, look them through and make them ready."""

import click

from utta.cli.data.bring import import_
from utta.cli.data.look import check_, patterns_, stats_
from utta.cli.data.mend import clean_, dedupe_, metadata_, split_
from utta.cli.data.private import purge_, surrogates_
from utta.cli.data.send import export_
from utta.cli.data.version import diff_, history_


@click.group()
def data() -> None:
    """Bring expert reviews in, check them, and split them by problem."""


for command in (
    import_, check_, stats_, patterns_, clean_, dedupe_, metadata_, split_, diff_, history_, surrogates_, purge_, export_,
):  # fmt: skip
    data.add_command(command)
