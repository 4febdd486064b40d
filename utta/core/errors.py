"""The one error a user can mend, and the exit codes of the command line.

An error's message is one sentence: what is wrong, the value seen, what to do next. The command line prints it without
a traceback. Faults of the program itself are ordinary exceptions and keep their traceback.
"""

EXIT_ERROR = 1
EXIT_GATE = 100
EXIT_INTERRUPTED = 130


class UttaError(Exception):
    """Something the user can mend; `str(error)` is the sentence to show."""

    exit_code = EXIT_ERROR


class Cancelled(UttaError):
    """What was asked of a model is not wanted any more."""


class GateFailed(UttaError):
    """A `--gate` condition did not hold, or an export decides otherwise than its program."""

    exit_code = EXIT_GATE


def shorten(value: object, width: int = 60) -> str:
    """`value` on one line of at most `width` characters, for showing in a message the value that was seen."""
    text = " ".join(str(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"
