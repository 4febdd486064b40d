"""How far the judge agrees with the experts, what was judged, and where the figures come from: sections of a report.

Content only: `utta.reports.terminal` and `utta.reports.html` draw it. It computes no figure: all of them come from the
run's `results.json`.
"""

from collections.abc import Sequence
from pathlib import Path

from metrics.agreement import THIN
from utta.reports.layout import WORD_STYLES, Column, Grid, Pairs, Section
from utta.reports.numbers import MISSING, counted, interval, number
from utta.reports.results import Figure, Figures, Paired, Results
from utta.reports.text import safe, text
from utta.reports.verdict import thin_notes

SIDES = "above, below: the interval of the paired difference excludes 0; unclear: it does not."
MEASURES = {
    "quadratic_kappa": ("Weighted kappa", "beyond chance, near misses counting less"),
    "kappa": ("Kappa", "agreement beyond chance"),
    "lenient_macro_f1": ("Lenient F1", "macro-F1 of good against not good"),
    "accuracy": ("Accuracy", "share of decisions on the experts' level"),
    "spearman": ("Spearman", "whether it ranks as the experts do"),
    "calibration_error": ("Calibration error", "how far the stated confidence is off, lower is better"),
}
FOR_SCALE = {"quadratic_kappa": "ordinal", "kappa": "nominal", "spearman": "ordinal"}
BASELINES = (("tfidf", "TF-IDF"), ("commonest", "Commonest level"))


def figure_column(header: str, rows: Sequence[Figures], metric: str) -> Column:
    """A column of figures with their intervals."""
    return Column(header, [text(interval(figures.get(metric, Figure()))) for figures in rows])


def difference_column(header: str, figures: Sequence[Figure]) -> Column:
    """A column of differences, each with the word for what its interval says."""
    numbers = [interval(figure, signed=True) for figure in figures]
    widest = max(len(words) for words in numbers)
    cells = []
    for figure, words in zip(figures, numbers, strict=True):
        cell = text(words)
        cell.pad_left(widest - len(words))
        if figure.known:
            cell.append(f" {figure.side}", style=WORD_STYLES.get(figure.side, ""))
        cells.append(cell)
    return Column(header, cells, justify="left")


def paired_column(header: str, paired: Paired, names: Sequence[str]) -> Column:
    """Paired differences by criterion, then of the mean."""
    return difference_column(header, [*(paired.criteria.get(name, Figure()) for name in names), paired.mean])


def by_criterion(names: Sequence[str], groups: Sequence[Sequence[Column]]) -> Grid:
    """A table with a row for each criterion, then the mean."""
    return Grid("Criterion", [*names, "Mean"], groups, mean=True)


def agreement(results: Results) -> Section:
    """Macro-F1 by criterion, beside the baselines and the run that this one was held against."""
    names = list(results.criteria)
    figures = [figure_column("Judge", _judged(results), "macro_f1")]
    for key, header in BASELINES:
        if key in results.mean.baselines:
            rows = [result.baselines.get(key, {}) for result in results.criteria.values()]
            figures.append(figure_column(header, [*rows, results.mean.baselines[key]], "macro_f1"))
    differences = []
    if results.against_tfidf:
        differences.append(paired_column("Judge minus TF-IDF", results.against_tfidf, names))
    if results.comparison:
        other = Path(results.comparison.run).name or results.comparison.run
        differences.append(paired_column(f"Judge minus {other}", results.comparison.paired, names))
    lines = [SIDES] if differences else []
    if not results.mean.baselines:
        lines.append("No baseline: name the training file with `utta evaluate … --baseline-train FILE`.")
    return Section(
        "agreement",
        "Agreement with the experts: macro-F1 [95% interval]",
        [by_criterion(names, [figures, differences]), *lines, *thin_notes(results)],
    )


def other_measures(results: Results, full: bool) -> Section:
    """The other measures: their mean, or with `full` by criterion."""
    scales = {result.scale for result in results.criteria.values()}
    measures = {key: value for key, value in MEASURES.items() if key not in FOR_SCALE or FOR_SCALE[key] in scales}
    notes = ["Macro-F1 counts every level alike, however rare it is."]
    if len(scales) > 1:
        notes.append("Weighted kappa and Spearman are for criteria whose levels have an order; – is not applicable.")
    if made := results.effectiveness:
        notes.append(
            f"Teaching effectiveness (0 to 1): judge {number(made.mean)}, experts {number(made.gold_mean)}; "
            f"rank correlation {interval(made.spearman)}."
        )
    if not full:
        mean = results.mean.metrics
        rows = [(name, f"{interval(mean.get(key, Figure()))} · {is_}") for key, (name, is_) in measures.items()]
        return Section("measures", "Other measures: mean over criteria [95% interval]", [Pairs(rows), *notes])
    columns = [figure_column(name, _judged(results), key) for key, (name, _) in measures.items()]
    meanings = "; ".join(f"{name}: {is_}" for name, is_ in measures.values())
    return Section(
        "measures",
        "Other measures [95% interval]",
        [by_criterion(list(results.criteria), [columns]), f"{meanings}.", *notes],
    )


def counts(results: Results) -> Section:
    """The decisions by what became of them, and the experts' levels."""
    seen, withheld = results.counts, sum(results.counts.withheld.values())
    rows = []
    for name, result in results.criteria.items():
        thin = set(result.thin_levels)
        levels = " · ".join(f"{safe(label)} {n:,}{'*' * (label in thin)}" for label, n in result.gold.items())
        rows.append((name, f"{result.n:,}: {levels or MISSING}"))
    thin_levels = any(result.thin_levels for result in results.criteria.values())
    return Section(
        "counts",
        "What was judged",
        [
            f"{counted(seen.decisions, 'decision')} on {counted(results.data.records, 'response')}: "
            f"{seen.scored:,} scored, {seen.unscored:,} unscored (without an expert's label), "
            f"{counted(seen.errors, 'error')}."
            + (f" {counted(withheld, 'response')} withheld by consent or date." if withheld else ""),
            "By criterion, with the experts' levels:",
            Pairs(rows),
            *([f"* fewer than {THIN} labels"] if thin_levels else []),
        ],
    )


def origin(results: Results) -> Section:
    """What made the figures: program, model, data, gates, versions and files."""
    data, train = results.data, results.baseline_train
    scored = counted(results.times_scored, "tuned program") if results.times_scored else "no tuned program"
    versions = ", ".join(f"{name} {version or MISSING}" for name, version in results.versions.items())
    seconds = MISSING if results.seconds is None else f"{results.seconds:,.1f} s"
    rows = [
        *([("Scored", f"{scored} on this data so far")] if results.counts.scored else []),
        ("Program", results.program),
        ("Model", results.model or MISSING),
        ("Rubric", f"{results.rubric.id} ({results.rubric.hash[:12]})"),
        ("Data", f"{data.file} ({data.sha256[:12]})"),
        ("Baselines", f"fitted on {train.file} ({train.sha256[:12]})" if train else "no baseline"),
        *((f"Gate {gate.gate}", f"{'passed' if gate.passed else 'failed'}, seen {number(gate.value)}")
          for gate in results.gates),
        ("Seed", MISSING if results.seed is None else str(results.seed)),
        ("Versions", versions or MISSING),
        ("Made", f"{results.created or MISSING}, in {seconds}"),
        *((name.capitalize(), path or MISSING) for name, path in results.paths.items()),
    ]  # fmt: skip
    return Section("origin", "Where the figures come from", [Pairs(rows)])


def _judged(results: Results) -> list[Figures]:
    return [*(result.metrics for result in results.criteria.values()), results.mean.metrics]
