"""Ridge regression, for one penalty and for a path of them."""

from typing import Any, Literal, Self

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, to_host
from sklearn_dl._base.params import NonNegativeFloat, PositiveInt, RandomState, param
from sklearn_dl.linear_model.base import LinearRegressorModel
from sklearn_dl.linear_model.centered import CenteredRows, column_means, is_small_square, require_finite
from sklearn_dl.linear_model.gram import Gram, compute_gram, root_of_weight
from sklearn_dl.linear_model.least_squares import as_columns, fitted_arrays, solve_iteratively
from sklearn_dl.linear_model.ridge_positive import solve_positive
from sklearn_dl.linear_model.ridge_solvers import (
    few_rows_spectrum,
    primal_spectrum,
    solve_dual,
    solve_primal,
)

_ITERATIVE = ("lsqr", "sparse_cg", "sag", "saga")


class Ridge(LinearRegressorModel):
    """Least squares with an L2 penalty.

    Minimises ``sum(weight * (y - X @ coef - intercept)**2) + alpha * sum(coef**2)``. The intercept is not
    penalised.

    References
    ----------
    Hoerl, Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems.
    Paige, Saunders (1982), LSQR: an algorithm for sparse linear equations and sparse least squares.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import Ridge
    >>> rng = np.random.RandomState(0)
    >>> X = rng.standard_normal((100, 3))
    >>> model = Ridge(alpha=1.0).fit(X, X @ [1.0, 2.0, 0.0])
    >>> model.coef_.round(2)
    array([0.99, 1.98, 0.  ])
    """

    alpha: NonNegativeFloat | tuple[NonNegativeFloat, ...] = param(
        default=1.0,
        kw_only=False,
        doc="Strength of the penalty, or one for each target. Larger values shrink the coefficients more; "
        "0 is least squares.",
    )
    fit_intercept: bool = param(
        default=True, doc="Whether to learn an intercept; without it the model passes through the origin."
    )
    copy_X: bool = param(default=True, doc="Has no effect: X is never changed.")  # noqa: N815
    max_iter: PositiveInt | None = param(
        default=None, doc="Iterations of the iterative solvers at most; None means their own limits."
    )
    tol: NonNegativeFloat = param(
        default=1e-4, doc="Accuracy at which iterative solvers stop; the direct ones ignore it."
    )
    solver: Literal["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"] = param(
        default="auto",
        doc="'cholesky' solves normal equations, the smaller of the two sets, and turns to 'svd' where they "
        "are singular; 'svd' takes singular values. 'lsqr', 'sparse_cg', 'sag' and 'saga' iterate by LSQR, "
        "which is conjugate gradients on the normal equations and needs fewer passes than stochastic "
        "gradients. 'lbfgs' is for `positive`. 'auto' takes 'cholesky', 'lbfgs' for `positive`, and "
        "'sparse_cg' for sparse X whose normal equations would need more memory than X.",
    )
    positive: bool = param(default=False, doc="Whether coefficients are held at 0 or above.")
    random_state: RandomState = param(default=None, doc="Has no effect: no solver draws random numbers.")

    _attributes = {
        "coef_": (
            "ndarray of shape (n_features,) or (n_targets, n_features)",
            "Coefficients, in the dtype of X.",
        ),
        "intercept_": ("float or ndarray of shape (n_targets,)", "Intercept; 0.0 without `fit_intercept`."),
        "n_iter_": (
            "ndarray of shape (n_targets,) or None",
            "Iterations for each target, 1 for direct solvers. None where `solver` names 'svd', 'cholesky' "
            "or 'sparse_cg', as in scikit-learn.",
        ),
        "solver_": ("str", "The solver that was used."),
        "n_features_in_": ("int", "Columns of X in ``fit``."),
        "feature_names_in_": ("ndarray of shape (`n_features_in_`,)", "Names of the columns, if X had some."),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from. A tensor stays on its device.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Real targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is as good as the row twice.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of range, the solver does not go with the other parameters or with X, the
            number of penalties is neither 1 nor that of targets, shapes do not match, or X, y or the weights
            hold NaN or infinity.
        """
        # Whether X is finite shows in its Gram matrix, without another pass.
        X, y, weight = self._read_regression(
            X, y, sample_weight, non_negative_weight=True, ensure_all_finite=False
        )
        Y = as_columns(y)
        alpha = self._penalties(Y.shape[1])
        self.solver_ = self._choose_solver(X)
        gram, rows = read_rows(
            self, X, Y, weight, center=self.fit_intercept, with_gram=self.solver_ not in _ITERATIVE
        )
        coef, n_iter = self._solve(gram, rows, alpha)
        self.n_iter_ = None if self.solver in ("svd", "cholesky", "sparse_cg") else n_iter
        self.coef_, self.intercept_ = fitted_arrays(
            coef, rows.mean, rows.target_mean, y, fit_intercept=self.fit_intercept
        )
        if y.ndim == 2 and y.shape[1] == 1:
            self.coef_ = self.coef_[0]
        return self

    def _penalties(self, n_targets: int) -> np.ndarray:
        alpha = np.atleast_1d(np.asarray(self.alpha, dtype=np.float64))
        if len(alpha) not in (1, n_targets):
            raise ValueError(
                f"{type(self).__name__}: alpha must be one number or one for each target. "
                f"Number of targets and number of penalties do not correspond: {len(alpha)} != {n_targets}."
            )
        return np.broadcast_to(alpha, n_targets)

    def _choose_solver(self, X: Array) -> str:
        name, solver = type(self).__name__, self.solver
        if self.positive:
            if solver not in ("auto", "lbfgs"):
                raise ValueError(
                    f"{name}: solver={solver!r} does not support positive fitting. "
                    "Use solver='auto' or solver='lbfgs', or set positive=False."
                )
            return "lbfgs"
        if solver == "lbfgs":
            raise ValueError(
                f"{name}: 'lbfgs' solver can be used only when positive=True. Use solver='auto'."
            )
        if solver == "auto":
            wide = sparse.issparse(X) and (X.shape[0] <= X.shape[1] or not is_small_square(X.shape[1], X))
            return "sparse_cg" if wide else "cholesky"
        if sparse.issparse(X) and (
            solver == "svd" or (self.fit_intercept and solver in ("cholesky", "saga"))
        ):
            raise ValueError(
                f"{name}: solver={solver!r} does not support fitting the intercept on sparse data, and 'svd' "
                "no sparse data at all. Use solver='auto'."
            )
        if is_tensor(X) and solver in _ITERATIVE:
            return "cholesky"
        return solver

    def _solve(
        self, gram: Gram | None, rows: CenteredRows, alpha: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and iterations; the solver that gave them becomes ``solver_``."""
        if self.solver_ == "lbfgs":
            return solve_positive(gram, rows, alpha, self.tol, self.max_iter)
        if self.solver_ in _ITERATIVE:
            return solve_iteratively(rows, self.tol, alpha=alpha, max_iter=self.max_iter)
        svd = self.solver_ == "svd"
        if gram is None:
            coef, self.solver_ = solve_dual(rows, alpha, svd=svd)
        else:
            coef, self.solver_ = solve_primal(gram, rows, alpha, svd=svd)
        return coef, np.ones(len(alpha), dtype=np.int32)


def read_rows(
    owner: Any, X: Array, Y: Array, weight: Array | None, *, center: bool, with_gram: bool = True
) -> tuple[Gram | None, CenteredRows]:
    """Gram matrix where there are more rows than columns, and the centred rows; X is checked to be finite."""
    root = root_of_weight(weight)
    if with_gram and X.shape[0] > X.shape[1]:
        gram = compute_gram(X, Y, weight, center=center)
        if not gram.is_finite:
            require_finite(X, owner)
        return gram, CenteredRows(X, Y, root, gram.mean, gram.target_mean)
    require_finite(X, owner)
    return None, CenteredRows(X, Y, root, *column_means(X, Y, weight, center=center))


def ridge_path(
    X: Any, y: Any, alphas: Any, *, sample_weight: Any = None, fit_intercept: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of :class:`Ridge` at many penalties, at about the cost of one.

    All follow from one eigendecomposition. For sparse X whose normal equations would need more memory than X,
    they are computed one by one, to a tolerance of 1e-8.

    Parameters
    ----------
    X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
        Rows to learn from.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Real targets.
    alphas : array-like of shape (n_alphas,)
        Strengths of the penalty, at least 0.
    sample_weight : float or array-like of shape (n_samples,), default=None
        Weights of the rows, at least 0.
    fit_intercept : bool, default=True
        Whether to learn an intercept; without it the models pass through the origin.

    Returns
    -------
    coefs : ndarray of shape (n_alphas, n_features) or (n_alphas, n_targets, n_features)
        Coefficients, in the dtype of X.
    intercepts : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Intercepts; zeros without `fit_intercept`.

    Raises
    ------
    ValueError
        If a penalty is negative, shapes do not match, or X, y or the weights hold NaN or infinity.

    References
    ----------
    Hastie, Tibshirani, Friedman (2009), The Elements of Statistical Learning, equation 3.47.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import ridge_path
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> coefs, intercepts = ridge_path(X, [0.0, 2.0, 4.0], alphas=[0.0, 2.0])
    >>> coefs.round(6)
    array([[2.],
           [1.]])
    """
    model: Any = Ridge()  # type: ignore[call-arg]
    model.set_params(alpha=np.ravel(alphas), fit_intercept=fit_intercept)
    X, y, weight = model._read_regression(X, y, sample_weight, non_negative_weight=True)
    Y, penalties = as_columns(y), np.ravel(np.asarray(alphas, dtype=np.float64))
    wide = sparse.issparse(X) and not is_small_square(min(X.shape), X)
    gram, rows = read_rows(model, X, Y, weight, center=fit_intercept, with_gram=not wide)
    if wide:
        coefs = [solve_iteratively(rows, 1e-8, alpha=alpha)[0] for alpha in penalties]
    else:
        smallest = float(penalties.min(initial=np.inf))
        if gram is None:
            spectrum = few_rows_spectrum(rows, smallest, center=fit_intercept)
        else:
            spectrum = primal_spectrum(gram, rows, smallest)
        coefs = [spectrum.coef(alpha) for alpha in penalties]
    dtype, shape = to_host(Y[:0]).dtype, (len(penalties), *y.shape[1:], X.shape[1])
    stacked = np.array(coefs).transpose(0, 2, 1) if coefs else np.empty(shape)
    intercepts = (rows.target_mean - stacked @ rows.mean) if fit_intercept else np.zeros(stacked.shape[:2])
    return stacked.reshape(shape).astype(dtype), intercepts.reshape(shape[:-1]).astype(dtype)
