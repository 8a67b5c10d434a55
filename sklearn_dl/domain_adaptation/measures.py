"""How far apart two sets of rows are, in one number."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array

from sklearn_dl._base.arrays import Array, is_tensor, to_host
from sklearn_dl.domain_adaptation.defaults import logistic_regression
from sklearn_dl.domain_adaptation.kernels import kernel_matrix, resolve_gamma


class PermutationTest(NamedTuple):
    """Distance of two sets of rows, with the chance of one so large where both are drawn alike.

    Parameters
    ----------
    statistic : float
        The distance.
    pvalue : float
        Share of permutations, the given one among them, whose distance is at least as large; so it is above
        0.
    """

    statistic: float
    pvalue: float


def mmd(
    X: Any,
    Y: Any,
    kernel: Literal["rbf", "linear"] | Callable = "rbf",
    *,
    gamma: float | Literal["median"] = "median",
    unbiased: bool = False,
    n_permutations: int = 0,
    random_state: Any = 0,
) -> float | PermutationTest:
    r"""Squared maximum mean discrepancy of two sets of rows.

    It is the squared distance of their means in the space of a kernel,
    :math:`\overline{k(x, x')} + \overline{k(y, y')} - 2\, \overline{k(x, y)}`.

    Parameters
    ----------
    X, Y : array-like of shape (n_samples, n_features)
        Rows of the two sets; their numbers may differ.
    kernel : {"rbf", "linear"} or callable, default="rbf"
        Gaussian kernel ``exp(-gamma |x - y|^2)``, inner product, or a function of two tables that returns the
        matrix of shape (n_rows_of_first, n_rows_of_second).
    gamma : float or "median", default="median"
        Factor of the squared distance in "rbf"; larger is more local. "median": half the inverse of the
        median squared distance of all rows.
    unbiased : bool, default=False
        Whether to leave the pairs of a row with itself out. The expectation is then 0 where both sets are
        drawn alike, and single values may be below 0.
    n_permutations : int, default=0
        Random divisions of all rows to compare with; 0 makes no test.
    random_state : int, RandomState instance or None, default=0
        Seed of the divisions.

    Returns
    -------
    distance : float, or PermutationTest with fields ``statistic`` and ``pvalue``
        The latter with `n_permutations` above 0.

    Raises
    ------
    ValueError
        If the rows have different numbers of features, hold NaN or infinity, or `unbiased` has one row only.

    References
    ----------
    Gretton, Borgwardt, Rasch, Schoelkopf, Smola (2012), A kernel two-sample test, equations 3 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import mmd
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(100, 2)), rng.normal(loc=1.0, size=(80, 2))
    >>> mmd(X, Y, n_permutations=199).pvalue
    0.005
    """
    X, Y = _read_pair(X, Y, "mmd")
    _require_two_rows(X, Y, unbiased, "mmd")
    rows = _stack(X, Y)
    K = kernel_matrix(rows, rows, kernel, resolve_gamma(rows, gamma) if kernel == "rbf" else 1.0)
    first = np.arange(len(K)) < X.shape[0]
    distance = _discrepancies(K, first[None], unbiased)[0]
    if n_permutations == 0:
        return float(distance)
    rng = check_random_state(random_state)
    permuted = np.array([rng.permutation(first) for _ in range(n_permutations)])
    larger = _discrepancies(K, permuted, unbiased) >= distance - 1e-12 * abs(distance)
    return PermutationTest(float(distance), float((1 + larger.sum()) / (1 + n_permutations)))


def _discrepancies(K: np.ndarray, first: np.ndarray, unbiased: bool) -> np.ndarray:
    """Squared discrepancies of several divisions of the rows, masks of shape (n_divisions, n_rows)."""
    n, m = first[0].sum(), (~first[0]).sum()
    inside = first.astype(np.float64)
    sums, own = inside @ K, np.diag(K)
    xx = np.einsum("ij,ij->i", sums, inside)
    total = sums.sum(1)
    xy = total - xx
    yy = K.sum() - 2 * total + xx
    if unbiased:
        x_own = inside @ own
        return (xx - x_own) / (n * (n - 1)) + (yy - own.sum() + x_own) / (m * (m - 1)) - 2 * xy / (n * m)
    return xx / n**2 + yy / m**2 - 2 * xy / (n * m)


def coral_distance(X: Any, Y: Any) -> float:
    r"""Squared Frobenius distance of the covariances, :math:`\|C_X - C_Y\|_F^2 / (4 p^2)`.

    Parameters
    ----------
    X, Y : array-like of shape (n_samples, n_features)
        Rows of the two sets, at least 2 each; their numbers may differ.

    Returns
    -------
    distance : float
        In units of the features to the fourth power; at least 0.

    Raises
    ------
    ValueError
        If the rows have different numbers of features, or a set has fewer than 2 rows.

    References
    ----------
    Sun, Saenko (2016), Deep CORAL: correlation alignment for deep domain adaptation, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import coral_distance
    >>> X = np.array([[1.0], [-1.0], [0.0]])
    >>> coral_distance(X, 2 * X)
    2.25
    """
    X, Y = _read_pair(X, Y, "coral_distance")
    _require_two_rows(X, Y, True, "coral_distance")
    covariances = [np.atleast_2d(np.cov(_dense(rows).T)) for rows in (X, Y)]
    return float(np.sum((covariances[0] - covariances[1]) ** 2) / (4 * X.shape[1] ** 2))


def proxy_a_distance(
    X: Any, Y: Any, classifier: BaseEstimator | None = None, *, cv: int = 5, random_state: Any = 0
) -> float:
    r"""Proxy A-distance: 2 (1 - 2 e) for the error e of a classifier that tells the sets apart.

    The error is that on rows the classifier was not trained on, and the two sets weigh alike.

    Parameters
    ----------
    X, Y : array-like of shape (n_samples, n_features)
        Rows of the two sets, at least 2 each; their numbers may differ.
    classifier : classifier, default=None
        Trained on copies. None is LogisticRegression().
    cv : int, default=5
        Parts for the errors; at most as many as the smaller set has rows.
    random_state : int, RandomState instance or None, default=0
        Seed of the parts.

    Returns
    -------
    distance : float
        0 where the sets cannot be told apart, 2 where they always can. Below 0 where the classifier does
        worse than by chance.

    Raises
    ------
    ValueError
        If the rows have different numbers of features, or a set has fewer than 2 rows.

    References
    ----------
    Ben-David, Blitzer, Crammer, Pereira (2007), Analysis of representations for domain adaptation, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import proxy_a_distance
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> proxy_a_distance(X, X + 9)
    2.0
    """
    X, Y = _read_pair(X, Y, "proxy_a_distance")
    _require_two_rows(X, Y, True, "proxy_a_distance")
    rows, is_second = _stack(X, Y), np.repeat([0, 1], [X.shape[0], Y.shape[0]])
    folds = StratifiedKFold(min(cv, X.shape[0], Y.shape[0]), shuffle=True, random_state=random_state)
    classifier = logistic_regression() if classifier is None else clone(classifier)
    wrong = cross_val_predict(classifier, rows, is_second, cv=folds) != is_second
    error = (wrong[is_second == 0].mean() + wrong[is_second == 1].mean()) / 2
    return float(2 * (1 - 2 * error))


def _read_pair(X: Any, Y: Any, owner: str) -> tuple[Array, Array]:
    read = []
    for name, rows in (("X", X), ("Y", Y)):
        rows = to_host(rows) if is_tensor(rows) else rows
        try:
            read.append(check_array(rows, accept_sparse="csr", dtype=np.float64, input_name=name))
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from error
    X, Y = read
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"{owner}: X and Y must have equally many features; got {X.shape[1]} and {Y.shape[1]}."
        )
    return X, Y


def _require_two_rows(X: Array, Y: Array, needed: bool, owner: str) -> None:
    if needed and min(X.shape[0], Y.shape[0]) < 2:
        raise ValueError(
            f"{owner}: X and Y must have at least 2 rows each; got {X.shape[0]} and {Y.shape[0]}."
        )


def _stack(X: Array, Y: Array) -> Array:
    if sparse.issparse(X) or sparse.issparse(Y):
        return sparse.vstack([sparse.csr_array(X), sparse.csr_array(Y)], format="csr")
    return np.concatenate([X, Y])


def _dense(rows: Array) -> np.ndarray:
    return rows.toarray() if sparse.issparse(rows) else rows
