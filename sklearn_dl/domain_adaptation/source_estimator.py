"""What meta-estimators share that train an estimator on source rows, weighted or not."""

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, has_fit_parameter, validate_data

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.domains import Domains, TakesDomains, read_fit_domains
from sklearn_dl._base.params import Estimator, param
from sklearn_dl.domain_adaptation.base import host_rows
from sklearn_dl.domain_adaptation.defaults import logistic_regression


def _has(method: str) -> Any:
    def check(self: "SourceEstimator") -> bool:
        getattr(vars(self).get("estimator_", self._unfitted()), method)
        return True

    return available_if(check)


def _passed_on(name: str, summary: str, answer: str, meaning: str) -> Any:
    """Method of rows that the fitted estimator answers, and that is there where the estimator has it."""

    def method(self: "SourceEstimator", X: Any) -> Array:
        return getattr(self._fitted(), name)(host_rows(X))

    method.__name__, method.__qualname__ = name, f"SourceEstimator.{name}"
    method.__doc__ = f"""{summary}

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        {answer}
            {meaning}
        """
    return _has(name)(method)


class SourceEstimator(MetaEstimatorMixin, TakesDomains, AtomicFit, Estimator, ABC):
    """Trains an estimator on source rows; a subclass says how they are weighted."""

    estimator: BaseEstimator | None = param(
        default=None,
        kw_only=False,
        doc="Classifier or regressor to train on copies of. None is LogisticRegression().",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "estimator_": ("estimator", "The estimator, fitted on source rows."),
        "weights_": (
            "ndarray of shape (n_source,) or None",
            "Weight of each source row, in their order; of mean 1. None where all weigh alike.",
        ),
        "classes_": ("ndarray of shape (n_classes,)", "Labels of the source rows. Only of classifiers."),
        "n_features_in_": ("int", "Number of features."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features, if X has string column names.",
        ),
    }

    def fit(
        self, X: Any, y: Any, sample_domain: Any = None, X_target: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train the estimator on the source rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of both domains; of the source alone where `X_target` is given.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets of the estimator. Those of target rows are not read.
        sample_domain : array-like of shape (n_samples,), default=None
            Whole numbers: above 0 source, below 0 target. None: all rows are source, and nothing is adapted.
        X_target : array-like of shape (n_target, n_features), default=None
            Target rows, where X holds source rows only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows of X, a factor of those that this estimator finds. Those of target rows are
            not read.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y or `sample_domain` is not as required, or `estimator` takes no
            `sample_weight` where it is needed.
        """
        self._check_params()
        X, sample_weight = host_rows(X), host_rows(sample_weight)
        if getattr(X, "shape", None) and X.shape[0] == 0:
            raise ValueError(f"{type(self).__name__}: X holds 0 rows; a minimum of 1 is required.")
        if sample_domain is None and X_target is None:
            validate_data(self, X, skip_check_array=True)
            self.weights_ = None
            self._train(X, y, sample_weight, None)
            return self
        n_given = np.shape(X)[0]
        X, domains = read_fit_domains(X, sample_domain, X_target, type(self).__name__)
        validate_data(self, X, skip_check_array=True)
        y = domains.labels(y, type(self).__name__)
        self.weights_ = weight = self._weigh(X, y, domains)
        if sample_weight is not None:
            given = _check_sample_weight(sample_weight, np.empty((n_given, 1)), ensure_non_negative=True)
            weight = given[domains.source[:n_given]] * (1.0 if weight is None else weight)
        target = rows_of(X, domains.target) if domains.differ else None
        self._train(rows_of(X, domains.source), y, weight, target)
        return self

    predict = _passed_on(
        "predict",
        "Predict for target rows.",
        "y : ndarray of shape (n_samples,) or (n_samples, n_outputs)",
        "What the estimator predicts.",
    )
    predict_proba = _passed_on(
        "predict_proba",
        "Probability of each class.",
        "probabilities : ndarray of shape (n_samples, n_classes)",
        "Columns in the order of ``classes_``.",
    )
    predict_log_proba = _passed_on(
        "predict_log_proba",
        "Logarithm of the probability of each class.",
        "log_probabilities : ndarray of shape (n_samples, n_classes)",
        "Columns in the order of ``classes_``.",
    )
    decision_function = _passed_on(
        "decision_function",
        "Scores of the classes.",
        "scores : ndarray of shape (n_samples,) or (n_samples, n_classes)",
        "As the estimator gives them.",
    )

    @_has("score")
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score of the estimator: accuracy, or R2.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Larger is better.
        """
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._fitted().score(host_rows(X), y, **weights)

    @property
    def classes_(self) -> np.ndarray:
        """Labels of the source rows."""
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no classes_ before fit.")
        return self.estimator_.classes_

    # -- what a subclass says

    @abstractmethod
    def _weigh(self, X: Any, y: np.ndarray, domains: Domains) -> np.ndarray | None:
        """Weight of each source row; None weighs all alike. `y` holds the labels of source rows alone."""

    # -- the estimator

    def _unfitted(self) -> BaseEstimator:
        return logistic_regression() if self.estimator is None else self.estimator

    def _train(self, X: Any, y: Any, weight: np.ndarray | None, target: Any) -> None:
        """Train the estimator on source rows; `target` holds the target's, or is None without them."""
        estimator = clone(self._unfitted())
        self.estimator_ = estimator.fit(X, y, **({} if weight is None else self._as_argument(weight)))

    def _as_argument(self, weight: np.ndarray) -> dict[str, np.ndarray]:
        """`weight` by the name under which the estimator's ``fit`` takes it."""
        estimator, prefix = self._unfitted(), ""
        if isinstance(estimator, Pipeline) and get_config()["enable_metadata_routing"]:
            return {"sample_weight": weight}  # to the steps that request it
        while isinstance(estimator, Pipeline):
            step, estimator = estimator.steps[-1]
            prefix += f"{step}__"
        if not has_fit_parameter(estimator, "sample_weight"):
            raise ValueError(
                f"{type(self).__name__} weighs rows, so estimator must be one whose fit takes sample_weight, "
                f"such as LogisticRegression or SVC; got {type(estimator).__name__}."
            )
        return {f"{prefix}sample_weight": weight}

    def _fitted(self) -> BaseEstimator:
        check_is_fitted(self)
        return self.estimator_

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self._unfitted())
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags = deepcopy(inner.target_tags)
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags


def rows_of(X: Any, mask: np.ndarray) -> Any:
    """Rows of X, or X itself where the mask takes them all; data frames stay data frames."""
    return X if mask.all() else _safe_indexing(X, np.flatnonzero(mask))
