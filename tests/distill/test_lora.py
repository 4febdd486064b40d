"""The LoRA layer of training, held against PEFT's own."""

import pytest
import torch
from peft.tuners import lora

from tests.evaluate.scripted import RUBRIC, grid
from utta.distill.lora import LoraLinear
from utta.distill.rows import training_items
from utta.distill.trainer import batch_loss
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator


def test_loss_and_gradients_are_those_of_peft(learnt_model, monkeypatch):
    model, tokenizer = learnt_model(upper=1.0)
    assert sum(isinstance(module, LoraLinear) for module in model.modules()) == 2 * 7
    items = training_items(TeachingEvaluator(RUBRIC), grid(["ants", "bees"], 2), Renderer(tokenizer, "tiny", 4096))
    found = []
    for forward in (LoraLinear.forward, lora.Linear.forward):
        monkeypatch.setattr(LoraLinear, "forward", forward)
        model.zero_grad()
        loss = batch_loss(model, items)
        loss.backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        found.append((float(loss.detach()), gradients))
    (ours, mine), (theirs, expected) = found
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert mine.keys() == expected.keys() and len(mine) == 2 * 2 * 7
    for name, gradient in mine.items():
        assert torch.allclose(gradient, expected[name], rtol=1e-4, atol=1e-6), name


def test_a_bias_is_added_and_the_adapter_can_be_switched_off():
    torch.manual_seed(0)
    base = torch.nn.Linear(6, 5, bias=True)
    layer = LoraLinear(base, "default", lora.LoraConfig(init_lora_weights=False), r=2, lora_alpha=4)
    x = torch.randn(3, 6)
    expected = base(x) + 2 * x @ layer.lora_A["default"].weight.T @ layer.lora_B["default"].weight.T
    assert torch.allclose(layer(x), expected, atol=1e-6)
    layer.enable_adapters(False)
    assert torch.equal(layer(x), base(x))
