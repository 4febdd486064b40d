"""How far a distilled judge agrees with the experts on problems it has not seen, over all of the data: five folds by problem.

    python scripts/crossvalidate.py --data reviews.jsonl --out runs/folds --fold 0 -- --epochs 5
    python scripts/crossvalidate.py --data reviews.jsonl --out runs/folds --summary

Fold 0 is the part fold-1 of `utta data split --folds 5`, and so on. A fold is held out; of the others a tenth, by problem
too, is validation, which chooses the epoch and fits the level weights. What follows `--` goes to `utta distill` as it
stands. The held-out fold is judged once, and `fold-K.json` keeps the answers to its labelled decisions, with what TF-IDF
says that has learnt from all other folds; no text and no expert's label, so it can be shown to others. The same command
again goes on where it was; one folder holds one recipe. `--summary` joins the finished folds with the labels of --data,
which may be a part of the reviews, in `results-NAME.json`: macro-F1, kappa and lenient macro-F1 with 95% intervals that draw
whole problems, of the program's own level weights and of weights fitted on the other folds' answers, and what both have
over TF-IDF.

Prints what the training should take before it starts; it cuts nothing short.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metrics.bootstrap import Scores, difference, draw_clusters, intervals, mean
from metrics.levels import apply_weights, expected_levels, fit_weights
from signatures.rubric import Criterion
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json, write_lines, write_text
from utta.core.runs import claim
from utta.evaluate.answers import all_plain, by_decision, gold_levels, judged_levels
from utta.evaluate.baselines import baseline_probabilities
from utta.evaluate.open import data_rubric, refuse_leak
from utta.evaluate.predict import read_predictions
from utta.evaluate.results import scored
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


@dataclass(frozen=True)
class Rows:
    """One criterion's labelled decisions in the finished folds, one for each review: the `fold` that it stands in, the judge's
    `levels` and `chances` [decisions, levels], and TF-IDF's levels, None where a fold has none."""

    criterion: Criterion
    reviews: list[Review]
    fold: np.ndarray
    levels: list[int]
    chances: np.ndarray
    tfidf: list[int] | None

    @property
    def gold(self) -> list[int]:
        return gold_levels(self.criterion, self.reviews)


def main() -> None:
    own, passed = sys.argv[1:], []
    if "--" in own:
        at = own.index("--")
        own, passed = own[:at], own[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="reviews, as `utta data import mrbench` writes them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the folds")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--fold", type=int, choices=range(FOLDS), help="train on the others, and judge this one")
    what.add_argument("--summary", action="store_true", help="join the finished folds")
    asked = parser.parse_args(own)
    try:
        if asked.summary:
            summarise(asked.data, asked.out)
        else:
            do_fold(asked.data, asked.fold, asked.out, passed)
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
    told = head | {"criteria": answered(judge, held_out, work / "answers", list(files.values()))}
    write_text(result, json.dumps(told) + "\n")  # indented, each probability would be a line
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
    """By criterion the labelled decisions of the held-out fold: the reviews' ids, the judge's levels and probabilities, and
    TF-IDF's levels, each level as its place among `labels`."""
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
        found[criterion.id] = {
            "labels": criterion.labels,
            "ids": [r.id for r in rows],
            "levels": levels,
            "tfidf": None if tfidf is None else tfidf.argmax(1).tolist(),
            "probabilities": [[round(float(p), 4) for p in row] for row in chances],
        }
    return found


