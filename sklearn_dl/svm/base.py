"""What SVC and SVR share: parameters, the choice of the solver, and the scores of new rows."""

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm._base import BaseLibSVM

from sklearn_dl._base.arrays import on_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.params import (
    Estimator,
    FiniteFloat,
    Interval,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveOrInfiniteFloat,
    param,
)
from sklearn_dl._base.targets import naming
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.svm.descent import ROUNDING_SHARE, Problem
from sklearn_dl.svm.interval_dual import Solution, solve
from sklearn_dl.svm.kernel_rows import KERNELS, Kernel, KernelRows
from sklearn_dl.svm.kernel_squares import KernelSquare, KernelSquares
from sklearn_dl.svm.scores import kernel_scores

_FEWEST_OPERATIONS = 2e7  # of the whole kernel matrix: for less, libsvm takes milliseconds
_MANY_ROWS = 100_000
_FEW_ROWS, _TIGHT_TOL, _TIGHT_STEPS = 100, 1e-10, 5_000  # a millisecond at most
_PATIENT_STEPS = 100_000  # of libsvm for a pair of classes: tenths of a second at most
_STEP_LIMIT = 10_000_000  # where `max_iter` is -1; libsvm's, too
UNUSED_RANDOM_STATE = np.random.RandomState(0)  # libsvm asks for a seed even where it draws nothing


