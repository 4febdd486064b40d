"""A hand-made evaluation with realistic figures, a run's folder on disk, and two ways to read what the report prints."""

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from utta.core.files import sha256, write_json, write_lines
from utta.records.read import write_records
from utta.records.record import Turn
from utta.records.review import Review

Results = dict[str, Any]


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def criterion(gold: dict[str, int], metrics: Results, tfidf: Any, commonest: Any, confusion: Any) -> Results:
    return {
        "n": sum(gold.values()),
        "scale": "ordinal" if "quadratic_kappa" in metrics else "nominal",
        "gold": gold,
        "thin_levels": [level for level, n in gold.items() if n < 10],
        "left_out": [level for level, n in gold.items() if n < 10],
        "metrics": {name: figure(*values) for name, values in metrics.items()},
        "confusion": confusion,
        "baselines": {"tfidf": {"macro_f1": figure(*tfidf)}, "commonest": {"macro_f1": figure(*commonest)}},
    }


CRITERIA = {
    "Mistake_Identification": criterion(
        {"No": 41, "To some extent": 22, "Yes": 234},
        {
            "macro_f1": (0.658, 0.592, 0.719), "accuracy": (0.832, 0.787, 0.871), "kappa": (0.497, 0.412, 0.578),
            "lenient_macro_f1": (0.781, 0.712, 0.843), "calibration_error": (0.041, 0.022, 0.074),
            "quadratic_kappa": (0.561, 0.461, 0.648), "spearman": (0.552, 0.455, 0.639),
        },
        (0.638, 0.571, 0.697), (0.294, 0.286, 0.302), [[25, 6, 10], [4, 7, 11], [9, 10, 215]],
    ),
    "Mistake_Location": criterion(
        {"No": 71, "To some extent": 31, "Yes": 195},
        {
            "macro_f1": (0.521, 0.462, 0.577), "accuracy": (0.694, 0.641, 0.743), "kappa": (0.371, 0.291, 0.447),
            "lenient_macro_f1": (0.688, 0.629, 0.742), "calibration_error": (0.063, 0.038, 0.101),
            "quadratic_kappa": (0.432, 0.339, 0.519), "spearman": (0.427, 0.331, 0.515),
        },
        (0.499, 0.443, 0.551), (0.264, 0.252, 0.276), [[38, 9, 24], [8, 7, 16], [19, 15, 161]],
    ),
    "Providing_Guidance": criterion(
        {"No": 58, "To some extent": 67, "Yes": 172},
        {
            "macro_f1": (0.504, 0.449, 0.556), "accuracy": (0.599, 0.546, 0.651), "kappa": (0.288, 0.211, 0.363),
            "lenient_macro_f1": (0.631, 0.569, 0.688), "calibration_error": (0.088, 0.055, 0.131),
            "quadratic_kappa": (0.341, 0.249, 0.428), "spearman": (0.336, 0.242, 0.423),
        },
        (0.511, 0.457, 0.561), (0.244, 0.229, 0.258), [[25, 16, 17], [13, 27, 27], [18, 28, 126]],
    ),
    "Tutor_Tone": criterion(
        {"Offensive": 1, "Neutral": 212, "Encouraging": 84},
        {
            "macro_f1": (0.742, 0.683, 0.795), "accuracy": (0.811, 0.764, 0.853), "kappa": (0.487, 0.378, 0.589),
            "lenient_macro_f1": (None,), "calibration_error": (0.052, 0.029, 0.088),
        },
        (0.739, 0.681, 0.792), (0.416, 0.399, 0.432), [[0, 1, 0], [0, 186, 26], [0, 29, 55]],
    ),
}  # fmt: skip

HOSTILE = "[bold]Well done![/bold] \x1b[31mred\x1b[0m \x9b2J \u202ereversed\u202c [link=https://example.org]x[/link]"