def summarise(data: Path, out: Path) -> None:
    """Print the figures over all finished folds on the labels of `data`, and write them to `results-NAME.json`."""
    paths = [path for fold in range(FOLDS) if (path := out / f"fold-{fold}.json").is_file()]
    if not paths:
        raise UttaError(f"{out} holds no finished fold; make one with --fold 0.")
    folds = [read_json(path) for path in paths]
    rubric = data_rubric(data, None)
    reviews = {review.id: review for review in read_reviews(data, rubric).reviews}
    rows = [found for criterion in rubric.criteria if (found := joined(folds, criterion, reviews))]
    if not rows:
        raise UttaError(
            f"No fold in {out} judged a label of {data}; give the reviews that were split, or some of them."
        )
    told = summary(rows)
    same = {key: folds[0][key] for key in ("model", "base_fingerprint", "rubric", "recipe", "versions")}
    head = {"kind": "cross-validation", "created": now(), "folds": [fold["fold"] for fold in folds], "of": FOLDS}
    minutes = {"training_minutes": [round(fold["training_seconds"] / 60, 1) for fold in folds]}
    written = out / f"results-{data.stem}.json"
    write_json(written, head | {"data": sha256(data)} | same | minutes | told)
    console = open_console()
    for section in sections(told):
        draw_section(console, section)
    console.print(f"\nWrote {written}")


def joined(folds: Sequence[Mapping[str, Any]], criterion: Criterion, reviews: Mapping[str, Review]) -> Rows | None:
    """One criterion's decisions of all folds on which one of the reviews has a label; None if there are none."""
    parts = [(fold["fold"], fold["criteria"][criterion.id]) for fold in folds if criterion.id in fold["criteria"]]
    for number, part in parts:
        if part["labels"] != criterion.labels:
            raise UttaError(
                f"Fold {number} has the levels {part['labels']} of {criterion.id}, the rubric others; judge it anew."
            )
    at = [
        (number, part, i)
        for number, part in parts
        for i, review in enumerate(part["ids"])
        if review in reviews and criterion.id in reviews[review].levels
    ]
    if not at:
        return None
    return Rows(
        criterion,
        [reviews[part["ids"][i]] for _, part, i in at],
        np.array([number for number, _, _ in at]),
        [part["levels"][i] for _, part, i in at],
        np.array([part["probabilities"][i] for _, part, i in at]),
        None if any(part["tfidf"] is None for _, part in parts) else [part["tfidf"][i] for _, part, i in at],
    )


def summary(rows: Sequence[Rows]) -> dict[str, Any]:
    """Counts, and for each way its figures with intervals by criterion and on the mean, and those minus TF-IDF's.

    A way that does not stand for every criterion is left out: cross-fitting needs two folds, TF-IDF words.
    """
    draws = draw_clusters([review.cluster for each in rows for review in each.reviews])
    scores: dict[str, dict[str, Scores]] = {way: {} for way in WAYS}
    for each in rows:
        for way, levels in decided(each).items():
            scores[way][each.criterion.id] = scored(draws, each.criterion, each.reviews, levels, each.chances)
    scores = {way: each for way, each in scores.items() if len(each) == len(rows)}
    overall = {way: mean(list(each.values())) for way, each in scores.items()}
    return {
        "decisions": {each.criterion.id: len(each.reviews) for each in rows},
        "problems": len(draws.names),
        "gold": {
            each.criterion.id: np.bincount(each.gold, minlength=len(each.criterion.levels)).tolist() for each in rows
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


def decided(rows: Rows) -> dict[str, list[int]]:
    """The levels of each way that decided every row."""
    found = {"own": rows.levels}
    if len(set(rows.fold.tolist())) > 1:
        found["cross_fitted"] = cross_fitted(rows)
    if rows.tfidf is not None:
        found["tfidf"] = rows.tfidf
    return found


def cross_fitted(rows: Rows) -> list[int]:
    """Levels by weights that are fitted on the answers of the other folds, which other adapters of the recipe gave."""
    gold, problems = np.array(rows.gold), np.array([review.cluster for review in rows.reviews])
    levels = np.zeros(len(gold), dtype=np.int64)
    for held_out in set(rows.fold.tolist()):
        fitted = rows.fold != held_out
        expected = expected_levels(rows.chances[fitted], gold[fitted])
        weights = fit_weights(rows.chances[fitted], expected, clusters=problems[fitted].tolist())
        levels[~fitted] = apply_weights(rows.chances[~fitted], weights)
    return levels.tolist()


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
