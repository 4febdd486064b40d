"""Label Studio, both ways: tasks to import into a project with the labelling configuration beside them, and its export.

    write(Path("tasks.json"), tasks, rubric)     tasks.json, and tasks.config.xml for the project's settings

A task's `data` is what the labelling page shows, and the configuration names all of it. The rest, who wrote the response
included, stands in the task's `meta`, which Label Studio stores and exports again: no page for labelling and no column of
the data manager shows it, but someone who may open a task's source can read it.

Experts' answers go out as annotations without `completed_by`, because Label Studio refuses a file that names anyone who is
no member of the project. The reviewers' names stand in `meta` by the ids of the results, which Label Studio keeps. A
judge's levels go out as predictions. Coming back, each submitted annotation is a review by whoever completed it; skipped
ones and drafts are faults, and a task without a submitted annotation is a response not judged yet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from signatures.rubric import Rubric
from utta.core.errors import shorten
from utta.core.files import write_list, write_text
from utta.records.read import Fault, plain
from utta.records.review import Review
from utta.sources import labelling
from utta.sources.entries import Unusable, each_entry, field
from utta.sources.labelling import TEXTS, Task

SHOWN = {"grade_level": "Grade", "subject": "Subject", "context": "Context", "teacher_response": "Response to judge"}


def write(out: Path, tasks: Iterable[Task], rubric: Rubric, judge: str) -> list[Path]:
    """Write tasks and, beside them, the labelling configuration; returns the paths. `judge` made the tasks' guesses."""
    required = labelling.always_labelled((), rubric)

    def each() -> Iterator[dict[str, Any]]:
        for task in tasks:
            required.intersection_update(labelling.always_labelled(task.answers, rubric))
            yield _task(task, judge)

    write_list(out, each())
    config = out.with_name(f"{out.stem}.config.xml")
    write_text(config, configuration(rubric, required))
    return [out, config]


def configuration(rubric: Rubric, required: set[str]) -> str:
    """The labelling page as XML: what is judged, a choice for each criterion, and the texts."""
    view = ElementTree.Element("View")
    for name in ("grade_level", "subject", "context"):
        _shown(view, name)
    _tag(view, "Header", value="Conversation")
    _tag(view, "Paragraphs", name="conversation", value="$conversation", layout="dialogue",
         nameKey="speaker", textKey="utterance")  # fmt: skip
    _shown(view, "teacher_response")
    for criterion in rubric.criteria:
        _tag(view, "Header", value=criterion.question)
        choices = _tag(view, "Choices", name=criterion.id, toName="teacher_response", choice="single-radio",
                       required=str(criterion.id in required).lower())  # fmt: skip
        for level in criterion.levels:
            _tag(choices, "Choice", value=level.label, hint=level.means)
    for name, question in TEXTS.items():
        _tag(view, "Header", value=question)
        _tag(view, "TextArea", name=name, toName="teacher_response", rows="3", maxSubmissions="1", editable="true")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _shown(view: ElementTree.Element, name: str) -> None:
    _tag(view, "Header", value=SHOWN[name])
    _tag(view, "Text", name=name, value=f"${name}")


def _tag(parent: ElementTree.Element, tag: str, /, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _task(task: Task, judge: str) -> dict[str, Any]:
    reviewers = {answer.id: answer.reviewer for answer in task.answers}
    made: dict[str, Any] = {
        "data": task.shown,
        "meta": {"utta": {**task.kept, "reviewers": reviewers}},
        "annotations": [
            {
                "result": _results(answer.id, answer.levels, answer.texts),
                "was_cancelled": False,
                "ground_truth": False,  # without it, an import makes every annotation the truth that others are held to
            }
            for answer in task.answers
        ],
    }
    if task.guesses:
        sure = [guess.confidence for guess in task.guesses.values() if guess.confidence is not None]
        labels = {criterion: guess.label for criterion, guess in task.guesses.items()}
        made["predictions"] = [
            {
                "model_version": judge,
                "score": sum(sure) / len(sure) if sure else None,
                "result": _results(f"judge-{task.key}", labels, {}),
            }
        ]
    return made


def _results(id: str, levels: Mapping[str, str], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    values = [(name, "choices", {"choices": [label]}) for name, label in levels.items()]
    values += [(name, "textarea", {"text": [text]}) for name, text in texts.items()]
    return [
        {"id": f"{id}-{n}", "from_name": name, "to_name": "teacher_response", "type": kind, "value": value}
        for n, (name, kind, value) in enumerate(values)
    ]


def reviews(path: Path) -> Iterator[list[Review | Fault]]:
    """One list per task of an export in the format "JSON": a review for each submitted annotation, a fault for each other."""
    return each_entry(path, _reviews)


def _reviews(task: dict[str, Any]) -> Sequence[Review | Unusable]:
    meta = task.get("meta")
    kept = labelling.kept(meta.get("utta") if isinstance(meta, dict) else None)
    found: list[Review | Unusable] = []
    for annotation in field({"annotations": [], **task}, "annotations", list):
        try:
            found.append(_review(kept, annotation))
        except ValueError as error:
            found.append(Unusable(f"an annotation: {plain(error)}", annotation))
    drafts = field({"drafts": [], **task}, "drafts", list)
    found += [Unusable("an annotation that was not submitted (a draft)", draft) for draft in drafts]
    if not any(isinstance(each, Review) for each in found):
        found.append(labelling.unjudged(kept))
    return found


def _review(kept: Mapping[str, Any], annotation: Any) -> Review:
    """The review of one annotation; raises `ValueError` (pydantic's included)."""
    if not isinstance(annotation, dict):
        raise ValueError(f"it is not a JSON object {{…}}, seen {shorten(annotation)!r}")
    if annotation.get("was_cancelled"):
        raise ValueError("it was skipped")
    levels: dict[str, Any] = {}
    texts: dict[str, str] = {}
    results = field(annotation, "result", list)
    for result in results:
        name, value = _answer(result)
        said = texts if name in TEXTS else levels
        if name in said:
            raise ValueError(f"{shorten(name)!r} is answered twice, {shorten(said[name])!r} and {shorten(value)!r}")
        said[name] = value
    known = field({"reviewers": {}, **kept}, "reviewers", dict)
    ids = (str(result.get("id")).rpartition("-")[0] for result in results)
    if (own := next((id for id in ids if id in known), None)) is not None:
        return labelling.review(kept, known[own], levels, texts, new=False)
    return labelling.review(kept, _user(annotation), levels, texts)


def _answer(result: Any) -> tuple[str, str]:
    """Which control was used, and for what."""
    if not isinstance(result, dict):
        raise ValueError(f"a result is not a JSON object {{…}}, seen {shorten(result)!r}")
    name, value = field(result, "from_name"), field(result, "value", dict)
    match result.get("type"), name in TEXTS:
        case "choices", False:
            chosen = field(value, "choices", list)
            if len(chosen) != 1:
                raise ValueError(f"{shorten(name)!r} has {len(chosen)} levels, not one, seen {shorten(chosen)!r}")
            return name, chosen[0]
        case "textarea", True:
            return name, "\n".join(map(str, field(value, "text", list)))
        case kind, _:
            raise ValueError(f"{shorten(name)!r} ({kind}) is no control of the configuration that utta wrote")


def _user(annotation: Mapping[str, Any]) -> str | None:
    """Who completed an annotation in Label Studio: the e-mail address, or the number of the user."""
    user = annotation.get("completed_by")
    if isinstance(user, dict):
        user = user.get("email") or user.get("id")
    return None if user is None else str(user)