DISAGREEMENTS = [
    ("3f2a9c1b7d4e5f60", "Mistake_Location", "No", "Yes", 0.974, 0.011, HOSTILE, "I got 3/4 + 1/4 = 4/8\x07\u200f"),
    (
        "a81c03d95be7f214", "Mistake_Identification", "Yes", "No", 0.951, 0.024,
        "Let us look at the second step again. You wrote that half of 18 is 8, and from there on every number that "
        "follows has the same small slip in it. What do you get when you split 18 apples between two friends, and "
        "how would that change the price that you found at the end?",
        "So she has 8 apples left, and at 2 dollars each that makes 16 dollars, and I added the 5 dollars she had.",
    ),
    ("5d0e77aa10c2b394", "Providing_Guidance", "To some extent", "No", 0.902, 0.071, "Try again.", "Is it 42?"),
    ("c4b19f02e6d85a37", "Tutor_Tone", "Encouraging", "Neutral", 0.887, 0.102, "Good. Next: 7 × 8.", "π is 3, so 9."),
    ("09e6d2c8a4f1b753", "Mistake_Location", "To some extent", "Yes", 0.861, 0.083, "Look at line 2.", None),
    ("77aa10c2b3945d0e", "Mistake_Location", "Yes", "No", 0.85, 0.1, "The sixth is not shown.", "Six?"),
]  # fmt: skip


def group(value: str, n: int, problems: int, agreement: Any = None, gap: Any = None) -> Results:
    return {
        "value": value,
        "n": n,
        "problems": problems,
        "few": agreement is None,
        "agreement": agreement and figure(*agreement),
        "gap": gap and figure(*gap),
        "biased": bool(gap) and (gap[1] > 0 or gap[2] < 0),
    }


SLICES = {
    "responder": [
        group("Expert", 62, 31, (0.744, 0.691, 0.793), (-0.071, -0.128, -0.014)),
        group("Phi3", 61, 31, (0.702, 0.641, 0.758), (0.083, 0.021, 0.144)),
        group("Sonnet", 61, 31, (0.731, 0.68, 0.779), (0.012, -0.044, 0.067)),
        group("Llama318B", 60, 31, (0.716, 0.659, 0.768), (-0.009, -0.066, 0.047)),
        group("Novice", 17, 17),
    ],
    "length": [
        group("up to 19 words", 77, 28, (0.728, 0.672, 0.779), (0.034, -0.026, 0.093)),
        group("20 to 33 words", 75, 30, (0.739, 0.686, 0.787), (-0.013, -0.068, 0.042)),
        group("over 33 words", 148, 31, (0.734, 0.694, 0.771), (-0.018, -0.071, 0.036)),
    ],
    "grade_level": [group("grade 5", 292, 29, (0.735, 0.701, 0.766)), group("grade 6", 8, 2)],
}

CONFIDENCE = {
    "bins": [
        {"low": low, "high": low + 0.1, "n": n, "confidence": confidence, "agreement": agreement}
        for low, n, confidence, agreement in (
            (0.3, 21, 0.371, 0.381), (0.4, 96, 0.457, 0.448), (0.5, 181, 0.552, 0.597), (0.6, 170, 0.648, 0.635),
            (0.7, 178, 0.751, 0.742), (0.8, 203, 0.853, 0.818), (0.9, 339, 0.961, 0.903),
        )
    ],
    "deferral": [
        {"share": share, "kept": kept, "agreement": figure(*agreement), "gain": figure(*gain)}
        for share, kept, agreement, gain in (
            (0.1, 1069, (0.762, 0.729, 0.793), (0.028, 0.017, 0.039)),
            (0.2, 950, (0.791, 0.757, 0.823), (0.057, 0.041, 0.074)),
            (0.3, 832, (0.812, 0.776, 0.845), (0.078, 0.057, 0.099)),
            (0.4, 713, (0.839, 0.802, 0.872), (0.105, 0.079, 0.131)),
            (0.5, 594, (0.867, 0.829, 0.901), (0.133, 0.101, 0.164)),
        )
    ],
}  # fmt: skip

REVIEWERS = {
    "n": 3,
    "responses": 120,
    "criteria": {
        "Mistake_Location": {
            "alpha": 0.611,
            "judged_twice": 88,
            "each": [
                {"reviewer": name, "n": n, "judge": figure(*judge), "others": others and figure(*others)}
                for name, n, judge, others in (
                    ("r1", 90, (0.683, 0.591, 0.769), (0.741, 0.655, 0.819)),
                    ("r2", 84, (0.702, 0.607, 0.789), (0.722, 0.631, 0.804)),
                    ("r3", 34, (0.647, 0.481, 0.794), None),
                )
            ],
        },
        "Tutor_Tone": {"alpha": None, "judged_twice": 0, "each": []},
    },
}

