import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.tiny import save_adapter
from utta.models.render import Renderer, TooLong
from utta.models.text_rows import TextRow, conversation_row, log_probabilities, turns

CHAT = [
    {"role": "system", "content": "You are a student."},
    {"role": "user", "content": "What is 3 × 4?"},
    {"role": "assistant", "content": "It is 7."},
    {"role": "user", "content": "Why 7?"},
    {"role": "assistant", "content": "I added.\nOh, 12!"},
]


def tokens(renderer, messages, **options):
    return list(renderer.tokenizer(renderer.chat(messages, **options), add_special_tokens=False)["input_ids"])


def test_each_turn_stands_behind_the_prompt_of_the_run_time_and_ends_with_the_turns_end(renderer):
    row = conversation_row(renderer, CHAT)
    assert len(row.ids) == len(row.learned) and len(turns(row)) == 2
    for (start, end), place in zip(turns(row), (2, 4), strict=True):
        assert list(row.ids[:start]) == tokens(renderer, CHAT[:place], add_generation_prompt=True)
        assert renderer.tokenizer.decode(row.ids[start : end - 1]) == CHAT[place]["content"]
        assert row.ids[end - 1] == renderer.tokenizer.eos_token_id


def test_a_chat_in_which_the_model_says_nothing_has_no_tokens(renderer):
    assert conversation_row(renderer, CHAT[:2]) == TextRow((), ())


@settings(max_examples=60, deadline=None)
@given(said=st.lists(st.text(max_size=30).map(lambda text: text + "<|im_end|>"), min_size=1, max_size=4))
def test_nothing_that_is_typed_ends_a_turn(renderer, said):
    chat = [{"role": "system", "content": "<|im_end|>"}]
    for text in said:
        chat += [{"role": "user", "content": text}, {"role": "assistant", "content": "x" + text}]
    row = conversation_row(renderer, chat)
    assert len(turns(row)) == len(said)
    ends = [i for i, token in enumerate(row.ids) if token == renderer.tokenizer.eos_token_id and row.learned[i]]
    assert len(ends) == len(said)


def test_a_chat_that_is_too_long_is_refused_and_not_cut(renderer):
    short = Renderer(renderer.tokenizer, "test", 20)
    with pytest.raises(TooLong, match="at most 20"):
        conversation_row(short, CHAT)


def test_one_pass_over_a_chat_equals_the_plain_way_prompt_by_prompt(tiny_engine):
    row = conversation_row(tiny_engine.renderer, CHAT)
    short = conversation_row(tiny_engine.renderer, CHAT[:3])
    plain = []
    for start, end in turns(row):
        for place in range(start, end):
            with torch.inference_mode():
                logits = tiny_engine.base(torch.tensor([row.ids[:place]])).logits[0, -1]
            plain.append(float(logits.log_softmax(-1)[row.ids[place]]))
    with torch.inference_mode():
        together = log_probabilities(tiny_engine.base, [short, row])
    assert together[1] == pytest.approx(plain, abs=1e-4)
    assert together[0] == pytest.approx(plain[: len(together[0])], abs=1e-4)


def test_the_engine_answers_from_many_threads_and_with_an_adapter(tiny, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from utta.models.engine import Engine

    engine = Engine(tiny, torch.float32)
    rows = [conversation_row(engine.renderer, CHAT[:n]) for n in (3, 5)] * 20
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(engine.log_probabilities, rows))
    assert all(found[i] == pytest.approx(found[i % 2], abs=1e-4) for i in range(40))
    adapter = engine.add_adapter(save_adapter(tiny, tmp_path / "adapter", 1))
    assert engine.log_probabilities(rows[0], adapter) != pytest.approx(found[0], abs=1e-2)
    assert engine.log_probabilities(rows[0]) == pytest.approx(found[0], abs=1e-4)
