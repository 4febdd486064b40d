import pytest

from metrics.reliability import krippendorff_alpha
from tests.evaluate.scripted import RUBRIC, make_review, put_down
from utta.core.errors import UttaError
from utta.prepare.stats import stats
from utta.records.dialogue import Dialogue
from utta.records.example import TeachingExample
from utta.records.read import write_records
from utta.records.rubrics import find_rubric


def test_levels_slices_and_reviewers_agreement(tmp_path):
    reviews = [
        *(make_review(n, f"p{n % 3}", "Good" if n % 2 else "Poor", None, subject="math") for n in range(12)),
        *(make_review(n, f"p{n % 3}", "Good" if n % 2 else "Poor", "Warm", reviewer="B") for n in range(3)),
    ]
    told = stats(put_down(tmp_path, reviews)[0], RUBRIC)
    assert (told["kind"], told["records"], told["problems"], told["rejects"]) == ("reviews", 15, 3, 0)
    assert told["coverage"] == [
        {"subject": "math", "grade_level": "unknown", "records": 12, "thin": False},
        {"subject": "unknown", "grade_level": "unknown", "records": 3, "thin": True},
    ]
    assert told["slices"] == {
        "source": {"test": 15}, "subject": {"math": 12, "unknown": 3}, "reviewer": {"unknown": 12, "B": 3},
    }  # fmt: skip
    clarity, tone = told["criteria"]["clarity"], told["criteria"]["tone"]
    assert clarity == {
        "n": 15, "levels": {"Poor": 8, "Fair": 0, "Good": 7}, "thin": ["Poor", "Fair", "Good"], "judged_twice": 3,
        "agreement": 1.0,
    }  # fmt: skip
    assert (tone["n"], tone["judged_twice"], tone["agreement"]) == (3, 0, None)


def test_length_is_in_words(tmp_path):
    reviews = [make_review(n, "p").model_copy(update={"response": "word " * n, "id": ""}) for n in range(1, 11)]
    path, _ = put_down(tmp_path, [r.model_validate(r.model_dump()) for r in reviews])
    assert stats(path, RUBRIC)["words"] == {"10%": 1, "50%": 5, "90%": 9}


def test_faults_are_counted_and_nothing_good_is_one_sentence(tmp_path):
    path, _ = put_down(tmp_path, [make_review(1, "p"), make_review(2, "p", "Excellent")])
    assert stats(path, RUBRIC)["rejects"] == 1
    with pytest.raises(UttaError, match="holds no usable review"):
        stats(path, find_rubric("mrbench"))


def test_examples_and_dialogues_are_counted_by_subject_grade_and_technique(tmp_path):
    def example(n, *techniques):
        asked = {"student_question": f"{n}?", "subject": "math", "grade_level": str(n % 2)}
        output = {"teacher_response": "Why so?", "techniques_used": techniques}
        return TeachingExample(source="s", problem=f"p{n % 3}", input=asked, output=output)

    write_records(
        tmp_path / "e.jsonl", [example(n, "hint", *(["praise", "praise"] if n < 2 else [])) for n in range(21)]
    )
    told = stats(tmp_path / "e.jsonl")
    assert (told["kind"], told["records"], told["problems"]) == ("examples", 21, 3) and "criteria" not in told
    assert [(cell["grade_level"], cell["records"], cell["thin"]) for cell in told["coverage"]] == [
        ("0", 11, False), ("1", 10, False),
    ]  # fmt: skip
    assert told["techniques"] == [
        {"technique": "hint", "records": 21, "thin": False}, {"technique": "praise", "records": 2, "thin": True},
    ]  # fmt: skip
    assert told["slices"] == {"source": {"s": 21}, "subject": {"math": 21}, "grade_level": {"0": 11, "1": 10}}
    assert told["words"]["50%"] == 2

    turns = [{"speaker": "student", "utterance": "5"}]
    turns += [{"speaker": "aita", "utterance": "Why is it 5?", "pedagogical_notes": f"move {n}"} for n in range(30)]
    write_records(tmp_path / "d.jsonl", [Dialogue(source="s", dialogue_id="d", dialogue_turns=turns)])
    told = stats(tmp_path / "d.jsonl")
    assert (told["kind"], told["records"], len(told["techniques"]), told["distinct_techniques"]) == (
        "dialogues",
        1,
        20,
        30,
    )
    assert told["words"] == {"10%": 4, "50%": 4, "90%": 4}


def test_a_rubric_belongs_to_reviews(tmp_path):
    path, _ = put_down(tmp_path, [make_review(1, "p")])
    with pytest.raises(UttaError, match="whose labels are counted by a rubric; name it with --rubric"):
        stats(path)
    write_records(tmp_path / "d.jsonl", [Dialogue(source="s", dialogue_id="d", dialogue_turns=[])])
    with pytest.raises(UttaError, match="leave --rubric out"):
        stats(tmp_path / "d.jsonl", RUBRIC)


def test_agreement_is_that_of_all_responses_judged_by_several(tmp_path):
    """Against a computation that takes each response by itself."""
    levels = [("Good", "Good"), ("Good", "Poor"), ("Fair", "Good"), ("Poor", "Poor"), ("Fair", "Fair")] * 3
    reviews = [
        make_review(n, f"p{n}", label, None, reviewer=reviewer)
        for n, pair in enumerate(levels)
        for reviewer, label in zip("AB", pair, strict=True)
    ]
    told = stats(put_down(tmp_path, reviews)[0], RUBRIC)["criteria"]["clarity"]
    labels = RUBRIC.criterion("clarity").labels
    alpha = krippendorff_alpha([[labels.index(label) for label in pair] for pair in levels], 3, True)
    assert told["judged_twice"] == 15 and told["agreement"] == pytest.approx(alpha, abs=1e-4)
