"""The elastic net along a path of penalties, each fit started from the one before."""

import sys
import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_random_state

from sklearn_dl._base.arrays import Array, is_tensor, to_host
from sklearn_dl._base.targets import require_equal_length
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.linear_model.elastic_net_problems import make_problems
from sklearn_dl.linear_model.elastic_net_rows import solve_rows
from sklearn_dl.linear_model.elastic_net_solver import Penalty, Solution, solve, warn_of_gap

Alphas = int | np.ndarray | list[float] | None | Literal["warn"]


def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float | None = 1e-3,
    n_alphas: int | Literal["deprecated"] = "deprecated",
    alphas: Alphas = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    **params: Any,
) -> tuple[Any, ...]:
    """Coefficients of the elastic net for many penalties, without intercept.

    Minimises ``||y - X w||^2 / (2 n_samples) + alpha * (l1_ratio * ||w||_1 + (1 - l1_ratio) / 2 * ||w||^2)``.
    Where y has several columns, rows of coefficients are in use together: ``||w||_1`` is then the sum of the
    Euclidean lengths of the rows, one for each feature.

    Parameters
    ----------
    X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
        Features; centre them first where an intercept is meant.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, from 0 to 1.
    eps : float, default=1e-3
        Smallest over largest alpha, where `alphas` is a number.
    n_alphas : int, default="deprecated"
        Use `alphas`.
    alphas : int or array-like, default=100
        Strengths of the penalty; or how many, spaced evenly in their logarithm below the least one that sets
        all coefficients to 0.
    precompute : bool, "auto" or array-like of shape (n_features, n_features), default="auto"
        X'X, or whether to compute it; "auto" and False decide by the shape of X.
    Xy : array-like of shape (n_features,), default=None
        Has no effect: X'y is computed.
    copy_X : bool, default=True
        Has no effect: X is never changed.
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Start of the first fit; zeros by default.
    verbose : bool or int, default=False
        Whether to write a dot for each alpha.
    return_n_iter : bool, default=False
        Whether to return the numbers of sweeps too.
    positive : bool, default=False
        Whether coefficients must not be below 0; only for y of one column.
    check_input : bool, default=True
        False takes X and y as arrays that are known to hold finite floats.
    **params : dict
        ``tol=1e-4``, ``max_iter=1000``, ``selection="cyclic"`` and ``random_state=None``, as those of
        :class:`ElasticNet`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Strengths, largest first.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients.
    dual_gaps : ndarray of shape (n_alphas,)
        How far each objective can be above its minimum.
    n_iters : list of int
        Sweeps for each alpha; only where `return_n_iter`.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of its range, or `positive` meets several targets.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn_dl.linear_model import enet_path
    >>> X, y = make_regression(n_samples=100, n_features=5, n_informative=2, random_state=0)
    >>> alphas, coefs, _ = enet_path(X, y, alphas=3)
    >>> coefs.round(1)
    array([[ 0. ,  0.8,  0.6],
           [ 0. ,  1.1,  0.6],
           [ 0. , -2.1, -1.1],
           [ 0. , 23. , 88.9],
           [ 0. , 10.6, 41.6]])
    """
    return _path(
        "enet_path",
        X,
        y,
        grid=_Grid(_asked_alphas(n_alphas, alphas), l1_ratio, eps, positive),
        precompute=precompute,
        coef_init=coef_init,
        verbose=verbose,
        return_n_iter=return_n_iter,
        check_input=check_input,
        params=params,
    )


