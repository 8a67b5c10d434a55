"""Logistic regression: two or more classes; squared, absolute, mixed or no penalty."""

import warnings
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl._base.arrays import Array, move_like, namespace, to_host
from sklearn_dl._base.params import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveOrInfiniteFloat,
    RandomState,
    param,
)
from sklearn_dl._base.progress import CallbackSupportMixin, EpochTasks, StepTasks, with_callbacks
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.linear_model.base import LinearClassifierModel
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_newton import minimize_logistic
from sklearn_dl.linear_model.logistic_options import NOT_CONVERGED, Penalty, check_liblinear, penalty_of
from sklearn_dl.linear_model.preconditioned_lbfgs import Minimum, OnStep
from sklearn_dl.linear_model.proximal_newton import minimize_l1_logistic

_CENTER_ROWS = 4096
_FEW_FEATURES = 1000  # up to which threads are worth more over blocks of rows than within BLAS


class LogisticRegression(CallbackSupportMixin, LinearClassifierModel):
    """Logistic regression, multinomial for three and more classes.

    Minimises ``C * sum_i loss_i + (1 - l1_ratio) / 2 * ||w||_2^2 + l1_ratio * ||w||_1`` over coefficients w
    and free intercepts, where ``loss_i`` is minus the log-probability of the class of row i times its weight.
    All names of solvers stand for this one minimum, so each fit takes the fastest method for its data,
    whichever is named: Newton's method, L-BFGS whose inverse Hessian comes from a pilot sample of rows, or a
    proximal quasi-Newton method for the absolute penalty. 'liblinear' keeps what it means to scikit-learn: a
    penalised intercept, and two classes only.

    References
    ----------
    Nocedal, Wright (2006), Numerical Optimization, chapter 7.
    Erdogdu, Montanari (2015), Convergence rates of sub-sampled Newton methods.
    Lee, Sun, Saunders (2014), Proximal Newton-type methods for minimizing composite functions.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dl.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = LogisticRegression().fit(X, y)
    >>> classifier.predict(X[:2])
    array([0, 0])
    >>> classifier.predict_proba(X[:1]).round(2)
    array([[0.98, 0.02, 0.  ]])
    """

    penalty: Literal["l1", "l2", "elasticnet", "deprecated"] | None = param(
        default="deprecated",
        doc="Deprecated as in scikit-learn: say l1_ratio=0 for 'l2', l1_ratio=1 for 'l1', a value between "
        "for 'elasticnet', and C=inf for None.",
        kw_only=False,
    )
    C: PositiveOrInfiniteFloat = param(
        default=1.0, doc="Inverse strength of the penalty; inf for none. Larger fits the rows more closely."
    )
    l1_ratio: Fraction | None = param(
        default=0.0,
        doc="Share of the absolute penalty: 0 is squared only, 1 absolute only. Larger sets more "
        "coefficients to 0. Above 0 needs solver='saga', or 'liblinear' for 1. None, deprecated, means 0.",
    )
    dual: bool = param(
        default=False,
        doc="Accepted for solver='liblinear' with the squared penalty, where it names the same minimum.",
    )
    tol: NonNegativeFloat = param(
        default=1e-4,
        doc="The fit ends where no entry of the gradient of the mean loss is larger, and no larger decrease "
        "of the loss is expected.",
    )
    fit_intercept: bool = param(default=True, doc="Learn intercepts; without, they are 0.")
    intercept_scaling: PositiveFloat = param(
        default=1,
        doc="For solver='liblinear': the intercept is penalised as the coefficient of a feature of this "
        "value. Larger penalises it less.",
    )
    class_weight: dict | Literal["balanced"] | None = param(
        default=None,
        doc="Weight of each class, times that of its rows; 'balanced' lets all classes weigh the same.",
    )
    random_state: RandomState = param(
        default=None, doc="Kept for scikit-learn's signature: no fit depends on chance."
    )
    solver: Literal["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"] = param(
        default="lbfgs",
        doc="As in scikit-learn it says which penalties are allowed, and 'liblinear' penalises the "
        "intercept. The method is chosen by the data.",
    )
    max_iter: NonNegativeInt = param(default=100, doc="Steps at most, each at least one pass over the rows.")
    verbose: NonNegativeInt | bool = param(default=0, doc="Print the loss after each step where above 0.")
    warm_start: bool = param(
        default=False, doc="Start from the coefficients of the last fit. Ignored by solver='liblinear'."
    )
    n_jobs: int | None = param(default=None, doc="Without effect and deprecated, as in scikit-learn.")

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "classes_": ("ndarray of shape (n_classes,)", "Sorted class labels."),
        "coef_": (
            "ndarray of shape (1, n_features) or (n_classes, n_features)",
            "Coefficients; one row for two classes. CSR after sparsify.",
        ),
        "intercept_": ("ndarray of shape (1,) or (n_classes,)", "Intercepts; 0 without fit_intercept."),
        "n_iter_": ("ndarray of shape (1,)", "Steps taken."),
        "n_features_in_": ("int", "Columns of X in ``fit``."),
        "feature_names_in_": ("ndarray of shape (`n_features_in_`,)", "Names of the columns, if X had some."),
    }

    coef_: Any
    intercept_: np.ndarray
    n_iter_: np.ndarray

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn coefficients and intercepts.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows. float32 is computed in float32 and gives float32 coefficients.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of rows; ones for None.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are fewer than two classes, more than two with solver='liblinear', or the solver does not
            allow the penalty.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` steps did not reach `tol`.
        """
        previous = self._previous_parameters()
        rows, codes, weight = self._read_classification(
            X, y, sample_weight, non_negative_weight=True, accept_large_sparse=self._takes_64_bit_indices
        )
        penalty = penalty_of(self)
        if self.solver == "liblinear":
            check_liblinear(rows, len(self.classes_))
        loss, l1 = self._loss(rows, codes, weight, penalty)
        start = None if previous is None else self._start(loss, *previous)
        if hasattr(self, "_skl_callbacks"):
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            result = self._minimize_watched(loss, l1, start, {"X": X, "y": y, "metadata": metadata})
        else:
            result = self._minimize(loss, l1, start, self._report)
        self._keep(loss, result)
        return self

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Name objects that are told of the steps of `fit`: progress bars, for instance.

        Needs scikit-learn 1.9; see its ``sklearn.callback``.

        Parameters
        ----------
        *callbacks : callback instances
            Take the place of those named before.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        TypeError
            If one is not a callback.

        Warns
        -----
        UserWarning
            If the solver is not 'lbfgs': only the beginning and the end of the fit are told then.
        """
        if self.solver != "lbfgs":
            warnings.warn(
                f"Callbacks are only supported in {type(self).__name__} for solver='lbfgs'. With "
                f"solver='{self.solver}' they are not told of steps.",
                stacklevel=2,
            )
        return super().set_callbacks(*callbacks)

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        probabilities : ndarray or tensor of shape (n_samples, n_classes)
            In the order of ``classes_``; rows sum to 1. A tensor where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        logs = self.predict_log_proba(X)
        return namespace(logs).exp(logs)

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithm of the probability of each class for each row, finite however small that is.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        log_probabilities : ndarray or tensor of shape (n_samples, n_classes)
            In the order of ``classes_``. A tensor where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        scores = self.decision_function(X)
        xp = namespace(scores)
        if scores.ndim == 1:
            either = xp.logaddexp(scores, xp.zeros_like(scores))
            return xp.stack([-either, scores - either], 1)
        shifted = scores - xp.amax(scores, 1)[:, None]
        return shifted - xp.log(xp.exp(shifted).sum(1))[:, None]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.solver != "liblinear"
        return tags

    @property
    def _takes_64_bit_indices(self) -> bool:
        return self.solver not in ("liblinear", "sag", "saga")

    def _previous_parameters(self) -> tuple[np.ndarray, np.ndarray] | None:
        if not self.warm_start or self.solver == "liblinear" or not hasattr(self, "coef_"):
            return None
        coef = self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_
        return coef, self.intercept_

    def _loss(
        self, X: Array, codes: Array, weight: Array | None, penalty: Penalty
    ) -> tuple[LogisticLoss, float]:
        """The mean loss with its squared penalty, and the strength of the absolute penalty beside it."""
        share = {"l1": 1.0, "l2": 0.0, "elasticnet": self.l1_ratio, None: 0.0}[penalty] or 0.0
        total = float(X.shape[0] if weight is None else to_host(weight).sum(dtype=np.float64))
        if not total > 0:
            raise ValueError(f"{type(self).__name__}: at least one row must have a weight above 0.")
        strength = 0.0 if penalty is None else 1 / (self.C * total)
        l2 = (1 - share) * strength
        penalizes_intercept = self.solver == "liblinear" and self.fit_intercept
        loss = LogisticLoss(
            X,
            codes,
            weight,
            n_classes=len(self.classes_),
            l2=l2,
            fit_intercept=self.fit_intercept,
            intercept_l2=l2 / self.intercept_scaling**2 if penalizes_intercept else 0.0,
            center=None if penalizes_intercept or not self.fit_intercept else _center(X, weight),
        )
        return loss, share * strength

    def _l1_strengths(self, loss: LogisticLoss, l1: float) -> np.ndarray:
        """Strength of the absolute penalty on each of the flat parameters."""
        strengths = np.full(loss.shape, l1)
        if self.fit_intercept:
            strengths[:, -1] = l1 / self.intercept_scaling if self.solver == "liblinear" else 0.0
        return strengths.ravel()

    def _start(self, loss: LogisticLoss, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        expected = (loss.shape[0], loss.n_features)
        if coef.shape != expected:
            raise ValueError(
                f"{type(self).__name__}: with warm_start, the last fit must have left coefficients of shape "
                f"{expected}; coef_ has shape {coef.shape}. Fit without warm_start first."
            )
        return loss.centered(coef, intercept)

    def _minimize(self, loss: LogisticLoss, l1: float, start: np.ndarray | None, on_step: OnStep) -> Minimum:
        if self.max_iter == 0:
            origin = np.zeros(loss.shape).ravel() if start is None else start
            return Minimum(origin, loss(origin)[0], 0, False)
        options: dict[str, Any] = {"tol": self.tol, "max_iter": self.max_iter, "on_step": on_step}
        with single_threaded_blas(when=loss.n_features <= _FEW_FEATURES):
            if l1 > 0:
                return minimize_l1_logistic(loss, self._l1_strengths(loss, l1), start, **options)
            return minimize_logistic(loss, start, **options)

    @with_callbacks
    def _minimize_watched(
        self, loss: LogisticLoss, l1: float, start: np.ndarray | None, data: dict[str, Any]
    ) -> Minimum:
        """As `_minimize`, and tells scikit-learn's callbacks of the steps."""
        if self.solver != "lbfgs":
            tasks = EpochTasks(self, data, 0, dict)
            result = self._minimize(loss, l1, start, self._report)
            tasks.finish()
            return result
        origin = np.zeros(loss.shape).ravel() if start is None else start
        steps = StepTasks(self, data, self.max_iter, lambda flat: self._parameters(loss, flat), origin)

        def on_step(n_iter: int, value: float, flat: np.ndarray) -> None:
            self._report(n_iter, value, flat)
            steps.step(flat)

        result = self._minimize(loss, l1, start, on_step)
        steps.finish()
        return result

    def _report(self, n_iter: int, value: float, flat: np.ndarray) -> None:
        if self.verbose:
            print(f"{type(self).__name__}: step {n_iter}, mean loss {value:.8g}")

    def _parameters(self, loss: LogisticLoss, flat: np.ndarray) -> dict[str, np.ndarray]:
        """``coef_`` and ``intercept_`` of flat parameters."""
        coef, intercept = loss.uncentered(flat)
        if len(coef) > 1:  # adding the same to all classes changes no probability
            intercept = intercept - intercept.mean()
        is_single = loss.dtype == loss.xp.float32 and self.solver != "liblinear"
        dtype = np.float32 if is_single else np.float64
        return {"coef_": coef.astype(dtype), "intercept_": intercept.astype(dtype)}

    def _keep(self, loss: LogisticLoss, result: Minimum) -> None:
        self.__dict__.update(self._parameters(loss, result.x))
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        if not result.converged:
            default = f"{self.solver} failed to converge after {{n_iter}} iteration(s)."
            message = NOT_CONVERGED.get(self.solver, default).format(n_iter=result.n_iter)
            warnings.warn(
                f"{message} Increase the number of iterations (max_iter={self.max_iter}), raise tol, or "
                "scale the data.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _center(X: Array, weight: Array | None) -> np.ndarray | None:
    """Mean of evenly spaced rows: near enough to the means of the features to condition the intercept."""
    if sparse.issparse(X):
        return None
    every = slice(None, None, max(1, X.shape[0] // _CENTER_ROWS))
    mean = to_host(X[every].mean(0, dtype=namespace(X).float64))
    if weight is None or not weight[every].sum() > 0:
        return mean
    shifted = X[every] - move_like(mean, X)
    return mean + to_host(weight[every] @ shifted / weight[every].sum())
