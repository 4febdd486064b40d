import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.models.tiny import save_adapter
from utta.core.errors import UttaError
from utta.models import tree
from utta.models.catalogue import fingerprint
from utta.models.engine import Engine, load_weights, most_tokens
from utta.models.grammar import Guide
from utta.models.render import DecisionRow, common_prefix
from utta.models.writing import TextSettings

QUESTIONS = {
    "Hint": {"instructions": "A hint?", "type": "choice", "criteria": {"No": "none", "Some": "a", "Yes": "b"}},
    "Tone": {"instructions": "Warm?", "type": "choice", "criteria": {"Cold": "c", "Warm": "d"}},
}


def make_rows(engine: Engine, conversations: int = 3, responses: int = 4) -> list[DecisionRow]:
    states = [
        {"instructions": "Judge.", "inputs": {"conversation": f"Student: {i} + 2 = 7", "teacher_response": "Oh? " * j}}
        for i in range(conversations)
        for j in range(1, responses + 1)
    ]
    return [engine.renderer.render(state, QUESTIONS) for state in states]


def together(ask: Any, items: list[Any], threads: int = 16) -> list[Any]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(ask, items))


def close(a: Any, b: Any) -> bool:
    return all(x == pytest.approx(y, abs=1e-5) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def adapters(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [save_adapter(tiny, tmp_path_factory.mktemp("adapter"), seed) for seed in (1, 2)]


def test_an_answer_is_a_distribution_for_each_criterion(tiny_engine):
    for answer in map(tiny_engine.decide, make_rows(tiny_engine)):
        assert [len(p) for p in answer] == [3, 2]
        assert all(sum(p) == pytest.approx(1) and min(p) >= 0 for p in answer)


def test_many_threads_get_the_answers_that_each_would_get_alone(tiny_engine):
    rows = make_rows(tiny_engine)
    alone = [tiny_engine.decide(row) for row in rows]
    assert len({tuple(p) for answer in alone for p in answer}) > len(rows), "the answers are told apart"
    for asked in (rows, rows[::-1]):
        expected = alone if asked is rows else alone[::-1]
        assert all(map(close, together(tiny_engine.decide, asked), expected))


def test_requests_that_wait_are_answered_in_full_passes(tiny_engine, monkeypatch):
    rows, found = make_rows(tiny_engine, 6, 4), []
    monkeypatch.setattr(tree, "PASS_TOKENS", tree.tokens_of(tree.group_rows(rows[:8])))
    passes = list(tree.passes(rows))
    assert len(passes) == 3
    read = tree.log_probabilities
    monkeypatch.setattr(
        tree, "log_probabilities", lambda model, groups, **root: found.append(groups) or read(model, groups, **root)
    )
    with ThreadPoolExecutor(len(rows)) as pool:
        with tiny_engine._weights:  # the worker waits, and so do all but the requests that it has taken
            asked = []
            for row in rows:
                asked.append(pool.submit(tiny_engine.decide, row))
                time.sleep(0.001)
        for each in asked:
            each.result(timeout=60)
    assert len(found) <= len(passes) + 2  # the first has what came by then, and the conversation that comes waits
    assert max(map(tree.tokens_of, found)) <= tree.PASS_TOKENS


def test_what_prompts_begin_with_is_read_once(tiny_engine, monkeypatch):
    computed, read = [], tree.read
    monkeypatch.setattr(tree, "read", lambda of, layout, cache=None: computed.append(layout) or read(of, layout, cache))
    rows = make_rows(tiny_engine, 4, 1)
    shared = common_prefix([row.trunk for row in rows])
    for row in rows:
        tiny_engine.decide(row)
    own = [len(row.trunk) - shared + sum(map(len, row.suffixes)) for row in rows]
    assert [layout.ids.numel() for layout in computed[-2:]] == own[-2:]


def test_the_same_row_from_many_threads_is_answered_to_each(tiny_engine):
    row = make_rows(tiny_engine, 1, 1)[0]
    assert all(close(answer, tiny_engine.decide(row)) for answer in together(tiny_engine.decide, [row] * 16))


def test_an_error_in_choosing_what_to_compute_reaches_who_asked(tiny_engine, monkeypatch):
    row = make_rows(tiny_engine, 1, 1)[0]
    with monkeypatch.context() as broken:
        broken.setattr(tree, "next_pass", lambda rows: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tiny_engine.decide(row)
    assert len(tiny_engine.decide(row)) == 2


def test_the_worker_lives_on_after_requests_are_cancelled(tiny_engine, monkeypatch):
    rows = make_rows(tiny_engine)
    monkeypatch.setattr("utta.models.engine.LINGER", 0.5)  # so that the requests still wait when they are cancelled
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(tiny_engine.decide, row) for row in rows[:4]]
        time.sleep(0.2)
        tiny_engine.cancel()
        for each in asked:
            with pytest.raises(UttaError, match="The request was cancelled"):
                each.result(timeout=20)
        assert len(pool.submit(tiny_engine.decide, rows[0]).result(timeout=20)) == 2


def test_a_text_that_is_being_written_ends_when_it_is_cancelled(tiny_engine):
    asked = tiny_engine.stream("A", TextSettings(max_tokens=4000))
    next(asked)
    tiny_engine.cancel()
    with pytest.raises(UttaError, match="The request was cancelled"):
        list(asked)
    assert tiny_engine.generate("A", TextSettings(max_tokens=2)).output_tokens == 2


def test_what_is_asked_after_a_cancellation_is_answered(tiny):
    class Late(threading.Condition):
        """A lock that the worker comes late to."""

        def __enter__(self) -> bool:
            if threading.current_thread().name.startswith("utta"):
                time.sleep(0.05)
            return super().__enter__()

    engine = Engine(tiny, torch.float32)
    asked = engine.stream("A", TextSettings(max_tokens=50))
    next(asked)
    engine._changed = Late(engine._changed._lock)
    list(asked)
    engine.cancel()  # while the worker looks for what to write along with the text that has ended
    assert engine.generate("B", TextSettings(max_tokens=3)).output_tokens == 3


def test_decisions_and_texts_asked_at_once_do_not_mix(tiny_engine):
    rows, brief = make_rows(tiny_engine), TextSettings(max_tokens=5)

    def ask(item: Any) -> Any:
        return tiny_engine.decide(item) if isinstance(item, DecisionRow) else tiny_engine.generate(item, brief)

    mixed = [x for row, prompt in zip(rows, map(str, range(len(rows))), strict=True) for x in (row, prompt)]
    for item, answer in zip(mixed, together(ask, mixed), strict=True):
        assert close(answer, ask(item)) if isinstance(item, DecisionRow) else answer == ask(item)


def test_texts_written_in_one_batch_are_those_written_alone(tiny_engine):
    prompts = ["A", "Why is the sky blue?", "7" * 40, "Ü", "Once upon a time", "x y z"]

    def write(prompt: str) -> Any:
        return tiny_engine.generate(prompt, TextSettings(max_tokens=8))

    alone = [write(prompt) for prompt in prompts]
    assert len({done.text for done in alone}) > 1
    assert [(done.input_tokens, done.output_tokens) for done in alone] == [(len(p.encode()), 8) for p in prompts]
    assert together(write, prompts * 3) == alone * 3


def test_a_schema_that_fails_while_a_text_is_written_fails_that_text_alone(tiny_engine, monkeypatch):
    def add(guide: Guide, token: int) -> None:
        raise UttaError("The JSON schema cannot be followed: too large.")

    def write(schema: str | None) -> Any:
        return tiny_engine.generate("A", TextSettings(max_tokens=8, schema=schema))

    monkeypatch.setattr(Guide, "add", add)
    with ThreadPoolExecutor(4) as pool:
        *plain, led = [pool.submit(write, schema) for schema in (None, None, None, '{"type": "string"}')]
    assert [text.result().output_tokens for text in plain] == [8] * 3
    with pytest.raises(UttaError, match=r"^The JSON schema cannot be followed: too large\.$"):
        led.result()


def test_texts_that_take_the_place_of_others_are_those_written_alone(tiny_engine, monkeypatch):
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}, "required": ["a"]})
    asked = [
        (f"{n} " * (1 + 7 * n % 23), TextSettings(max_tokens=12 + 5 * n % 17, schema=schema if n % 3 == 0 else None))
        for n in range(21)
    ]

    def write(item: Any) -> Any:
        return tiny_engine.generate(*item)

    monkeypatch.setattr("utta.models.engine.TEXT_BATCH", 4)
    alone = [write(item) for item in asked]
    assert len({done.output_tokens for done in alone}) > 5
    assert together(write, asked) == alone


