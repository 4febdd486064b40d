import json

import pytest

from utta.core.errors import UttaError
from utta.core.runs import claim

CONFIG = {"program": "evaluator", "data": {"sha256": "ab"}, "seed": 0}


def test_a_new_folder_holds_its_request(tmp_path):
    claim(tmp_path / "runs" / "a", CONFIG)
    assert json.loads((tmp_path / "runs" / "a" / "run.json").read_text()) == CONFIG


def test_the_same_request_goes_on_and_another_is_refused(tmp_path):
    claim(tmp_path / "a", CONFIG)
    claim(tmp_path / "a", CONFIG)
    with pytest.raises(UttaError, match=r"holds a run with another data and seed; give another --out"):
        claim(tmp_path / "a", {**CONFIG, "data": {"sha256": "cd"}, "seed": 1})
    assert json.loads((tmp_path / "a" / "run.json").read_text()) == CONFIG


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UttaError, match="is not empty and holds no run"):
        claim(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_what_a_kill_left_of_the_request_is_no_obstacle(tmp_path):
    (tmp_path / ".run.json.k3j2.part").write_text('{"program"')
    claim(tmp_path, CONFIG)
    assert json.loads((tmp_path / "run.json").read_text()) == CONFIG
