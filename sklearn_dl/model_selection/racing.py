"""Racing: a candidate that is clearly worse than the best one after some folds is not given the others."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

#: A race never ends before so many folds.
MIN_FOLDS = 2

#: Standard errors by which a candidate that stops lies below the best one, and by which it stays stopped.
N_ERRORS, N_ERRORS_AGAIN = 1.0, 2.0

#: Share of the standard error of the best score up to which a gain is none during the search.
INDIFFERENCE = 0.03

#: Share of the folds beyond the first two up to which candidates that stopped are continued.
SHARE = 1 / 4

#: Folds that what is expected of the variance counts as much as.
KNOWN_FOLDS = 2


class Race:
    """The best candidate so far, and whether another one can still be it.

    The test is paired: folds differ more than candidates do, and on the same fold that cancels. A candidate
    loses when the mean of its differences plus one standard error is below the least gain that matters, a
    small share of the standard error of the best score. The error is that of the mean over the folds there
    are, of which some are known, and not over all that could be drawn. Two or three differences may be equal
    by chance, so their variance is averaged with what is expected of it, as in moderated t-tests. That is in
    proportion to the mean square of the differences, since those near the best one differ from it by little,
    with the ratio of the better half of the other candidates.

    A metric that counts, such as accuracy, makes ties: scores equal to those of the best on each fold. No
    variance says what becomes of them, but earlier ones do: of `n` ties of which `k` ended above the best,
    the chance is (k + 1/2) / (n + 1), Jeffreys' estimate. A candidate that ties on the first folds loses when
    that is below the chance of a normal value so many standard errors above its mean.

    Two folds may mislead, so no stop is final. At the end those that stopped are judged again, by the best
    one there is then and with two standard errors, and who may still be the best is continued, in the order
    of the expected means, until a quarter of the folds beyond the second have been evaluated.

    Parameters
    ----------
    whole : sequence of ndarray of shape (n_splits,)
        Scores of the candidates that finished, at least one, in their order.
    n_errors : float, default=1.0
        Standard errors by which a candidate that loses is below the best one.
    indifference : float, default=0.03
        Least gain that matters, in standard errors of the best score.

    References
    ----------
    Moore, Lee (1994), Efficient algorithms for minimizing cross validation error, section 4.
    Audibert, Bubeck, Munos (2010), Best arm identification in multi-armed bandits, section 3.
    Jeffreys (1961), Theory of probability, section 3.10.
    Smyth (2004), Linear models and empirical Bayes methods for assessing differential expression, section 3.
    Cochran (1977), Sampling techniques, chapter 2.
    Bechhofer (1954), A single-sample multiple decision procedure for ranking means of normal populations with
    known variances, on differences that are not worth detecting.
    """

    def __init__(
        self,
        whole: Sequence[np.ndarray],
        n_errors: float = N_ERRORS,
        indifference: float = INDIFFERENCE,
    ) -> None:
        scores = np.array(whole)
        means = scores.mean(axis=1)
        order = np.argsort(-means, kind="stable")
        self.best, self.n_errors = scores[order[0]], n_errors
        self.least_gain = indifference * float(self.best.std(ddof=1)) / math.sqrt(len(self.best))
        rivals = scores[order[1:][: max(len(order) // 2, 2)]]
        self.ratio = _ratio_of_variance(rivals - self.best)
        self.chance_of_tie = _chance_of_tie(scores, means)

    def __call__(self, scores: np.ndarray, after: int = 0) -> tuple[int, str]:
        """Fewest folds after which the candidate had lost, or 0 if it has not, or only after the last.

        The first `after` folds are not judged.
        """
        for n_folds in range(max(MIN_FOLDS, after + 1), min(len(scores) + 1, len(self.best))):
            if self.has_lost(scores[:n_folds]):
                return n_folds, "racing"
        return 0, ""

    def has_lost(self, scores: np.ndarray) -> bool:
        """Whether a candidate with these scores on the first folds is worse than the best one."""
        differences = scores - self.best[: len(scores)]
        if not np.isfinite(differences).all():
            return True
        if not differences.any():
            return bool(self.chance_of_tie < ndtr(-self.n_errors))
        n_folds, variance = len(differences), differences.var(ddof=1)
        if self.ratio is not None:
            weight, expected = n_folds - 1, self.ratio * np.mean(differences**2)
            variance = (weight * variance + KNOWN_FOLDS * expected) / (weight + KNOWN_FOLDS)
        error = math.sqrt(variance * (1 / n_folds - 1 / len(self.best)))
        return bool(differences.mean() + self.n_errors * error < self.least_gain)

    def expected(self, scores: np.ndarray) -> float:
        """Mean over all folds that a stopped candidate would have had: the best one's and the difference.

        A gain that is too small to matter is none, so that the best trial of a study is one with all folds.
        """
        return float(self.best.mean() + min((scores - self.best[: len(scores)]).mean(), 0.0))


def _ratio_of_variance(differences: np.ndarray) -> float | None:
    """Mean over candidates of the variance of their differences by the mean square, or None without any."""
    squares = np.mean(differences**2, axis=1)
    varied = squares > 0
    if not varied.any():
        return None
    return float((differences[varied].var(axis=1, ddof=1) / squares[varied]).mean())


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


def room(n_folds: Sequence[int], n_splits: int) -> float:
    """Folds left for candidates that stopped, where so many of each candidate were evaluated."""
    spent = sum(max(n - MIN_FOLDS, 0) for n in n_folds)
    return SHARE * len(n_folds) * (n_splits - MIN_FOLDS) - spent
