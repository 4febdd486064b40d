"""Whether a tutor's reply hands over the answer, and whether it is about the exercise at all.

Both look at words alone: an answer counts as handed over where one of its written forms stands in the reply as a whole
word, so a hint that names the same number for another reason counts too, and an answer in other words does not.
"""

import re
from collections.abc import Iterable

NUMBER = re.compile(r"\d+(?:[.,/:]\d+)*")
WORD = re.compile(r"[^\W\d_]{4,}")
STOP = frozenset(
    "what that this with have from they them their there were been which when many much does will would could should your "
    "about into than then some each after before only over more less also just very find left make made need needs takes "
    "answer number numbers question problem".split()
)


def hands_over(reply: str, answers: Iterable[str]) -> bool:
    """Whether one of the written forms of the answer stands in the reply, in any case, as a whole: 24 is not in 240, in 3.24
    or in 24/7, but is in "24%" and "$24."."""
    return any(re.search(_whole(form), reply, re.I) for form in answers if form.strip())


def takes_up(reply: str, exercise: str) -> bool:
    """Whether the reply names a quantity of the exercise, or a word of it that says something (four letters or more, and none
    of the words that stand in any exercise)."""
    return bool(_content(reply) & _content(exercise))


def _whole(form: str) -> str:
    body = r"\s+".join(map(re.escape, form.split()))
    before = r"(?<![\w.,/])" if form[0].isdigit() else r"(?<!\w)"
    after = r"(?![\w/]|[.,:]\d)" if form[-1].isdigit() else r"(?!\w)"
    return f"{before}{body}{after}"


def _content(text: str) -> set[str]:
    words = set(WORD.findall(text.casefold())) - STOP
    return {_stem(word) for word in words} | {number.replace(",", "") for number in NUMBER.findall(text)}


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
