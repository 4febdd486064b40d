"""Text training: the loss, what is learned, and that a training that was ended goes on."""

import json

import pytest
import torch
from safetensors.torch import load_file

from utta.distill.learned import learned_loss
from utta.distill.recipe import TextRecipe
from utta.distill.sft import TextTrainer, text_rows, train_text
from utta.models.engine import Engine
from utta.models.text_rows import padded

CHATS = [
    [
        {"role": "system", "content": "You are kind." * (n % 3)},
        {"role": "user", "content": f"What is {n} and {n}?"},
        {"role": "assistant", "content": f"It is {2 * n}, I think."},
    ]
    for n in range(9)
]
RECIPE = TextRecipe(epochs=2, rank=4, learning_rate=1e-2, batch=2)


@pytest.fixture(autouse=True)
def _in_float32(in_float32):
    """All of them train in float32."""


@pytest.fixture
def rows(tiny):
    found, long = text_rows(tiny, CHATS, only_last=True)
    assert len(found) == len(CHATS) and not long
    return found


def test_the_loss_and_its_gradient_are_those_of_the_plain_cross_entropy(learnt_model, rows):
    model, _ = learnt_model(1.0)
    ids, learned = padded(rows)
    found = {}
    for way in ("plain", "ours"):
        model.zero_grad()
        if way == "ours":
            loss = learned_loss(model, ids, learned)
        else:
            targets = torch.where(learned, ids, -100)[:, 1:]
            loss = torch.nn.functional.cross_entropy(
                model(input_ids=ids).logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
            )
        (3 * loss).backward()
        found[way] = loss.item(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert found["ours"][0] == pytest.approx(found["plain"][0], rel=1e-5)
    assert found["ours"][1].keys() == found["plain"][1].keys() and found["ours"][1]
    for name, gradient in found["ours"][1].items():
        assert torch.allclose(gradient, found["plain"][1][name], atol=1e-4, rtol=1e-3), name


def test_it_is_trl_s_loss(tiny, rows, tmp_path, monkeypatch):
    losses = {}
    for way in ("ours", "trl's"):
        if way == "trl's":
            monkeypatch.delattr(TextTrainer, "compute_loss")
        train_text(tmp_path / way, RECIPE, tiny, rows[:6], rows[6:])
        lines = (tmp_path / way / "losses.jsonl").read_text().splitlines()
        losses[way] = [json.loads(line)["loss"] for line in lines]
    assert len(losses["ours"]) == 6 and losses["ours"] == pytest.approx(losses["trl's"], abs=2e-3)


def test_what_is_written_is_learned_and_the_engine_agrees(tiny, rows, tmp_path):
    history = train_text(tmp_path, RECIPE, tiny, rows[:6], rows[6:])
    assert [entry["epoch"] for entry in history] == [1, 2]
    engine = Engine(tiny, torch.float32)
    before = [p for row in rows[6:] for p in engine.log_probabilities(row)]
    adapter = engine.add_adapter(tmp_path / "adapter")
    after = [p for row in rows[6:] for p in engine.log_probabilities(row, adapter)]
    best = min(entry["loss"] for entry in history)
    assert -sum(after) / len(after) == pytest.approx(best, abs=1e-3)
    assert best < -sum(before) / len(before) - 0.5


def test_a_training_that_was_ended_is_the_unbroken_one(tiny, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("utta.distill.loop.CHECKPOINT_SECONDS", 0)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    history = train_text(whole, RECIPE, tiny, rows[:6], rows[6:])
    heard = []

    def end(step, steps):
        heard.append((step, steps))
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_text(broken, RECIPE, tiny, rows[:6], rows[6:], end)
    assert heard == [(n, 6) for n in range(1, 6)]
    again = train_text(broken, RECIPE, tiny, rows[:6], rows[6:])
    assert [entry["loss"] for entry in again] == [entry["loss"] for entry in history]
    ours, theirs = (load_file(out / "adapter" / "adapter_model.safetensors") for out in (broken, whole))
    assert all(float((ours[name] - theirs[name]).abs().max()) < 1e-6 for name in theirs)


def test_a_chat_that_is_too_long_is_put_aside_and_not_cut(tiny):
    long = [{"role": "user", "content": "a" * 5000}, {"role": "assistant", "content": "b"}]
    silent = [{"role": "user", "content": "Hello?"}]
    found, aside = text_rows(tiny, [CHATS[0], long, silent, CHATS[1]])
    assert len(found) == 2 and aside == [1]
    assert tiny_text(tiny, found[0]) == "It is 0, I think."


def tiny_text(tiny, row):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny.folder)
    learned = [token for token, is_learned in zip(row.ids, row.learned, strict=True) if is_learned]
    assert learned[-1] == tokenizer.eos_token_id
    return tokenizer.decode(learned[:-1])


def test_of_a_chat_with_demonstrations_only_the_last_answer_is_learned(tiny):
    chat = [*CHATS[3], *CHATS[4][1:]]
    (every,), (last,) = (text_rows(tiny, [chat], only_last)[0] for only_last in (False, True))
    assert every.ids == last.ids and sum(last.learned) < sum(every.learned)
    assert tiny_text(tiny, last) == "It is 8, I think."
