"""How far a distilled judge agrees with the experts on problems it has not seen, over all of the data: five folds by problem.

    python scripts/crossvalidate.py --data reviews.jsonl --out runs/folds --fold 0 -- --epochs 5
    python scripts/crossvalidate.py --out runs/folds --summary
    python scripts/crossvalidate.py --out runs/folds --summary --of some-of-the-reviews.jsonl

Fold 0 is the part fold-1 of `utta data split --folds 5`, and so on. A fold is held out; of the others a tenth, by problem
too, is validation, which chooses the epoch and fits the level weights. What follows `--` goes to `utta distill` as it
stands. The held-out fold is judged once, and `fold-K.json` keeps what was answered, with what TF-IDF says that has learnt
from all other folds. The same command again goes on where it was; one folder holds one recipe. `--summary` joins the
finished folds in `results.json`: macro-F1, kappa and lenient macro-F1 with 95% intervals that draw whole problems, of the
program's own level weights and of weights fitted on the other folds' answers, and what both have over TF-IDF. With `--of`
only the labels of that file count, and the figures go to `results-NAME.json`.

Prints what the training should take before it starts; it cuts nothing short.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from metrics.bootstrap import Draws, Scores, difference, draw_clusters, intervals, mean, score
from metrics.levels import apply_weights, expected_levels, fit_weights
from signatures.rubric import Criterion
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json, write_lines
from utta.core.runs import claim
from utta.evaluate.answers import all_plain, by_decision, judged_levels
from utta.evaluate.baselines import baseline_probabilities
from utta.evaluate.open import data_rubric, refuse_leak
from utta.evaluate.predict import read_predictions
from utta.evaluate.results import skipped
from utta.prepare.split import split_by, split_file
from utta.programs.folder import now, open_program
from utta.records.read import read_reviews
from utta.records.review import Review
from utta.reports.agreement import by_criterion, difference_column, figure_column
from utta.reports.layout import Section, draw_section, open_console
from utta.reports.results import Figure

FOLDS = 5
MEASURES = {"macro_f1": "Macro-F1", "kappa": "Kappa", "lenient_macro_f1": "Lenient F1"}
WAYS = {"own": "Own weights", "cross_fitted": "Cross-fitted", "tfidf": "TF-IDF"}

PER_DECISION = ("gold", "level", "tfidf", "ids", "problems", "probabilities")

Rows = dict[str, list[Any]]  # one criterion's decisions: gold, probabilities, level, tfidf, problems, fold


def main() -> None:
    own, passed = sys.argv[1:], []
    if "--" in own:
        at = own.index("--")
        own, passed = own[:at], own[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="reviews, as `utta data import mrbench` writes them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the folds")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--fold", type=int, choices=range(FOLDS), help="train on the others, and judge this one")
    what.add_argument("--summary", action="store_true", help="join the finished folds")
    parser.add_argument("--of", type=Path, help="for --summary: a file with some of the reviews; only its labels count")
    asked = parser.parse_args(own)
    if asked.fold is not None and not asked.data:
        parser.error("--fold needs --data")
    try:
        if asked.fold is not None:
            do_fold(asked.data, asked.fold, asked.out, passed)
        else:
            summarise(asked.out, asked.of)
    except UttaError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # the command has said why


def do_fold(data: Path, fold: int, out: Path, options: Sequence[str]) -> None:
    """Train, judge and write `fold-K.json`, unless it is there."""
    claim(out, {"kind": "cross-validation", "data": sha256(data), "folds": FOLDS, "options": list(options)})
    result, work = out / f"fold-{fold}.json", out / f"work-{fold}"
    if result.is_file():
        print(f"{result} is there already.")
        return
    if not (out / "split" / "split.json").is_file():
        split_file(data, out / "split", folds=FOLDS)
    files = {name: work / f"{name}.jsonl" for name in ("train", "validation")}
    if not files["validation"].is_file():
        for name, part in zip(files, inner_split(out / "split", fold), strict=True):
            write_lines(files[name], (review.model_dump(mode="json") for review in part))
    distilled = ["distill", "evaluator", "--train", files["train"], "--val", files["validation"]]
    judge = work / "judge"
    if not (judge / "manifest.json").is_file():
        planned = json.loads(utta(*distilled, "--out", judge, *options, "--dry-run", "--json"))
        print(f"estimated_minutes: {planned['estimate']['seconds'] / 60:.1f}", flush=True)
    started = time.monotonic()
    utta(*distilled, "--out", judge, *options, "--json")
    held_out = out / "split" / f"fold-{fold + 1}.jsonl"
    utta("evaluate", judge, "--data", held_out, "--out", work / "answers", "--json")
    manifest = read_json(judge / "manifest.json")
    head = {
        "fold": fold,
        "created": now(),
        "data": {"sha256": sha256(data), "held_out": sha256(held_out)}
        | {name: sha256(file) for name, file in files.items()},
        **{key: manifest[key] for key in ("model", "base_fingerprint", "adapter", "rubric", "recipe", "versions")},
        "history": manifest["history"],
        "training_seconds": manifest["seconds"],
    }
    write_json(result, head | {"criteria": answered(judge, held_out, work / "answers", list(files.values()))})
    print(f"training_minutes: {manifest['seconds'] / 60:.1f}")
    print(f"minutes_of_this_call: {(time.monotonic() - started) / 60:.1f}")
    print(f"Wrote {result}")


def utta(*words: object) -> str:
    """Run a command of ours, which shows its progress itself; its standard output."""
    command = [sys.executable, "-m", "utta.cli.main", *map(str, words)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def inner_split(split: Path, fold: int) -> tuple[list[Review], ...]:
    """The reviews of all other folds: nine tenths to train on, a tenth for validation, by problem."""
    others = [r for k in range(FOLDS) if k != fold for r in read_reviews(split / f"fold-{k + 1}.jsonl").reviews]
    train, validation = split_by(others, ratios=(90, 10), seed=0)
    held_out = read_reviews(split / f"fold-{fold + 1}.jsonl").reviews
    for part in (train, validation):
        refuse_leak(part, held_out, (split, split / f"fold-{fold + 1}.jsonl"))
    return train, validation


def answered(judge: Path, held_out: Path, run: Path, seen: Sequence[Path]) -> dict[str, Any]:
    """By criterion the labelled decisions of the held-out fold: the experts' levels, the judge's probabilities and levels,
    TF-IDF's levels, the reviews' ids, and a hash that stands for the problem."""
    rubric = open_program(str(judge)).module.rubric
    reviews = read_reviews(held_out, data_rubric(held_out, None)).reviews
    others = [review for path in seen for review in read_reviews(path).reviews]
    answers = by_decision(read_predictions(run))
    found = {}
    for criterion in rubric.criteria:
        rows = [r for r in reviews if criterion.id in r.levels and (r.id, criterion.id) in answers]
        if not rows:
            continue
        levels, chances = judged_levels(criterion, rows, answers)
        tfidf = baseline_probabilities(criterion, others, rows).get("tfidf")
        found[criterion.id] = about(criterion) | {
            "gold": [criterion.labels.index(r.levels[criterion.id]) for r in rows],
            "level": levels,
            "tfidf": None if tfidf is None else tfidf.argmax(1).tolist(),
            "ids": [r.id for r in rows],
            "problems": [hashlib.sha256(r.cluster.encode()).hexdigest()[:12] for r in rows],
            "probabilities": [[round(float(p), 6) for p in row] for row in chances],
        }
    return found


def about(criterion: Criterion) -> dict[str, Any]:
    """What of a criterion its figures depend on."""
    good = [level.good for level in criterion.levels]
    return {"labels": criterion.labels, "ordinal": criterion.scale == "ordinal", "good": good}


def summarise(out: Path, of: Path | None) -> None:
    """Print the figures over all finished folds, or over those of their labels that the file `of` holds too, and write them
    to `results.json` or `results-NAME.json`."""
    paths = [path for fold in range(FOLDS) if (path := out / f"fold-{fold}.json").is_file()]
    if not paths:
        raise UttaError(f"{out} holds no finished fold; make one with --fold 0.")
    folds = [read_json(path) for path in paths]
    if of:
        labels = {(r.id, criterion) for r in read_reviews(of).reviews for criterion in r.levels}
        folds = [fold | {"criteria": only(fold["criteria"], labels)} for fold in folds]
        if not any(fold["criteria"] for fold in folds):
            raise UttaError(
                f"No fold in {out} holds a label of {of}; give a file with some of the reviews of its --data."
            )
    told = summary(folds)
    same = {key: folds[0][key] for key in ("model", "base_fingerprint", "rubric", "recipe", "versions")}
    head = {"kind": "cross-validation", "created": now(), "folds": [fold["fold"] for fold in folds], "of": FOLDS}
    minutes = {"training_minutes": [round(fold["training_seconds"] / 60, 1) for fold in folds]}
    written = out / (f"results-{of.stem}.json" if of else "results.json")
    write_json(written, head | {"data": folds[0]["data"]["sha256"]} | same | minutes | told)
    console = open_console()
    for section in sections(told):
        draw_section(console, section)
    console.print(f"\nWrote {written}")


def only(criteria: Mapping[str, Rows], labels: Set[tuple[str, str]]) -> dict[str, Rows]:
    """A fold's decisions on the labels of (review, criterion) in `labels`; a criterion without one is left out."""
    found = {}
    for name, part in criteria.items():
        kept = [i for i, review in enumerate(part["ids"]) if (review, name) in labels]
        lists = {key: part[key] for key in PER_DECISION if part[key] is not None}
        if kept:
            found[name] = part | {key: [values[i] for i in kept] for key, values in lists.items()}
    return found


