"""What a program is shown of a review: never who wrote the response, and what the experts said of it only to the coach."""

from collections.abc import Sequence

from utta.records.record import Turn
from utta.records.review import Review


def judge_inputs(review: Review) -> dict[str, str]:
    """The judge's five text inputs; what a review does not know is an empty string."""
    return {
        "grade_level": review.grade_level or "",
        "subject": review.subject or "",
        "context": review.context or "",
        "conversation": conversation_text(review.conversation),
        "teacher_response": review.response,
    }


def coach_inputs(review: Review) -> dict[str, str]:
    """The coach's inputs: the judge's, and the levels that the experts gave."""
    return judge_inputs(review) | {"judgement": "; ".join(f"{name}: {label}" for name, label in review.levels.items())}


def conversation_text(turns: Sequence[Turn]) -> str:
    """One line or more per turn: `Speaker: what was said`."""
    return "\n".join(f"{turn.speaker.capitalize()}: {turn.utterance.strip()}" for turn in turns)
