"""What a run would ask and cost, before anything is asked: for API models that charge by the token.

Texts count by their length. A program that reads over what it wrote may ask up to `tries` times for a text, which a bill says
as what it comes to at most.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from signatures.rubric import Rubric
from signatures.tutor import LONGEST
from utta.evaluate import run
from utta.evaluate.open import open_on
from utta.evaluate.student import run as student
from utta.evaluate.tutor import run as tutor
from utta.evaluate.tutor.replies import inputs_of, inputs_when_pressed
from utta.models.load import is_api
from utta.models.render import rubric_text
from utta.programs.folder import Program
from utta.programs.inputs import judge_inputs
from utta.programs.student import student_inputs

Bill = dict[str, Any]

CHARACTERS_PER_TOKEN = 4  # English text, about
ANSWER_TOKENS = 40  # a criterion's probabilities as JSON, about
OVERHEAD_TOKENS = 400  # DSPy's description of the format, about


def plan(asked: run.Asked) -> Bill:
    """What an evaluation of a judge would ask: the bill of one request for each review. Edge cases are made of what the judge
    says and come on top, so with them the bill is `at_least` that."""
    program, found = open_on(asked.program, asked.data, asked.model, asked.rubric, asked.criteria, purpose="evaluate")
    bill = judging(program, [judge_inputs(review) for review in found.reviews])
    return bill | ({"at_least": True} if asked.edge_cases else {})


def plan_student(asked: student.Asked) -> Bill:
    """What an evaluation of a student would ask: the bill of a turn in each scene."""
    opened = student.open_all(asked)
    prompts = [{"conversation": s.conversation, **student_inputs(s.dialogue)} for s in opened.scenes]
    return writing(opened.program, prompts)


def plan_tutor(asked: tutor.Asked) -> dict[str, Any]:
    """What an evaluation of a tutor would ask: the bills of the tutor and of the judge, which judges everybody's replies."""
    opened = tutor.open_all(asked)
    longest = {"teacher_response": "." * LONGEST}  # what the tutor will have said before is not known
    prompts = [inputs_of(place) for place in opened.places]
    prompts += [inputs_when_pressed(s, [longest] * turn) for s in opened.students for turn in range(len(s.turns))]
    judged = [judge_inputs(review) for review in [*opened.places, *opened.given]]
    return with_sum({"tutor": writing(opened.program, prompts), "judge": judging(opened.judge, judged)})


def judging(program: Program, inputs: Sequence[Mapping[str, str]], demonstrations: Sequence[Any] | None = None) -> Bill:
    """The bill of judging each of some inputs once, with the program's own demonstrations or with others."""
    rubric = program.module.rubric
    shown = program.module.judge.demos if demonstrations is None else demonstrations
    fixed = len(_rubric_text(rubric)) + sum(len(str(value)) for demo in shown for value in dict(demo).values())
    read = sum(len("\n".join(each.values())) + fixed for each in inputs) // CHARACTERS_PER_TOKEN
    decisions = len(inputs) * len(rubric.criteria)
    counts = {"model": program.model_name, "requests": len(inputs), "decisions": decisions}
    return counts | _paid(program.model_name, read + len(inputs) * OVERHEAD_TOKENS, decisions * ANSWER_TOKENS)


def writing(program: Program, prompts: Sequence[Mapping[str, Any]]) -> Bill:
    """The bill of writing one text for each prompt, the inputs of the program."""
    module = program.module
    (predictor,) = module.predictors()
    shown = (module.adapter.format(predictor.signature, predictor.demos, dict(inputs)) for inputs in prompts)
    read = sum(len(message["content"]) for messages in shown for message in messages) // CHARACTERS_PER_TOKEN
    paid = _paid(program.model_name, read, len(prompts) * predictor.config["max_tokens"])
    most = {"requests_at_most": len(prompts) * module.tries}
    if "us_dollars" in paid:
        most["us_dollars_at_most"] = paid["us_dollars"] and round(paid["us_dollars"] * module.tries, 4)
    return {"model": program.model_name, "requests": len(prompts)} | paid | most


def with_sum(bills: Mapping[str, Bill]) -> dict[str, Any]:
    """Bills by name, and where a model of several charges, what all of them come to at most."""
    paid = [bill for bill in bills.values() if "us_dollars" in bill]
    prices: list[Any] = [bill.get("us_dollars_at_most", bill["us_dollars"]) for bill in paid]
    return {**bills} | ({"us_dollars_at_most": None if None in prices else round(sum(prices), 4)} if paid else {})


def _paid(model: str, read: int, written: int) -> Bill:
    """Tokens and US dollars of an API model; the price is LiteLLM's, and null where it knows none."""
    if not is_api(model):
        return {"leaves_this_machine": False}
    tokens = {"leaves_this_machine": True, "tokens_read": read, "tokens_written": written}
    return tokens | {"us_dollars": _price(model, read, written)}


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
