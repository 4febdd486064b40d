"""The shipped sample dialogues: they load, and the set has the properties that its card states."""

import re
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from utta.core.paths import data_dir
from utta.prepare.patterns import patterns_of
from utta.records.dialogue import Dialogue, DialogueTurn
from utta.records.read import scan_records, write_records
from utta.sources.aita import dialogues as import_aita

SAMPLES = data_dir() / "samples" / "dialogues.jsonl"
CARD = data_dir() / "samples" / "README.md"
PARTS = {"reading": "reading_comprehension_grade4", "ecology": "ecology_grade7", "math": "mathematics_grade5"}
WRONG_ON_PURPOSE = {"2/3 + 1/4 = 3/7"}

NUMBER = r"\d[\d,]*(?:\.\d+)?(?:/\d+)?(?: \d+/\d+)?"
SUM = rf"{NUMBER}(?: ?[-+×x÷] ?{NUMBER})*"
STATEMENT = re.compile(rf"(?<![\w.,/]){SUM}(?: ?[=<] ?{SUM})+(?! r \d)(?![\w/])")


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    items = list(scan_records(SAMPLES, Dialogue))
    good = [item for item in items if isinstance(item, Dialogue)]
    assert len(good) == len(items)
    return good


def part(dialogue: Dialogue) -> str:
    """`reading`, `ecology` or `math`."""
    return dialogue.dialogue_id.split("-")[1]


def turns_of(dialogues: list[Dialogue], speaker: str) -> list[DialogueTurn]:
    return [turn for dialogue in dialogues for turn in dialogue.dialogue_turns if turn.speaker == speaker]


def five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def number(text: str) -> Fraction:
    """The value of `7`, `2,100`, `0.45`, `3/4` or `1 7/12`."""
    return sum((Fraction(piece) for piece in text.replace(",", "").split()), Fraction(0))


def value(text: str) -> Fraction:
    """The value of a sum or a product chain: × and ÷ from left to right, before + and -."""
    total = Fraction(0)
    for sign, term in re.findall(rf"([-+]?) ?({NUMBER}(?: ?[×x÷] ?{NUMBER})*)", text):
        product = Fraction(1)
        for operator, factor in re.findall(rf"([×x÷]?) ?({NUMBER})", term):
            product = product / number(factor) if operator == "÷" else product * number(factor)
        total += -product if sign == "-" else product
    return total


def holds(statement: str) -> bool:
    """Whether a chain such as `2/3 + 1/4 = 11/12` or `1/3 < 2/5` is true."""
    first, *rest = re.split(r"([=<])", statement)
    left = value(first)
    for relation, side in zip(rest[::2], rest[1::2], strict=True):
        right = value(side)
        if not (left == right if relation == "=" else left < right):
            return False
        left = right
    return True


def test_twelve_dialogues_for_each_of_three_profiles(dialogues: list[Dialogue]) -> None:
    assert len(dialogues) == len({dialogue.id for dialogue in dialogues}) == 36
    assert [dialogue.dialogue_id for dialogue in dialogues] == [
        f"aita-{name}-{place:02}" for name in PARTS for place in range(1, 13)
    ]
    for name, profile in PARTS.items():
        own = [dialogue for dialogue in dialogues if part(dialogue) == name]
        assert {dialogue.aita_profile["id"] for dialogue in own} == {profile}
        assert (
            len({(dialogue.aita_profile["persona"], dialogue.grade_level, dialogue.subject) for dialogue in own}) == 1
        )
        assert len({dialogue.problem for dialogue in own}) >= 8
        assert Counter(Counter(dialogue.student_profile for dialogue in own).values()) == {4: 3}


def test_the_importer_reads_the_file_too(tmp_path: Path) -> None:
    imported = [item for entry in import_aita(SAMPLES) for item in entry if isinstance(item, Dialogue)]
    write_records(tmp_path / "again.jsonl", imported)
    assert (tmp_path / "again.jsonl").read_bytes() == SAMPLES.read_bytes()


