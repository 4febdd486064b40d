"""What every record shares: where it comes from, an id made of its content, and text and JSON that can be written again."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from utta.core.errors import shorten


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


def _is_day(text: str) -> str:
    """A day can be spelled in many ways; one of them is enough."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError(f"is not a day like 2027-08-31, seen {shorten(text)!r}")


Text = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Text, Field(pattern=r"\S")]
"""Text with at least one visible character."""
Json = Annotated[Any, AfterValidator(_is_json)]
Day = Annotated[str, AfterValidator(_is_day), Field(json_schema_extra={"format": "date"})]
"""A day as ISO 8601 writes it: 2027-08-31."""
Metadata = Annotated[dict[str, Any], AfterValidator(_is_json)]


Purpose = Literal["train", "evaluate"]


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
    student: Text | None = Field(default=None, description="who the student is, as a pseudonym: never a name")
    consent: Literal["train", "evaluate", "none"] | None = Field(
        default=None, description="what the record may be used for; train allows evaluating too; absent: nobody said"
    )
    keep_until: Day | None = Field(default=None, description="the last day on which the record may be used")

    def withheld(self, purpose: Purpose, today: date) -> str | None:
        """Why the record may not be used for a purpose on a day: "consent" or "keep_until"; None where it may."""
        if self.keep_until is not None and date.fromisoformat(self.keep_until) < today:
            return "keep_until"
        return None if self.consent in (None, "train", purpose) else "consent"

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
