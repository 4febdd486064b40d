"""How far several reviewers of the same responses agree with each other."""

from collections.abc import Iterable, Sequence

import numpy as np

from metrics.tables import Floats


def krippendorff_alpha(ratings: Iterable[Sequence[int]], levels: int, ordinal: bool) -> float:
    """Krippendorff's alpha, 1 for perfect agreement and 0 for what chance gives.

    `ratings` holds for each response the levels that its reviewers gave, from 0 to `levels` − 1; responses with fewer than
    two do not count. nan without any such response, and where only one level was ever given. Formula and the ordinal
    distance: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    together = np.zeros((levels, levels))
    for given in ratings:
        if len(given) > 1:
            counts = np.bincount(given, minlength=levels)
            together += (np.outer(counts, counts) - np.diag(counts)) / (len(given) - 1)
    totals = together.sum(1)
    distances = _distances(totals, ordinal)
    expected = (np.outer(totals, totals) * distances).sum()
    return float(1 - (totals.sum() - 1) * (together * distances).sum() / expected) if expected else float("nan")


def _distances(totals: Floats, ordinal: bool) -> Floats:
    """The squared distance `[levels, levels]` between two levels: 1, or by how many ratings lie between them."""
    if not ordinal:
        return 1 - np.eye(len(totals))
    middles = np.cumsum(totals) - totals / 2
    distances: Floats = (middles[:, None] - middles[None]) ** 2
    return distances
