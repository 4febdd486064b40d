"""Look through a file of records for what would spoil training or figures, and change nothing.

Faults are lines that cannot be used. Warnings are about good lines that mislead: repeats, unknown problems, one
conversation under several problems, dialogues with one speaker, criteria and levels with few labels. What is filled says
how complete the records are. It judges neither the texts nor the labels.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from metrics.agreement import THIN
from utta.core.errors import UttaError, shorten
from utta.core.store import Store
from utta.prepare.wording import grade_in
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.kinds import KINDS, AnyRecord, kind_of
from utta.records.read import Fault, no_records, scan_records, scan_reviews
from utta.records.record import content_id, spoken
from utta.records.review import Review

if TYPE_CHECKING:
    from signatures.rubric import Rubric

FEW = 0.5
"""A criterion labelled on less than this share of the judged responses is warned about."""

NOUNS = {"reviews": "response", "dialogues": "dialogue", "examples": "example"}
SPEAKERS = ("student", "teacher", "aita")
PLACEHOLDERS = {"n/a", "na", "none", "null", "unknown", "nan", "-", "?"}
HAS, IS = ("has", "have"), ("is", "are")
# What may mislead in a single record: how it is told of one and of several, and what follows from it.
ODD = {
    "empty": (IS, "empty", "if the text got lost, bring it in again"),
    "alone": (HAS, "no conversation before it", "the judge sees the response alone"),
    "unlabelled": (HAS, "no label", "they can be judged, but not learned from"),
    "after a teacher": (("comes", "come"), "after a teacher's turn, not a student's", "is a turn of the student missing?"),
    "no turns": (HAS, "no turns", "nobody says anything in it"),
    "one speaker": (HAS, "turns of one speaker only", "were the speakers told apart?"),
    "speaker": (HAS, "a speaker who is neither student, teacher nor aita", "their turns count as nobody's"),
    "no problem": (HAS, "no problem", "a split can only keep their dialogues together"),
    "problem": (HAS, "a problem that names none", "they count as one problem; leave it empty where it is unknown"),
    "grade": (HAS, "a grade level that names none", "leave it empty where it is unknown"),
    "subject": (HAS, "a subject that names none", "leave it empty where it is unknown"),
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """What is in a file. `filled` counts the records in which an optional field says something; `labels` the labels of each
    criterion, in the rubric's order where one was given; `labelled` the reviews that have any."""

    file: Path
    kind: str
    faults: list[str]
    warnings: list[str]
    records: int
    labelled: int
    dialogues: int
    problems: int
    filled: dict[str, int]
    labels: dict[str, dict[str, int]]

    def as_json(self) -> dict[str, Any]:
        """The check as one JSON object."""
        return {**vars(self), "file": str(self.file)}


def check(path: Path | str, rubric: "Rubric | None" = None, kind: str | None = None) -> Check:
    """Read the whole file and count. With a `rubric`, criteria and labels outside it are faults.

    `kind` is "reviews", "dialogues" or "examples", by default what the file says. Raises `UttaError` when the file is
    missing, cannot be read, is empty, or holds another kind or no records at all.
    """
    path = Path(path)
    kind = kind_of(path, kind)
    if rubric and kind != "reviews":
        raise UttaError(f"A rubric is for reviews, and {path} holds {kind}; leave --rubric out.")
    tally = _Tally(kind)
    faults: list[Fault] = []
    for item in scan_reviews(path, rubric) if kind == "reviews" else scan_records(path, KINDS[kind]):
        if isinstance(item, Fault):
            faults.append(item)
        else:
            tally.add(item)
    if not tally.records and not faults:
        raise no_records(path, faults, KINDS[kind])
    labels = _in_order(tally.labels, rubric)
    return Check(
        file=path,
        kind=kind,
        faults=[str(fault) for fault in faults],
        warnings=[*tally.warnings(), *_label_warnings(labels, tally.labelled)],
        records=tally.records,
        labelled=tally.labelled,
        dialogues=len(tally.dialogues),
        problems=len(tally.problems),
        filled={name: tally.filled[name] for name in tally.optional},
        labels=labels,
    )


@dataclass
class _Odd:
    """How many records mislead in one way, and what was seen in the first, where that says something."""

    count: int = 0
    seen: str = ""


