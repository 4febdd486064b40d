"""Argilla, both ways: records for `dataset.records.from_json` with the data set's settings beside them, and its export.

    write(Path("records.json"), tasks, rubric, "judge")     records.json, records.settings.json, records.users.json

    settings = argilla.Settings.from_json("records.settings.json")
    dataset = argilla.Dataset("ratings", settings=settings).create()
    dataset.records.from_json("records.json")     and later   dataset.records.to_json("export.json")

The fields are what annotators see. The rest, who wrote the response included, is the metadata `utta`, for which the settings
declare no property: Argilla gives such metadata to owners and admins only, never to annotators.

Experts' answers go out as submitted responses, a judge's levels as suggestions. Argilla takes responses of its own users
only, so a reviewer needs an account with the id that records.users.json names: `argilla.User(id=…, username=…)`. Coming
back, each user's responses are a review. Where the export tells a response's status, drafts and discarded ones are faults;
`to_json` of Argilla 2 does not tell it, so export the submitted ones with a query. A record without a response is one not
judged yet.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from signatures.rubric import Criterion, Rubric
from utta.core.errors import shorten
from utta.core.files import write_json, write_list
from utta.records.read import Fault, plain
from utta.records.review import Review
from utta.sources import labelling
from utta.sources.entries import Unusable, each_entry, field
from utta.sources.labelling import TEXTS, Task

SHOWN = {
    "grade_level": "Grade", "subject": "Subject", "context": "Context", "conversation": "Conversation",
    "teacher_response": "Response to judge",
}  # fmt: skip
ALWAYS_THERE = ("conversation", "teacher_response")
NAME = re.compile(r"(?=.*[a-z0-9])[a-z0-9_-]{1,200}", re.ASCII)
# Names that a question cannot have: fields, texts, and attributes of the collection that the client keeps questions in.
TAKEN = {*SHOWN, *TEXTS, "add", "count", "create", "index", "serialize", "update"}
NOT_IN_AN_AGENT = re.compile(r"[^\w:./ -]", re.ASCII)


def write(out: Path, tasks: Iterable[Task], rubric: Rubric, judge: str) -> list[Path]:
    """Write records and, beside them, settings and users; returns the paths. `judge` made the tasks' guesses."""
    required = labelling.always_labelled((), rubric)
    users: dict[str, str | None] = {}
    names = _question_names(rubric)

    def each() -> Iterator[dict[str, Any]]:
        for task in tasks:
            required.intersection_update(labelling.always_labelled(task.answers, rubric))
            users.update({_user_id(answer.reviewer): answer.reviewer for answer in task.answers})
            yield _record(task, names, judge)

    settings, people = out.with_name(f"{out.stem}.settings.json"), out.with_name(f"{out.stem}.users.json")
    write_list(out, each())
    write_json(settings, _settings(rubric, names, required))
    write_list(people, ({"id": id, "reviewer": name} for id, name in users.items()))
    return [out, settings, people]


def _user_id(reviewer: str | None) -> str:
    """The same id for the same name everywhere."""
    return str(uuid5(NAMESPACE_URL, f"utta:reviewer:{reviewer or ''}"))


def _question_names(rubric: Rubric) -> dict[str, str]:
    """The name of each criterion's question: its id in small letters where Argilla takes that."""
    names: dict[str, str] = {}
    for number, criterion in enumerate(rubric.criteria, start=1):
        name = criterion.id.lower()
        fits = NAME.fullmatch(name) and name not in TAKEN and name not in names.values()
        names[criterion.id] = name if fits else f"criterion-{number}"
    return names


def _record(task: Task, names: Mapping[str, str], judge: str) -> dict[str, Any]:
    reviewers = {_user_id(answer.reviewer): answer.reviewer for answer in task.answers}
    meta = {**task.kept, "reviewers": reviewers, "questions": {name: id for id, name in names.items()}}
    shown = task.shown
    shown["conversation"] = "\n\n".join(
        f"{turn['speaker'].capitalize()}: {turn['utterance']}" for turn in shown["conversation"]
    )
    responses: dict[str, list[dict[str, str]]] = {}
    for answer in task.answers:
        said = {names[criterion]: label for criterion, label in answer.levels.items()} | dict(answer.texts)
        for name, value in said.items():
            # Without a status Argilla takes a response for a draft.
            each = {"value": value, "user_id": _user_id(answer.reviewer), "status": "submitted"}
            responses.setdefault(name, []).append(each)
    return {
        "id": task.key,
        "fields": {name: text for name, text in shown.items() if text or name in ALWAYS_THERE},
        "metadata": {"utta": json.dumps(meta, ensure_ascii=False)},
        "suggestions": {
            names[criterion]: {
                "value": guess.label, "score": guess.confidence, "agent": NOT_IN_AN_AGENT.sub("-", judge),
            }
            for criterion, guess in task.guesses.items()
        },
        "responses": responses,
        "vectors": {},
    }  # fmt: skip


