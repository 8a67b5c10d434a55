"""RidgeCV: the penalty chosen by leaving out one row at a time, or by folds."""

import warnings
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import check_scalar
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from sklearn_dl._base.arrays import Array, move_like, to_host
from sklearn_dl._base.params import NonNegativeFloat, param
from sklearn_dl._base.threads import map_blocks
from sklearn_dl.linear_model.base import LinearRegressorModel
from sklearn_dl.linear_model.centered import CenteredRows
from sklearn_dl.linear_model.gram import in_float64, row_slices
from sklearn_dl.linear_model.least_squares import as_columns, fitted_arrays
from sklearn_dl.linear_model.ridge import Ridge, read_rows, ridge_path
from sklearn_dl.linear_model.ridge_solvers import Spectrum, dual_spectrum, primal_spectrum


class RidgeCV(LinearRegressorModel):
    """Ridge regression with the penalty chosen by cross-validation.

    Leave-one-out errors of all penalties follow from one eigendecomposition: the error of a row that was left
    out is its residual over one minus its leverage.

    References
    ----------
    Rifkin, Lippert (2007), Notes on regularized least squares, sections 3 and 5.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_dl.linear_model import RidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1]).fit(X, y)
    >>> model.alpha_
    0.01
    >>> round(model.score(X, y), 3)
    0.517
    """

    alphas: NonNegativeFloat | list | tuple | np.ndarray = param(
        default=(0.1, 1.0, 10.0),
        kw_only=False,
        doc="Penalties to choose from; above 0 for leave-one-out. Larger values shrink coefficients more.",
    )
    fit_intercept: bool = param(
        default=True, doc="Whether to learn an intercept; without it the model passes through the origin."
    )
    scoring: Any = param(
        default=None,
        doc="Name of a scorer or a scorer; the largest score wins. None means minus the mean squared error "
        "for leave-one-out, and the coefficient of determination for folds.",
    )
    cv: Any = param(
        default=None,
        doc="None leaves out one row at a time; an int is a number of folds; or a splitter, or an iterable "
        "of (train, test) indices.",
    )
    gcv_mode: Literal["auto", "svd", "eigen"] | None = param(
        default=None,
        doc="'svd' takes singular values of long dense X instead of eigenvalues of its Gram matrix, which is "
        "slower and more accurate at tiny penalties. None means 'auto', which does so only where needed.",
    )
    store_cv_results: bool = param(
        default=False,
        doc="Whether to keep ``cv_results_``, (n_samples, n_alphas) or (n_samples, n_targets, n_alphas): "
        "squared leave-one-out errors, times the weights; where `scoring` is given, leave-one-out "
        "predictions. Only for `cv=None`.",
    )
    alpha_per_target: bool = param(
        default=False, doc="Whether each target has a penalty of its own. Only for `cv=None`."
    )

    _attributes = {
        "coef_": (
            "ndarray of shape (n_features,) or (n_targets, n_features)",
            "Coefficients, in the dtype of X.",
        ),
        "intercept_": ("float or ndarray of shape (n_targets,)", "Intercept; 0.0 without `fit_intercept`."),
        "alpha_": ("float or ndarray of shape (n_targets,)", "The penalty chosen, or one for each target."),
        "best_score_": ("float or ndarray of shape (n_targets,)", "Score of the penalty chosen."),
        "n_features_in_": ("int", "Columns of X in ``fit``."),
        "feature_names_in_": ("ndarray of shape (`n_features_in_`,)", "Names of the columns, if X had some."),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Choose the penalty and learn the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from. A tensor stays on its device.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Real targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. They count in leave-one-out errors; in scores of folds as
            they do in scikit-learn's ``GridSearchCV``.
        **params : dict
            Metadata for the scorer and the splitter, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of range or does not go with `cv`, shapes do not match, or X, y or the
            weights hold NaN or infinity.
        TypeError
            If a penalty is not a number.
        """
        self._check_params()
        if params and not get_config()["enable_metadata_routing"]:
            raise ValueError(
                f"{type(self).__name__}.fit takes {sorted(params)} only with metadata routing enabled: "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        alphas = self._read_alphas()
        self.__dict__.pop("cv_results_", None)
        if self.cv is None:
            return self._fit_leave_one_out(X, y, sample_weight, alphas, params)
        for option in ("store_cv_results", "alpha_per_target"):
            if getattr(self, option):
                raise ValueError(f"{type(self).__name__}: cv!=None and {option}=True are incompatible.")
        return self._fit_folds(X, y, sample_weight, alphas, params)

    def _read_alphas(self) -> np.ndarray:
        alphas: Any = self.alphas
        values = [alphas] if np.ndim(alphas) == 0 else list(alphas)
        names = [f"alphas[{i}]" for i in range(len(values))] if len(values) > 1 else ["alphas"]
        bounds: Any = "neither" if self.cv is None else "left"
        for name, value in zip(names, values, strict=False):
            check_scalar(value, name, target_type=Real, min_val=0.0, include_boundaries=bounds)
        return np.asarray(values, dtype=np.float64)

    def _fit_leave_one_out(
        self, X: Any, y: Any, sample_weight: Any, alphas: np.ndarray, params: dict[str, Any]
    ) -> Self:
        X, y, weight = self._read_regression(X, y, sample_weight, non_negative_weight=True)
        Y = as_columns(y)
        gram, rows = read_rows(self, X, Y, weight, center=self.fit_intercept)
        smallest, svd = float(alphas.min()), self._wants_svd(X)
        if gram is None:
            spectrum = dual_spectrum(rows, center=self.fit_intercept)
        else:
            spectrum = primal_spectrum(gram, rows, smallest, svd=svd)
        errors = _LeaveOneOut(rows, spectrum, alphas, fit_intercept=self.fit_intercept)
        if self.scoring is None:
            kept, scores = self._mean_squares(errors)
        else:
            kept = errors.predictions()
            scores = self._scores_of(kept, to_host(Y), y.ndim, sample_weight, params)
        if kept is not None and self.store_cv_results:
            self.cv_results_ = (kept if y.ndim == 2 else kept[:, 0]).astype(to_host(Y[:0]).dtype)
        best = scores.argmax(0)
        per_target = self.alpha_per_target and y.ndim == 2
        self.alpha_ = alphas[best] if per_target and Y.shape[1] > 1 else float(alphas[best].flat[0])
        self.best_score_ = scores.max(0) if per_target else float(scores.max())
        self.coef_, self.intercept_ = fitted_arrays(
            spectrum.coef(self.alpha_), rows.mean, rows.target_mean, y, fit_intercept=self.fit_intercept
        )
        if y.ndim == 2 and y.shape[1] == 1:
            self.coef_ = self.coef_[0]
        return self

    def _wants_svd(self, X: Array) -> bool:
        if self.gcv_mode == "svd" and sparse.issparse(X):
            warnings.warn(
                "The 'svd' mode is not supported for sparse X; gcv_mode='eigen' is used.",
                FutureWarning,
                stacklevel=4,
            )
            return False
        return self.gcv_mode == "svd"

    def _mean_squares(self, errors: "_LeaveOneOut") -> tuple[np.ndarray | None, np.ndarray]:
        """Squared errors (n_samples, n_targets, n_alphas) if they are stored, and scores (n_alphas, ...)."""

        def squares_of(part: slice) -> np.ndarray:
            squares = errors.of(part) ** 2
            return squares if self.store_cv_results else squares.sum(0, keepdims=True)

        squares = np.concatenate(map_blocks(squares_of, row_slices(errors.rows.X)))
        means = -squares.sum(0).T / errors.rows.X.shape[0]
        return squares if self.store_cv_results else None, means if self.alpha_per_target else means.mean(1)

    def _scores_of(
        self, predictions: np.ndarray, Y: np.ndarray, n_dims: int, sample_weight: Any, params: dict[str, Any]
    ) -> np.ndarray:
        """Scores (n_alphas,), or (n_alphas, n_targets), of leave-one-out predictions."""
        scorer, answers = self._scorer(), _Predictions()
        if get_config()["enable_metadata_routing"]:
            given = params if sample_weight is None else {**params, "sample_weight": sample_weight}
            options = process_routing(self, "fit", **given).scorer.score
        else:
            options = {} if sample_weight is None else {"sample_weight": sample_weight}
        columns = predictions.transpose(2, 0, 1)
        if self.alpha_per_target:
            pairs = [list(zip(columns_of.T, Y.T, strict=True)) for columns_of in columns]
            return np.array([[scorer(answers, p, y, **options) for p, y in pair] for pair in pairs])
        if n_dims == 1:
            return np.array([scorer(answers, column[:, 0], Y[:, 0], **options) for column in columns])
        return np.array([scorer(answers, column, Y, **options) for column in columns])

    def _fit_folds(
        self, X: Any, y: Any, sample_weight: Any, alphas: np.ndarray, params: dict[str, Any]
    ) -> Self:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        model: Any = Ridge()  # type: ignore[call-arg]
        model.set_params(fit_intercept=self.fit_intercept)
        scores = self._scores_of_folds(X, y, alphas) if sample_weight is None else None
        if scores is not None and np.isfinite(scores).all():
            self.alpha_, self.best_score_ = float(alphas[scores.argmax()]), float(scores.max())
            model.set_params(alpha=self.alpha_).fit(X, y)
        else:
            if get_config()["enable_metadata_routing"]:
                model.set_fit_request(sample_weight=True)
            search = GridSearchCV(model, {"alpha": alphas}, cv=self.cv, scoring=self._scorer())
            model = search.fit(X, y, **params, **weights).best_estimator_
            self.alpha_, self.best_score_ = model.alpha, search.best_score_
        for name in ("coef_", "intercept_", "n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))
        return self

    def _scores_of_folds(self, X: Any, y: Any, alphas: np.ndarray) -> np.ndarray | None:
        """Mean scores of all penalties, from one path a fold; None where a scorer may want more than that."""
        named = self.scoring is None or isinstance(self.scoring, str)
        repeatable = isinstance(self.cv, Integral) or hasattr(self.cv, "split")
        if not (named and repeatable) or get_config()["enable_metadata_routing"]:
            return None
        X, y, _ = self._read_regression(X, y, None)
        scorer, scores = get_scorer(self.scoring or "r2"), []
        for train, test in check_cv(self.cv).split(X, to_host(y)):
            coefs, intercepts = ridge_path(X[train], y[train], alphas, fit_intercept=self.fit_intercept)
            held_out = X[test]
            scores.append(
                [
                    scorer(
                        _Predictions(),
                        to_host(held_out @ move_like(coef.T, held_out)) + shift,
                        to_host(y[test]),
                    )
                    for coef, shift in zip(coefs, intercepts, strict=True)
                ]
            )
        return np.mean(scores, axis=0)

    def _scorer(self) -> Any:
        if self.scoring is None and get_config()["enable_metadata_routing"]:
            return get_scorer("r2").set_score_request(sample_weight=True)
        return check_scoring(estimator=self, scoring=self.scoring, allow_none=True)

    def get_metadata_routing(self) -> MetadataRouter:
        """Where metadata given to ``fit`` goes: to the scorer and the splitter.

        Returns
        -------
        routing : MetadataRouter
            scikit-learn's description of it.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(scorer=self._scorer(), method_mapping=MethodMapping().add(caller="fit", callee="score"))
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )


