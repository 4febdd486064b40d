import re

import pytest
import yaml

from signatures.rubric import INPUT_FIELDS, RESERVED, Rubric, RubricError

TWO = [
    {"label": "No", "means": "it does not", "value": 0.0, "good": False},
    {"label": "Yes", "means": "it does", "value": 1.0, "good": True},
]


def criterion(id="clear", **changes):
    return {"id": id, "question": "Is it clear?", "scale": "ordinal", "levels": TWO, **changes}


def rubric(*criteria, **changes):
    return {"id": "mine", "title": "My rubric", "criteria": list(criteria or [criterion()]), **changes}


def level(label="No", **changes):
    return {**TWO[0], "label": label, **changes}


def faults(raw):
    with pytest.raises(RubricError) as error:
        Rubric.parse(raw)
    return error.value.faults


def test_a_rubric_gives_its_criteria_and_labels():
    found = Rubric.parse(rubric(criterion(), criterion("kind", scale="nominal", weight=2)))
    assert [c.id for c in found.criteria] == ["clear", "kind"]
    assert found.criterion("kind").weight == 2
    assert found.criterion("clear").weight == 1
    assert found.criterion("clear").labels == ["No", "Yes"]
    with pytest.raises(KeyError):
        found.criterion("polite")


def test_a_rubric_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Rubric.parse(rubric()).id = "other"


def test_it_reads_from_a_file_and_writes_the_same(tmp_path):
    first = Rubric.parse(rubric(criterion(question="Ist es verständlich: ja?\nSag es.", weight=0.5), title="'T' – ü"))
    file = tmp_path / "r.yaml"
    file.write_text(first.dump(), encoding="utf-8")
    second = Rubric.load(file)
    assert second == first
    assert second.hash == first.hash


def test_the_hash_is_of_the_content_and_not_of_its_layout(tmp_path):
    first = Rubric.parse(rubric())
    assert re.fullmatch(r"[0-9a-f]{16}", first.hash)
    turned = {key: rubric()[key] for key in reversed(rubric())}
    (tmp_path / "r.yaml").write_text("# a comment\n" + yaml.safe_dump(turned, default_flow_style=True))
    assert Rubric.load(tmp_path / "r.yaml").hash == first.hash
    others = (
        rubric(id="x"),
        rubric(criterion(weight=2)),
        rubric(criterion(levels=[*TWO[:1], {**TWO[1], "means": "so"}])),
        rubric(criterion(levels=[{**TWO[0], "good": True}, TWO[1]])),
        rubric(criterion(), criterion("kind")),
        rubric(criterion("kind"), criterion()),
    )
    hashes = {Rubric.parse(other).hash for other in others}
    assert len(hashes | {first.hash}) == len(others) + 1


def test_only_keeps_the_rubrics_order():
    whole = Rubric.parse(rubric(criterion("a"), criterion("b"), criterion("c")))
    part = whole.only(["c", "a", "unknown"])
    assert [c.id for c in part.criteria] == ["a", "c"]
    assert part.hash != whole.hash
    assert [c.id for c in whole.criteria] == ["a", "b", "c"]
    assert whole.only(["a", "b", "c"]) == whole


def test_all_faults_are_listed_at_once():
    found = faults(
        rubric(
            criterion("clear", question=" "),
            criterion("clear"),
            criterion("context"),
            criterion("items"),
            criterion("2nd level"),
            criterion("_hidden"),
            criterion("one", levels=TWO[:1]),
            criterion("same", levels=[*TWO, level("Yes", value=1.0)]),
            criterion("blank", levels=[level(" "), level("x", means="")]),
            criterion("turned", levels=TWO[::-1]),
            criterion("open", levels=TWO[::-1], scale="nominal"),
        )
    )
    expected = [
        "criterion 'clear' stands twice",
        "criterion 'clear' has no question",
        "criterion 'context' has the name of an input of the judge; rename it, for example context_quality",
        "criterion 'items' has a name that DSPy uses itself; rename it, for example items_quality",
        "criterion id '2nd level' must be letters, digits and underscores, starting with a letter",
        "criterion id '_hidden' must be letters, digits and underscores, starting with a letter",
        "criterion 'one' has 1 levels, not 2 to 26",
        "criterion 'same' has the label 'Yes' twice",
        "criterion 'blank' has a level without a label",
        "level 'x' of criterion 'blank' has no description (means)",
        "criterion 'turned' is ordinal but its values do not go from worst to best: [1.0, 0.0]",
    ]
    assert found == expected


def test_faults_of_form_are_listed_with_those_of_names():
    bad = criterion(
        "labels", scale="ratio", weight=-1, colour="red", levels=[{"label": 1, "value": 2, "good": "maybe"}]
    )
    del bad["question"]
    found = faults(rubric(bad))
    for where in (
        "criteria.0.question: field required",
        "criteria.0.scale: input should be 'ordinal' or 'nominal' (seen: 'ratio')",
        "criteria.0.weight: input should be greater than or equal to 0 (seen: '-1')",
        "criteria.0.colour: extra inputs are not permitted (seen: 'red')",
        "criteria.0.levels.0.label: input should be a valid string (seen: '1')",
        "criteria.0.levels.0.means: field required",
        "criteria.0.levels.0.value: input should be less than or equal to 1 (seen: '2')",
        "criteria.0.levels.0.good: input should be a valid boolean, unable to interpret input (seen: 'maybe')",
        "criterion 'labels' has a name that DSPy uses itself; rename it, for example labels_quality",
    ):
        assert where in found
    assert len(found) == 9


@pytest.mark.parametrize("id", [*INPUT_FIELDS, *sorted(RESERVED)])
def test_names_that_dspy_or_the_judge_use_are_refused(id):
    assert len(faults(rubric(criterion(id)))) == 1


@pytest.mark.filterwarnings("ignore:Field name")
def test_a_name_of_dspys_own_is_refused_unless_it_works():
    """Every attribute of what DSPy makes from a rubric, whether or not the rubric's own list knows it."""
    import dspy

    from signatures.evaluation import judge_signature

    taken = {name for kind in (dspy.Signature, dspy.Prediction) for name in dir(kind) if not name.startswith("_")}
    for name in sorted(taken):
        try:
            found = Rubric.parse(rubric(criterion(name)))
        except RubricError:
            continue
        assert name in judge_signature(found).output_fields
        assert getattr(dspy.Prediction(**{name: "No"}), name) == "No"


def test_the_name_of_the_judges_own_figure_is_refused():
    assert faults(rubric(criterion("effectiveness")))


@pytest.mark.parametrize("raw", [None, [], "text", {"criteria": "x"}, {"criteria": [1]}, rubric(criteria=[])])
def test_what_is_no_rubric_at_all_is_refused(raw):
    assert faults(raw)


def test_files_that_are_not_yaml_are_refused_and_named(tmp_path):
    file = tmp_path / "bad.yaml"
    for content in (b"criteria: [", b"\xff\xfe\xff", b"", b"a: b: c", b"!!python/object:os.system {}"):
        file.write_bytes(content)
        with pytest.raises(RubricError, match=r"bad\.yaml is not a usable rubric: "):
            Rubric.load(file)
    with pytest.raises(FileNotFoundError):
        Rubric.load(tmp_path / "none.yaml")


def test_faults_of_form_do_not_hide_others():
    formless = criterion("clear")
    del formless["question"]
    found = faults(rubric(formless, criterion("same", levels=[*TWO, level("Yes", value=1.0)]), criterion("same")))
    assert found == [
        "criteria.0.question: field required",
        "criterion 'same' stands twice",
        "criterion 'same' has the label 'Yes' twice",
    ]
