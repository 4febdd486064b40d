"""What an evaluation would ask and cost, before anything is asked: for API models that charge by the token."""

from typing import Any

from signatures.rubric import Rubric
from utta.evaluate.open import open_on
from utta.evaluate.run import Asked
from utta.models.load import is_api
from utta.models.render import rubric_text
from utta.programs.inputs import judge_inputs

CHARACTERS_PER_TOKEN = 4  # English text, about
ANSWER_TOKENS = 40  # a criterion's probabilities as JSON, about
OVERHEAD_TOKENS = 400  # DSPy's description of the format, about


def plan(asked: Asked) -> dict[str, Any]:
    """Counts of what would be asked; for an API model also tokens and US dollars, estimated from the texts' lengths.

    The price is LiteLLM's; null where it knows none.
    """
    program, found = open_on(asked.program, asked.data, asked.model, asked.rubric, asked.criteria, purpose="evaluate")
    rubric = program.module.rubric
    reviews = found.reviews
    decisions = len(reviews) * len(rubric.criteria)
    counts: dict[str, Any] = {"model": program.model_name, "requests": len(reviews), "decisions": decisions}
    if not is_api(program.model_name):
        return counts | {"leaves_this_machine": False}
    read = sum(len("\n".join(judge_inputs(r).values())) for r in reviews) // CHARACTERS_PER_TOKEN
    read += len(reviews) * (len(_rubric_text(rubric)) // CHARACTERS_PER_TOKEN + OVERHEAD_TOKENS)
    written = decisions * ANSWER_TOKENS
    price = _price(program.model_name, read, written)
    return counts | {"leaves_this_machine": True, "tokens_read": read, "tokens_written": written, "us_dollars": price}


def _rubric_text(rubric: Rubric) -> str:
    return rubric_text(
        {c.id: {"instructions": c.question, "criteria": {x.label: x.means for x in c.levels}} for c in rubric.criteria}
    )


def _price(model: str, read: int, written: int) -> float | None:
    import litellm

    try:
        return round(sum(litellm.cost_per_token(model=model, prompt_tokens=read, completion_tokens=written)), 4)
    except Exception:  # LiteLLM raises a plain Exception for a model whose price it does not know
        return None
