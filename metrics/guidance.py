"""Whether a tutor's reply hands over the answer, and whether it is about the exercise at all.

All look at words alone: an answer counts as handed over where one of its written forms stands in the reply as a whole
word, so a hint that names the same number for another reason counts too, and an answer in other words does not. Where the
answer is not known, `worked_out` tells numbers that nobody has named yet, of which the answer might be one.
"""

import re
from collections.abc import Iterable

NUMBER = re.compile(r"\d+(?:[.,/:]\d+)*")
DIGITS = re.compile(r"\d+")
WORD = re.compile(r"[^\W\d_]{4,}")
WORD_OR_NUMBER = re.compile(r"\w+")
IN_WORDS = dict(
    zip(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
        "nineteen twenty thirty forty fifty sixty seventy eighty ninety".split(),
        map(str, [*range(2, 21), *range(30, 100, 10)]),
        strict=True,
    )
)
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


def worked_out(reply: str, shown: str) -> set[str]:
    """The numbers of a reply that stand nowhere in what was shown before it: the reply has worked them out, or made them up.
    The parts of a shown fraction, time or decimal are shown as well. Numbers in words count, up to ninety; `one` does not,
    which is seldom a number. It is no fault by itself: of 389 replies of Bridge's experts, 39% bring in a number."""
    return _numbers(reply) - _numbers(shown) - set(DIGITS.findall(shown))


def _numbers(text: str) -> set[str]:
    in_words = (IN_WORDS[word] for word in WORD_OR_NUMBER.findall(text.casefold()) if word in IN_WORDS)
    return {number.replace(",", "") for number in NUMBER.findall(text)} | set(in_words)


def _whole(form: str) -> str:
    body = r"\s+".join(map(re.escape, form.split()))
    before = r"(?<![\w.,/])" if form[0].isdigit() else r"(?<!\w)"
    after = r"(?![\w/]|[.,:]\d)" if form[-1].isdigit() else r"(?!\w)"
    return f"{before}{body}{after}"


def _content(text: str) -> set[str]:
    words = set(WORD.findall(text.casefold())) - STOP
    return {_stem(word) for word in words} | _numbers(text)


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
