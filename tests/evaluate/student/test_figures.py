import numpy as np
import pytest

from metrics.bootstrap import draw_clusters
from tests.evaluate.student.talk import TALKS
from utta.evaluate.student.figures import (
    answer_figures,
    copied_words,
    nll,
    nll_reduction,
    real_words,
    word_figures,
)
from utta.evaluate.student.scenes import REAL, scenes

SCENES = scenes(TALKS)
DRAWS = draw_clusters([s.dialogue.cluster for s in SCENES])


def values(found):
    return {name: measured.value for name, measured in found.items()}


def test_the_real_students_have_what_the_dialogues_say():
    found = answer_figures(SCENES, real_words(SCENES), DRAWS)
    assert values(found)["wrong_first"] == 1.0 and values(found)["premature"] == 0.0
    assert values(found)["flip_targeted"] == 1.0 and np.isnan(values(found)["selective_flip"])
    assert found["wrong_first"].n == 10
    assert found["wrong_first"].interval.low == pytest.approx(10 / (10 + 1.96**2), abs=1e-3)  # Wilson's for 10 of 10
    words = values(word_figures(SCENES, real_words(SCENES), DRAWS))
    assert words["rouge_l"] == 1.0
    assert words["words"] == words["distinct_1"] == words["distinct_2"] == 0.0 and words["auc"] == pytest.approx(0.5)


def test_who_copies_gains_nothing_and_never_changes_an_answer():
    said = copied_words(SCENES)
    found = values(answer_figures(SCENES, said, DRAWS) | word_figures(SCENES, said, DRAWS))
    assert found["wrong_first"] == 1.0 and found["rouge_l_gain"] == 0.0
    assert found["flip_targeted"] == found["flip_generic"] == found["selective_flip"] == 0.0


def test_who_gives_way_to_anything_is_not_selective_and_who_listens_is():
    knows_it_all = {s.key: f"It is {s.right:g}" for s in SCENES}
    found = values(answer_figures(SCENES, knows_it_all, DRAWS))
    assert found["wrong_first"] == 0.0 and found["premature"] == 1.0
    assert found["flip_generic"] == 1.0 and found["selective_flip"] == 0.0
    listens = {s.key: s.real if s.teacher == REAL else f"Still {s.wrong:g}" for s in SCENES}
    assert values(answer_figures(SCENES, listens, DRAWS))["selective_flip"] == 1.0


def scores(each):
    return {d.id: {"record_id": d.id, "log_probability": [-2 * each, -each, -each], "tokens": [2, 1, 1]} for d in TALKS}


def test_nll_is_per_token_and_a_reduction_is_of_the_same_tokens():
    assert nll(scores(1.5), SCENES, DRAWS).value == 1.5 and nll(scores(1.5), SCENES, DRAWS).n == 40
    reduction = nll_reduction(scores(1.5), scores(3.0), SCENES, DRAWS)
    assert reduction is not None and reduction.value == 0.5 and reduction.interval.low == pytest.approx(0.5)
    other = scores(3.0)
    other[TALKS[0].id]["tokens"] = [3, 1, 1]
    assert nll_reduction(scores(1.5), other, SCENES, DRAWS) is None


def test_a_difference_is_taken_draw_by_draw():
    rng = np.random.default_rng(0)
    one, other = ({s.key: s.real if rng.random() < 0.7 else "no idea" for s in SCENES} for _ in range(2))
    ours, theirs = (answer_figures(SCENES, said, DRAWS)["wrong_first"] for said in (one, other))
    assert ours.minus(theirs).value == ours.value - theirs.value
    assert ours.minus(ours).interval == (0.0, 0.0, 0.0)


def test_scenes_without_a_reply_are_in_no_figure():
    some = {key: said for key, said in real_words(SCENES).items() if key[0] != TALKS[0].id}
    assert answer_figures(SCENES, some, DRAWS)["wrong_first"].n == 9
    empty = answer_figures(SCENES, {}, DRAWS) | word_figures(SCENES, {}, DRAWS)
    assert all(m.n == 0 and np.isnan(m.value) for m in empty.values())
