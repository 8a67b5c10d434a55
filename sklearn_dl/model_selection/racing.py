"""Racing: a candidate that is clearly worse than the best one after some folds is not given the others."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

#: A race never ends before so many folds.
MIN_FOLDS = 2

#: Folds that the variance known from other candidates counts as much as.
KNOWN_FOLDS = 2

#: Chance of a mean one standard error above its expectation: what a candidate that stops may have had.
CHANCE = norm.cdf(-1)


class Race:
    """The best candidate so far, and whether another one can still be it.

    The test is paired: folds differ more than candidates do, and on the same fold that cancels. A candidate
    loses when the mean of its differences plus one standard error is below 0. The error is that of the mean
    over the folds there are, of which some are known, and not over all that could be drawn. Two or three
    differences may be equal by chance, so their variance is averaged with that of other candidates, as in
    moderated t-tests: with the better half, because bad candidates differ by far more.

    A metric that counts, such as accuracy, makes ties: scores equal to those of the best on each fold. No
    variance says what becomes of them, but earlier ones do: of `n` ties of which `k` ended above the best,
    the chance is (k + 1/2) / (n + 1), Jeffreys' estimate. A candidate that ties on the first folds loses when
    that is below the chance of one standard error.

    Parameters
    ----------
    whole : sequence of ndarray of shape (n_splits,)
        Scores of the candidates that finished, at least one, in their order.

    References
    ----------
    Moore, Lee (1994), Efficient algorithms for minimizing cross validation error, section 4.
    Jeffreys (1961), Theory of probability, section 3.10.
    Smyth (2004), Linear models and empirical Bayes methods for assessing differential expression, section 3.
    Cochran (1977), Sampling techniques, chapter 2.
    """

    def __init__(self, whole: Sequence[np.ndarray]) -> None:
        scores = np.array(whole)
        means = scores.mean(axis=1)
        order = np.argsort(-means, kind="stable")
        self.best = scores[order[0]]
        rivals = scores[order[1:][: max(len(order) // 2, 2)]]
        self.variance = float((rivals - self.best).var(axis=1, ddof=1).mean()) if len(rivals) else None
        self.chance_of_tie = _chance_of_tie(scores, means)

    def __call__(self, scores: np.ndarray) -> tuple[int, str]:
        """Fewest folds after which the candidate had lost, or 0 if it has not, or only after the last."""
        for n_folds in range(MIN_FOLDS, min(len(scores) + 1, len(self.best))):
            if self._has_lost(scores[:n_folds] - self.best[:n_folds]):
                return n_folds, "racing"
        return 0, ""

    def _has_lost(self, differences: np.ndarray) -> bool:
        if not np.isfinite(differences).all():
            return True
        if not differences.any():
            return self.chance_of_tie < CHANCE
        n_folds, variance = len(differences), differences.var(ddof=1)
        if self.variance is not None:
            weight = n_folds - 1
            variance = (weight * variance + KNOWN_FOLDS * self.variance) / (weight + KNOWN_FOLDS)
        error = math.sqrt(variance * (1 / n_folds - 1 / len(self.best)))
        return bool(differences.mean() + error < 0)

    def expected(self, scores: np.ndarray) -> float:
        """Mean over all folds that a stopped candidate would have had: the best one's and the difference."""
        return float(self.best.mean() + (scores - self.best[: len(scores)]).mean())


def _chance_of_tie(scores: np.ndarray, means: np.ndarray) -> float:
    """Chance that a candidate ends above the best one so far if it ties with it on the first folds."""
    best = n_ties = n_gains = 0
    for row in range(1, len(scores)):
        rises = bool(means[row] > means[best])
        if (scores[row, :MIN_FOLDS] == scores[best, :MIN_FOLDS]).all():
            n_ties += 1
            n_gains += rises
        best = row if rises else best
    return (n_gains + 0.5) / (n_ties + 1)
