"""Fitting a probe: what words speak for, also words that no label was given for."""

import numpy as np
import pytest
import torch

from tests.evaluate.scripted import RUBRIC
from utta.distill.probe import fit_probe
from utta.distill.trainer import Item
from utta.models.render import DecisionRow
from utta.models.tree import Group

GOOD, BAD, GREAT, LIKEWISE = range(4)  # tokens; by their embeddings GREAT means almost what GOOD means
EMBEDDINGS = torch.tensor([[3.0, 0.1], [-3.0, 0.1], [2.9, -0.2], [0.0, 0.1]])
CRITERIA = tuple(c.id for c in RUBRIC.criteria)
LABELS = tuple(tuple(c.labels) for c in RUBRIC.criteria)


def item(*responses):
    """A conversation with responses as (tokens, target on clarity, target on tone)."""
    rows = tuple(
        DecisionRow("", (9, i), CRITERIA, LABELS, ((8,), (7,)), ((1, 2, 3), (1, 2)), tuple(tokens))
        for i, (tokens, *_) in enumerate(responses)
    )
    return Item(Group(rows), tuple(target for _, *targets in responses for target in targets), "eels")


def fitted(*responses, times=400):
    return fit_probe(RUBRIC, [item(*responses)] * times, EMBEDDINGS)


def chances(probe, criterion, *tokens):
    return probe.words[criterion].chances(tokens)


def test_words_of_the_same_meaning_speak_for_the_same_level():
    probe = fitted(([GOOD, LIKEWISE], (0, 0, 1), (0, 1)), ([BAD, LIKEWISE], (1, 0, 0), (1, 0)))
    assert probe.words["clarity"].labels == ("Poor", "Fair", "Good")
    for word in (GOOD, GREAT):
        poor, fair, good = chances(probe, "clarity", word)
        assert good > 0.6 > 0.3 > poor > fair > 0  # nobody gave "Fair", and yet it is not impossible
        cold, warm = chances(probe, "tone", word)
        assert warm > 0.6 and cold + warm == pytest.approx(1)
    assert chances(probe, "tone", GOOD, BAD) == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_target_counts_as_much_as_it_is_large():
    shared = fitted(([GOOD], (0.25, 0, 0.75), None), ([BAD], (0.75, 0, 0.25), None))
    one = [([GOOD], (0, 0, 1), None)] * 3 + [([GOOD], (1, 0, 0), None)]
    other = [([BAD], (1, 0, 0), None)] * 3 + [([BAD], (0, 0, 1), None)]
    apart = fitted(*one, *other, times=100)
    assert chances(shared, "clarity", GOOD) == pytest.approx(chances(apart, "clarity", GOOD), abs=1e-3)
    assert set(shared.words) == {"clarity"}  # nobody said anything of the tone


def test_without_words_that_tell_it_keeps_to_the_shares_of_the_levels():
    probe = fitted(*[([LIKEWISE], (0, 0, 1), None)] * 3, ([LIKEWISE], (1, 0, 0), None))
    assert chances(probe, "clarity", LIKEWISE) == pytest.approx([0.25, 0, 0.75], abs=0.01)


def test_a_response_without_a_token_is_no_row():
    assert fitted(([], (0, 0, 1), (0, 1))).words == {}


def test_the_embedded_model_s_words_agree_with_regression_on_its_embeddings(embedded_model):
    """Scores per token, made once, are the same as a regression that is asked about the mean embedding."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    engine = embedded_model.decisions.engine
    table = engine.base.get_input_embeddings().weight
    texts = ["Well done, you found it.", "No. Wrong again.", "What could you try next?", "That is the answer: 7."]
    tokens = [engine.tokenizer(text)["input_ids"] for text in texts] * 50
    levels = [2, 0, 1, 0] * 50
    items = [
        item(*((ids, tuple(np.eye(3)[level]), None) for ids, level in zip(tokens[:4], levels[:4], strict=True)))
    ] * 50
    probe = fit_probe(RUBRIC, items, table)
    means = np.array([table.detach().float()[ids].mean(0).numpy() for ids in tokens])
    plain = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=1000)).fit(means, levels)
    ours = [chances(probe, "clarity", *ids) for ids in tokens[:4]]
    assert ours == pytest.approx(plain.predict_proba(means[:4]), abs=0.02)  # three responses more make the difference
