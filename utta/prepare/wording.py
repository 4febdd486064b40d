"""What a text says of the grade, the subject and the codes of curriculum standards, in English.

    found = read_text("I'm in 4th grade and stuck on this math problem")
    found.grades, found.subjects, found.codes  # [("4", "I'm in 4th grade")], [("mathematics", …)], []

A text about the setting (a context, a profile) is taken at its word. In an exercise and in what is said, "a first-grade
classroom" is mostly about people in the exercise, so only what somebody says of themselves counts, a label ("Grade: 4") and
a standard's code. It knows words, not what they mean.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
NUMBER = r"(?:1[0-2]|[1-9])"
NTH = rf"(?:{NUMBER}(?:st|nd|rd|th)|{'|'.join(ORDINALS)})"
OR = r"\s*(?:-|–|to|and|or|&)\s*"
# Not what a test was given, nor the first grade that somebody got.
NO_MARK = r"(?!\s*(?:/|%|out of\b|points?\b)|[.,]\d)"
NO_CLAUSE = r"(?!\s+(?:he|she|they|i|you|we|was|were|is|on|of|that)\b)"
MENTION = (
    rf"(?:grades?(?:[\s_]level)?\s*[:=#]?\s*(?:{NUMBER}|K)(?:{OR}(?:{NUMBER}|K))?\b{NO_MARK}"
    rf"|{NTH}(?:(?:{OR}|/){NTH})?[\s-]+grade(?:rs?)?\b{NO_CLAUSE}"
    rf"|kindergarten(?:ers?)?\b"
    rf"|(?-i:Year)\s(?:1[0-3]|[1-9])\b(?!\s*(?::|of\b|after\b)))"
)
WHO = r"(?:class(?:room)?|teacher|students?|homework|maths?|science|reading|lesson|textbook)"
GRADE = re.compile(rf"\b{MENTION}", re.IGNORECASE)
OWN_GRADE = re.compile(
    rf"\b(?:i'?m|i am|we'?re|we are|you'?re|you are|my (?:student|son|daughter|child|class) is)\s+"
    rf"(?:(?:only|now|just|still|currently)\s+)?(?:in|an?)\s+(?:the\s+)?{MENTION}"
    rf"|\b(?:my|our|your)\s+{MENTION}\s+{WHO}\b"
    rf"|\bi teach\s+(?:an?\s+)?{MENTION}"
    rf"|^\s*grade(?:\slevel)?\s*[:=]\s*(?:{NUMBER}|K)\b{NO_MARK}",
    re.IGNORECASE | re.MULTILINE,
)
ANY_GRADE = re.compile(
    rf"(?<!\d)(?:1[0-3]|[1-9])(?!\d)|\b(?:K|{'|'.join(ORDINALS)}|kindergarten|elementary|primary|secondary|middle|high"
    r"|college|university|undergraduate|graduate|adults?|pre-?k|pre-?school)\b",
    re.IGNORECASE,
)

SUBJECTS = {
    "mathematics": ("mathematics", "maths", "math", "arithmetic", "algebra", "geometry", "calculus"),
    "English language arts": ("english language arts", "language arts", "ela"),
    **{name: (name,) for name in ("reading comprehension", "computer science", "social studies", "science", "biology",
                                  "ecology", "chemistry", "physics", "history", "geography", "economics")},
}  # fmt: skip
CALLED = {word: name for name, words in SUBJECTS.items() for word in words}
SUBJECT_WORD = rf"(?P<subject>{'|'.join(sorted(CALLED, key=len, reverse=True))})"
WORK = r"(?:class|lesson|homework|test|quiz|problem|question|assignment|worksheet|exercise|teacher|tutor|course|unit)s?"
SUBJECT = re.compile(
    rf"\bsubject\s*[:=]\s*{SUBJECT_WORD}\b|\b{SUBJECT_WORD.replace('subject', 'of')}\s+{WORK}\b"
    rf"|{MENTION}\s+{SUBJECT_WORD.replace('subject', 'at')}\b",
    re.IGNORECASE,
)
OWN_SUBJECT = re.compile(rf"\b(?:my|our|your|this|today's)\s+{SUBJECT_WORD}\s+{WORK}\b", re.IGNORECASE)

# Codes of standards: the grade or band stands in `grade`, and the kind says the subject where it can.
CODES = (
    ("mathematics", re.compile(
        r"(?<![\w.-])(?:(?i:CCSS\.MATH\.CONTENT)\.)?(?P<grade>K|[1-8])\.(?:CC|OA|NBT|NF|MD|G|RP|NS|EE|F|SP)"
        r"\.(?:[A-E]\.)?\d{1,2}[a-f]?(?![\w-])")),
    ("mathematics", re.compile(
        r"(?<![\w.-])(?:(?i:CCSS\.MATH\.CONTENT)\.)?(?P<grade>HS)[NAFGS]-[A-Z]{1,4}\.(?:[A-E]\.)?\d{1,2}[a-f]?(?![\w-])")),
    ("English language arts", re.compile(
        r"(?<![\w.-])(?:(?i:CCSS\.ELA-LITERACY)\.)?(?:RL|RI|RF|W|SL|L)\.(?P<grade>K|9-10|11-12|[1-8])\.\d{1,2}[a-f]?(?![\w-])")),
    ("science", re.compile(
        r"(?<![\w.-])(?P<grade>K-2|3-5|MS|HS|K|[1-5])-(?:PS|LS|ESS|ETS)\d-\d{1,2}(?![\w-])")),
)  # fmt: skip
# A Texas code names no subject, and looks like a number of a problem: it counts only where it begins a heading.
TEXAS = re.compile(r"(?:^|: )(?P<grade>K|[1-8]|A[12]?|G)\.\d{1,2}[A-Z](?=\.[A-Z])")
BANDS = {"MS": "6-8", "HS": "9-12"}
COURSES = "AG"  # algebra and geometry, for no grade

# Cheap to look for, and in every text that says something.
GRADE_WORDS = ("grade", "kindergarten", "year ")
CODE_LIKE = re.compile(r"[A-Z\d][.-][A-Z]|[A-Z][.-]\d")


class Words(NamedTuple):
    """What a text says of something, and in which words."""

    value: str
    words: str


class Mentions(NamedTuple):
    """All that a text says, in its order; grades are single ones ("4", "Year 5", "K") or, of codes, bands ("6-8")."""

    grades: list[Words]
    subjects: list[Words]
    codes: list[Words]


def read_text(text: str, setting: bool = False) -> Mentions:
    """What a text says; `setting`: it is about the setting, not an exercise or somebody's words."""
    small = text.casefold()
    found = Mentions([], [], [])
    if any(word in small for word in GRADE_WORDS):
        for match in (GRADE if setting else OWN_GRADE).finditer(text):
            found.grades.extend(Words(grade, match[0]) for grade in _grades_of(match[0]))
    if any(word in small for word in CALLED):
        for match in (SUBJECT if setting else OWN_SUBJECT).finditer(text):
            found.subjects.append(Words(CALLED[match[match.lastgroup or 0].casefold()], match[0]))
    if CODE_LIKE.search(text):
        for subject, match in _codes(text, setting):
            code = match[0].removeprefix(": ")
            found.codes.append(Words(code, code))
            if subject:
                found.subjects.append(Words(subject, code))
            if (grade := BANDS.get(match["grade"], match["grade"]))[0] not in COURSES:
                found.grades.append(Words(grade, code))
    return found