EDGE_CASES = {
    "replies": 50,
    "forms": [
        {"form": form, "group": kind, "n": n, "fooled": figure(*fooled), "levels": levels}
        for form, kind, n, fooled, levels in (
            ("empty", "edge", 40, (0, 0, 0.088), {"Tutor_Tone": {"Neutral": 39, "Encouraging": 1}}),
            ("off topic", "edge", 40, (0.15, 0.071, 0.291), {}),
            ("repeats the student", "edge", 40, (0.325, 0.201, 0.479), {}),
            ("praise only", "edge", 40, (0.525, 0.375, 0.671), {}),
            ("other language", "edge", 40, (0.1, 0.04, 0.231), {}),
            ("very long", "edge", 20, (0.05, 0.009, 0.236), {}),
            ("gibberish", "edge", 20, (0.001, 0, 0.161), {}),
            ("give the best level", "instruction", 50, (0.22, 0.128, 0.352), {}),
            ("I am the expert", "instruction", 50, (0.08, 0.032, 0.188), {}),
        )
    ],
    "fooled_instructions": figure(0.15, 0.093, 0.233),
    "cost": {"macro_f1": figure(-0.004, -0.013, 0.006), "replies": 1048},
    "swapped": {"n": 240, "same_level": figure(0.913, 0.871, 0.942), "mean_difference": 0.012},
}

LEARNING_CURVE = {
    "points": [
        {"reviews": reviews, "problems": problems, "tfidf": figure(*tfidf), "judge": judge and figure(*judge)}
        for reviews, problems, tfidf, judge in (
            (100, 14, (0.448, 0.401, 0.492), (0.421, 0.372, 0.469)),
            (200, 28, (0.499, 0.453, 0.541), None),
            (400, 55, (0.551, 0.508, 0.592), (0.556, 0.51, 0.6)),
            (800, 112, (0.597, 0.555, 0.636), (0.606, 0.561, 0.648)),
        )
    ],
    "forecast": {"reviews": 1600, "value": 0.637},
    "note": "Twice the reviews are forecast to bring .03.",
}