class _Tally:
    """What is counted while the file streams by; what grows with it lies on disk."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.records = self.labelled = self.repeats = 0
        self.optional = {".".join(path): path for path in _optional(KINDS[kind])}
        self.filled: Counter[str] = Counter()
        self.labels: dict[str, Counter[str]] = defaultdict(Counter)
        self.dialogues, self.problems = Store(), Store()
        self._odd: dict[str, _Odd] = {name: _Odd() for name in ODD}
        self._grades: dict[str, set[str]] = defaultdict(set)
        self._said, self._about, self._several = Store(), Store(), Store()
        self._first_repeat = self._first_several = ""

    def add(self, record: AnyRecord) -> None:
        self.records += 1
        self.filled.update(name for name, path in self.optional.items() if _is_filled(record, path))
        for name, seen in _oddities(record):
            odd = self._odd[name]
            odd.count, odd.seen = odd.count + 1, odd.seen or seen
        if isinstance(record, Review):
            self.labelled += bool(record.levels)
            for criterion, label in record.levels.items():
                self.labels[criterion][label] += 1
        grade = _grade_level(record)
        if grade and (plain := grade_in(grade)) and len(self._grades[plain]) < THIN:
            self._grades[plain].add(grade)
        if record.dialogue_id:
            self.dialogues.add(record.dialogue_id)
        self._add_content(record)

    def _add_content(self, record: AnyRecord) -> None:
        """Remember what was said, and about which problem."""
        before, rest = _content(record)
        if earlier := self._said.add(content_id([before, rest]), record.id):
            self.repeats += 1
            self._first_repeat = self._first_repeat or f"{record.id} repeats {earlier}"
        if not record.problem:
            return
        self.problems.add(record.problem)
        conversation = content_id(before)
        known = self._about.add(conversation, record.problem)
        if known not in (None, record.problem):
            self._several.add(conversation)
            self._first_several = self._first_several or ", ".join(sorted([str(known), record.problem]))

    def warnings(self) -> Iterator[str]:
        """Warnings about the records as such."""
        if self.repeats:
            there = "" if self.kind == "dialogues" else " in the same conversation"
            so = "; two judgements of one response may disagree" if self.kind == "reviews" else ""
            yield (
                f"{self._count(self.repeats, ('repeats', 'repeat'))} an earlier one{there}, word for word "
                f"(the first: {self._first_repeat}){so}."
            )
        for name, (verb, what, so) in ODD.items():
            if (odd := self._odd[name]).count:
                first = f" (the first: {shorten(odd.seen)!r})" if odd.seen else ""
                yield f"{self._count(odd.count, verb)} {what}{first}; {so}{'' if so.endswith('?') else '.'}"
        if several := len(self._several):
            count = "1 conversation stands" if several == 1 else f"{several} conversations stand"
            yield f"{count} under more than one problem (the first: {self._first_several}); a split may part them."
        for grade, spelled in sorted(self._grades.items()):
            if len(spelled) > 1:
                ways = ", ".join(repr(shorten(each)) for each in sorted(spelled))
                yield f"The grade {grade!r} is spelled in {len(spelled)} ways ({ways}); slices count them apart."

    def _count(self, n: int, verb: tuple[str, str]) -> str:
        noun = NOUNS[self.kind]
        return f"1 {noun} {verb[0]}" if n == 1 else f"{n} {noun}s {verb[1]}"


def _content(record: AnyRecord) -> tuple[list[list[str]], list[str | None]]:
    """What was said before, and what is said or judged in the record."""
    if isinstance(record, Review):
        return spoken(record.conversation), [record.response, record.responder]
    if isinstance(record, Dialogue):
        return spoken(record.dialogue_turns), []
    asked = ["student", record.input.student_question]
    return [*spoken(record.conversation), asked], [record.output.teacher_response]


def _oddities(record: AnyRecord) -> Iterator[tuple[str, str]]:
    """What may mislead in a record: a name of `ODD`, and what was seen, where that says something."""
    if isinstance(record, Review):
        yield from _of_review(record)
    elif isinstance(record, Dialogue):
        yield from _of_dialogue(record)
    elif not record.input.student_question.strip():
        yield "empty", ""
    subject = record.input.subject if isinstance(record, TeachingExample) else record.subject
    grade = _grade_level(record)
    if not record.problem:
        yield "no problem", ""
    elif record.problem.strip().casefold() in PLACEHOLDERS:
        yield "problem", record.problem
    if grade and grade_in(grade) is None:
        yield "grade", grade
    if subject and subject.strip().casefold() in PLACEHOLDERS:
        yield "subject", subject


def _of_review(review: Review) -> Iterator[tuple[str, str]]:
    if not review.response.strip():
        yield "empty", ""
    if not review.conversation:
        yield "alone", ""
    elif review.conversation[-1].speaker in ("teacher", "aita"):
        yield "after a teacher", ""
    if not review.levels:
        yield "unlabelled", ""


def _of_dialogue(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    speakers = list(dict.fromkeys(turn.speaker for turn in dialogue.dialogue_turns))
    if not speakers:
        yield "no turns", ""
    if len(speakers) == 1:
        yield "one speaker", speakers[0]
    if unknown := next((speaker for speaker in speakers if speaker not in SPEAKERS), None):
        yield "speaker", unknown


def _grade_level(record: AnyRecord) -> str | None:
    return record.input.grade_level if isinstance(record, TeachingExample) else record.grade_level


def _optional(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """The paths of the fields that may stay empty, those of parts and of turns included."""
    for name, info in model.model_fields.items():
        if name in ("kind", "schema_version", "id"):
            continue
        if not info.is_required():
            yield (name,)
        inner = get_args(info.annotation)[0] if get_origin(info.annotation) is list else info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from ((name, *path) for path in _optional(inner))


def _is_filled(value: Any, path: tuple[str, ...]) -> bool:
    """Whether a field says something; of a list's parts, one of them."""
    if isinstance(value, list) and path:
        return any(_is_filled(each, path) for each in value)
    if path:
        return _is_filled(getattr(value, path[0]), path[1:])
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [], {})


def _in_order(counts: dict[str, Counter[str]], rubric: "Rubric | None") -> dict[str, dict[str, int]]:
    """Labels of each criterion that has any; a rubric's levels without a label count 0."""
    if rubric is None:
        return {criterion: dict(sorted(found.items())) for criterion, found in sorted(counts.items())}
    labelled = [criterion for criterion in rubric.criteria if criterion.id in counts]
    return {criterion.id: {label: counts[criterion.id][label] for label in criterion.labels} for criterion in labelled}


def _label_warnings(labels: dict[str, dict[str, int]], labelled: int) -> Iterator[str]:
    """Warnings about criteria and levels with too few labels."""
    for criterion, found in labels.items():
        total = sum(found.values())
        if total < FEW * labelled:
            yield f"{criterion} is labelled on {total} of {labelled} judged responses only."
        if thin := {label: n for label, n in found.items() if n < THIN}:
            shown = ", ".join(f"{label!r} ({n})" for label, n in thin.items())
            yield (
                f"{criterion} has levels with fewer than {THIN} labels: {shown}; macro-F1 leaves them out unless fewer than "
                "two levels would remain."
            )
