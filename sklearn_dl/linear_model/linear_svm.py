"""Linear support vector machines: LinearSVC for classes, LinearSVR for real targets."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sklearn_dl._base.arrays import Array, is_tensor, namespace, to_host
from sklearn_dl._base.inputs import merge_equal_rows
from sklearn_dl._base.params import (
    FiniteFloat,
    NonNegativeInt,
    PositiveFloat,
    RandomState,
    param,
)
from sklearn_dl._base.targets import require_two_classes
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.base import (
    LinearClassifierModel,
    LinearModel,
    LinearRegressorModel,
    class_factors,
    read_classes,
)
from sklearn_dl.linear_model.crammer_singer import crammer_singer_fit
from sklearn_dl.linear_model.dual_coordinate_descent import dual_coordinate_descent
from sklearn_dl.linear_model.interior_point import interval_fit
from sklearn_dl.linear_model.l1_squared_hinge import l1_squared_interval_fit
from sklearn_dl.linear_model.squared_hinge import squared_interval_fit

_LARGEST_FACTORED = 1000  # rows or columns up to which the interior-point method solves its systems
_PASSES_OF_JOINT = 100  # over rows, for each of max_iter, under multi_class="crammer_singer"
_LARGEST_MERGED = 1_000_000  # elements of X up to which the joint problem merges equal rows

# Penalty and loss, and the values of `dual` that scikit-learn takes with them.
_SUPPORTED = {
    ("l2", "hinge"): (True,),
    ("l2", "squared_hinge"): (True, False),
    ("l1", "squared_hinge"): (False,),
    ("l2", "epsilon_insensitive"): (True,),
    ("l2", "squared_epsilon_insensitive"): (True, False),
}


class _LinearSVM(LinearModel):
    """What LinearSVC and LinearSVR share: parameters, and the choice of the solver."""

    tol: PositiveFloat = param(
        default=1e-4, doc="How far from the minimum the solver may stop. Smaller is closer and slower."
    )
    C: PositiveFloat = param(
        default=1.0, doc="Weight of the losses against the penalty. Larger fits the training rows closer."
    )
    dual: Literal["auto"] | bool = param(
        default="auto",
        doc="Checked as scikit-learn does, for the combinations that it supports. The solver is chosen by "
        "the shape of X, and primal and dual solutions are the same.",
    )
    fit_intercept: bool = param(
        default=True, doc="Learn an intercept. Without one, the decision boundary goes through the origin."
    )
    intercept_scaling: PositiveFloat = param(
        default=1.0,
        doc="Value of a constant feature whose coefficient, times this value, is the intercept. The penalty "
        "counts that coefficient, so that larger values penalize the intercept less.",
    )
    verbose: NonNegativeInt | bool = param(
        default=0, doc="Print the objective at every iteration if above 0."
    )
    random_state: RandomState = param(
        default=None,
        doc="Seed of the order of rows in coordinate descent, which serves data of more than 1000 rows and "
        "columns, under squared losses only if there are more columns, and `multi_class='crammer_singer'`.",
    )
    max_iter: NonNegativeInt = param(
        default=1000,
        doc="Iterations of the solver at most; a hundred times as many for `multi_class='crammer_singer'`, "
        "where most leave out most rows.",
    )

    loss: Any

    def _require_supported(self, penalty: str) -> None:
        duals = _SUPPORTED.get((penalty, self.loss))
        if duals is not None and (self.dual == "auto" or self.dual in duals):
            return
        if duals is None:
            problem = f"The combination of penalty='{penalty}' and loss='{self.loss}' is not supported"
        else:
            problem = (
                f"The combination of penalty='{penalty}' and loss='{self.loss}' are not supported "
                f"when dual={self.dual}"
            )
        raise ValueError(
            f"{type(self).__name__}: Unsupported set of arguments: {problem}, "
            f"Parameters: penalty={penalty!r}, loss={self.loss!r}, dual={self.dual!r}"
        )

    def _rows(self, X: Array) -> AugmentedRows:
        """Rows in float64 and C order, with the feature whose coefficient is the intercept."""
        return AugmentedRows(in_float64(X), float(self.intercept_scaling) if self.fit_intercept else 0.0)

    def _solve(self, rows: AugmentedRows, lower: Array, upper: Array, cost: Array) -> tuple[np.ndarray, int]:
        """Coefficients, that of the intercept last, and the number of iterations."""
        kept = cost > 0
        if not bool(kept.all()):
            kept = namespace(kept).where(kept)[0]
            rows, lower, upper, cost = rows[kept], lower[kept], upper[kept], cost[kept]
        options: dict[str, Any] = {"tol": self.tol, "max_iter": self.max_iter, "on_step": self._report()}
        squared = self.loss.startswith("squared")
        small = min(rows.n_rows, rows.n_columns) <= _LARGEST_FACTORED or is_tensor(rows.X)
        with single_threaded_blas(when=small):
            if getattr(self, "penalty", "l2") == "l1":
                return l1_squared_interval_fit(rows, lower, upper, cost, **options)
            if squared and (small or rows.n_rows >= rows.n_columns):
                return squared_interval_fit(rows, lower, upper, cost, **options)
            if small:
                return interval_fit(rows, lower, upper, cost, **options)[:2]
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        return dual_coordinate_descent(rows, lower, upper, cost, seed=seed, squared=squared, **options)

    def _report(self) -> Callable[[int, float], None] | None:
        if not self.verbose:
            return None
        return lambda n_iter, objective: print(
            f"{type(self).__name__}: iteration {n_iter}, objective {objective:.8g}"
        )

    def _most_iterations(self) -> int:
        return self.max_iter

    def _keep(self, coef: np.ndarray, X: Array, n_iter: int) -> None:
        """Set the fitted attributes from coefficients of shape (..., n_columns)."""
        dtype = to_host(X[:0]).dtype if is_tensor(X) else X.dtype
        if self.fit_intercept:
            self.coef_ = coef[..., :-1].astype(dtype)
            self.intercept_ = np.atleast_1d(self.intercept_scaling * coef[..., -1]).astype(dtype)
        else:
            self.coef_, self.intercept_ = coef.astype(dtype), 0.0
        self.n_iter_ = int(n_iter)
        if n_iter >= self._most_iterations():
            warnings.warn(
                f"{type(self).__name__}: Liblinear failed to converge, increase the number of iterations. "
                f"(Or rather, its successor here did, after {n_iter} with "
                f"max_iter={self.max_iter}; scaled features need fewer.)",
                ConvergenceWarning,
                stacklevel=3,
            )


class LinearSVC(_LinearSVM, LinearClassifierModel):
    """Linear support vector classifier.

    Minimizes ``|coef|^2 / 2 + C * sum(loss(sign * score))``, with sign 1 for rows of the class and -1 for
    others, loss ``max(0, 1 - s)`` or its square, and, where there are more than two classes, one such
    problem for each. Interface and answers are those of scikit-learn's ``sklearn.svm.LinearSVC``: the
    intercept is penalized too (see `intercept_scaling`), and `class_weight` weighs the rows of a class in
    its own problem only.

    The squared hinge loss is minimized by Newton's method on the active rows (Keerthi and DeCoste, 2005), the
    hinge loss by an interior-point method on the dual (Ferris and Munson, 2002), or by dual coordinate
    descent (Hsieh et al., 2008) where X has more than 1000 rows and columns. That serves the squared hinge
    loss too where X has more than 1000 rows, and more columns than rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import LinearSVC
    >>> X = np.array([[-2.0, -1.0], [-1.0, -1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> svm = LinearSVC().fit(X, ["left", "left", "right", "right"])
    >>> svm.predict([[0.5, 0.0]])
    array(['right'], dtype='<U5')
    """

    penalty: Literal["l1", "l2"] = param(
        default="l2",
        kw_only=False,
        doc="Norm of the coefficients that is penalized: half of its square for 'l2'; 'l1' makes most "
        "coefficients 0.",
    )
    loss: Literal["hinge", "squared_hinge"] = param(
        default="squared_hinge",
        kw_only=False,
        doc="Loss of a row on the wrong side of its margin: the distance, or its square.",
    )
    dual: Literal["auto"] | bool = param(default="auto")
    tol: PositiveFloat = param(default=1e-4)
    C: PositiveFloat = param(default=1.0)
    multi_class: Literal["ovr", "crammer_singer"] = param(
        default="ovr",
        doc="One problem a class against the rest, or one joint problem, for which `loss`, `penalty` and "
        "`dual` do not count.",
    )
    fit_intercept: bool = param(default=True)
    intercept_scaling: PositiveFloat = param(default=1)
    class_weight: Mapping | Literal["balanced"] | None = param(
        default=None,
        doc="Factor of `C` for each class: a dict from class to factor; 'balanced' for the inverse of its "
        "frequency; None for 1.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "classes_": ("ndarray of shape (n_classes,)", "Classes seen in ``fit``, sorted."),
        "coef_": (
            "ndarray of shape (1, n_features) or (n_classes, n_features)",
            "Coefficients; one row where there are two classes.",
        ),
        "intercept_": (
            "ndarray of shape (1,) or (n_classes,)",
            "Intercepts; the float 0.0 without `fit_intercept`.",
        ),
        "n_iter_": ("int", "Iterations of the solver, the most over the classes."),
        "n_features_in_": ("int", "Number of features seen in ``fit``."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features; only if X is a data frame whose column names are all strings.",
        ),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Factor of `C` for each row; rows of weight 0 or below do not count. None means 1.

        Returns
        -------
        self : LinearSVC
            The fitted estimator.

        Raises
        ------
        ValueError
            If `penalty`, `loss` and `dual` do not go together, X or y cannot be read, or y holds one class.
        """
        self._check_params()
        X = self._read_X(X, reset=True)
        self.classes_, codes = read_classes(y, X, type(self).__name__)
        require_two_classes(self.classes_, type(self).__name__)
        weight = self._read_weight(sample_weight, X)
        factors = np.ones(len(self.classes_))
        if self.class_weight is not None:
            factors = class_factors(self.class_weight, self.classes_, codes, weight)
        cost = self.C * (in_float64(namespace(X).ones_like(codes)) if weight is None else in_float64(weight))
        n_classes = len(self.classes_)
        rows = self._rows(X)
        if self.multi_class == "crammer_singer":
            coef, n_iter = self._fit_jointly(rows, codes, cost, factors)
        else:
            self._require_supported(self.penalty)
            positives = [1] if n_classes == 2 else range(n_classes)
            fits = [
                self._fit_one(rows, codes == k, cost, factors[k], factors[0] if n_classes == 2 else 1.0)
                for k in positives
            ]
            coef, n_iter = np.stack([w for w, _ in fits]), max(count for _, count in fits)
        self._keep(coef, X, n_iter)
        return self

    def _fit_one(
        self, rows: AugmentedRows, positive: Array, cost: Array, factor: float, rest_factor: float
    ) -> tuple[np.ndarray, int]:
        xp = namespace(positive)
        lower = xp.where(positive, 1.0 + 0 * cost, -np.inf)
        upper = xp.where(positive, np.inf, -1.0 + 0 * cost)
        return self._solve(rows, lower, upper, cost * xp.where(positive, factor + 0 * cost, rest_factor))

    def _most_iterations(self) -> int:
        return self.max_iter * (_PASSES_OF_JOINT if self.multi_class == "crammer_singer" else 1)

    def _fit_jointly(
        self, rows: AugmentedRows, codes: Array, cost: Array, factors: np.ndarray
    ) -> tuple[np.ndarray, int]:
        # The method visits one row after another, which only the host does well.
        X, codes = rows.X if sparse.issparse(rows.X) else to_host(rows.X), to_host(codes)
        cost = to_host(cost) * factors[codes]
        if X.shape[0] * X.shape[1] <= _LARGEST_MERGED:
            # Weights and repeated rows then come out the same, however far from the minimum passes end.
            kept = np.flatnonzero(cost > 0)
            distinct, codes, cost = merge_equal_rows(X[kept], codes[kept], cost[kept])
            X = sparse.csr_array(distinct) if sparse.issparse(X) else np.ascontiguousarray(distinct)
        coef, n_iter = crammer_singer_fit(
            AugmentedRows(X, rows.constant),
            codes,
            cost,
            len(self.classes_),
            tol=self.tol,
            max_iter=self._most_iterations(),
            seed=check_random_state(self.random_state).randint(np.iinfo(np.int32).max),
        )
        return (coef[1:] - coef[:1] if len(self.classes_) == 2 else coef), n_iter


class LinearSVR(_LinearSVM, LinearRegressorModel):
    """Linear support vector regression.

    Minimizes ``|coef|^2 / 2 + C * sum(loss(y - prediction))``, with loss ``max(0, |r| - epsilon)`` or its
    square. Interface and answers are those of scikit-learn's ``sklearn.svm.LinearSVR``: the intercept is
    penalized too (see `intercept_scaling`).

    The squared loss is minimized by Newton's method on the active rows, the other by an interior-point method
    on the dual (Ferris and Munson, 2002), or by dual coordinate descent (Ho and Lin, 2012) where X has more
    than 1000 rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import LinearSVR
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> LinearSVR(C=100).fit(X, [1.0, 3.0, 5.0, 7.0]).predict([[4.0]]).round(3)
    array([9.])
    """

    epsilon: FiniteFloat = param(
        default=0.0,
        doc="Residuals up to this size cost nothing, in units of y. Negative values act as 0.",
    )
    tol: PositiveFloat = param(default=1e-4)
    C: PositiveFloat = param(default=1.0)
    loss: Literal["epsilon_insensitive", "squared_epsilon_insensitive"] = param(
        default="epsilon_insensitive",
        doc="Loss of a residual beyond `epsilon`: the distance, or its square.",
    )
    fit_intercept: bool = param(default=True)
    intercept_scaling: PositiveFloat = param(default=1.0)
    dual: Literal["auto"] | bool = param(default="auto")

    _multi_output = False
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "coef_": ("ndarray of shape (n_features,)", "Coefficients."),
        "intercept_": ("ndarray of shape (1,)", "Intercept; the float 0.0 without `fit_intercept`."),
        "n_iter_": ("int", "Iterations of the solver."),
        "n_features_in_": ("int", "Number of features seen in ``fit``."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features; only if X is a data frame whose column names are all strings.",
        ),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from.
        y : array-like of shape (n_samples,)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Factor of `C` for each row; rows of weight 0 or below do not count. None means 1.

        Returns
        -------
        self : LinearSVR
            The fitted estimator.

        Raises
        ------
        ValueError
            If `loss` and `dual` do not go together, or X or y cannot be read.
        """
        X, y, weight = self._read_regression(X, y, sample_weight)
        self._require_supported("l2")
        y = in_float64(y)
        cost = self.C * (namespace(y).ones_like(y) if weight is None else in_float64(weight))
        epsilon = max(float(self.epsilon), 0.0)
        coef, n_iter = self._solve(self._rows(X), y - epsilon, y + epsilon, cost)
        self._keep(coef, X, n_iter)
        return self


def in_float64(X: Array) -> Array:
    """`X` in float64, and in C order if it is an ndarray; itself where it already is."""
    if is_tensor(X):
        return X.double()
    return (
        X.astype(np.float64, copy=False) if sparse.issparse(X) else np.ascontiguousarray(X, dtype=np.float64)
    )