def test_every_line_says_that_nobody_real_was_involved(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        assert "no real students or teachers were involved" in dialogue.metadata["written_for"]
        assert (dialogue.source, dialogue.licence, dialogue.consent) == ("utta-samples", "MIT", None)
    assert "no real students" in CARD.read_text(encoding="utf-8").lower()


def test_what_is_known_of_a_dialogue_is_filled_in(dialogues: list[Dialogue]) -> None:
    about: dict[str, set[Any]] = defaultdict(set)
    for dialogue in dialogues:
        assert dialogue.pedagogical_intent and dialogue.context_provided_to_aita and dialogue.question
        about[dialogue.problem].add((dialogue.context_provided_to_aita, dialogue.question, dialogue.solution))
    assert {len(seen) for seen in about.values()} == {1}
    assert all(turn.pedagogical_notes for turn in turns_of(dialogues, "aita"))
    assert not any(turn.pedagogical_notes or turn.safeguard_tags for turn in turns_of(dialogues, "student"))


def test_student_and_aita_take_turns(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        speakers = [turn.speaker for turn in dialogue.dialogue_turns]
        assert 6 <= len(speakers) <= 12, dialogue.dialogue_id
        assert set(speakers[::2]) | set(speakers[1::2]) == {"student", "aita"}
        assert len(set(speakers[::2])) == len(set(speakers[1::2])) == 1, dialogue.dialogue_id
    assert {dialogue.dialogue_turns[0].speaker for dialogue in dialogues} == {"student", "aita"}
    assert {dialogue.dialogue_turns[-1].speaker for dialogue in dialogues} == {"student", "aita"}


def test_times_rise_where_there_are_any(dialogues: list[Dialogue]) -> None:
    timed = 0
    for dialogue in dialogues:
        times = [turn.timestamp_utc for turn in dialogue.dialogue_turns]
        if any(times):
            timed += 1
            assert None not in times and times == sorted(set(times), key=str), dialogue.dialogue_id
    assert timed == 3


def test_no_two_turns_of_the_aita_are_made_from_one_template(dialogues: list[Dialogue]) -> None:
    seen = Counter(gram for turn in turns_of(dialogues, "aita") for gram in five_grams(turn.utterance))
    assert [gram for gram, count in seen.items() if count > 1] == []


def test_every_calculation_is_right_but_those_that_are_wrong_on_purpose(dialogues: list[Dialogue]) -> None:
    said = [turn.utterance for dialogue in dialogues for turn in dialogue.dialogue_turns]
    solutions = [dialogue.solution for dialogue in dialogues if dialogue.solution]
    statements = {match for text in said + solutions for match in STATEMENT.findall(text)}
    assert {statement for statement in statements if not holds(statement)} == WRONG_ON_PURPOSE
    assert all(STATEMENT.search(text) for text in solutions)
    assert all(dialogue.solution for dialogue in dialogues if part(dialogue) == "math")


def test_the_aita_never_says_the_result_before_the_student(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        if not dialogue.solution or "<" in dialogue.solution:
            continue
        result = re.compile(rf"(?<![\d.,/]){re.escape(dialogue.solution.split('= ')[-1])}(?![\d/]|[.,]\d)")
        who = [turn.speaker for turn in dialogue.dialogue_turns if result.search(turn.utterance)]
        assert who[:1] in ([], ["student"]), dialogue.dialogue_id


def test_the_card_states_the_measured_figures(dialogues: list[Dialogue]) -> None:
    card = CARD.read_text(encoding="utf-8")
    for name in PARTS:
        own = [dialogue for dialogue in dialogues if part(dialogue) == name]
        turns = sum(len(dialogue.dialogue_turns) for dialogue in own)
        words = [median(len(turn.utterance.split()) for turn in turns_of(own, who)) for who in ("student", "aita")]
        problems = len({dialogue.problem for dialogue in own})
        assert f"| {len(own)} | {problems} | {turns} | {words[0]:g} | {words[1]:g} |" in card, name
    for profile, found in patterns_of(SAMPLES)["profiles"].items():
        words = " ".join(str(count) for count in found["words"].values())
        rates = f"{found['question_rate']:.2f} | {found['self_correction_rate']:.2f} | {found['answer_changes']:.2f}"
        assert f"| {profile} | {found['dialogues']} | {found['turns']} | {words} | {rates} |" in card, profile
    tags = Counter(tag for turn in turns_of(dialogues, "aita") for tag in turn.safeguard_tags)
    for tag, count in tags.items():
        assert f"`{tag}` ({count})" in card
