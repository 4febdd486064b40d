"""What is learnt of a teacher: which of its decisions are kept, and what they make of the targets."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tests.distill.conftest import TRAIN, VALIDATION
from tests.distill.test_run import adapter, history
from tests.evaluate.conftest import judge  # noqa: F401 — a fixture
from tests.evaluate.scripted import RUBRIC, grid, hashed, knowing, make_review, put_down
from tests.models.openai_server import KEY, serve
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256
from utta.distill.pool import HeldOut
from utta.distill.recipe import Teachers
from utta.distill.rows import Lessons, training_items
from utta.distill.run import distill
from utta.distill.teacher import GRID, choose_threshold, open_teachers, teach
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator
from utta.programs.folder import Program, save_program
from utta.records.read import write_records

ALL = HeldOut(set(), set())
POOL = [make_review(n, f"problem {n % 5}", None, None) for n in range(500, 520)]
SEEN = grid([f"unlike {n}" for n in range(6)], 5)  # validation for a judge without a model


@pytest.fixture(scope="module")
def renderer(tiny):
    return Renderer(AutoTokenizer.from_pretrained(tiny.folder, local_files_only=True), "tiny", 4096)


def program(**weights):
    module = TeachingEvaluator(RUBRIC)
    for criterion, by_level in weights.items():
        module.judge.fields[criterion] = {"weights": by_level}
    return Program("evaluator", module, "scripted", RUBRIC)


def taught(tmp_path, programs, replies=POOL, train=(), validation=SEEN, **asked):
    return teach(tmp_path / "teacher", Teachers(("x",), **asked), programs, RUBRIC, replies, train, validation)


def best(chances):
    return int(np.argmax(chances))


def test_a_threshold_keeps_what_is_more_often_right_than_wrong():
    sure = np.array([0.45, 0.45, 0.45, 0.65, 0.65, 0.85])
    right = np.array([False, False, True, True, True, True])
    assert choose_threshold(sure, right) == 0.5  # and not 0.6, which keeps the same
    assert choose_threshold(sure, right | True) == 0.0
    assert choose_threshold(sure, right & False) is None
    assert choose_threshold(np.array([]), np.array([], dtype=bool)) is None


@given(st.lists(st.tuples(st.floats(0.34, 1), st.booleans()), max_size=40))
def test_no_threshold_of_the_grid_gains_more_and_none_below_gains_as_much(decisions):
    sure, right = (np.array([d[i] for d in decisions], dtype=(float, bool)[i]) for i in (0, 1))

    def gain(threshold):
        return sum(1 if hit else -1 for chance, hit in decisions if chance >= threshold)

    chosen = choose_threshold(sure, right)
    if chosen is None:
        assert max(map(gain, GRID)) <= 0
    else:
        assert gain(chosen) == max(map(gain, GRID)) > max([0, *(gain(t) for t in GRID if t < chosen)], default=0)


def test_level_weights_decide_and_the_chances_are_in_sum_1(tmp_path, judge):  # noqa: F811
    judge(lambda state, criterion, labels: [0.5, 0.3, 0.2] if criterion == "clarity" else [0.6, 0.4])
    weighed = program(clarity={"Poor": 0.2, "Fair": 1.0, "Good": 0.5})
    lessons, report = taught(tmp_path, [weighed], POOL[:1], confidence=0.0)
    assert lessons.kept[POOL[0].response_id, "clarity"] == pytest.approx((0.2, 0.6, 0.2))
    assert lessons.kept[POOL[0].response_id, "tone"] == pytest.approx((0.6, 0.4))
    assert report["criteria"]["clarity"]["levels"] == {
        "Poor": {"decisions": 0, "kept": 0},
        "Fair": {"decisions": 1, "kept": 1},
        "Good": {"decisions": 0, "kept": 0},
    }


def test_several_teachers_are_one_whose_chances_are_the_mean(tmp_path, judge):  # noqa: F811
    judge()
    weights = {"Poor": 0.1, "Fair": 1.0, "Good": 0.4}
    alone = [taught(tmp_path / name, [each], confidence=0.0)[0].kept for name, each in PAIR(weights)]
    together, _ = taught(tmp_path / "both", [each for _, each in PAIR(weights)], confidence=0.0)
    assert set(together.kept) == {(r.response_id, c.id) for r in POOL for c in RUBRIC.criteria}
    for key, chances in together.kept.items():
        assert chances == pytest.approx(np.mean([each[key] for each in alone], axis=0))


def PAIR(weights):
    return [("plain", program()), ("weighed", program(clarity=weights))]


@pytest.mark.parametrize("by_hand", [None, 0.6])
def test_kept_decisions_are_never_below_the_threshold_and_the_report_counts_them(tmp_path, judge, by_hand):  # noqa: F811
    """Right on validation where it is sure, at random elsewhere."""
    right = knowing([*SEEN, *POOL], 0.75)

    def answer(state, criterion, labels):
        reply = state["inputs"]["teacher_response"]
        known = {r.response for r in SEEN[::2]}
        return right(state, criterion, labels) if reply in known else hashed(state, criterion, labels)

    judge(answer)
    lessons, report = taught(tmp_path, [program()], confidence=by_hand)
    assert report == read_json(tmp_path / "teacher" / "report.json")
    assert (report["asked"], report["not_judged"]) == (len(POOL) + len(SEEN), 0)
    for criterion in RUBRIC.criteria:
        told = report["criteria"][criterion.id]
        kept = [p for (_, name), p in lessons.kept.items() if name == criterion.id]
        assert told["threshold"] == by_hand or (by_hand is None and told["threshold"] in GRID)
        assert all(max(p) >= told["threshold"] and sum(p) == pytest.approx(1) for p in kept)
        assert told["decisions"] == len(POOL) and told["kept"] == len(kept) > 0
        assert told["levels"][criterion.labels[0]]["kept"] == sum(best(p) == 0 for p in kept)
        assert told["validation"]["n"] == len(SEEN)
        if by_hand is None:
            assert told["validation"]["agreement_kept"] >= max(told["validation"]["agreement"], 0.5)
    assert len(lessons.kept) < 2 * len(POOL)


def test_a_teacher_may_be_behind_an_api(tmp_path, monkeypatch, memory_cache):
    for name, value in (("OPENAI_API_KEY", KEY), ("NO_PROXY", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    said = {"clarity": {"Poor": 0.1, "Fair": 0.2, "Good": 0.7}, "tone": {"Cold": 0.25, "Warm": 0.75}}
    answer = {name: {"probabilities": p, "confidence": max(p.values())} for name, p in said.items()}
    (teacher,) = open_teachers(Teachers(("evaluator",), model="openai/test"), RUBRIC, RUBRIC, ALL)
    with serve(lambda body: {"content": json.dumps(answer)}) as base:
        monkeypatch.setenv("OPENAI_API_BASE", base)
        lessons, report = taught(tmp_path, [teacher], POOL[:2], validation=[make_review(1, "owls")])
    assert report["not_judged"] == 0 and set(lessons.kept) == {(r.response_id, c) for r in POOL[:2] for c in said}
    assert lessons.kept[POOL[0].response_id, "tone"] == pytest.approx((0.25, 0.75))


def test_a_teacher_that_is_never_right_teaches_nothing(tmp_path, judge):  # noqa: F811
    wrong = {"Poor": "Good", "Fair": "Good", "Good": "Poor", "Cold": "Warm", "Warm": "Cold"}
    gold = {r.response: r.levels for r in SEEN}

    def answer(state, criterion, labels):
        said = wrong[gold.get(state["inputs"]["teacher_response"], {}).get(criterion, labels[0])]
        return [0.8 if label == said else 0.2 / (len(labels) - 1) for label in labels]

    judge(answer)
    with pytest.raises(
        UttaError, match="No decision of the teacher is kept: at every confidence it is more often wrong"
    ):
        taught(tmp_path, [program()])


def test_what_a_teacher_could_not_judge_teaches_nothing_also_when_the_run_goes_on(tmp_path, judge):  # noqa: F811
    def answer(state, criterion, labels):
        if state["inputs"]["teacher_response"] == POOL[0].response:
            raise RuntimeError("no answer")
        return hashed(state, criterion, labels)

    judge(answer)
    first, report = taught(tmp_path, [program()], confidence=0.0)
    assert report["not_judged"] == 1 and len(first.kept) == 2 * (len(POOL) - 1)
    again = judge()
    assert taught(tmp_path, [program()], confidence=0.0) == (first, report)
    assert again.asked == []


chances = st.integers(2, 3).flatmap(
    lambda n: st.lists(st.floats(0.01, 1), min_size=n, max_size=n).map(lambda v: tuple(x / sum(v) for x in v))
)


@given(chances, st.floats(0.01, 1), st.floats(0, 1), st.floats(0.01, 5), st.data())
def test_a_targets_sum_is_the_weight_or_what_the_experts_gave(said, weight, blend, whole, data):
    key = ("response", "clarity")
    kept = Lessons([], {key: said}, {}, weight, blend).target(*key, None)
    assert sum(kept) == pytest.approx(weight) and best(kept) == best(said)
    level = data.draw(st.integers(0, len(said) - 1))
    experts = tuple(whole * (place == level) for place in range(len(said)))
    blended = Lessons([], {}, {key: said}, weight, blend).target(*key, experts)
    assert sum(blended) == pytest.approx(whole) and all(type(part) is float for part in (*kept, *blended))
    assert blended[level] == pytest.approx(whole * (1 - blend + blend * said[level]))
    assert Lessons([], {key: said}, {}, weight, blend).target(*key, experts) == experts
    assert Lessons([], {}, {key: said}, weight, blend).target(*key, None) is None


def test_replies_are_rows_beside_the_labelled_ones_as_far_as_something_is_kept(renderer):
    labelled = [make_review(1, "ants", "Poor", None), make_review(2, "ants")]
    replies = [
        make_review(3, "ants", None, None),
        make_review(4, "owls", None, None),
        make_review(5, "bees", None, None),
    ]
    kept = {(replies[0].response_id, "clarity"): (0.1, 0.2, 0.7), (replies[2].response_id, "tone"): (0.5, 0.5)}
    program = TeachingEvaluator(RUBRIC)
    plain = training_items(program, labelled, renderer, 0.5)
    first, second = training_items(program, labelled, renderer, 0.5, lessons=Lessons(replies, kept, {}, 0.5, 0.0))
    assert first.targets[:4] == plain[0].targets  # the teacher's levels move no weight of a level
    assert first.targets[4] == pytest.approx((0.05, 0.1, 0.35)) and first.targets[5] is None
    assert (second.problem, second.targets) == ("bees", (None, (0.25, 0.25)))
    assert training_items(program, labelled, renderer, 0.5, lessons=Lessons([], {}, {}, 0.5, 0.0)) == plain


def test_other_criteria_and_held_out_problems_are_refused(asked, tmp_path):
    clarity = RUBRIC.only(["clarity"])
    train, _ = put_down(tmp_path, TRAIN, "earlier.jsonl")
    manifest = {"model": "scripted", "train": {"file": str(train), "sha256": sha256(train)}}
    save_program(tmp_path / "teacher", TeachingEvaluator(clarity), manifest, RUBRIC)
    teachers = Teachers((str(tmp_path / "teacher"),))
    with pytest.raises(UttaError, match=r"The teacher .* does not judge tone on the levels of the rubric small"):
        open_teachers(teachers, RUBRIC, RUBRIC, ALL)
    with pytest.raises(UttaError, match=r"was trained on 1 problems that are held out here"):
        open_teachers(teachers, clarity, RUBRIC, HeldOut({"ants", "owls"}, set()))
    (found,) = open_teachers(Teachers(teachers.programs, model="openai/some"), clarity, RUBRIC, ALL)
    assert found.model_name == "openai/some"
    (plain,) = open_teachers(Teachers(("evaluator",)), clarity, RUBRIC, ALL)
    assert plain.module.rubric == clarity


def test_a_student_learns_from_a_teacher_and_from_the_experts(asked, tmp_path, in_float32):
    teacher = distill(asked(out=tmp_path / "first"))
    pool = [*POOL[:4], make_review(600, "eels", None, None), make_review(601, "gnus", None, None, consent="none")]
    write_records(tmp_path / "pool.jsonl", pool)
    write_records(tmp_path / "test.jsonl", [make_review(700, POOL[0].problem)])
    teachers = Teachers(
        (str(tmp_path / "first"),) * 2, unlabelled=tmp_path / "pool.jsonl", leave_out=(tmp_path / "test.jsonl",),
        confidence=0.0, blend=0.25,
    )  # fmt: skip
    manifest = distill(asked(teachers=teachers))
    told = manifest["teacher"]
    assert [each["adapter"] for each in told["programs"]] == [teacher["adapter"]] * 2
    assert told["unlabelled"]["left_out"] == {"held_out": 2, "labelled": 0, "in_training": 0}
    assert (told["unlabelled"]["records"], told["unlabelled"]["withheld"]) == (3, {"consent": 1})
    assert (told["weight"], told["blend"], told["confidence"]) == (0.5, 0.25, 0.0)
    assert told["chosen_on_validation"] == 2
    assert (told["asked"], told["not_judged"]) == (3 + len(TRAIN) + len(VALIDATION), 0)
    assert [told["criteria"][c.id]["kept"] for c in RUBRIC.criteria] == [3, 3]
    without = distill(asked(out=tmp_path / "without"))
    assert "teacher" not in without and history(without) == history(teacher) != history(manifest)
    ours, theirs = adapter(asked().out), adapter(tmp_path / "without")
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) > 1e-6
    assert distill(asked(teachers=teachers)) == manifest
    with pytest.raises(UttaError, match="holds a run with another teacher"):
        distill(asked())
