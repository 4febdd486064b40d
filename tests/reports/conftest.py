"""A hand-made evaluation with realistic figures, and two ways to read what the report prints of it."""

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

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
    "counts": {"decisions": 1200, "scored": 1188, "unscored": 9, "errors": 3, "rejects": 0},
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
    "baseline_train": {"file": "data/mrbench/train.jsonl", "sha256": "fcde2b2edba56bf408601fb721fe9b5c338d10ee"},
    "seed": 0,
    "versions": {"utta": "0.1.0", "dspy": "3.0.4", "torch": "2.9.1", "transformers": "5.23.0"},
    "paths": {"predictions": "runs/judge-test/predictions.jsonl", "errors": "runs/judge-test/errors.jsonl"},
}


@pytest.fixture
def results() -> Results:
    """A copy that a test may change."""
    return copy.deepcopy(RESULTS)


@pytest.fixture
def printed() -> Callable[..., str]:
    """Draw on a pipe of the given width and give back what arrived, without white space at the ends of lines."""

    def draw(function: Callable[..., None], *arguments: Any, width: int = 80, **options: Any) -> str:
        console = Console(file=io.StringIO(), width=width, highlight=False)
        function(*arguments, console, **options)
        assert isinstance(console.file, io.StringIO)
        return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())

    return draw