def _settings(rubric: Rubric, names: Mapping[str, str], required: set[str]) -> dict[str, Any]:
    """The data set's settings: a field for all that is shown, a question for each criterion and text."""
    fields = [
        {
            "name": name,
            "title": title,
            "required": name in ALWAYS_THERE,
            "settings": {"type": "text", "use_markdown": False},
        }
        for name, title in SHOWN.items()
    ]
    questions = [_question(criterion, names[criterion.id], criterion.id in required) for criterion in rubric.criteria]
    questions += [
        {"name": name, "title": title, "description": None, "required": False,
         "settings": {"type": "text", "use_markdown": False}}
        for name, title in TEXTS.items()
    ]  # fmt: skip
    return {
        "guidelines": f"{rubric.title}\n\n{rubric.description}".strip(),
        "allow_extra_metadata": True,
        "fields": fields,
        "questions": questions,
        "vectors": [],
        "metadata": [],
    }


def _question(criterion: Criterion, name: str, required: bool) -> dict[str, Any]:
    """A question with one label for each level; lengths are what Argilla allows."""
    options = [{"value": label, "text": label} for label in criterion.labels]
    return {
        "name": name,
        "title": shorten(criterion.question, 500),
        "description": shorten("; ".join(f"{level.label}: {level.means}" for level in criterion.levels), 1000),
        "required": required,
        "settings": {"type": "label_selection", "options": options, "visible_options": None},
    }


def reviews(path: Path) -> Iterator[list[Review | Fault]]:
    """One list per record of a file of `records.to_json`: a review for each user who answered, a fault for each other."""
    return each_entry(path, _reviews)


def _reviews(record: dict[str, Any]) -> Sequence[Review | Unusable]:
    meta = field({"metadata": {}, **record}, "metadata", dict)
    kept = labelling.kept(json.loads(field({"utta": "null", **meta}, "utta")))
    found: list[Review | Unusable] = []
    for user, responses in _by_user(record).items():
        try:
            found.append(_review(kept, user, responses))
        except ValueError as error:
            found.append(Unusable(f"a response: {plain(error)}", {"user_id": user, "responses": responses}))
    if not any(isinstance(each, Review) for each in found):
        found.append(labelling.unjudged(kept))
    return found


def _by_user(record: Mapping[str, Any]) -> dict[Any, list[tuple[str, dict[str, Any]]]]:
    """What each user said: question and response."""
    users: dict[Any, list[tuple[str, dict[str, Any]]]] = {}
    for question, responses in field({"responses": {}, **record}, "responses", dict).items():
        for response in responses if isinstance(responses, list) else [responses]:
            if not isinstance(response, dict):
                raise ValueError(f"a response is not a JSON object {{…}}, seen {shorten(response)!r}")
            users.setdefault(str(response.get("user_id")), []).append((question, response))
    return users


def _review(kept: Mapping[str, Any], user: str, responses: Sequence[tuple[str, dict[str, Any]]]) -> Review:
    """The review of one user; raises `ValueError` (pydantic's included)."""
    known = {"questions": {}, "reviewers": {}, **kept}
    questions, reviewers = field(known, "questions", dict), field(known, "reviewers", dict)
    levels: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    for question, response in responses:
        if response.get("status") not in (None, "submitted"):
            raise ValueError(f"it was not submitted, its status is {shorten(response['status'])!r}")
        if question not in questions and question not in TEXTS:
            raise ValueError(f"{shorten(question)!r} is no question of the settings that utta wrote")
        said, name = (texts, question) if question in TEXTS else (levels, questions[question])
        if name in said:
            raise ValueError(f"{shorten(name)!r} is answered twice by one user")
        said[name] = response.get("value")
    if user in reviewers:
        return labelling.review(kept, reviewers[user], levels, texts, new=False)
    gone = user == "None"  # as the export spells a user who was deleted
    return labelling.review(kept, None if gone else user, levels, texts)
