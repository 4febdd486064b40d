"""A classifier of texts with two classes: logistic regression on TF-IDF of words and letters, which can be kept as data.

Its parts are called one by one: scikit-learn's pipeline spends more time on each short text than they do, and many threads
ask at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Detector:
    """A fitted classifier: scikit-learn's vectorizers, and the weights of each one's features."""

    vectorizers: list[Any]
    weights: list[np.ndarray]
    intercept: float

    def log_odds(self, texts: Sequence[str]) -> list[float]:
        """For each text the log-odds of the class True."""
        parts = [each.transform(texts) @ w for each, w in zip(self.vectorizers, self.weights, strict=True)]
        return (sum(parts) + self.intercept).tolist()

    def as_data(self) -> dict[str, Any]:
        """All that was learnt, as JSON values."""
        return {
            "vocabularies": [each.get_feature_names_out().tolist() for each in self.vectorizers],
            "idf": [each.idf_.tolist() for each in self.vectorizers],
            "weights": [w.tolist() for w in self.weights],
            "intercept": self.intercept,
        }


def fit(texts: Sequence[str], classes: Sequence[bool]) -> Detector:
    """The classifier that has learnt the texts and their classes."""
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    vectorizers = _vectorizers({}, {"min_df": 2})
    features = hstack([each.fit_transform(texts) for each in vectorizers])
    with threadpool_limits(1):  # the vectors are short: threads would wait for each other
        model = LogisticRegression(C=8, class_weight="balanced", max_iter=2000).fit(features, classes)
    weights = np.split(model.coef_[0], [len(vectorizers[0].vocabulary_)])
    return Detector(vectorizers, weights, float(model.intercept_[0]))


def from_data(kept: Mapping[str, Any]) -> Detector:
    """The classifier whose `as_data` this is."""
    vectorizers = _vectorizers(*({"vocabulary": words} for words in kept["vocabularies"]))
    for each, idf in zip(vectorizers, kept["idf"], strict=True):
        each.idf_ = np.array(idf)
    return Detector(vectorizers, [np.array(w) for w in kept["weights"]], kept["intercept"])


def _vectorizers(words: Mapping[str, Any], letters: Mapping[str, Any]) -> list[Any]:
    """The two vectorizers, with more options for each."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]", **words),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, **letters),
    ]