def lasso_path(
    X: Any,
    y: Any,
    *,
    eps: float = 1e-3,
    n_alphas: int | Literal["deprecated"] = "deprecated",
    alphas: Alphas = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    **params: Any,
) -> tuple[Any, ...]:
    """Coefficients of the Lasso for many penalties, without intercept: :func:`enet_path` with ``l1_ratio=1``.

    Parameters
    ----------
    X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
        Features; centre them first where an intercept is meant.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target.
    eps : float, default=1e-3
        Smallest over largest alpha, where `alphas` is a number.
    n_alphas : int, default="deprecated"
        Use `alphas`.
    alphas : int or array-like, default=100
        Strengths of the penalty, or how many of them to choose.
    precompute : bool, "auto" or array-like of shape (n_features, n_features), default="auto"
        X'X, or whether to compute it.
    Xy : array-like of shape (n_features,), default=None
        Has no effect: X'y is computed.
    copy_X : bool, default=True
        Has no effect: X is never changed.
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Start of the first fit; zeros by default.
    verbose : bool or int, default=False
        Whether to write a dot for each alpha.
    return_n_iter : bool, default=False
        Whether to return the numbers of sweeps too.
    positive : bool, default=False
        Whether coefficients must not be below 0; only for y of one column.
    **params : dict
        As in :func:`enet_path`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Strengths, largest first.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients.
    dual_gaps : ndarray of shape (n_alphas,)
        How far each objective can be above its minimum.
    n_iters : list of int
        Sweeps for each alpha; only where `return_n_iter`.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of its range, or `positive` meets several targets.

    Examples
    --------
    >>> from sklearn_dl.linear_model import lasso_path
    >>> X, y = [[1, 2.3], [2, 5.4], [3.1, 4.3]], [1, 2, 3.1]
    >>> alphas, coefs, _ = lasso_path(X, y, alphas=[5.0, 1.0, 0.5])
    >>> coefs.round(2)
    array([[0.  , 0.  , 0.47],
           [0.22, 0.44, 0.24]])
    """
    return _path(
        "lasso_path",
        X,
        y,
        grid=_Grid(_asked_alphas(n_alphas, alphas), 1.0, eps, positive),
        precompute=precompute,
        coef_init=coef_init,
        verbose=verbose,
        return_n_iter=return_n_iter,
        check_input=True,
        params=params,
    )


def _path(
    owner: str,
    X: Any,
    y: Any,
    *,
    grid: "_Grid",
    precompute: Any,
    coef_init: Any,
    verbose: bool | int,
    return_n_iter: bool,
    check_input: bool,
    params: dict[str, Any],
) -> tuple[Any, ...]:
    """What the functions of the module share; `owner` names the one that was called in errors."""
    defaults: dict[str, Any] = {"tol": 1e-4, "max_iter": 1000, "selection": "cyclic", "random_state": None}
    options = defaults | params
    _require_options(owner, grid, options)
    if check_input and not is_tensor(X):
        try:
            X = check_array(X, accept_sparse="csc", dtype=[np.float64, np.float32], input_name="X")
            y = y.toarray() if sparse.issparse(y) else y
            y = check_array(y, dtype=X.dtype, ensure_2d=False, input_name="y")
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from error
    require_equal_length(X, y, owner)
    if grid.positive and y.ndim != 1:
        raise ValueError(
            f"{owner}: positive=True is not allowed for multi-output (y.ndim != 1). Call it once for each "
            "column of y."
        )
    shape = (X.shape[1],) if y.ndim == 1 else (y.shape[1], X.shape[1])
    if coef_init is not None and np.shape(coef_init) != shape:
        raise ValueError(f"{owner}: coef_init must have shape {shape}; got {np.shape(coef_init)}.")
    rng = check_random_state(options["random_state"]) if options["selection"] == "random" else None
    solver = _several_targets if y.ndim > 1 else _one_target
    try:
        strengths, solutions = solver(
            X, y, grid, precompute, coef_init, options["tol"], options["max_iter"], rng
        )
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from error
    n_samples, dtype = X.shape[0], to_host(X[:0].data if sparse.issparse(X) else X[:0]).dtype
    if verbose:
        sys.stderr.write("." * len(solutions))
    coefs = np.stack([solution.w.T for solution in solutions], axis=-1).astype(dtype, copy=False)
    gaps = np.array([solution.gap for solution in solutions]) / n_samples
    result = strengths, coefs, gaps
    return (*result, [solution.n_iter for solution in solutions]) if return_n_iter else result


def _require_options(owner: str, grid: "_Grid", options: dict[str, Any]) -> None:
    """Raise ValueError for an unknown option, or one out of its range."""
    unknown = sorted(set(options) - {"tol", "max_iter", "selection", "random_state"})
    if unknown:
        raise ValueError(f"{owner}: Unexpected parameters in params: {unknown}.")
    if options["selection"] not in ("cyclic", "random"):
        raise ValueError(
            f"{owner}: selection should be either random or cyclic; got {options['selection']!r}."
        )
    if not 0 <= grid.l1_ratio <= 1:
        raise ValueError(f"{owner}: l1_ratio must be from 0 to 1; got {grid.l1_ratio}.")
    is_number = isinstance(grid.alphas, Integral)
    if (is_number and grid.alphas < 1) or (not is_number and not len(grid.alphas)):
        raise ValueError(
            f"{owner}: alphas must be a number of at least 1, or strengths of the penalty; got {grid.alphas}."
        )
    if is_number and (grid.eps is None or not grid.eps > 0):
        raise ValueError(f"{owner}: eps must be above 0; got {grid.eps}.")