def test_a_text_ends_at_each_of_the_model_s_end_tokens(tiny_engine, monkeypatch):
    full = tiny_engine.generate("Hello", TextSettings(max_tokens=8))
    assert (full.finish_reason, full.output_tokens) == ("length", 8)
    own = tiny_engine.tokenizer.eos_token_id
    written = tiny_engine.tokenizer(full.text, add_special_tokens=False)["input_ids"]
    end = next(token for token in written if token not in written[:2])
    monkeypatch.setattr(tiny_engine.base.generation_config, "eos_token_id", [own, end])
    short = tiny_engine.generate("Hello", TextSettings(max_tokens=8))
    assert (short.finish_reason, short.output_tokens) == ("stop", written.index(end))
    assert full.text.startswith(short.text)


def test_each_prompt_has_draws_of_its_own(tiny_engine):
    anything = TextSettings(max_tokens=8, temperature=1e6, seed=1)  # the prompt alone makes no difference then
    assert tiny_engine.generate("Hello", anything).text != tiny_engine.generate("Hallo", anything).text


def test_a_seed_makes_sampling_repeatable(tiny_engine):
    one, two, other = (
        tiny_engine.generate("Hello", TextSettings(max_tokens=8, temperature=1.5, seed=seed)).text for seed in (1, 1, 2)
    )
    assert one == two != other


