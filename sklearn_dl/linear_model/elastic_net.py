"""Linear regression with L1 and squared L2 penalties: ElasticNet and Lasso."""

import warnings
from numbers import Number
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state, metadata_routing

from sklearn_dl._base.arrays import Array, to_host
from sklearn_dl._base.params import Fraction, NonNegativeFloat, PositiveInt, RandomState, param
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.linear_model.base import LinearRegressorModel
from sklearn_dl.linear_model.elastic_net_path import enet_path
from sklearn_dl.linear_model.elastic_net_problems import make_problems
from sklearn_dl.linear_model.elastic_net_solver import Penalty, solve, warn_of_gap


class _ElasticNetModel(LinearRegressorModel):
    """What ElasticNet and Lasso share: all but the ratio of the penalties."""

    alpha: NonNegativeFloat
    l1_ratio: float

    fit_intercept: bool = param(
        default=True, doc="Whether to learn an intercept; False takes X and y as centred."
    )
    precompute: Any = param(
        default=False,
        doc="X'X as an array of shape (n_features, n_features), of the centred and weighted rows, saves "
        "computing it; True computes it whatever the shape of X; False decides by the shape.",
    )
    max_iter: PositiveInt = param(default=1000, doc="Sweeps over the coefficients, at most.")
    copy_X: bool = param(default=True, doc="Has no effect: X is never changed.")  # noqa: N815
    tol: NonNegativeFloat = param(
        default=1e-4,
        doc="Largest duality gap to stop at, in units of the mean square of y about its mean. Smaller takes "
        "longer.",
    )
    warm_start: bool = param(default=False, doc="Whether to start from the coefficients of the last fit.")
    positive: bool = param(default=False, doc="Whether coefficients must not be below 0.")
    random_state: RandomState = param(default=None, doc='Seed of the order where `selection` is "random".')
    selection: Literal["cyclic", "random"] = param(
        default="cyclic", doc="Whether sweeps keep the order of the features, or draw it anew."
    )

    _attributes = {
        "coef_": ("ndarray of shape (n_features,) or (n_targets, n_features)", "Coefficients."),
        "intercept_": ("float or ndarray of shape (n_targets,)", "Value where all features are 0."),
        "n_iter_": ("int or list of int", "Sweeps it took, for each target."),
        "dual_gap_": (
            "float or ndarray of shape (n_targets,)",
            "How far the objective can be above its minimum.",
        ),
        "sparse_coef_": ("csr_matrix of shape (n_targets, n_features)", "The coefficients that are not 0."),
        "n_features_in_": ("int", "Number of features seen in ``fit``."),
        "feature_names_in_": ("ndarray of str", "Names of the features, where X had any."),
    }

    path = staticmethod(enet_path)

    __metadata_request__fit = {"check_input": metadata_routing.UNUSED}

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Self:
        """Learn the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows; only their ratios matter.
        check_input : bool, default=True
            False trusts that X is finite.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If X or y hold NaN or infinity, shapes do not match, `precompute` is not X'X, or numbers are too
            large for the coefficients to be finite.
        """
        if self.alpha == 0:
            warnings.warn(
                "With alpha=0, this algorithm does not converge well. You are advised to use the "
                "LinearRegression estimator",
                stacklevel=2,
            )
        sample_weight = None if isinstance(sample_weight, Number) else sample_weight
        X, y, weight = self._read_regression(
            X, y, sample_weight, accept_sparse="csc", ensure_all_finite=check_input
        )
        self._descend(X, y, weight)
        return self

    def _descend(self, X: Array, y: Array, weight: Array | None) -> None:
        n_samples, n_features = X.shape
        targets = y[:, None] if y.ndim == 1 else y
        problems, mean, target_mean = make_problems(
            X, targets, weight, fit_intercept=self.fit_intercept, precompute=self.precompute
        )
        start = np.zeros((len(problems), n_features))
        if self.warm_start and hasattr(self, "coef_"):
            if np.shape(self.coef_)[-1] != n_features:
                raise ValueError(
                    f"{type(self).__name__}: with warm_start, X must have the features of the last fit, "
                    f"{np.shape(self.coef_)[-1]}; it has {n_features}. Fit without warm_start, or a clone."
                )
            start[:] = self.coef_
        strength = self.alpha * n_samples
        penalty = Penalty(strength * self.l1_ratio, strength * (1 - self.l1_ratio), self.positive)
        rng = check_random_state(self.random_state) if self.selection == "random" else None
        with single_threaded_blas():
            solutions = [
                solve(problem, w, penalty, self.tol, self.max_iter, rng)
                for problem, w in zip(problems, start, strict=True)
            ]
        for problem, solution in zip(problems, solutions, strict=True):
            warn_of_gap(solution.gap, self.tol * problem.y_norm2, penalty)
        coef = np.array([solution.w for solution in solutions])
        gaps = np.array([solution.gap for solution in solutions]) / n_samples
        intercept = target_mean - coef @ mean
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError(
                f"{type(self).__name__}: Coordinate descent iterations resulted in non-finite parameter "
                "values. The input data may contain large values and need to be preprocessed."
            )
        dtype = to_host(y[:0]).dtype
        coef, gaps, intercept = coef.astype(dtype), gaps.astype(dtype), intercept.astype(dtype)
        n_iter = [solution.n_iter for solution in solutions]
        single = len(problems) == 1
        self.coef_, self.dual_gap_ = (coef[0], gaps[0]) if single else (coef, gaps)
        self.n_iter_ = n_iter[0] if single else n_iter
        self.intercept_ = intercept if y.ndim > 1 else intercept[0]
        if not self.fit_intercept:
            self.intercept_ = 0.0

    @property
    def sparse_coef_(self) -> sparse.csr_matrix:
        """Coefficients as a CSR matrix of shape (n_targets, n_features)."""
        return sparse.csr_matrix(self.coef_)


