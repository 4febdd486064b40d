"""Clean the texts of records without changing what they mean, and say what was changed.

    cleaned, changes = clean(review)

Mended are: characters spelled in more than one way (Unicode NFC; ½ and ² stay), control characters, other spaces than the
plain one, white space at the ends of lines and texts, runs of spaces in a text of one line (in several lines they may be
a column sum), a speaker's name before the speaker's own words, and wrapping that programs put around a reply ("Response:",
"Sure, here is a reply:"). Words, numbers, punctuation and line breaks between them stay. A record's id follows its texts.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utta.core.files import atomic, refuse_overwriting
from utta.prepare.manifest import leave_manifest
from utta.records.read import Fault, no_records, numbered_records, put_aside, rejects_note
from utta.records.record import Turn
from utta.records.review import Review
from utta.sources import Imported

SHOWN = 5

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t]")
LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
TRAILING = re.compile(r"\A\s*\n|[ ]+(?=\n)|\s+\Z")  # the start first: after a part of it is gone, \A is behind
RUN = re.compile(r"(?<=\S) {2,}")
NAMES = {"student": ("student", "user", "learner"), "teacher": ("teacher", "tutor", "aita", "assistant")}
WRAPPING = re.compile(
    r"\A\s*(?:(?:teacher'?s? |tutor'?s? )?(?:response|reply)\s*:\s*"
    r"|(?:sure|certainly|of course)[,.!]? here(?:'s| is) (?:a|an|the|my) (?:possible )?(?:response|reply|answer)\s*:\s*)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Change:
    """One text that became another: where in the record, what was done, and both texts."""

    record_id: str
    place: str
    done: tuple[str, ...]
    before: str
    after: str


def clean_text(text: str, speaker: str = "", reply: bool = False) -> tuple[str, tuple[str, ...]]:
    """The clean text, and the names of what was done; `speaker` is whose words they are, a `reply` may be wrapped."""
    done = []
    for name, mend in _steps(speaker, reply):
        mended = mend(text)
        if mended != text:
            done.append(name)
            text = mended
    return text, tuple(done)


def _steps(speaker: str, reply: bool) -> Iterator[tuple[str, Callable[[str], str]]]:
    yield "line ends", lambda text: LINE_ENDS.sub("\n", text)
    yield "Unicode", lambda text: unicodedata.normalize("NFC", text)
    yield "control characters", lambda text: CONTROL.sub("", text)
    yield "spaces", _spaces
    if reply:
        yield "wrapping", lambda text: _unless_empty(WRAPPING.sub("", text, count=1), text)
    names = next((known for known in NAMES.values() if speaker in known), ())
    if names:
        named = re.compile(rf"\A\s*(?:{'|'.join(names)})\s*:\s*", re.IGNORECASE)
        yield "speaker's name", lambda text: _unless_empty(named.sub("", text, count=1), text)


def _spaces(text: str) -> str:
    text = TRAILING.sub("", SPACES.sub(" ", text))
    return text if "\n" in text else RUN.sub(" ", text.strip())


def _unless_empty(shorter: str, text: str) -> str:
    """What is nothing but a name or a wrapping is somebody's words after all."""
    return shorter or text


def clean(review: Review) -> tuple[Review, list[Change]]:
    """The review with clean texts, and each change; the same review when there is none."""
    changes: list[Change] = []

    def mended(place: str, text: Any, speaker: str = "", reply: bool = False) -> Any:
        if not isinstance(text, str):
            return text
        after, done = clean_text(text, speaker, reply)
        if done:
            changes.append(Change(review.id, place, done, text, after))
        return after

    turns = [
        Turn(speaker=turn.speaker, utterance=mended(f"conversation[{n}]", turn.utterance, turn.speaker.casefold()))
        for n, turn in enumerate(review.conversation)
    ]
    texts = {
        "response": mended("response", review.response, "teacher", reply=True),
        "improved_response": mended("improved_response", review.improved_response, "teacher", reply=True),
        "rationale": mended("rationale", review.rationale),
        "context": mended("context", review.context),
    }
    if not changes:
        return review, []
    return Review.model_validate({**review.model_dump(exclude={"id"}), **texts, "conversation": turns}), changes


def clean_file(path: Path, out: Path) -> dict[str, Any]:
    """Clean a file of reviews into `out`, each change into `OUT.changes.jsonl`; returns counts and the first changes.

    Reviews whose texts become the same are one where their levels agree. What cannot be used is put aside in
    `OUT.rejects.jsonl`. Raises `UttaError` as reading does.
    """
    refuse_overwriting(out, [path])
    gathered = Imported("reviews")
    counts: Counter[str] = Counter()
    changed = 0
    shown: list[Change] = []
    with atomic(out.with_name(f"{out.stem}.changes.jsonl")) as log:
        for number, item in numbered_records(path, Review):
            gathered.entries += 1
            if isinstance(item, Fault):
                gathered.faults.append(item)
                continue
            review, changes = clean(item)
            if clash := gathered.add(review):
                gathered.faults.append(Fault(str(path), number, clash, item.model_dump_json()))
            changed += bool(changes)
            counts.update(done for change in changes for done in change.done)
            fresh = [change for change in changes if change.before not in {each.before for each in shown}]
            shown += fresh[: SHOWN - len(shown)]
            lines = ({**asdict(change), "new_record_id": review.id} for change in changes)
            log.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        if len(gathered.faults) == gathered.entries:
            raise no_records(path, gathered.faults)
    gathered.write(out)
    place = put_aside(gathered.faults, out.with_name(f"{out.stem}.rejects.jsonl"))
    summary = gathered.summary()
    leave_manifest(out, "clean", {}, [path], summary["responses"], summary["rejects"])
    return {
        "out": str(out),
        "responses": summary["responses"],
        "changed": changed,
        "changes": dict(counts.most_common()),
        "merged": summary["merged"],
        "rejects": summary["rejects"],
        "note": rejects_note([str(fault) for fault in gathered.faults], place),
        "first": [asdict(change) for change in shown],
    }
