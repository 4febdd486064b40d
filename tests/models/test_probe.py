"""A probe beside a model's answers: kept as data, half the weight, and only where it knows the levels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from tests.models.tiny import save_adapter
from utta.core.errors import UttaError
from utta.models.decisions import LocalDecisions
from utta.models.probe import FILE, Probe, Words
from utta.models.render import DecisionRow

LEVELS = ("No", "Some", "Yes")
STATE = {"instructions": "Judge.", "inputs": {"conversation": "Student: 7", "teacher_response": "Why 7?"}}
QUESTIONS = {"Hint": {"instructions": "A hint?", "type": "choice", "criteria": dict.fromkeys(LEVELS, "so")}}


def probe(vocabulary=9, labels=LEVELS, seed=0):
    numbers = np.random.default_rng(seed).normal(size=(vocabulary + 1, len(labels))).astype(np.float32)
    return Probe({"Hint": Words(labels, numbers[:-1], numbers[-1])})


def row(*response, labels=LEVELS, criterion="Hint"):
    return DecisionRow("", (1,), (criterion,), (labels,), ((2,),), ((3, 4, 5),), response)


def test_a_file_holds_the_whole_probe(tmp_path):
    assert Probe.load(tmp_path) is None
    probe().save(tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))  # where other servers would take it for a part of the model
    told = [[0.2, 0.3, 0.5]]
    assert Probe.load(tmp_path).beside(row(3, 1, 3), told) == probe().beside(row(3, 1, 3), told)


def test_a_turned_table_is_written_as_it_reads(tmp_path):
    turned = Words(LEVELS, np.arange(12, dtype=np.float32).reshape(3, 4).T, np.zeros(3, np.float32))
    Probe({"Hint": turned}).save(tmp_path)
    assert np.array_equal(Probe.load(tmp_path).words["Hint"].scores, turned.scores)


@pytest.mark.parametrize("content", [b"", b"half", save({"a": np.zeros(1)})])
def test_a_broken_file_is_told_in_one_sentence(tmp_path, content):
    probe().save(tmp_path)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UttaError, match=r"probe\.safetensors is no whole probe .* make the program anew\.$"):
        Probe.load(tmp_path)


def test_a_response_s_chances_are_the_softmax_of_its_tokens_mean_score():
    words = Words(LEVELS, np.log(np.array([[1, 1, 4], [1, 4, 1]], dtype=np.float32)), np.zeros(3, dtype=np.float32))
    assert words.chances([0]) == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert words.chances([0, 1]) == pytest.approx([1 / 5, 2 / 5, 2 / 5])


def test_both_have_half_the_weight():
    known = Probe({"Hint": Words(LEVELS, np.log([[0.04, 0.48, 0.48]]).astype(np.float32), np.zeros(3, np.float32))})
    expected = np.sqrt([0.64 * 0.04, 0.18 * 0.48, 0.18 * 0.48])
    assert known.beside(row(0), [[0.64, 0.18, 0.18]])[0] == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize(
    "asked", [row(), row(3, criterion="Tone"), row(3, labels=("No", "Yes")), row(3, labels=("No", "A bit", "Yes"))]
)
def test_what_it_does_not_know_stays_as_it_is(asked):
    told = [[1 / len(asked.labels[0])] * len(asked.labels[0])]
    assert probe().beside(asked, told) == told


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 0.1),
    st.lists(st.integers(0, 8), min_size=1, max_size=20),
    st.integers(0, 5),
)
def test_the_chances_sum_to_one_and_follow_where_both_agree(told, response, seed):
    told = [p / sum(told) for p in told]
    words = probe(seed=seed)
    both = words.beside(row(*response), [told])[0]
    assert sum(both) == pytest.approx(1) and all(0 <= p <= 1 for p in both)
    alone = words.words["Hint"].chances(response)
    if np.argmax(told) == np.argmax(alone):
        assert both[np.argmax(told)] == pytest.approx(max(both))


def test_what_lies_beside_an_adapter_is_part_of_its_answers(tiny, tmp_path):
    import torch

    from utta.models.engine import Engine

    engine = Engine(tiny, torch.float32)
    alone = engine.add_adapter(save_adapter(tiny, tmp_path / "alone", seed=1))
    with_probe = save_adapter(tiny, tmp_path / "beside", seed=1)
    probe(len(engine.tokenizer)).save(with_probe)
    beside = engine.add_adapter(with_probe)
    assert beside != alone  # so that no kept answer of the one is taken for the other's
    asked = engine.renderer.render(STATE, QUESTIONS)
    assert asked.response == tuple(engine.tokenizer("Why 7?")["input_ids"])
    told = LocalDecisions(engine, alone, cache=False).probabilities(STATE, QUESTIONS)
    both = LocalDecisions(engine, beside, cache=False).probabilities(STATE, QUESTIONS)
    assert told == engine.decide(asked, alone)
    assert both[0] == pytest.approx(probe(len(engine.tokenizer)).beside(asked, told)[0], abs=1e-5) != told[0]
