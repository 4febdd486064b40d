"""`decisions.json`: how another server reads the judge's decisions, without UTTA.

It holds the prompt with marks like {conversation} in place of the inputs, and per criterion what stands after the prompt,
the token of each level's code and the level weights. The server is asked for the probabilities of these tokens as the
next one, with the prompt as it is (no chat template applied again).
"""

from typing import Any

from signatures.rubric import INPUT_FIELDS
from utta.distill.export.parity import level_weights
from utta.models.decisions import Recorder
from utta.models.render import CODES, DecisionRow, Renderer
from utta.programs.folder import Program

HOW = (
    "Take the tokenizer's control tokens out of the inputs, and words to the judge out of the response, as UTTA does; leave "
    "out the line of an input that is empty. For each criterion ask for the next token after prompt + then, raw. The level "
    "is the one with the largest probability of its code's token times its weight; the probabilities among a criterion's "
    "codes are made to sum to 1."
)


def reading(program: Program, renderer: Renderer) -> dict[str, Any]:
    """What `decisions.json` holds."""
    row, weights = _marked(program, renderer), level_weights(program)
    criteria = [
        {
            "criterion": name,
            "then": renderer.tokenizer.decode(suffix),
            "levels": [
                {"label": label, "code": code, "token": token, "weight": weight}
                for label, code, token, weight in zip(labels, CODES, codes, weights[name], strict=False)
            ],
        }
        for name, labels, suffix, codes in zip(row.criteria, row.labels, row.suffixes, row.codes, strict=True)
    ]
    return {"how": HOW, "prompt": renderer.tokenizer.decode(row.trunk), "criteria": criteria}


def _marked(program: Program, renderer: Renderer) -> DecisionRow:
    recorder, before = Recorder(), program.module.judge.lm
    program.module.judge.lm = recorder
    try:
        program.module.judge(**{name: "{" + name + "}" for name in INPUT_FIELDS})
    finally:
        program.module.judge.lm = before
    return renderer.render(*recorder.requests[0])
