"""What a judge must beat: the commonest level, and TF-IDF with logistic regression, fitted on the training file.

The TF-IDF baseline sees the response alone: words 1 to 2 and characters 2 to 5 within words, features of at least two
responses, sublinear term frequency; logistic regression with C = 4 and balanced class weights.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from signatures.rubric import Criterion
from utta.records.review import Review

Floats = NDArray[np.float64]


def baseline_probabilities(criterion: Criterion, train: Sequence[Review], test: Sequence[Review]) -> dict[str, Floats]:
    """For each baseline the probabilities of the levels of each test review, [reviews, levels]; none without labels."""
    labelled = [r for r in train if criterion.id in r.levels]
    if not labelled or not test:
        return {}
    gold = np.array([criterion.labels.index(r.levels[criterion.id]) for r in labelled])
    counts = np.bincount(gold, minlength=len(criterion.levels))
    commonest = np.tile(np.eye(len(criterion.levels))[counts.argmax()], (len(test), 1))
    tfidf = _tfidf(gold, labelled, test, len(criterion.levels))
    return {"commonest": commonest} | ({"tfidf": tfidf} if tfidf is not None else {})


def _tfidf(gold: NDArray[np.int64], train: Sequence[Review], test: Sequence[Review], levels: int) -> Floats | None:
    """[reviews, levels]; None where no two training responses share a word, so that there is nothing to learn from."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(set(gold)) < 2:
        return np.tile(np.eye(levels)[gold[0]], (len(test), 1))
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
    model = make_pipeline(
        make_union(words, characters), LogisticRegression(C=4, class_weight="balanced", max_iter=2000)
    )
    with threadpool_limits(1):  # the vectors are short: threads would spend ten times as long on waiting for each other
        try:
            model.fit([r.response for r in train], gold)
        except ValueError as error:
            if "terms remain" in str(error) or "empty vocabulary" in str(error):
                return None
            raise
    probabilities = np.zeros((len(test), levels))
    probabilities[:, model.classes_] = model.predict_proba([r.response for r in test])
    return probabilities
