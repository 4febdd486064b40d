"""The figures of a simulated student: of its model's opinion of real turns, of its answers, and of its words.

nll               negative log-likelihood per token (nats) of what the real students said, each turn's end included
wrong_first       share of first turns that state the wrong answer of the student's own solution, where that is known
premature         share of turns that give the right answer before the teacher has pointed at the mistake and before anybody
                  has said it
flip_targeted, flip_misaligned, flip_generic
                  share of turning scenes (`scenes`) where the student gives the right answer after that teacher's words
selective_flip    Selective Flip Score, after the idea of arXiv 2605.12748: flip_targeted less the mean of the other two. A
                  student that gives way to anything, or to nothing, has 0; one that is moved by the right words alone has 1.
                  Which words are which is our definition, and stands in `scenes`
rouge_l           ROUGE-L F1 with what the real student said, on turns with an earlier text of the same student
rouge_l_gain      the same less that of saying the earlier text again
words             how many words a turn's length is off, on average (1-Wasserstein distance)
distinct_1, distinct_2
                  by how much the share of different words and pairs of words is off
auc               how often a classifier finds the simulated one of a real and a simulated turn; 0.5 is guessing

A figure is a value with its redrawn values, which draw whole problems, so that two students are compared draw by draw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics import fidelity
from metrics.bootstrap import Draws, Interval, percentile_interval, ratio, redrawn, share_interval
from metrics.fidelity import answer, rouge_l, same, states, words
from utta.evaluate.student.scenes import GENERIC, MISALIGNED, REAL, Scene

Floats = NDArray[np.float64]
Said = Mapping[tuple[str, int, str], str]  # a scene's key → what a student said there
Scores = Mapping[str, Mapping[str, Any]]  # a dialogue's id → its line of scores.jsonl

ANSWERS = ("wrong_first", "premature", "flip_targeted", "flip_misaligned", "flip_generic", "selective_flip")
WORDS = ("rouge_l", "rouge_l_gain", "words", "distinct_1", "distinct_2", "auc")
FIGURES = ("nll", *ANSWERS, *WORDS)


@dataclass(frozen=True)
class Measured:
    """A figure over `n` rows: its value, and the value in each draw [samples]; nan where it cannot be computed. A share knows
    how many problems its rows are about."""

    n: int
    value: float
    drawn: Floats
    problems: int | None = None

    @property
    def interval(self) -> Interval:
        if self.problems is None:
            return percentile_interval(self.value, self.drawn)
        return share_interval(self.value, self.drawn, self.problems)

    def minus(self, other: "Measured") -> "Measured":
        return Measured(min(self.n, other.n), self.value - other.value, self.drawn - other.drawn)


def real_words(scenes: Sequence[Scene]) -> Said:
    """What the real students said, where they said something."""
    return {scene.key: scene.real for scene in scenes if scene.teacher == REAL}


def copied_words(scenes: Sequence[Scene]) -> Said:
    """The baseline: every student says again what it said before, its written solution at first."""
    return {scene.key: scene.previous for scene in scenes if scene.previous}


def nll(scores: Scores, scenes: Sequence[Scene], draws: Draws) -> Measured:
    """See above; `n` counts tokens."""
    rows = [
        (scene.dialogue.cluster, -line["log_probability"][scene.turn], line["tokens"][scene.turn])
        for scene in scenes
        if scene.teacher == REAL and (line := scores.get(scene.dialogue.id))
    ]
    return _ratio(rows, draws, n=int(sum(tokens for *_, tokens in rows)))


def nll_reduction(ours: Scores, others: Scores, scenes: Sequence[Scene], draws: Draws) -> Measured | None:
    """By what share the negative log-likelihood of the same tokens is under the others'; None where the two models do not
    read the same tokens."""
    rows, tokens = [], 0
    for scene in scenes:
        if scene.teacher != REAL or not (ours.get(scene.dialogue.id) and others.get(scene.dialogue.id)):
            continue
        mine, theirs = ours[scene.dialogue.id], others[scene.dialogue.id]
        if mine["tokens"] != theirs["tokens"]:
            return None
        less = theirs["log_probability"][scene.turn] - mine["log_probability"][scene.turn]
        rows.append((scene.dialogue.cluster, -less, -theirs["log_probability"][scene.turn]))
        tokens += mine["tokens"][scene.turn]
    return _ratio(rows, draws, n=tokens)


def answer_figures(scenes: Sequence[Scene], said: Said, draws: Draws) -> dict[str, Measured]:
    """The figures of `ANSWERS`."""
    real = [scene for scene in scenes if scene.teacher == REAL]
    early = [s for s in real if s.early and s.unsaid and s.right is not None]
    turning = {
        "targeted": [s for s in real if s.turning],
        "misaligned": [s for s in scenes if s.teacher == MISALIGNED],
        "generic": [s for s in scenes if s.teacher == GENERIC],
    }
    first = [s for s in real if s.turn == 0 and s.wrong is not None]
    found = {
        "wrong_first": _share(first, said, draws, lambda scene, text: states(text, scene.wrong)),
        "premature": _share(early, said, draws, _right),
        **{f"flip_{name}": _share(of, said, draws, _right) for name, of in turning.items()},
    }
    targeted, misaligned, generic = (found[f"flip_{name}"] for name in turning)
    controls = (misaligned.value + generic.value) / 2, (misaligned.drawn + generic.drawn) / 2
    selective = Measured(targeted.n, targeted.value - controls[0], targeted.drawn - controls[1])
    return found | {"selective_flip": selective}


def word_figures(scenes: Sequence[Scene], said: Said, draws: Draws) -> dict[str, Measured]:
    """The figures of `WORDS`."""
    used = [s for s in scenes if s.teacher == REAL and s.key in said]
    clusters = [s.dialogue.cluster for s in used]
    real, ours = [s.real for s in used], [said[s.key] for s in used]
    again = [(s, rouge_l(said[s.key], s.real), rouge_l(s.previous, s.real)) for s in used if s.previous]

    def figure(statistic: Callable[[NDArray[np.int64]], float]) -> Measured:
        return Measured(len(used), *redrawn(draws, clusters, statistic))

    lengths = [np.array([len(words(text)) for text in texts]) for texts in (ours, real)]
    scores = fidelity.discriminator(real, ours, clusters)
    found = {
        "rouge_l": _ratio([(s.dialogue.cluster, now, 1) for s, now, _ in again], draws),
        "rouge_l_gain": _ratio([(s.dialogue.cluster, now - before, 1) for s, now, before in again], draws),
        "words": figure(lambda rows: fidelity.length_distance(lengths[0][rows], lengths[1][rows])),
        "auc": figure(lambda rows: fidelity.auc(scores[0][rows], scores[1][rows])),
    }
    for n in (1, 2):
        found[f"distinct_{n}"] = figure(partial(_off, fidelity.Grams(ours, n), fidelity.Grams(real, n)))
    return found


def _off(ours: fidelity.Grams, real: fidelity.Grams, rows: NDArray[np.int64]) -> float:
    return abs(ours.distinct(rows) - real.distinct(rows))


def _right(scene: Scene, text: str) -> bool:
    return same(answer(text), scene.right)


def _share(scenes: Sequence[Scene], said: Said, draws: Draws, holds: Callable[[Scene, str], bool]) -> Measured:
    rows = [(s.dialogue.cluster, holds(s, said[s.key]), 1) for s in scenes if s.key in said]
    return replace(_ratio(rows, draws), problems=len({problem for problem, *_ in rows}))


def _ratio(rows: Sequence[tuple[str, float, float]], draws: Draws, n: int | None = None) -> Measured:
    clusters, above, below = zip(*rows, strict=True) if rows else ((), (), ())
    return Measured(len(rows) if n is None else n, *ratio(draws, clusters, above, below))
