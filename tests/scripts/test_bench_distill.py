"""The bench against other trainers: the rows they are given, how their judges are read, and the lines that are printed."""

import argparse
import importlib
import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.evaluate.scripted import ROOT, RUBRIC, grid
from utta.core.errors import UttaError
from utta.distill.rows import training_items
from utta.models.render import CODES, Renderer
from utta.programs.evaluator import TeachingEvaluator

LIMITS = {"warmup": 1, "steps": 2, "seconds": 60}


@pytest.fixture
def scripts(monkeypatch):
    """Imports a script as running it would."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


@pytest.fixture
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny.folder)


@pytest.fixture
def items(tokenizer):
    return training_items(TeachingEvaluator(RUBRIC), grid(["ants", "bees"], 2), Renderer(tokenizer, "tiny", 4096))


def test_a_reply_in_one_row_asks_every_criterion_that_has_a_level(scripts, items, tokenizer):
    ways = scripts("bench_ways")
    for row, levels in ways.replies(items):
        joined = ways.joined(row, levels, tokenizer)
        assert [code for _, code in joined.turns] == [CODES[level] for level in levels]
        assert tokenizer.decode(joined.ids) == "".join(asked + code for asked, code in joined.turns)
        assert [joined.ids[place] for place in joined.places] == [
            codes[level] for codes, level in zip(row.codes, levels, strict=True)
        ]
        # The first criterion stands exactly where the judge reads it.
        assert list(joined.ids[: joined.places[0]]) == row.prompts[0]
        partly = ways.joined(row, [None, levels[1]], tokenizer)
        assert list(partly.ids[:-1]) == row.prompts[1]


def test_a_row_read_in_turn_shows_each_criterion_the_judges_own_answers(scripts, items, tokenizer, tiny):
    ways = scripts("bench_ways")
    model = AutoModelForCausalLM.from_pretrained(tiny.folder, dtype=torch.float32).eval()
    row, levels = next(ways.replies(items))
    joined = ways.joined(row, levels, tokenizer)
    first, second = ways.in_turn(model, joined, row.codes)
    ids = list(joined.ids)
    with torch.inference_mode():
        for place, codes, chances in zip(joined.places, row.codes, (first, second), strict=True):
            expected = torch.softmax(model(torch.tensor([ids[:place]])).logits[0, -1, list(codes)], -1)
            assert chances == pytest.approx(expected.tolist(), rel=1e-4)
            ids[place] = codes[int(expected.argmax())]


def test_ours_counts_decisions_and_tokens_after_the_warm_up(scripts, items, tiny, tmp_path):
    ways = scripts("bench_ways")
    measured = ways.ours(items, tiny, ways.Limits(**LIMITS), tmp_path)
    assert measured.steps == 2 and 0 < measured.seconds < 60 and measured.peak_mib > 50
    assert measured.decisions == 8  # two conversations of two replies on two criteria
    assert measured.tokens in [a.group.tokens + b.group.tokens for a in items for b in items]
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_a_training_ends_at_its_limit_of_seconds(scripts, items, tiny, tmp_path):
    ways = scripts("bench_ways")
    assert ways.ours(items, tiny, ways.Limits(1, 50, 0.0), tmp_path).steps == 1


def test_a_log_that_is_being_written_gives_its_whole_lines(scripts, tmp_path):
    ways = scripts("bench_llamafactory")
    assert ways.logged(tmp_path / "log") == []
    (tmp_path / "log").write_text('{"current_steps": 1}\n{"current_st', encoding="utf-8")
    assert ways.logged(tmp_path / "log") == [{"current_steps": 1}]


def found(**rivals):
    speed = {"steps": 60, "decisions": 600, "tokens": 6000, "seconds": 60.0, "peak_mib": 2000.0, "dialogues": 24}
    whole = {"peak": {"gflops": 600.0, "linear_parameters": 10**8}, "speed-ours": speed}
    whole |= {f"speed-{way}": speed | {"decisions": 60} for way in ("trl", "trl_best", "llamafactory")}
    return whole | {"growth-replies-2": speed} | {f"speed-{way}": value for way, value in rivals.items()}


def test_the_ratios_come_last(scripts):
    lines = list(scripts("bench_distill").lines(found()))
    assert lines[-3:] == ["ratio_trl: 10.0", "ratio_trl_best: 10.0", "ratio_llamafactory: 10.0"]
    assert "ours_decisions_per_second: 10.00" in lines
    assert "ours_share_of_peak: 0.067" in lines  # 4 · 10⁸ weights · 100 tokens/s of 600 · 10⁹


def test_a_rival_that_was_not_measured_says_why(scripts):
    lines = list(scripts("bench_distill").lines(found(llamafactory={"reason": "no network"})))
    assert lines[-1] == "ratio_llamafactory: not measured (no network)"
    assert not [line for line in lines if line.startswith("llamafactory_")]


def test_a_part_that_is_done_is_taken_from_the_folder(scripts, tmp_path, monkeypatch):
    bench = scripts("bench_distill")
    data = tmp_path / "reviews.jsonl"
    data.write_text("{}\n", encoding="utf-8")
    asked = argparse.Namespace(data=data, out=tmp_path, dialogues=2, agreement_minutes=0.0, part=None, **LIMITS)
    calls = []
    monkeypatch.setattr(bench, "run", lambda command: calls.append(command) or json.dumps({"gflops": 1.0}))
    assert bench.kept(asked, "peak")["gflops"] == bench.kept(asked, "peak")["gflops"] == 1.0
    assert len(calls) == 1
    asked.agreement_minutes = 3.0  # nothing to the speed
    bench.kept(asked, "peak")
    asked.steps += 1
    bench.kept(asked, "peak")
    assert len(calls) == 2


def test_an_environment_that_cannot_be_made_gives_one_sentence(scripts, tmp_path):
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(UttaError, match="LLaMA-Factory cannot be installed here"):
        scripts("bench_llamafactory").install_llamafactory(tmp_path / "taken")
