"""The tree against the plain way: each prompt on its own, through Transformers' own attention."""

import copy
import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM

from utta.models import attention, flat, tree
from utta.models.render import DecisionRow

VOCABULARY = 40
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
ARCHITECTURES = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES)),
    "llama, head of its own": (LlamaForCausalLM, LlamaConfig(**SIZES, tie_word_embeddings=False, attention_bias=True)),
    "phi3": (Phi3ForCausalLM, Phi3Config(**SIZES)),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """The same random weights twice: with the tree's attention, and with Transformers' SDPA."""
    kind, config = ARCHITECTURES[request.param]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        plain = kind(copy.deepcopy(config)).eval()
    ours = copy.deepcopy(plain)
    ours.set_attn_implementation(attention.NAME)
    plain.set_attn_implementation("sdpa")
    assert ours.config._attn_implementation != plain.config._attn_implementation
    return ours, plain


def row(shared: str, trunk: list[int], suffixes: list[list[int]], levels: int = 3) -> DecisionRow:
    codes = tuple(tuple(range(5, 5 + levels)) for _ in suffixes)
    names = tuple(f"c{i}" for i in range(len(suffixes)))
    return DecisionRow(shared, tuple(trunk), names, (), tuple(map(tuple, suffixes)), codes)


Shape = list[tuple[int, list[tuple[int, list[int]]]]]


def build(root: int, shape: Shape, seed: int = 0) -> list[tree.Group]:
    """Groups of random tokens: `root` tokens of rubric, then per group the length of its conversation and its rows, each
    with the length of its response and of its suffixes."""
    chosen = torch.Generator().manual_seed(seed)

    def tokens(n: int) -> list[int]:
        return torch.randint(VOCABULARY, (n,), generator=chosen).tolist()

    rubric, groups = tokens(root), []
    for i, (conversation, members) in enumerate(shape):
        head = rubric + tokens(conversation)
        rows = [row(str(i), head + tokens(response), [tokens(n) for n in lengths]) for response, lengths in members]
        groups.append(tree.Group(tuple(rows)))
    return groups


def plainly(model: Any, groups: list[tree.Group]) -> list[torch.Tensor]:
    """Each decision's log-probabilities from a forward pass over its own prompt alone."""
    found = []
    for member in itertools.chain.from_iterable(group.rows for group in groups):
        for prompt, codes in zip(member.prompts, member.codes, strict=True):
            logits = model(torch.tensor([prompt], device=model.device), logits_to_keep=1).logits[0, -1].float()
            found.append(torch.log_softmax(logits[list(codes)], dim=-1))
    return found


def assert_equal(pair: tuple[Any, Any], groups: list[tree.Group], root: tree.Root | None = None) -> None:
    ours, plain = pair
    with torch.inference_mode():
        mine, theirs = tree.log_probabilities(ours, groups, root=root), plainly(plain, groups)
    assert len(mine) == len(theirs) == sum(g.decisions for g in groups)
    for a, b in zip(mine, theirs, strict=True):
        assert a.dtype == torch.float32 and (a.exp() - b.exp()).abs().max() <= 1e-4


