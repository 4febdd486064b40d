"""`decisions.json`: how another server reads the judge's decisions, without UTTA.

It holds the prompt with marks like {conversation} in place of the inputs, per criterion what stands after the prompt, the
token of each level's code and the level weights, and how the probe is used. The server is asked for the probabilities of
these tokens as the next one, with the prompt as it is (no chat template applied again).
"""

from typing import Any

from signatures.rubric import INPUT_FIELDS
from utta.distill.export.parity import level_weights
from utta.models.decisions import Recorder
from utta.models.probe import FILE
from utta.models.render import CODES, DecisionRow, Renderer
from utta.programs.folder import Program

HOW = (
    "Take the tokenizer's control tokens out of the inputs, and words to the judge out of the response, as UTTA does; leave "
    "out the line of an input that is empty. For each criterion ask for the next token after prompt + then, raw. The level "
    "is the one with the largest probability of its code's token times its weight; the probabilities among a criterion's "
    "codes are made to sum to 1."
)
BESIDE = (
    "For each criterion in the file, before the weights: take the tokens of the response alone, blank ends taken off and no "
    "special token added, and the mean of their rows of CRITERION.scores; add CRITERION.bias; the softmax are the probe's "
    "probabilities of the levels, in order. Multiply the model's with them, take the square roots, and make them sum to 1. A "
    "response without a token keeps the model's. Without this the weights do not fit the model."
)


def reading(program: Program, renderer: Renderer, probe: bool) -> dict[str, Any]:
    """What `decisions.json` holds; `probe` says whether there is one beside the weights."""
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
    told = {"how": HOW, "prompt": renderer.tokenizer.decode(row.trunk), "criteria": criteria}
    return told | ({"probe": {"file": FILE, "how": BESIDE}} if probe else {})


def _marked(program: Program, renderer: Renderer) -> DecisionRow:
    recorder, before = Recorder(), program.module.judge.lm
    program.module.judge.lm = recorder
    try:
        program.module.judge(**{name: "{" + name + "}" for name in INPUT_FIELDS})
    finally:
        program.module.judge.lm = before
    return renderer.render(*recorder.requests[0])
