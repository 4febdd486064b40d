"""The command `utta`: finds the subcommand and imports only that one, and turns an error into one sentence."""

import atexit
import errno
import gc
import importlib
import logging
import os
from typing import Any, NoReturn

import click

import utta
from utta.core.errors import EXIT_ERROR, EXIT_INTERRUPTED, UttaError

COMMANDS = {
    "quickstart": ("utta.cli.quickstart", "The whole way on the sample data and the embedded model."),
    "doctor": ("utta.cli.doctor", "What is installed here, and how to get what is missing."),
    "data": ("utta.cli.data", "Bring reviews, dialogues and model answers in, check and split them."),
    "models": ("utta.cli.models", "List, fetch and describe the models that run on this machine."),
    "optimize": ("utta.cli.optimize", "Better prompts, or a program that writes tuned on its own good answers."),
    "distill": ("utta.cli.distill", "Better weights: LoRA from what experts said, or students."),
    "export": ("utta.cli.export", "Give a distilled judge to other servers: LoRA, merged, GGUF, Ollama."),
    "evaluate": ("utta.cli.evaluate", "Hold a judge, a student or a tutor against people."),
    "report": ("utta.cli.report", "Show what a run found, or two runs side by side."),
    "show": ("utta.cli.show", "Show a program, a run or one record."),
    "cache": ("utta.cli.cache", "See and empty the cache of answers."),
}
SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # they would draw into ours
    "TRANSFORMERS_VERBOSITY": "error",  # its warnings are about code, and none is the user's
    "TOKENIZERS_PARALLELISM": "false",  # else each forked process prints a warning
    # oneDNN keeps memory for each shape of matrix it has met, and no two conversations are of one shape: 1,024 by default,
    # which grows by gigabytes.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128",
}
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LazyGroup(click.Group):
    """Subcommands that are imported when they are called, and whose errors are shown as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UttaError as error:
            _stop(ctx, str(error), error.exit_code)
        except KeyboardInterrupt:
            _stop(ctx, "Interrupted; nothing is lost, and the same command goes on where it was.", EXIT_INTERRUPTED)
        except OSError as error:
            if not (sentence := explain(error)):
                raise
            _stop(ctx, sentence, EXIT_ERROR)


def explain(error: OSError) -> str | None:
    """The sentence for a fault of the disk or of a path; None for any other, which is a fault of the program."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in FULL_DISK:
        return f"Writing{where} failed ({error.strerror}); make room and run the same command again: nothing is lost."
    return f"The path{where} cannot be used ({error.strerror}); check its name and its permissions." if where else None


def _stop(ctx: click.Context, sentence: str, code: int) -> NoReturn:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)
    click.echo(f"utta: {shown}", err=True)
    ctx.exit(code)


@click.group(cls=LazyGroup, context_settings={"max_content_width": 100})
@click.version_option(utta.__version__, message="utta %(version)s")
def cli() -> None:
    """What experts say of teaching becomes programs that judge teaching, play a student and answer as a tutor, held against
    people."""


def main() -> None:
    """The entry point. The settings come first: the libraries read them when they are imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # The libraries make very many objects that live on; looking through them again and again while they are imported, and
    # once more at the end, would take two seconds.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    # It says of every text that is as long as was asked for that it was cut.
    logging.getLogger("dspy.clients.lm").setLevel(logging.ERROR)
    cli(prog_name="utta")


if __name__ == "__main__":
    main()