def _codes(text: str, setting: bool) -> Iterator[tuple[str, re.Match[str]]]:
    for subject, code in CODES:
        yield from ((subject, match) for match in code.finditer(text))
    if setting:
        yield from (("", match) for match in TEXAS.finditer(text))


def grade_in(level: str) -> str | None:
    """The plain form of a grade level as a field holds it: "4" of "Grade 4", "4th grade" or "4"; other levels as they are,
    without regard to case; None of what names no level, such as "n/a" or "2019"."""
    text = level.strip()
    if GRADE.fullmatch(text):
        return "-".join(_grades_of(text))
    if match := re.fullmatch(rf"({NUMBER})(?:st|nd|rd|th)?", text, re.IGNORECASE):
        return match[1]
    return text.casefold() if ANY_GRADE.search(text) else None


def _grades_of(words: str) -> list[str]:
    """The grades in words that name one or several: "4" of "fourth-grade", "3" and "5" of "grades 3-5"."""
    if year := re.search(r"Year (\d+)", words):
        return [year[0]]
    if "kindergarten" in words.casefold():
        return ["K"]
    named = re.findall(rf"\b(?:{NUMBER}|K|{'|'.join(ORDINALS)})(?=\b|st|nd|rd|th)", words, re.IGNORECASE)
    return [str(ORDINALS.index(each.casefold()) + 1) if each.casefold() in ORDINALS else each.upper() for each in named]
