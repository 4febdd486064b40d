import pytest

from utta.core.errors import UttaError
from utta.core.paths import data_dir
from utta.records.rubrics import find_rubric, rubric_names


@pytest.mark.parametrize("name", rubric_names())
def test_shipped_rubric_is_found_by_name_and_by_path(name):
    assert find_rubric(name).id == name
    assert find_rubric(data_dir() / "rubrics" / f"{name}.yaml") == find_rubric(name)


def test_unknown_rubric_lists_the_names():
    with pytest.raises(UttaError, match=r"no rubric 'nonsense'.*mrbench"):
        find_rubric("nonsense")


def test_faulty_rubric_lists_all_faults(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text("id: r\ntitle: R\ncriteria:\n  - {id: response copy, question: '', scale: ordinal, levels: []}\n")
    with pytest.raises(UttaError, match=r"no question.*0 levels"):
        find_rubric(file)


def test_rubric_that_is_not_text_is_one_sentence(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UttaError):
        find_rubric(str(file))