class SupportVectorModel(AtomicFit, Estimator, BaseLibSVM, ABC):
    """Support vector machine whose larger or harder problems are solved here, and the others by libsvm.

    Reading the input and the rules of the answers are scikit-learn's, by inheritance.
    """

    C: PositiveOrInfiniteFloat = param(
        default=1.0,
        doc="Weight of the losses against the penalty, or inf. Larger fits the training rows closer.",
    )
    kernel: Literal["linear", "poly", "rbf", "sigmoid", "precomputed"] | Callable = param(
        default="rbf",
        doc="Kernel function; 'precomputed' if X is the kernel matrix; or a function of two tables that "
        "returns the kernel matrix of shape (n_rows_of_first, n_rows_of_second).",
    )
    degree: NonNegativeInt = param(default=3, doc="Degree of the kernel 'poly'.")
    gamma: Literal["scale", "auto"] | NonNegativeFloat = param(
        default="scale",
        doc="Factor of the squared distance in 'rbf', of the inner product in 'poly' and 'sigmoid'. Larger "
        "makes the model more local. 'scale' is 1 / (n_features * X.var()), 'auto' 1 / n_features.",
    )
    coef0: FiniteFloat = param(default=0.0, doc="Constant in the kernels 'poly' and 'sigmoid'.")
    shrinking: bool = param(
        default=True,
        doc="Whether libsvm leaves out rows that seem settled. The answers are the same, and larger "
        "problems have no need of it.",
    )
    tol: PositiveFloat = param(
        default=1e-3,
        doc="Violation of optimality at which the solver stops. Smaller is more exact and slower.",
    )
    cache_size: PositiveFloat = param(
        default=200, doc="Megabytes for rows of the kernel matrix. Larger saves their recomputation."
    )
    verbose: NonNegativeInt | bool = param(default=False, doc="Whether libsvm prints its progress.")
    max_iter: Annotated[int, Interval("an int of at least -1", low=-1)] = param(
        default=-1, doc="Steps of the solver at most; -1 for no limit."
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "support_": (
            "ndarray of shape (n_support_vectors,)",
            "Rows that are support vectors.",
        ),
        "support_vectors_": (
            "{ndarray, CSR} of shape (n_support_vectors, n_features)",
            "The support vectors; empty if the kernel is precomputed.",
        ),
        "fit_status_": ("int", "0 if the solver converged, 1 if it reached `max_iter`."),
        "shape_fit_": ("tuple of int", "Shape of X in ``fit``."),
        "n_features_in_": ("int", "Number of features seen in ``fit``."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features; only if X is a data frame whose column names are all strings.",
        ),
    }

    nu: ClassVar[float] = 0.0  # parameters of libsvm's other formulations
    probability: Any
    random_state: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Find the support vectors and their coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features) or \
                (n_samples, n_samples)
            Rows to learn from; the kernel matrix with ``kernel="precomputed"``.
        y : array-like of shape (n_samples,)
            Class labels, or real targets for regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Factor of `C` for each row; rows of weight 0 or below do not count. None means 1.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X or y cannot be read, a weight is NaN or infinite, or y holds
            one class.
        TypeError
            If a precomputed kernel is sparse.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` is reached, or the solver stops early for the data's sake.
        UserWarning
            If there are so many rows that a kernel takes hours.
        """
        self._check_params()
        given_random_state = self.random_state
        try:
            if given_random_state is None:
                self.random_state = self._copied_random_state()
            fit = inspect.unwrap(super().fit)  # without scikit-learn's own check of the parameters
            with naming(type(self).__name__):
                fit(self, on_host(X), on_host(y), _read_weight(on_host(sample_weight)))
        finally:
            if given_random_state is None:
                self.random_state = None
        return self

    def _copied_random_state(self) -> np.random.RandomState:
        """Random numbers that follow numpy's global ones, which stay where they are."""
        if self.probability is not True:
            return UNUSED_RANDOM_STATE
        copied = np.random.RandomState(0)
        copied.set_state(np.random.get_state())
        return copied

    def _class_factors(self, y: np.ndarray) -> np.ndarray | float:
        """Factor of the cost of every row by its class."""
        return 1.0

    @abstractmethod
    def _fit_here(self, X: np.ndarray, y: np.ndarray, cost: np.ndarray) -> None:
        """Solve for rows of X with losses weighed by `cost`, and set the fitted attributes."""

    def _dense_fit(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray, *rest: Any, **options: Any
    ) -> None:
        self._weigh_gamma(X, y, sample_weight)
        self._warn_of_many_rows(len(y))
        weight = sample_weight if len(sample_weight) else np.ones(len(y))
        by_libsvm = partial(super()._dense_fit, X, y, sample_weight, *rest, **options)
        is_solvable = self._has_one_minimum(weight)
        is_large = is_solvable and len(y) ** 2 * (X.shape[1] + 10.0) >= _FEWEST_OPERATIONS
        if not is_large and self._fit_by_libsvm(by_libsvm, len(y), is_solvable):
            return
        self._probA = self._probB = np.empty(0)
        with single_threaded_blas():  # blocks of rows have threads of their own
            self._fit_here(X, y, self.C * weight * self._class_factors(y))
        self._warn_from_fit_status()

    def _sparse_fit(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray, *rest: Any, **options: Any
    ) -> None:
        self._weigh_gamma(X, y, sample_weight)
        self._warn_of_many_rows(X.shape[0])
        by_libsvm = partial(super()._sparse_fit, X, y, sample_weight, *rest, **options)
        self._fit_by_libsvm(by_libsvm, X.shape[0], has_alternative=False)

    def _weigh_gamma(self, X: Any, y: np.ndarray, sample_weight: np.ndarray) -> None:
        """Let sample weights count as repetitions in the variance of ``gamma="scale"`` too."""
        if self.gamma != "scale" or self.kernel not in KERNELS or not (sample_weight > 0).any():
            return
        weight = np.maximum(sample_weight, 0.0) * self._class_factors(y)
        weight /= weight.sum()
        mean = float((weight @ X).mean())
        if sparse.issparse(X):
            variance = float((weight @ X.multiply(X)).mean()) - mean**2
        else:
            variance = float((weight @ (X - mean) ** 2).mean())
        self._gamma = 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0

    def _fit_by_libsvm(self, fit: Callable[[], None], n_rows: int, has_alternative: bool) -> bool:
        """Fit to `tol`; a few rows to the last digits, so that weighing rows equals repeating them.

        Where there is an alternative, return False rather than wait for the many steps of an ill-conditioned
        problem.
        """
        if self.max_iter == -1 and self.probability is not True:
            if n_rows <= _FEW_ROWS and self._converges(fit, min(self.tol, _TIGHT_TOL), _TIGHT_STEPS):
                return True
            if has_alternative:
                return self._converges(fit, self.tol, _PATIENT_STEPS)
        fit()
        return True

    def _converges(self, fit: Callable[[], None], tol: float, max_iter: int) -> bool:
        """Fit within a number of steps, and return whether they sufficed."""
        given = self.tol, self.max_iter
        try:
            self.tol, self.max_iter = tol, max_iter
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fit()
        finally:
            self.tol, self.max_iter = given
        return self.fit_status_ == 0

    def _warn_from_fit_status(self) -> None:
        if self.fit_status_ == 0 or self.max_iter != -1:
            super()._warn_from_fit_status()
            return
        n_steps = np.max(self._num_iter)
        where = f"after {n_steps} steps" if n_steps >= _STEP_LIMIT else "where rounding hides further descent"
        warnings.warn(
            f"{type(self).__name__}: the solver stopped {where}, while optimality is violated by more than "
            f"tol={self.tol}. Scale the features, by StandardScaler for one, or choose C below {self.C}.",
            ConvergenceWarning,
            stacklevel=2,
        )

    def _has_one_minimum(self, weight: np.ndarray) -> bool:
        """Whether the kernel is positive semi-definite, and the problem of a form that is solved here."""
        return (
            (self.kernel in ("linear", "rbf") or (self.kernel == "poly" and self.coef0 >= 0))
            and self.probability is not True
            and bool((weight > 0).all())
        )

    def _warn_of_many_rows(self, n_rows: int) -> None:
        if n_rows > _MANY_ROWS:
            name = type(self).__name__
            warnings.warn(
                f"{name}: the kernel matrix of {n_rows} rows has {n_rows**2 * 4 / 2**30:.0f} GB, of which "
                f"cache_size={self.cache_size} MB are kept, and the time grows with the square of the rows. "
                + self._advice_for_many_rows(f"Linear{name}"),
                UserWarning,
                stacklevel=6,
            )

    def _advice_for_many_rows(self, linear_model: str) -> str:
        if self.kernel not in KERNELS:
            return (
                "Fit a sample of the rows instead; or features whose inner products approximate the kernel, "
                f"by sklearn_dl.linear_model.{linear_model}."
            )
        named = ("gamma", "coef0", "degree")
        names = {"rbf": named[:1], "poly": named, "sigmoid": named[:2]}
        values = {"gamma": float(self._gamma), "coef0": self.coef0, "degree": self.degree}
        kernel = ", ".join(
            [
                f"kernel={self.kernel!r}",
                *(f"{name}={values[name]:.6g}" for name in names.get(self.kernel, [])),
            ]
        )
        return (
            "Approximate the kernel instead: from sklearn.kernel_approximation import Nystroem; "
            "from sklearn.pipeline import make_pipeline; "
            f"from sklearn_dl.linear_model import {linear_model}; "
            f"model = make_pipeline(Nystroem({kernel}, n_components=300), {linear_model}())"
        )

    def _kernel(self) -> Kernel:
        return Kernel(str(self.kernel), float(self._gamma), float(self.coef0), int(self.degree))

    def _kernel_rows(self, X: np.ndarray, cost: np.ndarray) -> KernelRows:
        """Kernel rows in float32, unless its rounding could show in a gradient."""
        rounding = self._kernel().rounding(X) * cost.max() * np.sqrt(len(X))
        dtype = np.float32 if rounding <= ROUNDING_SHARE * self.tol else np.float64
        return KernelRows(self._kernel(), X, dtype, self.cache_size * 2**20)

    def _kernel_squares(self, X: np.ndarray) -> KernelSquares:
        """Kernel matrices in float32, unless coefficients of size 1 are too large for its rounding."""
        rounding = self._kernel().rounding(X)
        return KernelSquares(self._kernel(), X, rounding if rounding <= ROUNDING_SHARE * self.tol else 0.0)

    def _solve(self, rows: KernelRows | KernelSquare, problem: Problem) -> Solution:
        limit = max(_STEP_LIMIT, 100 * len(problem.target)) if self.max_iter == -1 else self.max_iter
        return solve(rows, problem, self.tol, limit)

    def _pair_scores(self, X: np.ndarray, coef: np.ndarray) -> np.ndarray:
        """Kernel of X with the support vectors times `coef`, plus the intercepts."""
        if callable(self.kernel) or self.kernel == "precomputed":
            self._require_training_columns(X)
            return X[:, self.support_] @ coef + self._intercept_
        return kernel_scores(self._kernel(), X, self.support_vectors_, coef) + self._intercept_

    def _require_training_columns(self, X: np.ndarray) -> None:
        if X.shape[1] != self.shape_fit_[0]:
            raise ValueError(
                f"{type(self).__name__}: X.shape[1] = {X.shape[1]} should be equal to {self.shape_fit_[0]}, "
                "the number of samples at training time: the kernel needs a column for each."
            )


def _read_weight(sample_weight: Any) -> np.ndarray | None:
    """Weights in float64, which libsvm would take as they come; their number is scikit-learn's to check."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.ndim != 1:
        raise ValueError(f"sample_weight must have shape (n_samples,); got shape {weight.shape}.")
    if not np.isfinite(weight).all():
        raise ValueError(
            "sample_weight contains NaN or infinity. Give finite weights; rows of weight 0 do not count."
        )
    return weight
