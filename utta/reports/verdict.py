"""The sentence a report begins with, and what has to be said right after it.

Pure functions from checked results to plain text. The sentence claims no more than the paired intervals do.
"""

from collections.abc import Sequence

from metrics.agreement import THIN
from utta.reports.numbers import counted, interval, number
from utta.reports.results import Figure, Paired, Results

FEW_PROBLEMS = 10
NAMED = 4


def verdict(results: Results) -> str:
    """How far the judge agrees with the experts, and whether it beats the baseline and the other run."""
    counts, mean = results.counts, results.mean.metrics.get("macro_f1", Figure())
    if not counts.scored:
        return (
            f"None of the {counted(counts.decisions, 'decision')} was scored, "
            "so nothing can be said about the judge's agreement with the experts"
            + (f"; the judge's levels are in {path}." if (path := results.paths.get("predictions")) else ".")
        )
    basis = f"On {counted(counts.scored, 'decision')} about {counted(results.data.problems, 'problem')}"
    if not mean.known:
        return f"{basis} the judge's mean macro-F1 cannot be computed from so few labels."
    parts = [
        f"{basis} the judge agrees with the experts at a mean macro-F1 of {interval(mean)} (1 is full agreement)",
        held_against(results.against_tfidf, "the TF-IDF baseline")
        if results.against_tfidf
        else "no TF-IDF baseline stands beside it",
    ]
    if results.comparison:
        parts.append(held_against(results.comparison.paired, results.comparison.run))
    return "; ".join(parts) + "."


def held_against(paired: Paired, other: str, subject: str = "it") -> str:
    """`subject` against `other` in half a sentence: on how many criteria it is above, and what the interval says."""
    above, known = paired.above
    if not known or not paired.mean.known:
        return f"its difference to {other} cannot be computed"
    side = paired.mean.side
    says = {"above": "excludes 0", "below": "lies wholly below 0", "unclear": "does not exclude 0"}[side]
    if paired.mean.low is None:
        return (
            f"{subject} is above {other} on {above} of {counted(known, 'criterion', 'criteria')}, without an interval"
        )
    agrees = (side == "above") == (2 * above > known)
    joint, difference = "and" if agrees else "but", interval(paired.mean, signed=True)
    return (
        f"{subject} is above {other} on {above} of {counted(known, 'criterion', 'criteria')}, "
        f"{joint} the interval of the mean difference, {difference}, {says}"
    )


def unseen(files: Sequence[str]) -> list[str]:
    """A warning for each file that a program was made from and that is gone or has changed."""
    return [
        f"Warning: {file}, which was learned from, is gone or has changed; whether problems here stood in it is not known."
        for file in files
    ]


def warnings(results: Results) -> list[str]:
    """What a reader must know before believing the figures; empty when there is nothing."""
    lines = []
    if results.times_scored >= 2:
        lines.append(
            f"Warning: {results.times_scored} tuned programs were scored on this data, this one included; if it is "
            "your test part, choosing between them by these figures makes the chosen one look better than it is."
        )
    for part, problems in results.seen_problems.items():
        lines.append(
            f"Warning: {counted(problems, 'problem')} of {results.data.problems:,} stood in the judge's own {part} "
            "data; what it has seen before it agrees on more easily than on anything new."
        )
    lines += unseen(results.unseen_files)
    if results.data.problems < FEW_PROBLEMS:
        lines.append(
            f"Warning: the data is about {counted(results.data.problems, 'problem')} only; intervals drawn from fewer "
            f"than {FEW_PROBLEMS} are narrower than the truth, so take every figure here as a first impression."
        )
    if errors := results.counts.errors:
        log = results.paths.get("errors")
        lines.append(
            f"Warning: {counted(errors, 'decision')} of {results.counts.decisions:,} failed and "
            f"{'stands' if errors == 1 else 'stand'} in no figure{f'; {log} says why' if log else ''}."
        )
    if rejects := results.counts.rejects:
        lines.append(f"Warning: {counted(rejects, 'line')} of the data file put aside: not a review of this rubric.")
    if results.comparison and 0 < (shared := sum(results.comparison.n.values())) < results.counts.scored:
        lines.append(
            f"Warning: {results.comparison.run} holds {shared:,} of these {counted(results.counts.scored, 'decision')}; the "
            "difference to it rests on those alone."
        )
    failed = [gate for gate in results.gates if not gate.passed]
    return lines + [f"Gate failed: {gate.gate}, seen {number(gate.value)}." for gate in failed]


def thin_notes(results: Results) -> list[str]:
    """Which levels have too few labels for macro-F1, with their n, and which of them it counts all the same."""
    out: list[str] = []
    counted_in: list[str] = []
    for name, result in results.criteria.items():
        left_out = result.thin_levels if result.left_out is None else result.left_out
        for level in result.thin_levels:
            named = f"{name} “{level}” (n = {result.gold.get(level, 0)})"
            (out if level in left_out else counted_in).append(named)
    lines = []
    if out:
        lines.append(f"Left out of macro-F1, having fewer than {THIN} expert labels: {_listed(out)}.")
    if counted_in:
        lines.append(f"Counted in macro-F1 although they have fewer than {THIN} expert labels: {_listed(counted_in)}.")
    return lines


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} levels, marked * under “What was judged”"
