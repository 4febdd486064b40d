import json

import pytest

from utta.sources import import_records

DIALOGUE = {
    "dialogue_id": "eco-7-001",
    "aita_profile": "ecology_grade7",
    "pedagogical_intent": "elicit a prediction",
    "context_provided_to_aita": {"text": "The pond"},
    "school_year": 2026,
    "dialogue_turns": [
        {"speaker": "Student", "utterance": "Frogs eat sun", "timestamp_utc": "2026-01-05T09:00:00Z"},
        {"speaker": "AITA", "utterance": "Do they?", "safeguard_tags": ["none"], "mood": "curious"},
    ],
}
CHAT = {
    "messages": [
        {"role": "system", "content": "You tutor grade 4."},
        {"role": "user", "content": "Who is Ann?"},
        {"role": "assistant", "content": "Where is she named first?"},
    ]
}


def brought(path, text):
    path.write_text(text, encoding="utf-8")
    return import_records("aita", [path])


@pytest.mark.parametrize(
    "text", [json.dumps([DIALOGUE], indent=1), json.dumps(DIALOGUE), "\ufeff" + json.dumps(DIALOGUE)]
)
def test_field_names_stay_and_what_has_no_field_goes_into_the_metadata(tmp_path, text):
    [dialogue] = brought(tmp_path / "d.json", text).records
    assert dialogue.context_provided_to_aita == {"text": "The pond"} and dialogue.metadata == {"school_year": 2026}
    first, second = dialogue.dialogue_turns
    assert (first.speaker, first.timestamp_utc) == ("student", "2026-01-05T09:00:00Z")
    assert (second.speaker, second.safeguard_tags, second.metadata) == ("aita", ["none"], {"mood": "curious"})


def test_chat_data_is_a_dialogue_with_a_persona(tmp_path):
    [dialogue] = brought(tmp_path / "c.jsonl", json.dumps(CHAT) + "\n").records
    assert dialogue.aita_profile == "You tutor grade 4."
    assert [(t.speaker, t.utterance) for t in dialogue.dialogue_turns] == [
        ("student", "Who is Ann?"), ("aita", "Where is she named first?"),
    ]  # fmt: skip
    assert len(dialogue.dialogue_id) == 16


def test_a_chat_keeps_its_own_id_and_the_texts_of_contents_in_parts(tmp_path):
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": "x"},
        {"type": "text", "text": "5"},
        {"type": "text"},
    ]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": None, "tool_calls": []}]
    [dialogue] = brought(tmp_path / "c.jsonl", json.dumps({"id": 7, "messages": messages})).records
    assert (dialogue.dialogue_id, dialogue.metadata) == ("7", {"id": 7})
    assert [t.utterance for t in dialogue.dialogue_turns] == ["Look:\n5\n", ""]
    assert dialogue.dialogue_turns[0].metadata == {"content": parts}


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"dialogue_id": "x"}, "there are no turns (dialogue_turns or messages)"),
        ({"dialogue_turns": ["Hi"]}, "a turn is not an object {…}, seen 'Hi'"),
        ({"dialogue_turns": [{"speaker": "student"}]}, "the field 'utterance' is missing"),
        (["a"], "not a JSON object"),
    ],
)
def test_an_entry_that_cannot_be_used_is_put_aside(tmp_path, entry, wrong):
    found = brought(tmp_path / "d.json", json.dumps([entry, DIALOGUE]))
    assert len(found.records) == 1 and wrong in str(found.faults[0])