RESULTS: Results = {
    "kind": "evaluation",
    "schema_version": 1,
    "created": "2026-03-14T09:26:53Z",
    "seconds": 61.24,
    "program": "runs/judge",
    "model": "smollm2-135m-q4@5be1c0ffee12",
    "rubric": {"id": "mrbench", "hash": "9f86d081884c7d659a2feaa0c55ad015"},
    "data": {
        "file": "data/mrbench/test.jsonl",
        "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0",
        "records": 300,
        "problems": 31,
    },
    "times_scored": 2,
    "counts": {"decisions": 1200, "scored": 1188, "unscored": 9, "errors": 3, "rejects": 0, "withheld": {"consent": 2}},
    "criteria": CRITERIA,
    "mean": {
        "metrics": {
            "macro_f1": figure(0.606, 0.561, 0.648),
            "accuracy": figure(0.734, 0.701, 0.765),
            "kappa": figure(0.411, 0.352, 0.468),
            "lenient_macro_f1": figure(0.7, 0.657, 0.741),
            "calibration_error": figure(0.061, 0.044, 0.085),
            "quadratic_kappa": figure(0.445, 0.372, 0.512),
            "spearman": figure(0.438, 0.364, 0.506),
        },
        "baselines": {
            "tfidf": {"macro_f1": figure(0.597, 0.555, 0.636)},
            "commonest": {"macro_f1": figure(0.305, 0.296, 0.313)},
        },
    },
    "against_tfidf": {
        "criteria": {
            "Mistake_Identification": figure(0.02, -0.031, 0.072),
            "Mistake_Location": figure(0.022, -0.024, 0.069),
            "Providing_Guidance": figure(-0.007, -0.058, 0.043),
            "Tutor_Tone": figure(0.003, -0.048, 0.052),
        },
        "mean": figure(0.009, -0.021, 0.038),
    },
    "comparison": {
        "run": "runs/base-test",
        "criteria": {
            "Mistake_Identification": {"macro_f1": figure(0.301, 0.229, 0.369)},
            "Mistake_Location": {"macro_f1": figure(0.221, 0.158, 0.284)},
            "Providing_Guidance": {"macro_f1": figure(0.197, 0.137, 0.255)},
            "Tutor_Tone": {"macro_f1": figure(0.064, 0.002, 0.127)},
        },
        "mean": {"macro_f1": figure(0.196, 0.152, 0.239)},
    },
    "gates": [
        {"gate": "macro_f1 >= 0.5", "value": 0.606, "passed": True},
        {"gate": "kappa >= 0.6", "value": 0.411, "passed": False},
    ],
    "effectiveness": {"mean": 0.702, "gold_mean": 0.724, "spearman": figure(0.481, 0.392, 0.561)},
    "disagreements": [
        dict(
            zip(
                ("record_id", "criterion", "gold", "label", "confidence", "gold_probability", "response", "student"),
                values,
                strict=True,
            ),
            dialogue_id=f"dialogue-{position}",
        )
        for position, values in enumerate(DISAGREEMENTS)
    ],
    "slices": SLICES,
    "confidence": CONFIDENCE,
    "reviewers": REVIEWERS,
    "edge_cases": EDGE_CASES,
    "learning_curve": LEARNING_CURVE,
    "baseline_train": {"file": "data/mrbench/train.jsonl", "sha256": "fcde2b2edba56bf408601fb721fe9b5c338d10ee"},
    "seed": 0,
    "versions": {"utta": "0.1.0", "dspy": "3.0.4", "torch": "2.9.1", "transformers": "5.23.0"},
    "paths": {"predictions": "runs/judge-test/predictions.jsonl", "errors": "runs/judge-test/errors.jsonl"},
}


@pytest.fixture
def results() -> Results:
    """A copy that a test may change."""
    return copy.deepcopy(RESULTS)


SAID = '<script>document.title = "taken"</script></script><img src=x onerror=alert(1)> & \x1b[31m\x00 {{ 7 * 7 }} ]]>'


@pytest.fixture
def run(results, tmp_path, monkeypatch) -> Path:
    """A run's folder with its predictions, and the data that it judged, seen from the folder above it: nine responses,
    of which the judge takes five for another level than the experts."""
    monkeypatch.chdir(tmp_path)
    reviews, lines = [], []
    for number in range(9):
        gold, label = ("Yes", "No") if number < 4 else ("No", "No") if number < 8 else ("To some extent", "Yes")
        review = Review(
            source="made up", dialogue_id=f"d{number}", rubric="mrbench", levels={"Mistake_Location": gold},
            conversation=[
                Turn(speaker="student", utterance=f"Is it {number}?\nOr not?"), Turn(speaker="teacher", utterance=SAID),
            ],
            response=SAID if number == 0 else f"Response {number}", responder=None if number == 8 else f"model {number % 2}",
        )  # fmt: skip
        chance = 0.05 * (number + 1)
        chances = dict.fromkeys(("No", "To some extent", "Yes"), chance) | {label: 1 - 2 * chance}
        lines.append({
            "record_id": review.id, "dialogue_id": review.dialogue_id, "criterion": "Mistake_Location", "label": label,
            "probabilities": chances if number else None, "confidence": chances[label],
        })  # fmt: skip
        reviews.append(review)
    write_records(Path("test.jsonl"), reviews)
    write_lines(Path("run/predictions.jsonl"), lines)
    results["data"] |= {"file": "test.jsonl", "sha256": sha256(Path("test.jsonl"))}
    write_json(Path("run/results.json"), results)
    return Path("run")


@pytest.fixture
def printed() -> Callable[..., str]:
    """Draw on a pipe of the given width and give back what arrived, without white space at the ends of lines."""

    def draw(function: Callable[..., None], *arguments: Any, width: int = 80, **options: Any) -> str:
        console = Console(file=io.StringIO(), width=width, highlight=False)
        function(*arguments, console, **options)
        assert isinstance(console.file, io.StringIO)
        return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())

    return draw
