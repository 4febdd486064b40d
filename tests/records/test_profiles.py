import pytest

from utta.core.errors import UttaError
from utta.programs.student import KNOWN
from utta.records.profiles import find_profile, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_opens_under_its_name_and_fills_the_students_inputs(name):
    profile = find_profile(name)
    assert profile.id == name
    assert set(profile.inputs()) == set(KNOWN) and all(profile.inputs().values())


def test_a_file_of_ones_own_needs_no_exercise(tmp_path):
    shipped = find_profile("ecology_7").model_dump()
    del shipped["problem"], shipped["solution"]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(f"{name}: {value!r}" for name, value in shipped.items()), encoding="utf-8")
    assert find_profile(path).inputs()["problem"] == ""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("id: a", "the field 'title' is missing"),
        ("- 1", "cannot be used"),
        ("a: [", "is not valid YAML"),
        ("", "cannot be used"),
    ],
)
def test_a_faulty_profile_is_one_sentence(tmp_path, text, wrong):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UttaError, match=rf"^The profile .*mine\.yaml .*{wrong}.*\.$") as error:
        find_profile(path)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UttaError, match=r"There is no profile 'nobody': give one of ecology_7, .*, or the path"):
        find_profile("nobody")
