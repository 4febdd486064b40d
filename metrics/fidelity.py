"""How like a real student a simulated one talks: pure functions on texts and numbers.

What is measured of answers reads numbers from text, so it fits exercises with a numeric answer. None of these figures
says whether a student learns from a lesson; they say how near the words are to those of the students of the data.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

NUMBER = re.compile(r"(?<![\w.])(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+(?![\d.,]*\d))?")
WORD = re.compile(r"\w+(?:[.,/']\w+)*")
# What a helper says and a student does not: no real one in 1,512 turns of MathDial's training part and 543 of Bridge's.
HELPER = re.compile(
    r"\b(ready|happy|glad|here) to (help|assist)|\b(can|could|may) i (help|assist)|\bi could help\b|\bfeel free to\b"
    r"|\b(further|any (more|other)) (questions|assistance|help)\b|\byou're (most )?welcome|\bas a student\b"
    r"|\b(well done|(great|excellent|nice) (job|work))\b",
    re.I,
)
FOLDS = 5


def numbers(text: str) -> list[float]:
    """The numbers that stand in a text, in order: `1,095`, `.5`, and `3/4` as 0.75. Signs and units are left out."""
    return [_value(found) for found in NUMBER.findall(text)]


def _value(written: str) -> float:
    above, _, below = written.replace(",", "").partition("/")
    return float(above) / float(below) if below and float(below) else float(above)


def answer(text: str) -> float | None:
    """The last number of a text, which in a solution is its answer; None without a number."""
    found = numbers(text)
    return found[-1] if found else None


def same(one: float | None, other: float | None) -> bool:
    """Whether two numbers are the same answer, to rounding in the last of six digits; never where one is missing."""
    return one is not None and other is not None and bool(np.isclose(one, other, rtol=1e-6, atol=1e-9))


def states(text: str, value: float | None) -> bool:
    """Whether a number stands anywhere in a text."""
    return any(same(found, value) for found in numbers(text))


def helps(text: str) -> bool:
    """Whether somebody offers help or praises, who is no student then."""
    return bool(HELPER.search(text.replace("’", "'")))


def words(text: str) -> list[str]:
    """The words and numbers of a text in lower case."""
    return WORD.findall(text.casefold())


def rouge_l(candidate: str, reference: str) -> float:
    """ROUGE-L (Lin 2004): the F1, in [0, 1], of the longest common subsequence of words; 0 where either has none."""
    said, real = words(candidate), words(reference)
    if not said or not real:
        return 0.0
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(real))}
    columns = np.array([vocabulary[word] for word in real])
    lengths = np.zeros(len(real) + 1, dtype=np.int64)
    for word in said:
        if word in vocabulary:  # else the row of the table is the one before
            grown = np.maximum(lengths[1:], lengths[:-1] + (columns == vocabulary[word]))
            lengths[1:] = np.maximum.accumulate(grown)
    common = int(lengths[-1])
    return 2 * common / (len(said) + len(real))


class Grams:
    """The word n-grams of some texts, counted once, for `distinct` of many selections of the texts."""

    def __init__(self, texts: Sequence[str], n: int):
        said = [words(text) for text in texts]
        grams = [(i, tuple(of[k : k + n])) for i, of in enumerate(said) for k in range(len(of) - n + 1)]
        codes = {gram: code for code, gram in enumerate(dict.fromkeys(gram for _, gram in grams))}
        self._owners = np.array([i for i, _ in grams], dtype=np.int64)
        self._codes = np.array([codes[gram] for _, gram in grams], dtype=np.int64)

    def distinct(self, rows: NDArray[np.int64]) -> float:
        """distinct-n (Li et al. 2016) of the texts `rows`: the share of different n-grams among all of them, in (0, 1]; nan
        without any. It falls with the number of texts, so only sets of equally many may be compared."""
        times = np.bincount(rows, minlength=int(self._owners.max(initial=-1)) + 1)[self._owners]
        return len(np.unique(self._codes[times > 0])) / int(times.sum()) if times.sum() else float("nan")


def distinct(texts: Sequence[str], n: int) -> float:
    """distinct-n of all the texts, see `Grams.distinct`."""
    return Grams(texts, n).distinct(np.arange(len(texts)))


def length_distance(one: ArrayLike, other: ArrayLike) -> float:
    """The 1-Wasserstein distance of two sets of lengths, in their unit: how far a length has to move on average until both
    are spread alike. nan where either is empty."""
    from scipy.stats import wasserstein_distance

    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return float(wasserstein_distance(one, other)) if len(one) and len(other) else float("nan")


def discriminator(real: Sequence[str], simulated: Sequence[str], groups: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """How much each text looks simulated to a classifier that has seen neither it nor its group: scores of the real texts
    and of the simulated ones, both [n]; nan where there are fewer than two groups.

    The i-th texts belong to the i-th group. The classifier is logistic regression on TF-IDF of words (1 and 2) and of
    characters in words (2 to 5), fitted in five folds of whole groups.
    """
    from sklearn.model_selection import GroupKFold
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    texts, is_simulated = [*real, *simulated], np.repeat([0, 1], [len(real), len(simulated)])
    scores = np.full(len(texts), np.nan)
    both = [str(group) for group in (*groups, *groups)]
    if (folds := min(FOLDS, len(set(both)))) >= 2:
        with threadpool_limits(1):  # the vectors are short: threads would wait for each other
            for train, test in GroupKFold(folds).split(texts, groups=both):
                model = _classifier().fit([texts[i] for i in train], is_simulated[train])
                scores[test] = model.decision_function([texts[i] for i in test])
    return scores[: len(real)], scores[len(real) :]


def _classifier() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    read_words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(make_union(read_words, letters), LogisticRegression(C=4, max_iter=2000))


def auc(real: ArrayLike, simulated: ArrayLike) -> float:
    """The area under the ROC curve (Mann & Whitney 1947): how often a simulated text looks more simulated than a real one,
    ties counting half. 0.5: they cannot be told apart; 1: always. nan where scores are missing."""
    from scipy.stats import rankdata

    real, simulated = np.asarray(real, dtype=np.float64), np.asarray(simulated, dtype=np.float64)
    scores = np.concatenate([simulated, real])
    if not len(real) or not len(simulated) or np.isnan(scores).any():
        return float("nan")
    above = rankdata(scores)[: len(simulated)].sum() - len(simulated) * (len(simulated) + 1) / 2
    return float(above / (len(real) * len(simulated)))
