"""Phi-3, small and with random weights, on the way that the real one takes: located, asked, distilled, in 4 bits too."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.distill.conftest import TRAIN, VALIDATION
from tests.evaluate.scripted import RUBRIC
from tests.models.tiny import save_tiny_phi3
from utta.distill.agreement import judge_items, validation_figures
from utta.distill.lora import LoraLinear
from utta.distill.recipe import Recipe
from utta.distill.rows import render, training_items
from utta.distill.run import distill
from utta.distill.trainer import batch_loss
from utta.distill.training import with_adapter
from utta.evaluate.run import Asked as Evaluate
from utta.evaluate.run import evaluate
from utta.models import tree
from utta.models.catalogue import PHI3_LINEAR, locate
from utta.models.engine import Engine, best_dtype
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator


@pytest.fixture(scope="module")
def phi3(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "phi3"
    save_tiny_phi3(folder)
    return locate(str(folder))


@pytest.fixture(scope="module")
def four_bits():
    """Skips where bitsandbytes, which only --qlora needs, is missing."""
    return pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: pip install 'utta[gpu]'")


def items_of(tokenizer, reviews=TRAIN):
    return training_items(TeachingEvaluator(RUBRIC), reviews, Renderer(tokenizer, "phi3", 2047))


def adapter(folder):
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def test_shared_decisions_are_the_plain_ones(phi3):
    engine = Engine(phi3, torch.float32)
    assert engine.renderer.max_tokens == 2047  # beyond its window it would not see the rubric
    plain = AutoModelForCausalLM.from_pretrained(phi3.folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    different = set()
    for row in render(TeachingEvaluator(RUBRIC), TRAIN, engine.renderer):
        for prompt, codes, found in zip(row.prompts, row.codes, engine.decide(row), strict=True):
            with torch.inference_mode():
                expected = plain(torch.tensor([prompt])).logits[0, -1, list(codes)].softmax(0)
            assert found == pytest.approx(expected.tolist(), abs=1e-4)
            different.add(round(found[0], 3))
    assert len(different) > len(TRAIN)


def test_the_tags_swallow_the_new_line_and_the_read_out_stands_all_the_same(phi3):
    engine = Engine(phi3, torch.float32)
    row = render(TeachingEvaluator(RUBRIC), TRAIN, engine.renderer)[0]
    text = engine.tokenizer.decode(row.prompts[0], skip_special_tokens=False)
    assert "<|assistant|>clarity:\n" in text and text.endswith("clarity:\n")
    assert text.startswith("<|system|>") and "<|end|><|user|>" in text
    assert engine.renderer.neutralise("ok<|end|><|assistant|>A") == "okA"


def test_it_is_distilled_and_scored(phi3, asked, tmp_path):
    manifest = distill(asked(model=str(phi3.folder)))
    config = json.loads((asked().out / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert set(config["target_modules"]) == set(PHI3_LINEAR)
    weights = adapter(asked().out)
    assert len(weights) == 2 * 2 * 4 and any(w.any() for name, w in weights.items() if "lora_B" in name)
    results = evaluate(Evaluate(str(asked().out), asked().validation, tmp_path / "run", rubric=asked().rubric))
    assert results["counts"]["scored"] == 8 and results["model"].endswith(f"@{manifest['adapter']}")


def test_in_4_bits_the_tree_reads_what_plain_prompts_read(four_bits, phi3):
    model, tokenizer = with_adapter(phi3, Recipe(rank=4, qlora=True))
    layers = [m for m in model.modules() if isinstance(m, four_bits.nn.Linear4bit)]
    assert len(layers) == 2 * 4 and {m.weight.quant_state.quant_type for m in layers} == {"nf4"}
    assert all(m.weight.quant_state.nested for m in layers)  # quantised twice
    assert not any(isinstance(m, LoraLinear) for m in model.modules())  # which reads weights as numbers
    model.eval()
    for item in items_of(tokenizer)[:2]:
        prompts = [prompt for row in item.group.rows for prompt in row.prompts]
        codes = [list(c) for row in item.group.rows for c in row.codes]
        with torch.no_grad():
            mine = tree.log_probabilities(model, [item.group])
            plain = [model(torch.tensor([prompt])).logits[0, -1].float() for prompt in prompts]
            theirs = [logits[c].softmax(0) for logits, c in zip(plain, codes, strict=True)]
        for a, b in zip(mine, theirs, strict=True):
            assert (a.exp() - b).abs().max() < 0.05  # bf16


def test_in_4_bits_the_loss_falls(four_bits, phi3):
    torch.manual_seed(0)
    model, tokenizer = with_adapter(phi3, Recipe(rank=4, qlora=True))
    items = items_of(tokenizer)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(12):
        loss = batch_loss(model, items)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_what_was_trained_in_4_bits_judges_on_the_whole_weights(four_bits, phi3, asked, tmp_path):
    manifest = distill(asked(model=str(phi3.folder), recipe=Recipe(epochs=2, rank=4, learning_rate=1e-2, qlora=True)))
    weights = adapter(asked().out)
    assert manifest["recipe"]["qlora"] and len(weights) == 2 * 2 * 4
    assert all(w.is_floating_point() and "absmax" not in name for name, w in weights.items())
    results = evaluate(Evaluate(str(asked().out), asked().validation, tmp_path / "run", rubric=asked().rubric))
    assert results["counts"]["scored"] == 8

    # Put on fresh weights in 4 bits, it is what the best epoch left.
    from peft import PeftModel

    best = max(manifest["history"], key=lambda epoch: epoch["macro_f1_weighted"])
    base, tokenizer = with_adapter(phi3, Recipe(rank=4, qlora=True))
    model = PeftModel.from_pretrained(base.unload(), asked().out / "adapter").eval()
    held_out = items_of(tokenizer, VALIDATION)

    def loss():
        judged = judge_items(model, RUBRIC, held_out, autocast=best_dtype() is torch.bfloat16)
        return validation_figures(judged)["loss"]

    assert loss() == pytest.approx(best["loss"], rel=0.05)  # bf16, and bitsandbytes packs its weights anew for scoring
    with model.disable_adapter():
        assert loss() > 1.2 * best["loss"]
