"""Persons that a named-entity model finds in a text: an option beside the patterns of `utta.core`.

    surrogates = Surrogates.of_this_machine(persons=entities("NAME"))

NAME is a token-classification model: a folder, or an id of the hub. Its labels for persons are PER or PERSON. Weights are
safetensors, and no code of a model is run.
"""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.surrogates import Persons

PERSON = ("per", "person")
STRIDE = 32  # tokens that two pieces of a long text share
WORD_BEFORE, WORD_AFTER = re.compile(r"[\w'’-]*\Z"), re.compile(r"[\w-]*")


def entities(name: str) -> Persons:
    """What finds persons with the model of that name; `UttaError` when it cannot be loaded or knows no persons."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    place = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    try:
        model = AutoModelForTokenClassification.from_pretrained(place, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UttaError(
            f"The named-entity model {name!r} cannot be loaded ({reason}); give a folder or a hub id."
        ) from None
    labels = {str(label).split("-")[-1].casefold() for label in model.config.id2label.values()}
    if not labels & set(PERSON):
        raise UttaError(f"The model {name!r} knows no persons (its labels: {', '.join(sorted(labels))}); give another.")
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    find = pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=STRIDE
    )

    one_at_a_time = threading.Lock()  # a tokenizer is not made for several threads

    def persons(text: str) -> Iterator[tuple[int, int]]:
        with one_at_a_time:
            found: list[Any] = list(find(text)) if text.strip() else []
        for each in found:
            if each["entity_group"].casefold() in PERSON and text[each["start"] : each["end"]].strip():
                yield _whole_words(text, each["start"], each["end"])

    return persons


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Pieces of words would leave the rest of a name standing."""
    before, after = WORD_BEFORE.search(text, 0, start), WORD_AFTER.match(text, end)
    assert before and after
    return before.start(), after.end()
