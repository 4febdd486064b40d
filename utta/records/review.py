"""The review: one reviewer's judgement of one teacher response, self-contained.

A review holds the conversation, the response to it and a level for each criterion that was judged. A reply that nobody
has judged yet is a review without levels. This module defines the record and its id; `utta.records.read` reads and
writes files of them. It does not know any rubric: whether a label belongs to one is checked where one is given.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from utta.records.record import Metadata, Name, Record, Text, Turn, content_id, spoken


class Review(Record):
    """One line of a file of reviews.

    `id` is computed when it is absent; a given id that does not fit the content is refused. `responder` (who wrote the
    response) is for slicing results and must never reach a program's input.
    """

    kind: Literal["review"] = "review"
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
    metadata: Metadata = Field(default_factory=dict, description="anything else, as JSON")

    @property
    def cluster(self) -> str:
        """What the review is about, which no two parts of a split share and the bootstrap draws as a whole: the problem,
        or the dialogue where the problem is unknown."""
        return self.problem or self.dialogue_id

    @property
    def response_id(self) -> str:
        """What was judged, whoever judged it: several reviewers of one response share it."""
        return content_id([spoken(self.conversation), self.response, self.responder])

    def identity(self) -> Sequence[Any]:
        """What was judged and by whom. The conversation is part of it because a source's dialogue ids may stand twice; the
        levels are not: the same judgement with a corrected level keeps its id."""
        turns = spoken(self.conversation)
        return [self.source, self.dialogue_id, turns, self.responder, self.response, self.reviewer]
