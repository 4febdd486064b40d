"""Text from records, made safe for a terminal and a page.

A reply may hold terminal escapes, rich markup or marks that turn the direction of writing. `safe` neutralises them;
the report prints `Text` objects only, so that nothing is read as markup. It does not hide a student's name, and it
does not escape HTML: the page's template does.
"""

import unicodedata

from rich.console import Console
from rich.text import Text

REPLACEMENT = "\ufffd"
# Joiners that Persian and the Indic scripts need to be spelled rightly; all other format characters go.
JOINERS = "\u200c\u200d"
NOT_XML = "\ufffe\uffff"


def safe(value: object) -> str:
    """`value` on one line: white space squeezed, direction marks dropped, control characters shown as U+FFFD."""
    return "".join(_safe_character(character) for character in " ".join(str(value).split()))


def safe_lines(value: object) -> str:
    """`value` as `safe` makes it, line by line."""
    return "\n".join(safe(line) for line in str(value).splitlines())


def _safe_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return character if character in JOINERS else ""
    return REPLACEMENT if category in ("Cc", "Cs") or character in NOT_XML else character


def text(value: object, style: str = "") -> Text:
    """`value` as safe text in `style`, folded rather than cut where a line is too narrow for a word."""
    return Text(safe(value), style=style, overflow="fold")


def clipped(value: object, console: Console, width: int, lines: int) -> Text:
    """`value` as at most `lines` lines of `width` columns, with `…` at the end when something was left out."""
    width = max(width, 8)
    # Long enough for what is shown even of much white space, and quick where a reply is megabytes long.
    wrapped = text(str(value)[: 20 * width * lines]).wrap(console, width)
    kept = wrapped[:lines]
    for line in kept:
        line.rstrip()
    if len(wrapped) > lines:
        last = kept[-1]
        if last.cell_len > width - 2:
            last.truncate(width - 2, overflow="crop")
            space = last.plain.rfind(" ")
            if space > 0:
                last.right_crop(len(last) - space)
        last.append(" …")
    return Text("\n").join(kept)
