"""The layers below the first adapter: computed once, and nothing changes by it."""

import pytest
import torch

from tests.evaluate.scripted import RUBRIC, grid
from utta.distill.frozen import FrozenLayers
from utta.distill.rows import training_items
from utta.distill.trainer import batch_loss
from utta.distill.training import upper_layers
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator


@pytest.fixture
def trained(learnt_model):
    """Makes a model of two layers with adapters that have learnt something, and three items; `upper` as in the recipe."""

    def make(upper):
        model, tokenizer = learnt_model(upper)
        renderer = Renderer(tokenizer, "tiny", 4096)
        return model, training_items(TeachingEvaluator(RUBRIC), grid(["ants", "bees", "cats"], 2), renderer)

    return make


def learnt(model, items, frozen=None):
    """The loss and the gradients of one pass."""
    model.zero_grad()
    loss = batch_loss(model, items, frozen)
    loss.backward()
    return float(loss.detach()), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("room", [None, 0])
def test_loss_and_gradients_are_those_of_whole_passes(trained, count, room):
    model, items = trained(0.5)
    expected, gradients = learnt(model, items[:count])
    frozen = FrozenLayers(model, room)
    assert frozen.layers == 1
    for _ in ("computed", "kept"):
        loss, found = learnt(model, items[:count], frozen)
        assert loss == pytest.approx(expected, rel=1e-6)
        assert found.keys() == gradients.keys() and len(found) == 2 * 7
        for name, gradient in found.items():
            # Without gradient attention is another kernel's, which rounds otherwise.
            assert torch.allclose(gradient, gradients[name], rtol=1e-4, atol=1e-5), name


def test_frozen_layers_run_once_while_there_is_room(trained):
    model, items = trained(0.5)
    runs = []
    model.get_base_model().model.layers[0].register_forward_hook(lambda *_: runs.append(1))
    groups = [item.group for item in items]
    sizes = [FrozenLayers(model).begin(model, [group]).states.nbytes for group in groups]
    runs.clear()
    frozen = FrozenLayers(model, room=sizes[0] + sizes[1])
    for _ in range(3):
        for group in groups:
            frozen.begin(model, [group])
    assert len(runs) == 2 + 3  # two fit, the third is computed anew each time


def test_with_adapters_on_every_layer_nothing_is_frozen(trained):
    model, items = trained(1.0)
    frozen = FrozenLayers(model)
    assert frozen.layers == 0 and frozen.begin(model, [items[0].group]) is None
    assert learnt(model, items, frozen)[0] == learnt(model, items)[0]


@pytest.mark.parametrize(
    ("layers", "share", "expected"), [(30, 0.5, 15), (2, 0.5, 1), (3, 0.5, 2), (4, 0.01, 1), (4, 1.0, 4)]
)
def test_the_upper_share_has_one_layer_at_least(layers, share, expected):
    assert upper_layers(layers, share) == list(range(layers - expected, layers))