def test_a_text_that_does_not_fit_is_refused_in_one_sentence(tiny_engine):
    with pytest.raises(UttaError, match=r"^The prompt has 5 tokens and asks for 4092 more, and .* holds 4096: .*\.$"):
        tiny_engine.generate("Hello", TextSettings(max_tokens=4092))


def test_a_failing_request_reaches_its_asker_and_the_worker_lives_on(tiny_engine):
    row = make_rows(tiny_engine, 1, 1)[0]
    before = tiny_engine.decide(row)
    broken = replace(row, suffixes=((10**6,), (10**6,)))
    for _ in range(2):
        with pytest.raises(IndexError):
            tiny_engine.decide(broken)
    with pytest.raises(UttaError, match=r"holds no adapter 'nonesuch'"):
        tiny_engine.decide(row, "nonesuch")
    with pytest.raises(UttaError, match=r"holds no adapter 'nonesuch'"):
        list(tiny_engine.stream("Hello", TextSettings(max_tokens=3), "nonesuch"))
    assert close(tiny_engine.decide(row), before)


def test_an_adapter_changes_its_own_answers_and_never_the_base_s(tiny, adapters):
    engine = Engine(tiny, torch.float32)
    rows = make_rows(engine)
    brief = TextSettings(max_tokens=6)
    base, text = [engine.decide(row) for row in rows], engine.generate("Hello", brief)
    names = [engine.add_adapter(folder) for folder in adapters]
    assert names == [fingerprint(folder) for folder in adapters] and names[0] != names[1]
    assert engine.add_adapter(adapters[0]) == names[0], "added twice, held once"
    expected = {"": base} | {
        name: plain_answers(tiny, folder, rows) for name, folder in zip(names, adapters, strict=True)
    }
    asked = [(name, i) for i in range(len(rows)) for name in expected]
    for (name, i), answer in zip(asked, together(lambda x: engine.decide(rows[x[1]], x[0]), asked), strict=True):
        assert all(p == pytest.approx(q, abs=1e-4) for p, q in zip(answer, expected[name][i], strict=True))
    for name in names:
        assert not any(close(mine, theirs) for mine, theirs in zip(expected[name], base, strict=True))
        assert engine.generate("Hello", brief, name).text != text.text
    assert engine.generate("Hello", brief) == text