def _asked_alphas(n_alphas: Any, alphas: Any) -> Any:
    """A number of strengths, or the strengths from the largest on."""
    if n_alphas != "deprecated":
        warnings.warn(
            "'n_alphas' was deprecated in 1.9 and will be removed in 1.11, as in scikit-learn. "
            "Give the number as 'alphas'.",
            FutureWarning,
            stacklevel=3,
        )
        alphas = n_alphas
    elif alphas is None:
        warnings.warn(
            "'alphas=None' is deprecated and will be removed in 1.11, as in scikit-learn. Use 'alphas=100'.",
            FutureWarning,
            stacklevel=3,
        )
    if alphas is None or (isinstance(alphas, str) and alphas == "warn"):
        return 100
    return alphas if isinstance(alphas, Integral) else np.sort(np.asarray(alphas, dtype=np.float64))[::-1]


class _Grid(NamedTuple):
    """Strengths of the penalty along a path, or how many to choose."""

    alphas: Any
    l1_ratio: float
    eps: float | None
    positive: bool

    def strengths(self, xy: np.ndarray, n_samples: int) -> np.ndarray:
        """Strengths from the largest on; `xy` is X'y, of shape (n_features,) or (n_features, n_targets)."""
        if not isinstance(self.alphas, Integral):
            return self.alphas
        if self.l1_ratio == 0:
            raise ValueError(
                "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by "
                "providing your estimator with the appropriate `alphas=` argument."
            )
        pull = np.linalg.norm(xy, axis=1) if xy.ndim > 1 else xy if self.positive else np.abs(xy)
        largest = max(pull.max(), 0.0) / (n_samples * self.l1_ratio)
        resolution = np.finfo(np.float64).resolution
        if largest <= resolution:
            return np.full(self.alphas, resolution)
        return np.geomspace(largest, largest * self.eps, num=self.alphas)

    def penalties(self, strengths: np.ndarray, n_samples: int) -> Iterator[Penalty]:
        """Penalties in units of the sum of squares."""
        for strength in strengths * n_samples:
            yield Penalty(strength * self.l1_ratio, strength * (1 - self.l1_ratio), self.positive)


def _one_target(
    X: Array,
    y: Array,
    grid: _Grid,
    precompute: Any,
    coef_init: Any,
    tol: float,
    max_iter: int,
    rng: np.random.RandomState | None,
) -> tuple[np.ndarray, list[Solution]]:
    n_samples, n_features = X.shape
    n_solves = grid.alphas if isinstance(grid.alphas, Integral) else len(grid.alphas)
    (problem,), _, _ = make_problems(
        X, y[:, None], None, fit_intercept=False, precompute=precompute, n_solves=int(n_solves)
    )
    w = np.zeros(n_features) if coef_init is None else np.asarray(coef_init, dtype=np.float64)
    strengths = grid.strengths(problem.evaluate(np.zeros(n_features)).correlation, n_samples)
    solutions = []
    for penalty in grid.penalties(strengths, n_samples):
        with single_threaded_blas():
            solution = solve(problem, w, penalty, tol, max_iter, rng)
        warn_of_gap(solution.gap, tol * problem.y_norm2, penalty, stacklevel=5)
        solutions.append(solution)
        w = solution.w
    return strengths, solutions


def _several_targets(
    X: Array,
    y: Array,
    grid: _Grid,
    precompute: Any,
    coef_init: Any,
    tol: float,
    max_iter: int,
    rng: np.random.RandomState | None,
) -> tuple[np.ndarray, list[Solution]]:
    n_samples = X.shape[0]
    X, y = np.asarray(X.toarray() if sparse.issparse(X) else to_host(X), dtype=np.float64), to_host(y)
    gram, xy = X.T @ X, X.T @ np.asarray(y, dtype=np.float64)
    w = np.zeros(xy.shape) if coef_init is None else np.array(coef_init, dtype=np.float64).T
    y_norm2 = float(np.sum(np.square(y, dtype=np.float64)))
    strengths = grid.strengths(xy, n_samples)
    solutions = []
    for penalty in grid.penalties(strengths, n_samples):
        solution = solve_rows(gram, xy, y_norm2, w, penalty, tol, max_iter, rng)
        warn_of_gap(solution.gap, tol * y_norm2, penalty, stacklevel=5)
        solutions.append(solution)
        w = solution.w
    return strengths, solutions
