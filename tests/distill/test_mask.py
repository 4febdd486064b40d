"""What the dry run says that a token sees, held against the prompts that it stands for."""

import pytest
import torch
from transformers import AutoTokenizer

from tests.evaluate.scripted import RUBRIC, make_review
from utta.distill.mask import describe, runs, sight, smallest
from utta.distill.rows import training_items
from utta.models import tree
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator

REVIEWS = [
    make_review(1, "zebras and how they sleep"),
    make_review(2, "zebras and how they sleep"),
    make_review(3, "ants", "Poor", None),
    make_review(4, "ants", "Fair", "Cold"),
    make_review(5, "ants"),
    make_review(6, "bee"),
]


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny.folder, local_files_only=True)


def items(tokenizer, criteria=("clarity", "tone")):
    program = TeachingEvaluator(RUBRIC.only(list(criteria)))
    return training_items(program, REVIEWS, Renderer(tokenizer, "tiny", 4096), balance=0.0)


def test_a_read_out_sees_its_own_prompt_and_nothing_else(tokenizer):
    """Also where several conversations stand in one sequence behind what they share."""
    groups = [item.group for item in items(tokenizer)]
    for together in ([groups[0]], groups):
        layout = tree.lay_out(together)
        seen = sight(layout)
        prompts = [prompt for group in together for row in group.rows for prompt in row.prompts]
        assert len(prompts) == len(layout.readouts)
        for at, prompt in zip(layout.readouts.tolist(), prompts, strict=True):
            sees = seen[at].nonzero().flatten()
            assert layout.ids[0, sees].tolist() == prompt
            assert layout.positions[0, sees].tolist() == list(range(len(prompt)))


def test_the_shortest_conversation_with_two_replies_is_described(tokenizer):
    item = smallest(items(tokenizer))
    told = describe(item, RUBRIC, tokenizer)
    assert (told["responses"], told["responses_of_the_conversation"]) == (2, 3)
    first, *others = told["runs"]
    assert first["name"] == "rubric and conversation" and first["sees"] == [] and "Is it clear?" in first["text"]
    assert [run["name"] for run in others] == ["reply 1", "clarity", "tone", "reply 2", "clarity", "tone"]
    assert [run["sees"] for run in others] == [[1], [1, 2], [1, 2], [1], [1, 5], [1, 5]]
    assert sum(run["tokens"] for run in told["runs"]) == told["tokens"]
    assert [run["first_position"] for run in others[:3]] == [
        first["tokens"],
        first["tokens"] + others[0]["tokens"],
        first["tokens"] + others[0]["tokens"],
    ]
    assert "".join(run["text"] for run in told["runs"][:2]) in tokenizer.decode(item.group.rows[0].prompts[0])
    assert [(each["run"], each["criterion"]) for each in told["read_outs"]] == [
        (3, "clarity"), (4, "tone"), (6, "clarity"), (7, "tone"),
    ]  # fmt: skip
    assert [each["target"] for each in told["read_outs"]] == [
        {"Poor": 1.0, "Fair": 0.0, "Good": 0.0}, None, {"Poor": 0.0, "Fair": 1.0, "Good": 0.0}, {"Cold": 1.0, "Warm": 0.0},
    ]  # fmt: skip
    assert told["read_outs"][1]["codes"] == {"Cold": "A", "Warm": "B"}


def test_one_criterion_stands_in_its_replys_run(tokenizer):
    item = smallest(items(tokenizer, ["clarity"]))
    told = describe(item, RUBRIC.only(["clarity"]), tokenizer)
    assert [run["name"] for run in told["runs"]] == ["rubric and conversation", "clarity", "clarity"]
    assert [each["run"] for each in told["read_outs"]] == [2, 3]


def test_runs_of_plain_text_are_one():
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    assert runs(causal) == [(0, 5)]
    causal[3:, 2] = False  # the third token is seen by nobody after it
    assert runs(causal) == [(0, 2), (2, 3), (3, 5)]
