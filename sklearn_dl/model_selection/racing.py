"""Racing: a candidate that is clearly worse than the best one after some folds is not given the others."""

import math

import numpy as np

from sklearn_dl.model_selection.folds import MIN_FOLDS

#: Folds that the variance known from other candidates counts as much as.
KNOWN_FOLDS = 2


class Race:
    """The best candidate so far, and whether another one can still be it.

    The test is paired: folds differ more than candidates do, and on the same fold that cancels. A candidate
    loses when the mean of its differences plus one standard error is below 0. Two or three differences may be
    equal by chance, so their variance is averaged with that of other candidates, as in moderated t-tests.

    Parameters
    ----------
    best : ndarray of shape (n_splits,)
        Scores of the best candidate.
    others : list of ndarray of shape (n_splits,)
        Scores of others that finished.

    References
    ----------
    Moore, Lee (1994), Efficient algorithms for minimizing cross validation error, section 4.
    Smyth (2004), Linear models and empirical Bayes methods for assessing differential expression, section 3.
    """

    def __init__(self, best: np.ndarray, others: list[np.ndarray]) -> None:
        self.best = best
        self.variance = float(np.mean([(scores - best).var(ddof=1) for scores in others])) if others else None

    def __call__(self, scores: np.ndarray) -> tuple[int, str]:
        """Fewest folds after which the candidate had lost, or 0 if it has not, or only after the last."""
        for n_folds in range(MIN_FOLDS, min(len(scores) + 1, len(self.best))):
            if self._has_lost(scores[:n_folds] - self.best[:n_folds]):
                return n_folds, "racing"
        return 0, ""

    def _has_lost(self, differences: np.ndarray) -> bool:
        if not np.isfinite(differences).all():
            return True
        n_folds, variance = len(differences), differences.var(ddof=1)
        if self.variance is not None:
            weight = n_folds - 1
            variance = (weight * variance + KNOWN_FOLDS * self.variance) / (weight + KNOWN_FOLDS)
        return bool(differences.mean() + math.sqrt(variance / n_folds) < 0)

    def expected(self, scores: np.ndarray) -> float:
        """Mean over all folds that a stopped candidate would have had: the best one's and the difference."""
        return float(self.best.mean() + (scores - self.best[: len(scores)]).mean())
