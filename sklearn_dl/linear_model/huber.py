"""HuberRegressor: linear regression that bears outliers, with a scale that is learnt alongside."""

import warnings
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl._base.arrays import Array, is_tensor, namespace, to_host
from sklearn_dl._base.params import Interval, NonNegativeFloat, NonNegativeInt, param
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.linear_model.augmented_rows import AugmentedRows, Reflection, RowSpan
from sklearn_dl.linear_model.base import LinearRegressorModel
from sklearn_dl.linear_model.gram import in_float64
from sklearn_dl.linear_model.huber_loss import huber_fit

_LARGEST_SPAN = 1000  # rows below which, if there are more columns, their span is computed
_SOME_ROWS = 255  # that say where rows lie
_FAR = 1e3  # times as far from the origin as from each other


class HuberRegressor(LinearRegressorModel):
    """Linear regression with the Huber loss, which is squared for small residuals and linear for outliers.

    Minimizes over coefficients w, intercept b and scale sigma the convex function
    ``sum(sigma + H((y - X @ w - b) / sigma) * sigma) + alpha * |w|^2``, with ``H(z)`` equal to ``z^2`` where
    ``|z|`` is at most `epsilon`, and to ``2 * epsilon * |z| - epsilon^2`` beyond (Owen, 2006). Without the
    penalty, scaling y scales the answer.

    Newton's method on all unknowns at once, on the Gram matrix of the inliers, takes some ten passes over X;
    where there are more than 1000 rows and columns, L-BFGS stands in for it.

    References
    ----------
    Owen (2006), A robust hybrid of lasso and ridge regression, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import HuberRegressor
    >>> X = np.arange(10.0)[:, None]
    >>> y = 2 * X[:, 0] + np.tile([0.1, -0.1], 5)
    >>> y[9] = 1000
    >>> HuberRegressor().fit(X, y).coef_.round(1)
    array([2.])
    """

    epsilon: Annotated[float, Interval("a float of at least 1", low=1)] = param(
        default=1.35,
        doc="Residuals beyond this many scales count linearly. Smaller bears more outliers.",
    )
    max_iter: NonNegativeInt = param(default=100, doc="Iterations at most.")
    alpha: NonNegativeFloat = param(
        default=0.0001, doc="Factor of the squared norm of the coefficients. Larger shrinks them more."
    )
    warm_start: bool = param(
        default=False, doc="Start from the coefficients and the scale of the last fit, if there was one."
    )
    fit_intercept: bool = param(default=True, doc="Learn an intercept; without one it is 0.")
    tol: NonNegativeFloat = param(
        default=1e-05,
        doc="Iterations may end once no partial derivative of the objective is larger. They go on while that "
        "is cheap, to a thousandth of it.",
    )

    _multi_output = False
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "coef_": ("ndarray of shape (n_features,)", "Coefficients."),
        "intercept_": ("float", "Intercept."),
        "scale_": ("float", "Scale of the residuals of the inliers."),
        "n_iter_": ("int", "Iterations."),
        "n_features_in_": ("int", "Number of features seen in ``fit``."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features; only if X is a data frame whose column names are all strings.",
        ),
        "outliers_": (
            "ndarray of shape (n_samples,)",
            "Whether the residual of a row of ``fit`` is beyond `epsilon` scales; bool.",
        ),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn coefficients, intercept and scale.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from.
        y : array-like of shape (n_samples,)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, at least 0. None means 1.

        Returns
        -------
        self : HuberRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y or the weights cannot be read.
        """
        X, y, weight = self._read_regression(X, y, sample_weight, non_negative_weight=True)
        dtype = to_host(X[:0]).dtype if is_tensor(X) else X.dtype
        X, y = in_float64(X), in_float64(y)
        weight = namespace(y).ones_like(y) if weight is None else in_float64(weight)
        basis = _basis_of(X, self.fit_intercept)
        rows = _centred(X if basis is None else basis.X, self.fit_intercept)
        start = self._previous(rows, basis) if self.warm_start and hasattr(self, "coef_") else None
        with single_threaded_blas(when=rows.n_columns <= _LARGEST_SPAN):
            solution, self.n_iter_, converged = huber_fit(
                rows, y, weight, self.epsilon, self.alpha, start=start, tol=self.tol, max_iter=self.max_iter
            )
        self._keep(solution, rows, basis, dtype)
        if not converged:
            warnings.warn(
                f"HuberRegressor failed to converge after {self.n_iter_} iterations. Increase max_iter, or "
                "scale the features.",
                ConvergenceWarning,
                stacklevel=2,
            )
        residual = y - AugmentedRows(X, 1.0).dot(np.append(self.coef_, self.intercept_).astype(np.float64))
        self.outliers_ = to_host(abs(residual) > self.scale_ * self.epsilon)
        return self

    def _previous(self, rows: AugmentedRows, basis: RowSpan | Reflection | None) -> np.ndarray:
        coef = np.asarray(self.coef_, dtype=np.float64)
        if len(coef) != self.n_features_in_:
            raise ValueError(
                f"HuberRegressor: with warm_start, X must have the features of the last fit, {len(coef)}; "
                f"it has {self.n_features_in_}. Fit without warm_start, or a clone."
            )
        coef = coef if basis is None else basis.project(coef)
        intercept = [self.intercept_ + rows.shift_of(coef)] if self.fit_intercept else []
        return np.concatenate([coef, intercept, [self.scale_]])

    def _keep(
        self,
        solution: np.ndarray,
        rows: AugmentedRows,
        basis: RowSpan | Reflection | None,
        dtype: Any,
    ) -> None:
        """Set the fitted attributes from coefficients, intercept of the shifted rows, and scale."""
        coef = solution[: rows.X.shape[1]]
        self.intercept_ = float(solution[-2]) - rows.shift_of(coef) if self.fit_intercept else 0.0
        self.coef_ = (coef if basis is None else basis.expand(coef)).astype(dtype)
        self.scale_ = float(solution[-1])


def _basis_of(X: Array, fit_intercept: bool) -> RowSpan | Reflection | None:
    """Coordinates for the rows, where those that they have are too many or nearly dependent."""
    if X.shape[0] < min(X.shape[1], _LARGEST_SPAN):
        return RowSpan(X)
    if fit_intercept or sparse.issparse(X):
        return None
    some = to_host(X[:_SOME_ROWS])
    typical = some.mean(0)
    spread = np.linalg.norm(some - typical, axis=1).max()
    return Reflection(X, typical) if np.linalg.norm(typical) > _FAR * spread else None


def _centred(X: Array, fit_intercept: bool) -> AugmentedRows:
    """Rows shifted by a typical one if there is an intercept to make up for it."""
    if not fit_intercept or sparse.issparse(X):
        return AugmentedRows(X, float(fit_intercept))
    some = np.sort(to_host(X[:_SOME_ROWS]), axis=0)
    return AugmentedRows(X, 1.0, some[len(some) // 2])  # an element, so that constant columns become 0
