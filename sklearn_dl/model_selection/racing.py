"""Racing: a candidate that is clearly worse than the best one after some folds is not given the others."""

import math

import numpy as np

from sklearn_dl.model_selection.folds import MIN_FOLDS


class Race:
    """The best candidate so far, and whether another one can still be it.

    The test is paired: folds differ more than candidates do, and on the same fold that cancels. A candidate
    loses when the mean of its differences plus one standard error is below 0.

    Parameters
    ----------
    best : ndarray of shape (n_splits,) or None
        Scores of the best candidate; None lets everybody finish.

    References
    ----------
    Maron, Moore (1994), Hoeffding races; Moore, Lee (1994), Efficient algorithms for minimizing
    cross validation error, section 4 (paired differences).
    """

    def __init__(self, best: np.ndarray | None) -> None:
        self.best = best

    def __call__(self, scores: np.ndarray) -> tuple[int, str]:
        """Fewest folds after which the candidate had lost, or 0 if it has not, or only after the last."""
        if self.best is None:
            return 0, ""
        for n_folds in range(MIN_FOLDS, min(len(scores) + 1, len(self.best))):
            if self._has_lost(scores[:n_folds]):
                return n_folds, "racing"
        return 0, ""

    def _has_lost(self, scores: np.ndarray) -> bool:
        differences = scores - self.best[: len(scores)]
        if not np.isfinite(differences).all():
            return True
        error = differences.std(ddof=1) / math.sqrt(len(differences))
        return bool(differences.mean() + error < 0)

    def expected(self, scores: np.ndarray) -> float:
        """Mean over all folds that a stopped candidate would have had: the best one's and the difference."""
        return float(self.best.mean() + (scores - self.best[: len(scores)]).mean())