LONG = tree.BLOCK + 50
SHAPES: dict[str, tuple[int, Shape]] = {
    "one row, one criterion": (9, [(5, [(4, [1])])]),
    "one row, many criteria": (9, [(5, [(4, [3, 1, 6, 2])])]),
    "several conversations": (
        20,
        [(12, [(6, [2, 3]), (0, [2, 3]), (9, [2, 3])]), (7, [(5, [2, 3])]), (0, [(3, [2, 3])])],
    ),
    "nothing shared": (0, [(0, [(8, [2]), (5, [2])]), (0, [(4, [3])])]),
    "no trunk at all": (0, [(0, [(0, [3, 2])])]),
    "rows longer than a block": (6, [(3, [(LONG, [2, 4]), (7, [2, 4]), (LONG, [2, 4])]), (2, [(2 * LONG, [1])])]),
    "shared runs longer than a stretch": (
        flat.STRETCH + 9,
        [(2 * flat.STRETCH + 5, [(6, [2, 3]), (4, [2])]), (3, [(5, [2])]), (flat.STRETCH, [(1, [1])])],
    ),
    "many short rows in blocks": (4, [(4, [(25, [2, 2]) for _ in range(12)])]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_tree_gives_the_plain_probabilities(pair, shape):
    assert_equal(pair, build(*SHAPES[shape]))


rows = st.tuples(
    st.integers(0, 60) | st.integers(tree.BLOCK - 5, tree.BLOCK + 5),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
shapes = st.lists(st.tuples(st.integers(0, 20), st.lists(rows, min_size=1, max_size=4)), min_size=1, max_size=3)


@given(root=st.integers(0, 30), shape=shapes, seed=st.integers(0, 2**31))
@settings(max_examples=12, deadline=None)
def test_the_tree_gives_the_plain_probabilities_whatever_the_shape(pair, root, shape, seed):
    assert_equal(pair, build(root, shape, seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_passes_behind_a_root_that_is_kept_give_the_plain_probabilities(pair, shape):
    groups, root = build(*SHAPES[shape]), None
    for now in [*([group] for group in groups), groups, groups[:1]]:
        root = tree.root_of(pair[0], now, root)
        assert all(row.trunk[: len(root.ids)] == root.ids for group in now for row in group.rows)
        assert_equal(pair, now, root)
    other = build(*SHAPES[shape], seed=1)
    assert_equal(pair, other, tree.root_of(pair[0], other, root))


def test_responses_that_are_equal_or_begin_alike_do_not_see_each_other(pair):
    head, reply = [7, 8, 9], [10, 11, 12]
    members = [row("x", head + reply[:n], [[4], [4, 6]]) for n in (3, 3, 1, 0)]
    assert_equal(pair, [tree.Group(tuple(members))])


GRADIENTS = [
    "one row, one criterion",
    "several conversations",
    "rows longer than a block",
    "shared runs longer than a stretch",
]


@pytest.mark.parametrize("shape", GRADIENTS)
def test_training_through_the_tree_has_the_plain_gradients(pair, shape):
    gradients = []
    for model, forward in zip(pair, (tree.log_probabilities, plainly), strict=True):
        model.zero_grad()
        decisions = forward(model, build(*SHAPES[shape]))
        torch.stack([log[i % len(log)] for i, log in enumerate(decisions)]).sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        model.zero_grad()
    mine, theirs = gradients
    assert mine.keys() == theirs.keys() and mine
    for name, expected in theirs.items():
        torch.testing.assert_close(mine[name], expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()), msg=name)


@pytest.mark.parametrize("by_sdpa", [True, False])
def test_both_ways_of_reading_without_gradient_give_the_plain_probabilities(pair, by_sdpa, monkeypatch):
    asked = []
    monkeypatch.setattr(attention, "_sdpa_is_faster", lambda query: asked.append(query) or by_sdpa)
    for shape in GRADIENTS:
        assert_equal(pair, build(*SHAPES[shape]))
    assert asked


def test_a_call_without_spans_is_transformers_own(pair):
    ours, plain = pair
    ids = torch.arange(30).view(2, 15) % VOCABULARY
    with torch.inference_mode():
        assert torch.equal(ours(ids).logits, plain(ids).logits)


@given(shape=shapes, most=st.integers(1, 400), order=st.randoms())
@settings(max_examples=40, deadline=None)
def test_rows_are_grouped_by_conversation_and_none_is_lost(shape, most, order):
    members = [replace(r, labels=((str(i),),)) for i, r in enumerate(r for g in build(3, shape) for r in g.rows)]
    order.shuffle(members)
    groups = tree.group_rows(members, most)
    flat = [r for group in groups for r in group.rows]
    assert sorted(flat, key=members.index) == members and len(flat) == len(members)
    for group in groups:
        assert len({r.shared for r in group.rows}) == 1
        assert len(group.rows) == 1 or group.tokens <= most
    firsts = list(dict.fromkeys(r.shared for r in members))
    assert list(dict.fromkeys(r.shared for r in flat)) == firsts


@given(shape=shapes, most=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_passes_hold_every_row_and_are_as_full_as_they_may_be(shape, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "PASS_TOKENS", most)
        members = [r for g in build(3, shape) for r in g.rows]
        found = list(tree.passes(members))
    assert [g for groups in found for g in groups] == tree.group_rows(members, most)
    assert all(len(groups) == 1 or tree.tokens_of(groups) <= most for groups in found)
    assert all(tree.tokens_of([*now, then[0]]) > most for now, then in itertools.pairwise(found))


def test_the_conversation_that_came_last_waits_where_a_pass_is_half_full_without_it(monkeypatch):
    one, two, late = build(30, [(10, [(5, [2])] * 3)] * 3)  # 30 tokens of rubric, 31 of each conversation
    came = [*one.rows, *two.rows, late.rows[0]]
    monkeypatch.setattr(tree, "PASS_TOKENS", 124)
    assert tree.next_pass(came) == [one, two], "62 are half of 124"
    monkeypatch.setattr(tree, "PASS_TOKENS", 126)
    assert tree.next_pass(came) == [one, two, tree.Group(late.rows[:1])]
    assert tree.next_pass(late.rows) == [late], "there is no other"


@given(shape=shapes, most=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_the_row_that_has_waited_longest_is_always_taken(shape, most):
    waiting = [r for g in build(3, shape) for r in g.rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "PASS_TOKENS", most)
        while waiting:
            taken = [id(r) for group in tree.next_pass(waiting) for r in group.rows]
            assert id(waiting[0]) in taken
            waiting = [r for r in waiting if id(r) not in taken]


@given(root=st.integers(0, 20), shape=shapes)
@settings(max_examples=40, deadline=None)
def test_a_layout_holds_each_shared_token_once_and_a_read_out_per_decision(root, shape):
    groups = build(root, shape)
    for group in groups:
        alone = tree.lay_out([group])
        assert alone.ids.shape == alone.positions.shape == (1, group.tokens)
    layout = tree.lay_out(groups)
    assert layout.ids.shape[1] == tree.tokens_of(groups) <= sum(g.tokens for g in groups)
    last = [suffix[-1] for g in groups for r in g.rows for suffix in r.suffixes]
    assert layout.ids[0, layout.readouts].tolist() == last
    ends = [len(prompt) - 1 for g in groups for r in g.rows for prompt in r.prompts]
    assert layout.positions[0, layout.readouts].tolist() == ends
    assert [s.start for s in layout.spans] == [0] + [s.end for s in layout.spans[:-1]]
    assert layout.spans[-1].end == layout.ids.shape[1]


def test_the_embedded_model_decides_the_same_both_ways(embedded, embedded_model, sample_rows):
    engine = embedded_model.decisions.engine
    groups = tree.group_rows(sample_rows)
    with torch.inference_mode():
        mine = [log.exp() for log in tree.log_probabilities(engine.base, groups)]
        theirs = [log.exp() for log in plainly(engine.base, groups)]
    same = [a.argmax() == b.argmax() for a, b in zip(mine, theirs, strict=True)]
    assert len(same) >= 12 and sum(same) / len(same) >= 0.99
    assert torch.cat([(a - b).abs() for a, b in zip(mine, theirs, strict=True)]).mean() <= 0.01
