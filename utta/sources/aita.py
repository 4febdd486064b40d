"""Dialogues of AI teaching assistants: AITA files (`dialogue_turns`) and chat data (`{"role", "content"}`), both ways.

A file is a JSON list, one object, or JSON Lines. An AITA dialogue keeps its field names; what UTTA has no field for goes
into the metadata, of the dialogue or of the turn. Chat data stands under `messages`; a first `system` turn is the persona; of
contents in parts the texts are taken, and a content of null is nothing said. Speakers are told apart without regard to case;
others than those below keep their name.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from utta.core.errors import shorten
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.read import Fault
from utta.records.record import content_id
from utta.sources.entries import each_entry

SPEAKERS = {
    "student": "student", "user": "student", "learner": "student",
    "teacher": "teacher", "tutor": "teacher",
    "aita": "aita", "assistant": "aita", "ai": "aita",
}  # fmt: skip
TURNS = ("dialogue_turns", "messages", "turns", "conversation")


def dialogues(path: Path) -> Iterator[list[Dialogue | Fault]]:
    """One dialogue per entry."""
    return each_entry(path, dialogue)


def dialogue(entry: dict[str, Any]) -> Sequence[Dialogue]:
    """The dialogue of one entry; raises `ValueError` (pydantic's included)."""
    name = next((name for name in TURNS if isinstance(entry.get(name), list)), None)
    if name is None:
        raise ValueError(f"there are no turns ({' or '.join(TURNS[:2])}), seen {shorten(list(entry))!r}")
    raw = entry[name]
    for turn in raw:
        if not isinstance(turn, dict):
            raise ValueError(f"a turn is not an object {{…}}, seen {shorten(turn)!r}")
    known, rest = _parted({key: value for key, value in entry.items() if key != name}, Dialogue)
    rest |= {key: known.pop(key) for key in ("dialogue_turns",) if key in known}
    if raw and raw[0].get("role") == "system":
        known.setdefault("aita_profile", raw[0].get("content"))
        raw = raw[1:]
    turns = [_turn(turn) for turn in raw]
    if known.get("kind") != "dialogue" and "id" in known:  # an id of another maker
        known.setdefault("dialogue_id", str(known["id"]))
        rest["id"] = known.pop("id")
    known.setdefault("source", "aita")
    known.setdefault("dialogue_id", content_id([[turn.speaker, turn.utterance] for turn in turns]))
    return [Dialogue(**known, dialogue_turns=turns, metadata=rest)]


def _turn(raw: Mapping[str, Any]) -> DialogueTurn:
    named = {"role": "speaker", "content": "utterance"} if "role" in raw else {}
    known, rest = _parted({named.get(key, key): value for key, value in raw.items()}, DialogueTurn)
    if isinstance(parts := known.get("utterance"), list) and all(isinstance(part, dict) for part in parts):
        known["utterance"] = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
        rest["content"] = parts
    speaker = known.get("speaker")
    if isinstance(speaker, str):
        known["speaker"] = SPEAKERS.get(speaker.strip().casefold(), speaker)
    return DialogueTurn(**{"utterance": "", **known} if "content" in raw else known, metadata=rest)


def _parted(entry: Mapping[str, Any], record: type[BaseModel]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that a record has, and the rest, for its metadata; a field without a value is as good as absent."""
    fields = record.model_fields.keys() - {"metadata"}
    known = {key: value for key, value in entry.items() if key in fields and value is not None}
    rest = {key: value for key, value in entry.items() if key not in record.model_fields}
    if isinstance(there := entry.get("metadata"), dict):
        return known, {**there, **rest}
    return known, rest if there is None else {**rest, "metadata": there}


def chat(dialogue: Dialogue) -> dict[str, Any]:
    """A dialogue as chat data for tools that train models on it: the persona is the system turn, the student the user.

    Nothing but the words goes along. Raises `ValueError` for a speaker who is neither student nor teacher nor AITA.
    """
    persona = dialogue.aita_profile
    messages = []
    if persona:
        text = persona if isinstance(persona, str) else json.dumps(persona, ensure_ascii=False)
        messages.append({"role": "system", "content": text})
    for turn in dialogue.dialogue_turns:
        who = SPEAKERS.get(turn.speaker.strip().casefold())
        if who is None:
            raise ValueError(f"the speaker {shorten(turn.speaker)!r} is neither student nor teacher nor AITA")
        messages.append({"role": "user" if who == "student" else "assistant", "content": turn.utterance})
    return {"messages": messages}
