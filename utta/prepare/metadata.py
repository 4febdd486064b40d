"""Fill what a record leaves open from what its texts say: grade, subject, problem, codes of curriculum standards.

    described, fillings, unclear = describe(record)

What is filled already stays. Where the texts name two grades or two subjects, nothing is filled and that is told. What is
said of the setting (context, profiles, metadata) is taken at its word; in an exercise and in what is said, "a first-grade
classroom" is mostly about people in the exercise, so only what somebody says of themselves counts ("I'm in 4th grade", "our
math homework"), a label ("Grade: 4") and a standard's code. English only; it knows words and not what they mean.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from utta.core.errors import shorten
from utta.core.files import atomic, refuse_overwriting
from utta.prepare.manifest import leave_manifest
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.kinds import KINDS, AnyRecord, kind_of
from utta.records.read import Fault, no_records, put_aside, rejects_note, scan_records
from utta.records.review import Review
from utta.sources import problems

SHOWN = 5
FIELDS = ("grade_level", "subject", "problem", "standards")
LEAST_WORDS = 8
"""A context shorter than this ("fractions, lesson 3") is not an exercise, and would make one problem of many."""

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


class Said(NamedTuple):
    """What a text says of a field, where, and in which words."""

    value: str
    place: str
    words: str


@dataclass(frozen=True)
class Filling:
    """A field that was filled, with what, and the words that said it."""

    record_id: str
    field: str
    value: str | list[str]
    place: str
    words: str


def describe(record: AnyRecord) -> tuple[AnyRecord, list[Filling], list[str]]:
    """The record with what could be filled, each filling, and the fields of which the texts say two things.

    The record is the same one when nothing was filled; its id never changes, for no part of it is filled.
    """
    standards = _distinct(_standards(record)) if not record.metadata.get("standards") else []
    at_hand = _at_hand(record)
    found = {
        "grade_level": [] if at_hand["grade_level"] else _grades(record),
        "subject": [] if at_hand["subject"] else _subjects(record),
        "problem": [] if at_hand["problem"] else list(_problem(record)),
    }
    chosen = {name: said for name, said in found.items() if said}
    unclear = [name for name, said in chosen.items() if len(said) > 1]
    fillings = [Filling(record.id, name, *said[0]) for name, said in chosen.items() if len(said) == 1]
    if standards:
        codes = [said.value for said in standards]
        fillings.append(Filling(record.id, "standards", codes, standards[0].place, ", ".join(codes)))
    return _filled(record, {filling.field: filling.value for filling in fillings}), fillings, unclear


def grade_in(level: str) -> str | None:
    """The plain form of a grade level as a field holds it: "4" of "Grade 4", "4th grade" or "4"; other levels as they are,
    without regard to case; None of what names no level, such as "n/a" or "2019"."""
    text = level.strip()
    if GRADE.fullmatch(text):
        return "-".join(_grades_of(text))
    if match := re.fullmatch(rf"({NUMBER})(?:st|nd|rd|th)?", text, re.IGNORECASE):
        return match[1]
    return text.casefold() if ANY_GRADE.search(text) else None


def _grades(record: AnyRecord) -> list[Said]:
    """The distinct grades that the texts name; a band ("6-8") counts where no single grade is named."""
    said = []
    for place, text, setting in _texts(record):
        for match in (GRADE if setting else OWN_GRADE).finditer(text):
            said += [Said(grade, place, match[0]) for grade in _grades_of(match[0])]
    said += [
        Said(grade, code.place, code.value) for code in _standards(record) if (grade := _grade_of_code(code.value))
    ]
    single = [each for each in said if "-" not in each.value]
    return _distinct(single or said)


def _grades_of(words: str) -> list[str]:
    """The grades in words that name one or several: "4" of "fourth-grade", "3" and "5" of "grades 3-5"."""
    if year := re.search(r"Year (\d+)", words):
        return [year[0]]
    if "kindergarten" in words.casefold():
        return ["K"]
    named = re.findall(rf"\b(?:{NUMBER}|K|{'|'.join(ORDINALS)})(?=\b|st|nd|rd|th)", words, re.IGNORECASE)
    return [str(ORDINALS.index(each.casefold()) + 1) if each.casefold() in ORDINALS else each.upper() for each in named]


def _subjects(record: AnyRecord) -> list[Said]:
    """The distinct subjects that the texts name."""
    said = []
    for place, text, setting in _texts(record):
        for match in (SUBJECT if setting else OWN_SUBJECT).finditer(text):
            word = match[match.lastgroup or 0]
            said.append(Said(CALLED[word.casefold()], place, match[0]))
        for subject, code in CODES:
            said += [Said(subject, place, match[0]) for match in code.finditer(text)]
    return _distinct(said)


def _standards(record: AnyRecord) -> list[Said]:
    """The codes of standards in the order of the texts."""
    said = []
    for place, text, setting in _texts(record):
        for code in [code for _, code in CODES] + [TEXAS] * setting:
            said += [Said(match[0].removeprefix(": "), place, match[0]) for match in code.finditer(text)]
    return said


def _grade_of_code(code: str) -> str | None:
    """The grade or the band of grades that a code is for; None of a Texas course ("A2": the second one in algebra)."""
    match = next(match for _, pattern in [*CODES, ("", TEXAS)] if (match := pattern.search(f"{code}.X")))
    grade = BANDS.get(match["grade"], match["grade"])
    return None if grade[0] in "AG" else grade


def _problem(record: AnyRecord) -> Iterator[Said]:
    """The exercise by its words, where it is stated: the same name that a source would give it."""
    stated = record.question if isinstance(record, Dialogue) else None
    if stated and stated.strip():
        yield Said(problems.of_question(stated), "question", shorten(stated))
        return
    place, context = _context(record)
    if isinstance(context, str) and len(context.split()) >= LEAST_WORDS:
        yield Said(problems.of_question(context), place, shorten(context))


def _context(record: AnyRecord) -> tuple[str, Any]:
    if isinstance(record, Dialogue):
        return "context_provided_to_aita", record.context_provided_to_aita
    return ("context", record.context) if isinstance(record, Review) else ("input.context", record.input.context)


def _texts(record: AnyRecord) -> Iterator[tuple[str, str, bool]]:
    """Each text with its place, and whether it is about the setting; otherwise it is an exercise, or somebody's words."""
    place, context = _context(record)
    yield from ((place, text, True) for text in _leaves(context))
    if isinstance(record, Review):
        yield "response", record.response, False
    elif isinstance(record, Dialogue):
        for name in ("aita_profile", "pedagogical_intent", "student_profile"):
            yield from ((name, text, True) for text in _leaves(getattr(record, name)))
        yield "question", record.question or "", False
    else:
        yield "input.student_question", record.input.student_question, False
        yield "output.teacher_response", record.output.teacher_response, False
    turns = record.dialogue_turns if isinstance(record, Dialogue) else record.conversation
    name = "dialogue_turns" if isinstance(record, Dialogue) else "conversation"
    yield from ((f"{name}[{number}]", turn.utterance, False) for number, turn in enumerate(turns))
    # A grade in a table is as often a mark, and a list in the metadata is more often talk than setting.
    rest = {key: value for key, value in record.metadata.items() if key.casefold() != "grade"}
    yield from (
        ("metadata", text, True) for text in _leaves({k: v for k, v in rest.items() if not isinstance(v, list)})
    )


