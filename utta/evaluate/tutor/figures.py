"""The figures of a tutor: how well its replies are judged beside those of the people who answered the same students, and
how far it holds out when it is pressed.

effectiveness     mean teaching effectiveness in [0, 1] that the judge sees in the replies of each responder
handed_over       share of replies to pressing students that state the answer (`metrics.guidance.hands_over`)
gave_in           share of pressing students who got the answer in any of the replies
takes_up          share of replies to pressing students that name a quantity or word of the exercise

Every figure is a mean over rows with a 95% interval from redrawing whole problems, or whole students; where all rows are
alike redrawing shows nothing, and the interval is Wilson's for as many students.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.bootstrap import Draws, draw_clusters, percentile_interval, ratio, share_interval
from metrics.groups import few
from metrics.guidance import hands_over, takes_up
from utta.evaluate.answers import plain
from utta.evaluate.tutor.pressing import PressingStudent

Line = Mapping[str, Any]  # of pressed.jsonl
Rows = Sequence[tuple[str, float]]  # what is redrawn as a whole, and a value

TUTOR = "this tutor"
FIRST = "the first attempt"
PRESSED = ("handed_over", "gave_in", "takes_up")


@dataclass(frozen=True)
class Judged:
    """One reply as the judge sees it, in [0, 1]; `place` is the conversation that it answers."""

    responder: str
    problem: str
    effectiveness: float
    place: str


def judged(replies: Sequence[Judged], seed: int = 0) -> list[dict[str, Any]]:
    """By responder, the tutor first: `n`, its mean effectiveness, and how much more of it the tutor has (`difference`), on the
    `both` conversations that both answered."""
    draws = draw_clusters([reply.problem for reply in replies], seed=seed)
    by_responder: dict[str, list[Judged]] = {}
    for reply in sorted(replies, key=lambda r: (r.responder != TUTOR, r.responder)):
        by_responder.setdefault(reply.responder, []).append(reply)
    found = []
    for name, theirs in by_responder.items():
        both, ours, other = _on_both(by_responder[TUTOR] if name != TUTOR else [], theirs)
        found.append(
            {
                "responder": name,
                "n": len(theirs),
                "effectiveness": plain(percentile_interval(*_mean(draws, _rows(theirs)))),
                "both": both,
                "difference": _difference(ours, other, seed),
            }
        )
    return found


def sliced(replies: Sequence[Judged], groups: Mapping[str, str], seed: int = 0) -> list[dict[str, Any]]:
    """The figures of `judged` within each group of conversations, the largest first; none where the tutor's replies are `few`.
    `groups` names the group of each place."""
    ours = [reply for reply in replies if reply.responder == TUTOR]
    found = []
    for value, n in Counter(groups[reply.place] for reply in ours).most_common():
        inside = [reply for reply in replies if groups[reply.place] == value]
        about = [reply.problem for reply in inside if reply.responder == TUTOR]
        less = few([True] * n, about)
        group = {"value": value, "n": n, "problems": len(set(about)), "few": less}
        found.append(group | {"judged": [] if less else judged(inside, seed)})
    return found


def _on_both(ours: Sequence[Judged], theirs: Sequence[Judged]) -> tuple[int, Rows, Rows]:
    """How many conversations both answered, and the replies of each to these."""
    both = {reply.place for reply in ours} & {reply.place for reply in theirs}
    here, there = (_rows([reply for reply in of if reply.place in both]) for of in (ours, theirs))
    return len(both), here, there


def _rows(replies: Sequence[Judged]) -> Rows:
    return [(reply.problem, reply.effectiveness) for reply in replies]


def pressed(students: Sequence[PressingStudent], lines: Sequence[Line], seed: int = 0) -> dict[str, Any]:
    """`n`, the number of replies, and `handed_over`, `gave_in` and `takes_up`; and by tactic how often it was handed over."""
    rows = _pressed(students, lines)
    draws = draw_clusters([name for name, _ in rows["takes_up"]], seed=seed)
    there = {line["record_id"] for line in lines}
    tactics = [tactic for student in students if student.id in there for tactic in (FIRST, *student.tactics)]
    by_tactic: dict[str, list[float]] = {}
    for tactic, (_, value) in zip(tactics, rows["handed_over"], strict=True):
        for each in tactic.split(", "):
            by_tactic.setdefault(each, []).append(value)
    means = {name: _mean(draws, rows[name]) for name in PRESSED}
    return {
        "students": len(rows["gave_in"]),
        "n": len(rows["takes_up"]),
        **{name: plain(share_interval(value, drawn, len(there))) for name, (value, drawn) in means.items()},
        "tactics": [
            {"tactic": name, "n": len(values), "handed_over": sum(values) / len(values)}
            for name, values in sorted(by_tactic.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
    }


def compared(
    judged: Sequence[Judged],
    other_judged: Sequence[Judged],
    students: Sequence[PressingStudent],
    lines: Sequence[Line],
    other_lines: Sequence[Line],
    seed: int = 0,
) -> dict[str, Any]:
    """The paired differences of `effectiveness` and of what pressing shows, this tutor's less the other's; only conversations
    and students that both answered count."""
    ours, theirs = ([r for r in rows if r.responder == TUTOR] for rows in (judged, other_judged))
    _, our_replies, their_replies = _on_both(ours, theirs)
    found = {"effectiveness": _difference(our_replies, their_replies, seed)}
    here, there = _pressed(students, lines), _pressed(students, other_lines)
    return {"figures": found | {name: _difference(here[name], there[name], seed) for name in PRESSED}}


def _pressed(students: Sequence[PressingStudent], lines: Sequence[Line]) -> dict[str, Rows]:
    """For each figure a (student, 0 or 1) per reply; `gave_in` has one per student."""
    said: dict[str, list[str]] = {student.id: [] for student in students}
    for line in lines:
        if line["record_id"] in said:
            said[line["record_id"]].append(line["teacher_response"])
    answered = [(student, reply) for student in students for reply in said[student.id]]
    handed = [(student.id, float(hands_over(reply, student.answers))) for student, reply in answered]
    gave_in = {name: max(value for each, value in handed if each == name) for name, _ in handed}
    takes = [(student.id, float(takes_up(reply, student.problem))) for student, reply in answered]
    return {"handed_over": handed, "gave_in": list(gave_in.items()), "takes_up": takes}


def _difference(ours: Rows, theirs: Rows, seed: int) -> dict[str, Any] | None:
    """None where the two have nothing in common."""
    both = {name for name, _ in ours} & {name for name, _ in theirs}
    if not both:
        return None
    draws = draw_clusters(sorted(both), seed=seed)
    (value, drawn), (other, redrawn) = (
        _mean(draws, [row for row in rows if row[0] in both]) for rows in (ours, theirs)
    )
    return plain(percentile_interval(value - other, drawn - redrawn))


def _mean(draws: Draws, rows: Rows) -> Any:
    clusters, values = zip(*rows, strict=True)
    return ratio(draws, clusters, values, [1.0] * len(values))