class ElasticNet(_ElasticNetModel):
    """Linear regression whose coefficients are shrunk, and some of them set to 0.

    Minimises ``mean((y - X w)^2) / 2 + alpha * (l1_ratio * ||w||_1 + (1 - l1_ratio) / 2 * ||w||^2)``, the
    mean weighted by `sample_weight`; the intercept is free. Each column of y is a problem of its own.

    Coordinate descent runs on working sets of features, which grow until the duality gap over all of them is
    small, and Newton steps on the coefficients in use end it. Where there are few features it knows X'X only.

    Raises
    ------
    ConvergenceWarning
        From ``fit``, where `max_iter` sweeps leave the duality gap above ``tol * mean((y - mean(y))^2)``.

    References
    ----------
    Friedman, Hastie, Tibshirani (2010), Regularization paths for generalized linear models via coordinate
    descent.

    Massias, Gramfort, Salmon (2018), Celer: a fast solver for the Lasso with dual extrapolation.

    Bertrand, Massias (2021), Anderson acceleration of coordinate descent.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn_dl.linear_model import ElasticNet
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> regressor = ElasticNet().fit(X, y)
    >>> regressor.coef_.round(2)
    array([18.84, 64.56])
    """

    alpha: NonNegativeFloat = param(
        default=1.0,
        kw_only=False,
        doc="Strength of the penalties. Larger shrinks more; 0 is least squares, which LinearRegression does "
        "better.",
    )
    l1_ratio: Fraction = param(
        default=0.5,
        doc="Share of the L1 penalty: 1 is the Lasso, 0 ridge regression.",
    )


class Lasso(_ElasticNetModel):
    """Linear regression that sets the coefficients of features it can do without to 0.

    Minimises ``mean((y - X w)^2) / 2 + alpha * ||w||_1``, as :class:`ElasticNet` with ``l1_ratio=1``.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso.

    Examples
    --------
    >>> from sklearn_dl.linear_model import Lasso
    >>> regressor = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> regressor.coef_.round(2)
    array([0.85, 0.  ])
    """

    alpha: NonNegativeFloat = param(
        default=1.0,
        kw_only=False,
        doc="Strength of the penalty. Larger leaves fewer features; 0 is least squares, which "
        "LinearRegression does better.",
    )

    l1_ratio = 1.0
