"""Maximum mean discrepancy with the mixture of kernels that tells two sets apart best."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

from sklearn_dl.domain_adaptation.kernels import kernel_matrix, resolve_gamma
from sklearn_dl.domain_adaptation.measures import _read_pair, _require_two_rows, _stack

_FACTORS = 2.0 ** np.arange(-3, 4)


class MultiKernelMMD(NamedTuple):
    """Squared discrepancy with learnt weights of the kernels.

    Parameters
    ----------
    statistic : float
        Unbiased squared discrepancy of the weighted kernels.
    weights : ndarray of shape (n_kernels,)
        At least 0; they sum to 1.
    gammas : ndarray of shape (n_kernels,)
        Factors of the squared distances, one for each kernel.
    """

    statistic: float
    weights: np.ndarray
    gammas: np.ndarray


def mk_mmd(X: Any, Y: Any, gammas: Sequence[float] | None = None, *, reg: float = 1e-4) -> MultiKernelMMD:
    r"""Maximum mean discrepancy of the mixture of Gaussian kernels with the most powerful test.

    The weights :math:`\beta` maximise :math:`\eta(\beta) / \sigma(\beta)`, the discrepancy over its standard
    deviation, by the quadratic programme :math:`\min \beta^T (Q + \lambda I)\, \beta` where
    :math:`\eta^T \beta = 1` and :math:`\beta \ge 0`, with the kernels' discrepancies :math:`\eta` and the
    covariances Q of their estimates.

    Parameters
    ----------
    X, Y : array-like of shape (n_samples, n_features)
        Rows of the two sets, at least 2 each; their numbers may differ.
    gammas : sequence of float, default=None
        Factor of the squared distance in each kernel. None: an eighth to eight times that of the median
        distance, in powers of 2.
    reg : float, default=1e-4
        The programme's lambda, in units of the mean variance of the estimates, above 0. Larger spreads the
        weights.

    Returns
    -------
    result : MultiKernelMMD
        Fields ``statistic``, ``weights`` and ``gammas``. Where no kernel sees a difference the weights are
        equal.

    Raises
    ------
    ValueError
        If the rows have different numbers of features, a set has fewer than 2 rows, or a gamma or `reg` is
        not above 0.

    Notes
    -----
    The statistic uses all pairs of rows; the covariances are those of its linear part, the projection of each
    row's contribution, which dominates where the sets differ.

    References
    ----------
    Gretton, Sriperumbudur, Sejdinovic, Strathmann, Balakrishnan, Pontil, Fukumizu (2012), Optimal kernel
    choice for large-scale two-sample tests, equation 11.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import mk_mmd
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(200, 1)), rng.normal(loc=0.5, size=(200, 1))
    >>> result = mk_mmd(X, Y)
    >>> round(float(result.weights.sum()), 6), result.statistic > 0
    (1.0, True)
    """
    X, Y = _read_pair(X, Y, "mk_mmd")
    _require_two_rows(X, Y, True, "mk_mmd")
    rows = _stack(X, Y)
    factors = resolve_gamma(rows, "median") * _FACTORS if gammas is None else np.asarray(gammas, dtype=float)
    if factors.ndim != 1 or not len(factors) or not (factors > 0).all() or not reg > 0:
        raise ValueError(f"mk_mmd: gammas and reg must be above 0; got gammas={gammas!r} and reg={reg!r}.")
    n = X.shape[0]
    contributions = [_contributions(kernel_matrix(rows, rows, "rbf", gamma), n) for gamma in factors]
    discrepancies, covariance = _estimates(*map(np.array, zip(*contributions, strict=True)))
    weights = _most_powerful(discrepancies, covariance, reg)
    return MultiKernelMMD(float(weights @ discrepancies), weights, factors)


def learn_kernel_weights(K: np.ndarray, n: int, reg: float = 1e-4) -> np.ndarray:
    """Weights of the kernels with matrices K, shape (n_kernels, n + m, n + m), over n and then m rows."""
    return _most_powerful(*_estimates(*_contributions(K.astype(np.float64), n)), reg)


def _contributions(K: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """What each row of the two sets contributes to the unbiased discrepancy, the sum of the means."""
    m, own = K.shape[-1] - n, np.diagonal(K, axis1=-2, axis2=-1)
    is_first = np.arange(n + m) < n
    sums = K @ np.column_stack([is_first, ~is_first]).astype(K.dtype)  # over the rows of each set
    x = (sums[..., :n, 0] - own[..., :n]) / (n - 1) - sums[..., :n, 1] / m
    y = (sums[..., n:, 1] - own[..., n:]) / (m - 1) - sums[..., n:, 0] / n
    return x, y


def _estimates(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Discrepancy of each kernel and covariance of these, from contributions of shape (n_kernels, n_rows)."""
    return x.mean(1) + y.mean(1), _covariance_of_mean(x) + _covariance_of_mean(y)


def _covariance_of_mean(values: np.ndarray) -> np.ndarray:
    n = values.shape[1]
    centered = values - values.mean(1, keepdims=True)
    return centered @ centered.T / (n * (n - 1))


def _most_powerful(discrepancies: np.ndarray, covariance: np.ndarray, reg: float) -> np.ndarray:
    n_kernels = len(discrepancies)
    if not discrepancies.max() > 0:  # nor where they are NaN
        return np.full(n_kernels, 1.0 / n_kernels)
    ridge = covariance + reg * max(np.trace(covariance) / n_kernels, np.finfo(float).tiny) * np.eye(n_kernels)
    # Up to a factor the solution is that of min b' R b / 2 - eta' b over b >= 0: least squares with signs, by
    # the Cholesky factor of R.
    root = np.linalg.cholesky(ridge)
    solution, _ = nnls(root.T, np.linalg.solve(root, discrepancies))
    return solution / solution.sum()
