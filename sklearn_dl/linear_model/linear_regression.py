"""LinearRegression: ordinary and non-negative least squares."""

from typing import Any, Self

import numpy as np
from scipy import linalg, sparse
from scipy.optimize import nnls
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import Array, to_host
from sklearn_dl._base.params import NonNegativeFloat, param
from sklearn_dl.linear_model.base import LinearRegressorModel
from sklearn_dl.linear_model.centered import CenteredRows, column_means, is_small_square, require_finite
from sklearn_dl.linear_model.gram import compute_gram, root_of_weight
from sklearn_dl.linear_model.least_squares import (
    Solution,
    as_columns,
    cholesky,
    fitted_arrays,
    singular_values,
    solve_few_rows,
    solve_iteratively,
    solve_least_squares,
    triangular_factor,
)


class LinearRegression(LinearRegressorModel):
    """Ordinary least squares.

    Minimises the weighted sum of squared residuals. Where the columns of X do not determine the coefficients,
    those of smallest norm are taken, as :func:`scipy.linalg.lstsq` does.

    Long tables are read once: their Gram matrix, shifted against loss of digits, is solved by Cholesky where
    its condition number shows that to be safe, and by orthogonal decompositions where not.

    References
    ----------
    Björck (1996), Numerical Methods for Least Squares Problems, sections 2.2 and 2.9.
    Lawson, Hanson (1974), Solving Least Squares Problems, chapter 23, for `positive`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import LinearRegression
    >>> X = np.array([[1, 1], [1, 2], [2, 2], [2, 3]])
    >>> model = LinearRegression().fit(X, X @ [1, 2] + 3)
    >>> model.coef_.round(6)
    array([1., 2.])
    >>> model.predict([[3, 5]]).round(6)
    array([16.])
    """

    fit_intercept: bool = param(
        default=True, doc="Whether to learn an intercept; without it the model passes through the origin."
    )
    copy_X: bool = param(default=True, doc="Has no effect: X is never changed.")  # noqa: N815
    tol: NonNegativeFloat = param(
        default=1e-6,
        doc="Singular values of the centred X below `tol` times the largest count as 0: larger values drop "
        "more directions. For sparse X too wide for a Gram matrix, the accuracy at which LSQR stops.",
    )
    n_jobs: int | None = param(
        default=None,
        doc="Has no effect: threads are as many as BLAS and OpenMP are set to.",
    )
    positive: bool = param(default=False, doc="Whether coefficients are held at 0 or above. Dense X only.")

    _attributes = {
        "coef_": (
            "ndarray of shape (n_features,) or (n_targets, n_features)",
            "Coefficients, in the dtype of X; two-dimensional where y is.",
        ),
        "intercept_": ("float or ndarray of shape (n_targets,)", "Intercept; 0.0 without `fit_intercept`."),
        "rank_": ("int", "Number of singular values that count. Not for sparse X or `positive`."),
        "singular_": (
            "ndarray of shape (min(n_samples, n_features),)",
            "Singular values of the centred, weighted X, computed when asked for. Those below 1e-7 of "
            "the largest may be rounding. Not for sparse X or `positive`.",
        ),
        "n_features_in_": ("int", "Columns of X in ``fit``."),
        "feature_names_in_": ("ndarray of shape (`n_features_in_`,)", "Names of the columns, if X had some."),
    }  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from. A tensor stays on its device.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is as good as the row twice.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of range, shapes do not match, or X, y or the weights hold NaN or infinity.
        TypeError
            If X is sparse and `positive` is True.
        """
        options: dict[str, Any] = {"accept_sparse": False} if self.positive else {}
        # Whether X is finite shows in its Gram matrix, without another pass.
        X, y, weight = self._read_regression(
            X, y, sample_weight, non_negative_weight=True, ensure_all_finite=False, **options
        )
        if sparse.issparse(X) or X.shape[0] <= X.shape[1]:
            require_finite(X, self)
        Y = as_columns(y)
        solution, mean, target_mean = self._solve(X, Y, weight)
        self.coef_, self.intercept_ = fitted_arrays(
            solution.coef, mean, target_mean, y, fit_intercept=self.fit_intercept
        )
        self._spectrum = solution.spectrum
        return self

    def _solve(self, X: Array, Y: Array, weight: Array | None) -> tuple[Solution, np.ndarray, np.ndarray]:
        """Solution, and means of X and Y."""
        n_samples, n_features = X.shape
        root = root_of_weight(weight)
        if n_samples > n_features and is_small_square(n_features, X):
            gram = compute_gram(X, Y, weight, center=self.fit_intercept)
            if not gram.is_finite:
                require_finite(X, self)
            rows = CenteredRows(X, Y, root, gram.mean, gram.target_mean)
            if self.positive:
                return _solve_positive(*_triangle(gram, rows)), gram.mean, gram.target_mean
            solution = solve_least_squares(gram, rows, self.tol)
            return solution if not sparse.issparse(X) else Solution(solution.coef, None), *gram[2:]
        mean, target_mean = column_means(X, Y, weight, center=self.fit_intercept)
        rows = CenteredRows(X, Y, root, mean, target_mean)
        if sparse.issparse(X):
            solution = Solution(solve_iteratively(rows, self.tol)[0], None)
        elif self.positive:
            solution = _solve_positive(to_host(rows.block()), to_host(rows.targets()))
        else:
            solution = solve_few_rows(rows, self.tol)
        return solution, mean, target_mean

    @property
    def singular_(self) -> np.ndarray:
        """Singular values of the centred, weighted X."""
        check_is_fitted(self)
        if self._spectrum is None:
            raise AttributeError(
                "LinearRegression knows singular_ and rank_ after a fit on dense X without `positive` only."
            )
        self._spectrum = singular_values(self._spectrum)
        return self._spectrum

    @property
    def rank_(self) -> int:
        """Number of singular values above `tol` times the largest."""
        singular = self.singular_
        return int((singular > self.tol * singular[0]).sum())

    def __getstate__(self) -> dict[str, Any]:
        # A vector instead of a matrix: what is stored grows with n_features, not its square.
        spectrum = vars(self).get("_spectrum")
        if spectrum is not None:
            self._spectrum = singular_values(spectrum)
        return super().__getstate__()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.positive
        return tags


def _triangle(gram: Any, rows: CenteredRows) -> tuple[np.ndarray, np.ndarray]:
    """A small matrix and targets with the same least-squares problem as the rows."""
    root = cholesky(gram.products) if gram.is_finite else None
    if root is None or root.scaled_rcond < 1e-8:
        return triangular_factor(rows)
    return root.factor, linalg.solve_triangular(root.factor, gram.cross, trans="T", check_finite=False)


def _solve_positive(R: np.ndarray, right: np.ndarray) -> Solution:
    coefs = [nnls(R, target)[0] for target in right.T]
    return Solution(np.column_stack(coefs), None)