class _Predictions(RegressorMixin, BaseEstimator):
    """Regressor whose predictions are what it is given, so that scorers take predictions."""

    def predict(self, X: Array) -> Array:
        return X


class _LeaveOneOut:
    """Errors of each row under the model of all others, for all penalties."""

    def __init__(
        self, rows: CenteredRows, spectrum: Spectrum, alphas: np.ndarray, *, fit_intercept: bool
    ) -> None:
        self.rows, self.spectrum, self.alphas = rows, spectrum, alphas
        self.inverse = 1 / (spectrum.values[:, None] + alphas)  # (k, n_alphas)
        self.roots = to_host(rows.roots()).astype(np.float64)
        self.mean_leverage = 1 / (self.roots @ self.roots) if fit_intercept else 0.0

    def of(self, part: slice) -> np.ndarray:
        """Errors of some rows, (n_rows, n_targets, n_alphas), times the square roots of the weights."""
        weights = self.spectrum.projected[:, :, None] * self.inverse[:, None, :]
        n_columns, n_alphas = weights.shape[1] * weights.shape[2], len(self.alphas)
        flat = weights.reshape(len(weights), n_columns)
        if self.spectrum.dual_rows is not None:
            vectors = self.spectrum.vectors[part]
            numerator, denominator = vectors @ flat, vectors**2 @ self.inverse
        else:
            block = self.rows.block(part)
            vectors = to_host(block @ move_like(self.spectrum.vectors, block))
            numerator = np.repeat(to_host(self.rows.targets(part)), n_alphas, axis=1) - vectors @ flat
            denominator = 1 - vectors**2 @ self.inverse - self.mean_leverage * self.roots[part, None] ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return numerator.reshape(len(vectors), -1, n_alphas) / denominator[:, None, :]

    def predictions(self) -> np.ndarray:
        """Predictions (n_samples, n_targets, n_alphas) of each row by the model of all others."""
        # Rows of weight 0 count in no error, so that theirs is left at 0.
        roots = np.where(self.roots > 0, self.roots, 1.0)[:, None, None]
        errors = np.concatenate(map_blocks(self.of, row_slices(self.rows.X))) / roots
        return to_host(in_float64(self.rows.Y))[:, :, None] - errors
