import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signatures.rubric import Rubric
from utta.core.errors import UttaError
from utta.records.read import LINE_LIMIT, Fault, read_reviews, scan_reviews, write_records
from utta.records.record import Turn
from utta.records.review import Review

RUBRIC = Rubric.parse(
    {
        "id": "tiny",
        "title": "Tiny",
        "criteria": [
            {
                "id": "accuracy",
                "question": "Is it right?",
                "scale": "ordinal",
                "levels": [
                    {"label": "No", "means": "wrong", "value": 0.0, "good": False},
                    {"label": "Yes", "means": "right", "value": 1.0, "good": True},
                ],
            }
        ],
    }
)


def line(response="Good.", **change) -> dict:
    fields = {
        "source": "test",
        "dialogue_id": "d1",
        "problem": "p1",
        "conversation": [{"speaker": "student", "utterance": "2 + 2 = 5"}],
        "response": response,
        "rubric": "tiny",
        "levels": {"accuracy": "Yes"},
    }
    return {**fields, **change}


def as_bytes(*values) -> bytes:
    return b"".join(v if isinstance(v, bytes) else json.dumps(v, ensure_ascii=False).encode() + b"\n" for v in values)


def without(name: str) -> dict:
    return {key: value for key, value in line("bad").items() if key != name}


