"""What every record shares: where it comes from, an id made of its content, and text and JSON that can be written again."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _whole(text: str) -> str:
    """JSON can spell half of a surrogate pair, which no file can hold again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is not text") from None
    return text


def _is_json(value: Any) -> Any:
    """What is read must be writable again: no NaN, no half of a surrogate pair, nothing that is not JSON."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON ({error})") from None
    return value


Text = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Text, Field(pattern=r"\S")]
"""Text with at least one visible character."""
Json = Annotated[Any, AfterValidator(_is_json)]
Metadata = Annotated[dict[str, Any], AfterValidator(_is_json)]


class Strict(BaseModel):
    """A part of a record; a field that it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Turn(Strict):
    """One turn of a conversation: who spoke ("student", "teacher") and what was said, which may be nothing."""

    speaker: Name
    utterance: Text


class Record(Strict):
    """One line of a file. `id` is computed when it is absent; a given id that does not fit the content is refused."""

    kind: str
    schema_version: Literal[1] = 1
    id: Text = Field(default="", description="16 hex digits; computed from the content when absent")
    source: Name = Field(description="where the record comes from")
    licence: Text | None = None

    def identity(self) -> Sequence[Any]:
        """What the id is the hash of, as JSON values: two records of the same thing share it."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _identify(self) -> Self:
        expected = content_id(self.identity())
        if self.id and self.id != expected:
            raise ValueError(
                f"the id {self.id[:40]!r} does not fit the content, whose id is {expected!r}; "
                "leave the id out or correct it"
            )
        self.id = expected
        return self


def content_id(content: Sequence[Any]) -> str:
    """16 hex digits of the SHA-256 over JSON values."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def spoken(turns: Sequence[Any]) -> list[list[str]]:
    """What identifies a conversation: speaker and utterance of each turn."""
    return [[turn.speaker, turn.utterance] for turn in turns]
