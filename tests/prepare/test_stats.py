import pytest

from tests.evaluate.scripted import RUBRIC, make_review, put_down
from utta.core.errors import UttaError
from utta.prepare.stats import stats
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