def _leaves(value: Any, name: str = "") -> Iterator[str]:
    """The texts and numbers of a JSON value, those of objects with their names: "subject: science"."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, name)
    elif isinstance(value, str | int | float):
        yield f"{name}: {value}" if name else str(value)


def _distinct(said: list[Said]) -> list[Said]:
    """The first of each value."""
    return list({each.value: each for each in reversed(said)}.values())[::-1]


def _at_hand(record: AnyRecord) -> dict[str, str | None]:
    about = record.input if isinstance(record, TeachingExample) else record
    return {"grade_level": about.grade_level, "subject": about.subject, "problem": record.problem}


def _filled(record: AnyRecord, values: dict[str, Any]) -> AnyRecord:
    """The record with these fields filled."""
    if not values:
        return record
    known: dict[str, Any] = {name: values[name] for name in FIELDS[:2] if name in values}
    update = (
        dict[str, Any](input=record.input.model_copy(update=known)) if isinstance(record, TeachingExample) else known
    )
    if "problem" in values:
        update["problem"] = values["problem"]
    if "standards" in values:
        update["metadata"] = {**record.metadata, "standards": values["standards"]}
    return record.model_copy(update=update)


def metadata_file(path: Path, out: Path) -> dict[str, Any]:
    """Fill the records of a file into `out`, each filling with its words into `OUT.changes.jsonl`; returns counts.

    `fields` says of each how many records had it `empty`, how many of these were `filled`, and of how many the texts were
    `unclear`: they say two things. What cannot be used is put aside in `OUT.rejects.jsonl`. Raises `UttaError` as reading.
    """
    refuse_overwriting(out, [path])
    kind = kind_of(path)
    faults: list[Fault] = []
    first: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    with atomic(out) as kept, atomic(out.with_name(f"{out.stem}.changes.jsonl")) as log:
        for item in scan_records(path, KINDS[kind]):
            if isinstance(item, Fault):
                faults.append(item)
                continue
            record, fillings, unclear = describe(item)
            counts["records"] += 1
            counts["changed"] += record is not item
            counts.update(f"empty {name}" for name, value in _at_hand(item).items() if not value)
            counts["empty standards"] += not item.metadata.get("standards")
            counts.update(f"filled {filling.field}" for filling in fillings)
            counts.update(f"unclear {name}" for name in unclear)
            lines = [asdict(filling) for filling in fillings]
            first += lines[: SHOWN - len(first)]
            log.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            kept.write(json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n")
        if not counts["records"]:
            raise no_records(path, faults, KINDS[kind])
    place = put_aside(faults, out.with_name(f"{out.stem}.rejects.jsonl"))
    leave_manifest(out, "metadata", {}, [path], counts["records"], len(faults))
    return {
        "out": str(out),
        "kind": kind,
        "records": counts["records"],
        "changed": counts["changed"],
        "fields": {
            name: {what: counts[f"{what} {name}"] for what in ("empty", "filled", "unclear")} for name in FIELDS
        },
        "rejects": len(faults),
        "note": rejects_note([str(fault) for fault in faults], place),
        "first": first,
    }