def summary(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts, and for each way its figures with intervals by criterion and on the mean, and those minus TF-IDF's.

    A way that does not stand for every criterion is left out: cross-fitting needs two folds, TF-IDF words.
    """
    facts = {name: part for fold in folds for name, part in fold["criteria"].items()}
    criteria = {name: joined(folds, name) for name in facts}
    draws = draw_clusters([problem for rows in criteria.values() for problem in rows["problems"]])
    scores: dict[str, dict[str, Scores]] = {way: {} for way in WAYS}
    for name, rows in criteria.items():
        for way, levels in decided(rows).items():
            scores[way][name] = scored(draws, facts[name], rows, levels)
    scores = {way: each for way, each in scores.items() if len(each) == len(criteria)}
    overall = {way: mean(list(each.values())) for way, each in scores.items()}
    return {
        "decisions": {name: len(rows["gold"]) for name, rows in criteria.items()},
        "problems": len(draws.names),
        "gold": {
            name: np.bincount(rows["gold"], minlength=len(facts[name]["labels"])).tolist()
            for name, rows in criteria.items()
        },
        "figures": {
            way: {name: figures(s) for name, s in each.items()} | {"mean": figures(overall[way])}
            for way, each in scores.items()
        },
        "minus_tfidf": {
            way: {name: figures(difference(s, scores["tfidf"][name])) for name, s in scores[way].items()}
            | {"mean": figures(difference(overall[way], overall["tfidf"]))}
            for way in scores
            if way != "tfidf" and "tfidf" in scores
        },
    }


def joined(folds: Sequence[Mapping[str, Any]], criterion: str) -> Rows:
    """One criterion's decisions of all folds, one after the other, and the fold of each; the level of a way that a fold
    lacks is None throughout."""
    rows: Rows = {key: [] for key in (*PER_DECISION, "fold")}
    for fold in folds:
        if criterion not in fold["criteria"]:
            continue
        part = fold["criteria"][criterion]
        for key in rows:
            rows[key] += (
                [fold["fold"]] * len(part["gold"]) if key == "fold" else part[key] or [None] * len(part["gold"])
            )
    return rows


def decided(rows: Rows) -> dict[str, list[int]]:
    """The levels of each way that decided every row."""
    found = {"own": rows["level"]}
    if len(set(rows["fold"])) > 1:
        found["cross_fitted"] = cross_fitted(rows)
    if None not in rows["tfidf"]:
        found["tfidf"] = rows["tfidf"]
    return found


def cross_fitted(rows: Rows) -> list[int]:
    """Levels by weights that are fitted on the answers of the other folds, which other adapters of the recipe gave."""
    chances, gold = np.array(rows["probabilities"]), np.array(rows["gold"])
    fold, problems = np.array(rows["fold"]), np.array(rows["problems"])
    skip = skipped(rows["gold"], chances.shape[1])
    levels = np.zeros(len(gold), dtype=np.int64)
    for held_out in set(rows["fold"]):
        fitted = fold != held_out
        expected = expected_levels(chances[fitted], gold[fitted])
        weights = fit_weights(chances[fitted], expected, clusters=problems[fitted].tolist(), skip=skip)
        levels[~fitted] = apply_weights(chances[~fitted], weights)
    return levels.tolist()


def scored(draws: Draws, facts: Mapping[str, Any], rows: Rows, levels: Sequence[int]) -> Scores:
    return score(
        draws,
        rows["problems"],
        rows["gold"],
        levels,
        np.array(rows["probabilities"]),
        levels=len(facts["labels"]),
        ordinal=facts["ordinal"],
        good=facts["good"],
        skip=skipped(rows["gold"], len(facts["labels"])),
    )


def figures(scores: Scores) -> dict[str, Any]:
    found = all_plain(intervals(scores))
    return {measure: found[measure] for measure in MEASURES}


def sections(told: Mapping[str, Any]) -> list[Section]:
    """A table for each measure, and one of what the judge's macro-F1 has over TF-IDF's."""
    names = list(told["decisions"])

    def rows(figures: Mapping[str, Any]) -> list[dict[str, Figure]]:
        return [{m: Figure(**figures[name][m]) for m in MEASURES} for name in (*names, "mean")]

    columns = {way: rows(each) for way, each in told["figures"].items()}
    found = []
    for measure, title in MEASURES.items():
        group = [figure_column(WAYS[way], each, measure) for way, each in columns.items()]
        found.append(Section(measure, f"{title} [95% interval]", [by_criterion(names, [group])]))
    minus = {way: rows(each) for way, each in told["minus_tfidf"].items()}
    for way, each in minus.items():
        group = [difference_column(MEASURES[m], [row[m] for row in each]) for m in MEASURES]
        found.append(Section(f"{way}_minus_tfidf", f"{WAYS[way]} minus TF-IDF", [by_criterion(names, [group])]))
    counts = f"{sum(told['decisions'].values()):,} decisions on {told['problems']} problems."
    return [*found, Section("counts", "What was judged", [counts])]


if __name__ == "__main__":
    main()