BAD_LINES = {
    "truncated": (b'{"source": "test", "resp\n', "not valid JSON (unterminated string", '\'{"source": "test", "resp\''),
    "latin-1": ('{"source": "Müller"}\n'.encode("latin-1"), "not UTF-8 text", "byte 0xFC at position 14"),
    "utf-16": ('{"source": "x"}\n'.encode("utf-16-le"), "NUL bytes", "save the file as UTF-8"),
    "NUL": (b'{"source": "a\0b"}\n', "1 NUL bytes", "save the file as UTF-8"),
    "missing field": (as_bytes(without("response")), "the field 'response' is missing", ""),
    "unknown field": (as_bytes(line("bad", stars=5)), "the field 'stars' is unknown", "seen '5'"),
    "wrong type": (as_bytes(line("bad", grade_level=4)), "the field 'grade_level' is not text", "seen '4'"),
    "nested field": (as_bytes(line("bad", conversation=[{"speaker": "x"}])), "'conversation[0].utterance'", "missing"),
    "blank field": (as_bytes(line("bad", source=" ")), "the field 'source' is blank", ""),
    "wrong kind": (as_bytes(line("bad", kind="dialogue")), "the field 'kind' should be 'review'", "seen 'dialogue'"),
    "wrong id": (as_bytes(line("bad", id="abc")), "the id 'abc' does not fit", "whose id is '"),
    "criterion": (as_bytes(line("bad", levels={"tone": "Yes"})), "the criterion 'tone' is not in the rubric tiny", ""),
    "label": (as_bytes(line("bad", levels={"accuracy": "Maybe"})), "the label 'Maybe' of accuracy", "has 'No', 'Yes'"),
    "long": (b'{"response": "' + b"x" * 10_000_000 + b'"}\n', "10.0 MB long, over the limit of 5 MB", ""),
    "twice": (as_bytes(line("Good.")), "already stands on line 1", ""),
    "field twice": (b'{"levels": {"accuracy": "No", "accuracy": "Yes"}}\n', "the field 'accuracy' stands twice", ""),
    "not an object": (b"[1, 2]\n", "not a JSON object", "seen '[1, 2]'"),
    "deep": (b"[" * 100_000 + b"\n", "nested too deeply", ""),
    "surrogate": (as_bytes(line("bad")).replace(b"tiny", b"\\ud800"), "half of a surrogate pair", "'rubric'"),
    "surrogate in free text": (as_bytes(line("bad", context="HALF")).replace(b"HALF", b"\\ud800"), "'context'", "pair"),
    "NaN": (as_bytes(line("bad", metadata={"x": float("inf")})), "the field 'metadata' cannot be written as JSON", ""),
    "huge number": (b'{"source": ' + b"9" * 5000 + b"}\n", "", ""),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_bad_line_is_reported_put_aside_and_counted(name, tmp_path):
    raw, wrong, seen = BAD_LINES[name]
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(as_bytes(line("Good.")) + b"\n" + raw)
    result = read_reviews(file, RUBRIC)
    assert [review.response for review in result.reviews] == ["Good."]
    assert result.rejects == raw.count(b"\n") + (not raw.endswith(b"\n"))
    assert result.rejects_path == tmp_path / "reviews.rejects.jsonl"
    fault = result.faults[0]
    assert fault.startswith(f"{file}:3: ") and wrong in fault and seen in fault
    assert "\n" not in fault and len(fault) < 400
    assert fault in result.note and str(result.rejects_path) in result.note
    rejects = [json.loads(text) for text in result.rejects_path.read_text(encoding="utf-8").splitlines()]
    assert set(rejects[0]) == {"file", "line", "fault", "raw"}
    assert (rejects[0]["file"], rejects[0]["line"]) == (str(file), 3)
    kept = raw.split(b"\n")[0].decode("utf-8", "backslashreplace")
    assert rejects[0]["raw"] == (kept[:1000] if name == "long" else kept)


def test_good_file_leaves_no_rejects_file(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(as_bytes(line("a"), line("b")).replace(b"\n", b"\r\n"))
    result = read_reviews(file, RUBRIC)
    assert (len(result.reviews), result.rejects, result.rejects_path, result.note) == (2, 0, None, "")
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.jsonl"]


def test_byte_order_mark_is_skipped(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + as_bytes(line("a")))
    assert [review.response for review in read_reviews(file).reviews] == ["a"]


def test_last_line_may_lack_its_line_break(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(as_bytes(line("a"), line("b")).rstrip())
    assert len(read_reviews(file).reviews) == 2


def test_label_outside_the_rubric_passes_when_no_rubric_is_given(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(as_bytes(line(levels={"tone": "Maybe"})))
    assert read_reviews(file).rejects == 0


def test_rejects_go_where_told(tmp_path):
    file, place = tmp_path / "reviews.jsonl", tmp_path / "aside" / "bad.jsonl"
    file.write_bytes(as_bytes(line("a"), b"{\n"))
    assert read_reviews(file, rejects=place).rejects_path == place
    assert place.exists() and not (tmp_path / "reviews.rejects.jsonl").exists()


def test_rejects_that_cannot_be_written_are_an_error_with_the_fault(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(as_bytes(line("a"), b"{\n"))
    with pytest.raises(UttaError, match=r"reviews\.jsonl:2: .* cannot be put aside in"):
        read_reviews(file, rejects=file / "bad.jsonl")


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_empty_file_is_one_sentence(raw, tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(raw)
    with pytest.raises(UttaError, match="holds no reviews: it is empty"):
        read_reviews(file)


def test_file_without_a_good_review_is_one_sentence_with_the_first_fault(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(as_bytes(without("response"), b"nonsense\n"))
    with pytest.raises(UttaError) as caught:
        read_reviews(file)
    assert str(caught.value) == (
        f"{file} holds no usable review: all 2 are faulty, the first: {file}:1: the field 'response' is missing."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.jsonl"], "what would be put aside is the whole file"


def test_whole_file_in_utf_16_is_one_sentence(tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_text(as_bytes(line("a"), line("b")).decode(), encoding="utf-16")
    with pytest.raises(UttaError, match="UTF-16"):
        read_reviews(file)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["missing", "folder"])
def test_missing_file_is_one_sentence(make, tmp_path):
    make(tmp_path / "x.jsonl")
    with pytest.raises(UttaError, match=r"x\.jsonl"):
        read_reviews(tmp_path / "x.jsonl")


def test_long_line_is_not_held_in_memory(tmp_path):
    file = tmp_path / "reviews.jsonl"
    with open(file, "wb") as out:
        out.write(as_bytes(line("a")))
        for _ in range(60):
            out.write(b"x" * 1_000_000)
        out.write(b"\n" + as_bytes(line("b")))
    tracemalloc.start()
    result = read_reviews(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [review.response for review in result.reviews] == ["a", "b"]
    assert "60.0 MB long" in result.faults[0]
    assert peak < 5 * LINE_LIMIT


def test_line_at_the_limit_is_read(tmp_path):
    file = tmp_path / "reviews.jsonl"
    spare = LINE_LIMIT - len(as_bytes(line(""))) + 1
    file.write_bytes(as_bytes(line("x" * spare)))
    assert file.stat().st_size == LINE_LIMIT + 1
    assert len(read_reviews(file).reviews[0].response) == spare


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.lists(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), st.just(as_bytes(line())))))
def test_any_bytes_are_good_or_put_aside(raw, tmp_path):
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(b"\n".join(raw))
    lines = sum(bool(part.strip()) for part in file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    good = faulty = 0
    for item in scan_reviews(file):
        good, faulty = good + isinstance(item, Review), faulty + isinstance(item, Fault)
    assert good + faulty == lines
    if good:
        assert read_reviews(file).rejects == faulty
    else:
        with pytest.raises(UttaError):
            read_reviews(file)


TEXT = st.text(max_size=20)
NAMES = TEXT.map("x{}".format)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda x: st.dictionaries(TEXT, x), max_leaves=5)
REVIEWS = st.builds(
    Review,
    source=NAMES,
    licence=st.none() | TEXT,
    dialogue_id=NAMES,
    problem=TEXT,
    conversation=st.lists(st.builds(Turn, speaker=NAMES, utterance=TEXT), max_size=3),
    response=TEXT,
    responder=st.none() | TEXT,
    reviewer=st.none() | TEXT,
    rubric=NAMES,
    levels=st.dictionaries(NAMES, NAMES, max_size=3),
    rationale=st.none() | TEXT,
    metadata=st.dictionaries(TEXT, JSON, max_size=3),
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reviews=st.lists(REVIEWS, min_size=1, max_size=3, unique_by=lambda review: review.id))
def test_what_is_written_is_read_back(reviews, tmp_path):
    file = tmp_path / "reviews.jsonl"
    assert write_records(file, reviews) == len(reviews)
    assert read_reviews(file).reviews == reviews