def plain_answers(located: Any, adapter: Path, rows: list[DecisionRow]) -> list[list[list[float]]]:
    """What PEFT itself answers, prompt by prompt."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_weights(located, torch.float32), adapter).eval()
    model.base_model.model.set_attn_implementation("sdpa")
    answers = []
    with torch.inference_mode():
        for row in rows:
            last = [model(torch.tensor([prompt])).logits[0, -1] for prompt in row.prompts]
            answers.append([torch.softmax(z[list(c)], 0).tolist() for z, c in zip(last, row.codes, strict=True)])
    return answers


def test_an_adapter_that_is_put_in_while_others_ask_disturbs_no_answer(tiny, adapters, monkeypatch):
    from peft import PeftModel

    load = PeftModel.from_pretrained

    def load_slowly(*args: Any, **options: Any) -> Any:
        loaded = load(*args, **options)  # the new weights are in the model now, and the engine does not know it yet
        time.sleep(0.2)
        return loaded

    monkeypatch.setattr(PeftModel, "from_pretrained", load_slowly)
    engine = Engine(tiny, torch.float32)
    row = make_rows(engine, 1, 1)[0]
    before, during, added = engine.decide(row), [], threading.Event()

    def ask() -> None:
        while not added.is_set():
            during.append(engine.decide(row))

    asker = threading.Thread(target=ask)
    asker.start()
    for folder in adapters:
        engine.add_adapter(folder)
    added.set()
    asker.join()
    assert during and all(close(answer, before) for answer in during)


def test_an_adapter_for_other_weights_is_refused(tiny, tiny_engine, tmp_path):
    foreign = save_adapter(tiny, tmp_path / "foreign", 1, made_for="0123456789ab")
    with pytest.raises(
        UttaError, match=rf"was trained on .* \(0123456789ab\) and not on .* \({tiny.fingerprint}\); .*\.$"
    ):
        tiny_engine.add_adapter(foreign)
    (foreign / "base.json").unlink()
    with pytest.raises(UttaError, match=r"There is no file .*base\.json"):
        tiny_engine.add_adapter(foreign)


@pytest.mark.parametrize(("positions", "window", "most"), [(8192, None, 8192), (4096, 2047, 2047), (512, 4096, 512)])
def test_a_sliding_window_limits_the_prompt(positions, window, most):
    assert most_tokens(SimpleNamespace(max_position_embeddings=positions, sliding_window=window)) == most
    if window is None:
        assert most_tokens(SimpleNamespace(max_position_embeddings=positions)) == most


def test_the_embedded_engine_answers_many_threads_as_one_by_one(embedded_model, sample_rows):
    engine, rows = embedded_model.decisions.engine, sample_rows[:5]
    alone = [engine.decide(row) for row in rows]
    answers = together(engine.decide, rows)
    pairs = [
        (torch.tensor(p), torch.tensor(q))
        for a, b in zip(answers, alone, strict=True)
        for p, q in zip(a, b, strict=True)
    ]
    assert all(p.argmax() == q.argmax() for p, q in pairs)
    assert torch.cat([(p - q).abs() for p, q in pairs]).mean() <= 0.01
    assert tree.Group(tuple(rows)).prefix > 50, "the rubric is computed once"


LEAVES_EARLY = """
from utta.models.engine import engine
from utta.models.writing import TextSettings
asked = engine({name!r}).stream("A", TextSettings(max_tokens=4000))
next(asked)
print("left")
"""


def test_a_program_may_end_while_a_text_is_being_written(tiny, tmp_path):
    (tmp_path / "early.py").write_text(LEAVES_EARLY.format(name=tiny.name))
    done = subprocess.run([sys.executable, str(tmp_path / "early.py")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr


def test_a_closed_engine_says_so(tiny):
    engine = Engine(tiny, torch.float32)
    engine.close()
    with pytest.raises(UttaError, match="closed"):
        engine.generate("A", TextSettings(max_tokens=2))
