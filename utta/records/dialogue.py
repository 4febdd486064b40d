"""The dialogue: turns between a student and a teacher or AI teaching assistant (AITA), with what is known about both.

Field names are those of AITA dialogue files; all but the dialogue's id and its turns are optional, so that tutoring chats
and simulated students are dialogues too.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from utta.records.record import Json, Metadata, Name, Record, Text, Turn, spoken


class DialogueTurn(Turn):
    """One turn; `speaker` is "student", "teacher" or "aita" wherever a source says which of them it is."""

    pedagogical_notes: Text | None = Field(default=None, description="why the teacher said it, or the kind of move")
    timestamp_utc: Text | None = None
    utterance_modality: Text | None = None
    safeguard_tags: list[Text] = Field(default_factory=list)
    xapi_verb_id: Text | None = None
    xapi_object_id: Text | None = None
    ontology_concept_tags: list[Text] = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict, description="anything else, as JSON")


class Dialogue(Record):
    """One line of a file of dialogues; its id is made of the source, the dialogue's id there, and what was said."""

    kind: Literal["dialogue"] = "dialogue"
    dialogue_id: Name = Field(description="the source's own id; not always unique there")
    problem: Text = Field(default="", description="the exercise it is about; data is split by it; empty: unknown")
    grade_level: Text | None = None
    subject: Text | None = None
    aita_profile: Json = Field(default=None, description="the AITA's persona: text or JSON")
    pedagogical_intent: Json = None
    context_provided_to_aita: Json = None
    question: Text | None = Field(default=None, description="the text of the exercise")
    solution: Text | None = Field(default=None, description="its right solution")
    student_profile: Text | None = None
    student_solution: Text | None = Field(default=None, description="what the student made of it before the dialogue")
    misconception: Text | None = None
    dialogue_turns: list[DialogueTurn] = Field(description="oldest first")
    metadata: Metadata = Field(default_factory=dict, description="anything else, as JSON")

    @property
    def cluster(self) -> str:
        """What no two parts of a split share: the problem, or the dialogue where the problem is unknown."""
        return self.problem or self.dialogue_id

    def identity(self) -> Sequence[Any]:
        return [self.source, self.dialogue_id, spoken(self.dialogue_turns)]
