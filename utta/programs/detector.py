"""A classifier of texts with two classes: logistic regression on TF-IDF of words and letters, which can be kept as data.

scikit-learn learns it and cuts texts into n-grams; the few of a short text are then looked up one by one, for its own
`transform` takes four times as long on a single sentence, and many threads ask at once.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Weights = Mapping[str, Sequence[float]]  # of each n-gram its inverse document frequency and its weight


@dataclass(frozen=True)
class Detector:
    """A fitted classifier: the weights of the n-grams of words and of letters, and the intercept."""

    weights: list[Weights]
    intercept: float
    _cut: list[Callable[[str], list[str]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cut", [each.build_analyzer() for each in _vectorizers()])

    def log_odds(self, texts: Sequence[str]) -> list[float]:
        """For each text the log-odds of the class True."""
        kinds = list(zip(self._cut, self.weights, strict=True))
        return [self.intercept + sum(_product(cut(text), weights) for cut, weights in kinds) for text in texts]

    def as_data(self) -> dict[str, Any]:
        """All that was learnt, as JSON values."""
        return {"weights": self.weights, "intercept": self.intercept}


def _product(grams: list[str], weights: Weights) -> float:
    """The TF-IDF vector of the n-grams, 1 long, times the weights."""
    known = [
        ((1 + math.log(n)) * weights[gram][0], weights[gram][1])
        for gram, n in Counter(grams).items()
        if gram in weights
    ]
    length = math.sqrt(sum(tfidf**2 for tfidf, _ in known))
    return sum(tfidf * weight for tfidf, weight in known) / length if known else 0.0


def fit(texts: Sequence[str], classes: Sequence[bool]) -> Detector:
    """The classifier that has learnt the texts and their classes."""
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    vectorizers = _vectorizers()
    features = hstack([each.fit_transform(texts) for each in vectorizers])
    with threadpool_limits(1):  # the vectors are short: threads would wait for each other
        model = LogisticRegression(C=8, class_weight="balanced", max_iter=2000).fit(features, classes)
    coefficients = np.split(model.coef_[0], [len(vectorizers[0].vocabulary_)])
    weights: list[Weights] = [
        dict(zip(each.get_feature_names_out(), zip(each.idf_.tolist(), w.tolist(), strict=True), strict=True))
        for each, w in zip(vectorizers, coefficients, strict=True)
    ]
    return Detector(weights, float(model.intercept_[0]))


def from_data(kept: Mapping[str, Any]) -> Detector:
    """The classifier whose `as_data` this is."""
    return Detector(kept["weights"], kept["intercept"])


def _vectorizers() -> list[Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
    ]
