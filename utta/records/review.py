"""The review: one reviewer's judgement of one teacher response, self-contained.

A review holds the conversation, the response to it and a level for each criterion that was judged. A reply that nobody
has judged yet is a review without levels. This module defines the record and its id; `utta.records.read` reads and
writes files of them. It does not know any rubric: whether a label belongs to one is checked where one is given.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator


def _whole(text: str) -> str:
    """JSON can spell half of a surrogate pair, which no file can hold again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is not text") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Text, Field(pattern=r"\S")]
"""Text with at least one visible character."""


class Turn(BaseModel):
    """One turn of a conversation: who spoke ("student", "teacher") and what was said, which may be nothing."""

    model_config = ConfigDict(extra="forbid")

    speaker: Name
    utterance: Text


def review_id(
    source: str,
    dialogue_id: str,
    conversation: Sequence[Turn],
    responder: str | None,
    response: str,
    reviewer: str | None,
) -> str:
    """The id of a review: 16 hex digits of the SHA-256 over what was judged and by whom.

    The conversation is part of it because a source's dialogue ids may stand twice. The levels are not: the same
    judgement with a corrected level keeps its id.
    """
    turns = [[turn.speaker, turn.utterance] for turn in conversation]
    judged = [source, dialogue_id, turns, responder, response, reviewer]
    text = json.dumps(judged, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Review(BaseModel):
    """One line of a file of reviews.

    `id` is computed when it is absent; a given id that does not fit the content is refused. `responder` (who wrote the
    response) is for slicing results and must never reach a program's input.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["review"] = "review"
    schema_version: Literal[1] = 1
    id: Text = Field(default="", description="16 hex digits; computed from the content when absent")
    source: Name = Field(description="where the review comes from")
    licence: Text | None = None
    dialogue_id: Name = Field(description="the source's own id of the dialogue; not always unique there")
    problem: Text = Field(
        default="", description="the exercise the dialogue is about; data is split by it; empty: unknown"
    )
    grade_level: Text | None = None
    subject: Text | None = None
    context: Text | None = Field(default=None, description="what the teacher knows besides the conversation")
    conversation: list[Turn] = Field(description="the turns before the response, oldest first")
    response: Text = Field(description="the teacher response that is judged")
    responder: Text | None = Field(default=None, description="who wrote the response; never shown to a program")
    reviewer: Text | None = None
    rubric: Name = Field(description="the id of the rubric that the levels belong to")
    levels: dict[Name, Name] = Field(description="criterion id to the label given; empty: not judged yet")
    rationale: Text | None = None
    improved_response: Text | None = None
    consent: Text | None = None
    metadata: dict[str, Any] = Field(default_factory=dict, description="anything else, as JSON")

    @property
    def cluster(self) -> str:
        """What the review is about, which no two parts of a split share and the bootstrap draws as a whole: the problem,
        or the dialogue where the problem is unknown."""
        return self.problem or self.dialogue_id

    @field_validator("metadata")
    @classmethod
    def _is_json(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        """What is read must be writable again: no NaN, no half of a surrogate pair, nothing that is not JSON."""
        try:
            json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"cannot be written as JSON ({error})") from None
        return metadata

    @model_validator(mode="after")
    def _identify(self) -> "Review":
        expected = review_id(
            self.source, self.dialogue_id, self.conversation, self.responder, self.response, self.reviewer
        )
        if self.id and self.id != expected:
            raise ValueError(
                f"the id {self.id[:40]!r} does not fit the content, whose id is {expected!r}; "
                "leave the id out or correct it"
            )
        self.id = expected
        return self
