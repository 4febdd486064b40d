"""What labelling tools get to see of reviews, and how their answers become reviews again.

A task is one response to judge, with what each expert said of it so far; `utta.sources.argilla` and
`utta.sources.label_studio` write tasks in their tool's format and read them back.

Experts see what the judge sees, and nothing else: grade level, subject, context, conversation and response. Who wrote the
response, and every other field, travels beside that as `kept`, where the tool keeps it and shows it to no annotator.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps, loads
from typing import Any

from signatures.rubric import Rubric
from utta.core.errors import UttaError, shorten
from utta.core.store import Store
from utta.records.record import content_id
from utta.records.review import Review

TEXTS = {"rationale": "Why?", "improved_response": "How would you say it?"}
"""What experts write, and how it is asked for."""

SAID = {"levels", *TEXTS}
# What the id of a review is made of differs with the reviewer; a task has many.
OWN = {"id", "kind", "schema_version", "reviewer", *SAID}


@dataclass(frozen=True)
class Answer:
    """What one reviewer said: levels by criterion, and texts; `id` is that of the review."""

    id: str
    reviewer: str | None
    levels: Mapping[str, str]
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Guess:
    """What a judge says of one criterion, and how sure it is, in [0, 1]."""

    label: str
    confidence: float | None


@dataclass(frozen=True)
class Predictions:
    """A judge's levels for experts to correct: `guesses` by the review's id, then by criterion."""

    judge: str
    guesses: Mapping[str, Mapping[str, Guess]]


@dataclass(frozen=True)
class Task:
    """One response to judge; `key` is made of `kept`, 16 hex digits."""

    key: str
    kept: dict[str, Any]
    answers: Sequence[Answer]
    guesses: Mapping[str, Guess] = field(default_factory=dict)

    @property
    def shown(self) -> dict[str, Any]:
        """What annotators see, with the turns of the conversation as objects; what is unknown is an empty text."""
        record = self.kept["record"]
        texts = {name: record[name] or "" for name in ("grade_level", "subject", "context")}
        return {**texts, "conversation": record["conversation"], "teacher_response": record["response"]}


def check_rubric(rubric: Rubric) -> None:
    """`UttaError` for a criterion with the name of a text that is asked for too."""
    if taken := next((c.id for c in rubric.criteria if c.id in TEXTS), None):
        raise UttaError(f"The criterion {taken!r} has the name of a text that experts write; rename it in the rubric.")


def tasks(reviews: Iterable[Review], rubric: str, predictions: Predictions | None = None) -> Iterator[Task]:
    """One task for each response, however many judged it, in the order they came; `rubric` is the id of what is asked.

    Reviews share a task where they agree in all that the reviewer did not say. One that says nothing yet is a task of its
    own without an answer, so that it comes back as it is.
    """
    found = Store()
    for review in reviews:
        shared = review.model_dump(mode="json", exclude=OWN)
        texts = {name: text for name in TEXTS if (text := getattr(review, name)) is not None}
        said = bool(review.levels or texts)
        kept = {"record": shared, "asked": rubric} | ({} if said else {"reviewer": review.reviewer})
        answer = {"id": review.id, "reviewer": review.reviewer, "levels": review.levels, "texts": texts}
        task = {"kept": kept, "ids": [review.id], "answers": [answer] if said else []}
        key = content_id([kept])
        if before := found.add(key, dumps(task)):
            task = loads(before)
            found.replace(key, dumps({**task, "ids": [*task["ids"], review.id], "answers": [*task["answers"], answer]}))
    for task in map(loads, found):
        guesses = predictions.guesses if predictions else {}
        guess = next((guesses[id] for id in task["ids"] if id in guesses), {})
        answers = [Answer(**each) for each in task["answers"]]
        yield Task(content_id([task["kept"]]), task["kept"], answers, guess)


def kept(entry: Any) -> dict[str, Any]:
    """What `Task.kept` was; `ValueError` when a task of the tool was not made here."""
    if not isinstance(entry, dict) or not isinstance(entry.get("record"), dict):
        raise ValueError(f"it holds no response that utta exported, seen {shorten(entry)!r}")
    return entry


def review(
    kept: Mapping[str, Any], reviewer: str | None, levels: Mapping[str, Any], texts: Mapping[str, Any], new: bool = True
) -> Review:
    """One annotator's answer as a review; raises `ValueError` (pydantic's included).

    A `new` answer is on the rubric that was asked; one that went out with the task stays on its own.
    """
    rubric = {"rubric": kept["asked"]} if new and "asked" in kept else {}
    return Review.model_validate({**kept["record"], **rubric, "reviewer": reviewer, "levels": levels, **texts})


def unjudged(kept: Mapping[str, Any]) -> Review:
    """The response of a task that nobody has answered yet."""
    return review(kept, kept.get("reviewer"), {}, {}, new=False)


def always_labelled(answers: Iterable[Answer], rubric: Rubric) -> set[str]:
    """The criteria that no answer leaves out, which a tool may insist on; all of them where there is no answer."""
    always = {criterion.id for criterion in rubric.criteria}
    for answer in answers:
        always &= answer.levels.keys()
    return always
