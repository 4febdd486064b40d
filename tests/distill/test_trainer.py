"""The loss: what is counted, and that a decision without a label teaches nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import TrainingArguments

from tests.evaluate.scripted import RUBRIC, grid
from utta.distill.agreement import Judged, judge_items, validation_figures
from utta.distill.recipe import Recipe
from utta.distill.rows import training_items
from utta.distill.trainer import DecisionTrainer, batch_loss, collate
from utta.distill.training import with_adapter
from utta.models import tree
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator


@pytest.fixture
def trained(tiny, in_float32):
    """A model with a fresh adapter, and two items of two responses each."""
    torch.manual_seed(0)
    model, tokenizer = with_adapter(tiny, Recipe(rank=4))
    items = training_items(
        TeachingEvaluator(RUBRIC), grid(["ants", "bees"], 2), Renderer(tokenizer, "tiny", 4096), balance=0.5
    )
    return model, items


def gradients(model, items):
    model.zero_grad()
    loss = batch_loss(model, items)
    loss.backward()
    found = [p.grad.clone() for _, p in model.named_parameters() if p.requires_grad and p.grad is not None]
    return float(loss.detach()), torch.cat([each.flatten() for each in found]) if found else torch.zeros(1)


def only(item, *kept):
    return replace(item, targets=tuple(t if i in kept else None for i, t in enumerate(item.targets)))


def test_only_the_adapter_is_trained(trained):
    model, _ = trained
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert names and all("lora_" in name for name in names)
    trained_layers = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in names}
    assert trained_layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_the_loss_is_the_cross_entropy_at_the_read_outs(trained):
    model, items = trained
    with torch.no_grad():
        logs = tree.log_probabilities(model, [item.group for item in items])
        targets = [target for item in items for target in item.targets]
        expected = -sum(w * float(p) for log, t in zip(logs, targets, strict=True) for w, p in zip(t, log, strict=True))
        assert float(batch_loss(model, items)) == pytest.approx(expected, rel=1e-5)


def test_decisions_without_a_label_carry_no_loss(trained):
    model, items = trained
    loss, gradient = gradients(model, [only(item) for item in items])
    assert loss == 0 and not gradient.any()

    whole, whole_gradient = gradients(model, items)
    parts = [gradients(model, [only(items[0], i), only(items[1], i)]) for i in range(4)]
    assert whole == pytest.approx(sum(part for part, _ in parts), rel=1e-5)
    assert torch.allclose(whole_gradient, sum(g for _, g in parts), atol=1e-5)
    assert all(gradient.any() for _, gradient in parts)


def test_a_batch_counts_the_decisions_with_a_label(trained):
    _, items = trained
    batch = collate([items[0], only(items[1], 0, 3)])
    assert batch["labels"].tolist() == [0, 0, 0, 0, 0, -100, -100, 0]
    assert batch["items"][0] is items[0]


@pytest.mark.parametrize("kept", [(0,), (1,), (0, 1, 2, 3)])
def test_the_trainer_takes_the_mean_over_the_decisions_with_a_label(trained, tmp_path, kept):
    model, items = trained
    item = only(items[0], *kept)
    settings = {"per_device_train_batch_size": 1, "max_steps": 1, "learning_rate": 0.0, "logging_steps": 1}
    quiet = {"use_cpu": True, "report_to": [], "remove_unused_columns": False, "disable_tqdm": True}
    arguments = TrainingArguments(output_dir=str(tmp_path), save_strategy="no", **settings, **quiet)
    trainer = DecisionTrainer(model=model, args=arguments, train_dataset=[item])
    trainer.train()
    expected = float(batch_loss(model, [item]).detach()) / len(kept)
    assert trainer.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-3)


def test_judging_items_gives_the_labelled_decisions_of_each_criterion(trained):
    model, items = trained
    judged = judge_items(model, RUBRIC, [items[0], only(items[1], 0, 1, 2)], autocast=False)
    assert judged["clarity"].problems.tolist() == ["ants", "ants", "bees", "bees"]
    assert judged["tone"].problems.tolist() == ["ants", "ants", "bees"]
    assert judged["clarity"].gold.tolist() == [0, 1, 1, 2] and judged["tone"].gold.tolist() == [0, 1, 0]
    for each, levels in ((judged["clarity"], 3), (judged["tone"], 2)):
        assert each.probabilities.shape == (len(each.gold), levels)
        assert each.probabilities.sum(1) == pytest.approx(np.ones(len(each.gold)), abs=1e-5)


def test_validation_figures_are_means_over_criteria():
    p = np.array([[0.7, 0.3], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9]])
    judged = {
        "a": Judged(p, np.array([0, 1, 0, 1]), np.array(["x", "x", "y", "y"])),
        "b": Judged(1 - p, np.array([0, 1, 0, 1]), np.array(["x", "x", "y", "y"])),
    }
    found = validation_figures(judged)
    loss = -(np.log([0.7, 0.6, 0.8, 0.9]).mean() + np.log([0.3, 0.4, 0.2, 0.1]).mean()) / 2
    assert found["loss"] == pytest.approx(loss, abs=1e-4) and found["macro_f1"] == 0.5


def test_one_problem_in_validation_is_enough():
    """Weights cannot be fitted on other problems where there are none: the likeliest level stands."""
    p = np.array([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])
    found = validation_figures({"a": Judged(p, np.array([0, 1, 1]), np.array(["x", "x", "x"]))})
    assert found["macro_f1_weighted"] == found["macro_f1"] == pytest.approx(2 / 3, abs=1e-4)
