"""What linear models share: reading X, y and weights, and predicting from ``coef_`` and ``intercept_``."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, on_host, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import Estimator
from sklearn_dl._base.targets import (
    encode_classes,
    naming,
    read_class_labels,
    read_float_targets,
    require_equal_length,
    require_two_classes,
)


class LinearModel(AtomicFit, FloatTableInput, Estimator, ABC):
    """Estimator that predicts from ``X @ coef_.T + intercept_``."""

    coef_: Any
    intercept_: Any

    @abstractmethod
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn ``coef_`` and ``intercept_``."""

    def _linear_predictor(self, X: Any) -> Array:
        """``X @ coef_.T + intercept_``, (n_samples,) or (n_samples, n_outputs), in X's kind of array."""
        check_is_fitted(self)
        X = self._read_X(X, reset=False)
        coef, intercept = self.coef_, self.intercept_
        if is_tensor(X):
            dense = coef.toarray() if sparse.issparse(coef) else coef
            coef, intercept = move_like(dense, X), move_like(intercept, X)
        scores = X @ (coef.T if coef.ndim > 1 else coef)
        return (scores.toarray() if sparse.issparse(scores) else scores) + intercept

    def _read_weight(self, sample_weight: Any, X: Array, *, non_negative: bool = False) -> Array | None:
        """Weights of shape (n_samples,) in X's kind and dtype, or None where none are given."""
        if sample_weight is None:
            return None
        if not is_tensor(X):
            with naming(type(self).__name__):
                return _check_sample_weight(
                    on_host(sample_weight), X, dtype=X.dtype, ensure_non_negative=non_negative
                )
        if np.ndim(sample_weight) == 0:
            return namespace(X).full((X.shape[0],), float(sample_weight), dtype=X.dtype, device=X.device)
        weight = move_like(sample_weight, X)
        if weight.shape != (X.shape[0],):
            raise ValueError(
                f"{type(self).__name__}: sample_weight must have shape ({X.shape[0]},); "
                f"got {tuple(weight.shape)}."
            )
        if not bool(namespace(X).isfinite(weight).all()):
            raise ValueError(f"{type(self).__name__}: sample_weight contains NaN or infinity.")
        if non_negative and bool((weight < 0).any()):
            raise ValueError(f"{type(self).__name__}: Negative values in data passed to `sample_weight`.")
        return weight


class SparseCoefficients:
    """Linear model whose ``coef_`` may be made a CSR matrix."""

    coef_: Any

    def densify(self) -> Self:
        """Make ``coef_`` an ndarray again, after :meth:`sparsify`.

        Returns
        -------
        self : object
            The estimator.
        """
        check_is_fitted(self)
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self

    def sparsify(self) -> Self:
        """Make ``coef_`` a CSR matrix, which is smaller where most coefficients are 0, as under L1.

        Returns
        -------
        self : object
            The estimator.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_ if self.coef_.ndim > 1 else self.coef_[None])
        return self


class LinearRegressorModel(RegressorMixin, LinearModel):
    """Linear model of real targets."""

    _multi_output: ClassVar[bool] = True  # whether y may have several columns

    def predict(self, X: Any) -> Array:
        """Predict a real value, or several, for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray or tensor of shape (n_samples,) or (n_samples, n_targets)
            A tensor, on X's device, where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        values = self._linear_predictor(X)
        return values.reshape(-1) if sparse.issparse(self.coef_) else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._multi_output
        return tags

    def _read_regression(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        non_negative_weight: bool = False,
        **options: Any,
    ) -> tuple[Array, Array, Array | None]:
        """Check the parameters; X, targets and weights of one kind of array and one dtype."""
        self._check_params()
        X = self._read_X(X, reset=True, **options)
        y = read_float_targets(y, X, type(self).__name__, multi_output=self._multi_output)
        return X, y, self._read_weight(sample_weight, X, non_negative=non_negative_weight)


class LinearClassifierModel(ClassifierMixin, SparseCoefficients, LinearModel):
    """Linear model of classes: one column of scores a class, or a single one for two classes."""

    class_weight: Any
    classes_: np.ndarray

    def decision_function(self, X: Any) -> Array:
        """Signed scores: the larger, the more likely the class.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray or tensor of shape (n_samples,) or (n_samples, n_classes)
            With two classes one score a row, above 0 for ``classes_[1]``. A tensor where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        scores = self._linear_predictor(X)
        return scores.reshape(-1) if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray or tensor of shape (n_samples,)
            Labels as in ``fit``. A tensor where X is one and the labels are numbers.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        scores = self.decision_function(X)
        index = scores > 0 if scores.ndim == 1 else scores.argmax(1)
        labels = self.classes_[to_host(index).astype(np.intp)]
        return move_like(labels, scores, keep_dtype=True) if labels.dtype.kind in "biuf" else labels

    def _read_classification(
        self, X: Any, y: Any, sample_weight: Any, *, non_negative_weight: bool = False, **options: Any
    ) -> tuple[Array, Array, Array | None]:
        """Check the parameters, set ``classes_``; X, class indices and weights, of one kind of array.

        Weights are those of the rows times those of the classes; None where neither is given.
        """
        self._check_params()
        name = type(self).__name__
        X = self._read_X(X, reset=True, **options)
        self.classes_, codes = read_classes(y, X, name)
        require_two_classes(self.classes_, name)
        weight = self._read_weight(sample_weight, X, non_negative=non_negative_weight)
        if self.class_weight is None:
            return X, codes, weight
        factors = move_like(class_factors(self.class_weight, self.classes_, codes, weight), X)[codes]
        return X, codes, factors if weight is None else weight * factors


def read_classes(y: Any, X: Array, owner: str) -> tuple[np.ndarray, Array]:
    """Sorted classes of y, on the host, and the index of each row's class in X's kind of array."""
    if is_tensor(X) and is_tensor(y):
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.reshape(-1)
        if y.ndim != 1:
            raise ValueError(f"{owner}: y must have shape (n_samples,); got {tuple(y.shape)}.")
        require_equal_length(X, y, owner)
        classes, codes = namespace(X).unique(y.detach().to(X.device), return_inverse=True)
        return read_class_labels(to_host(classes), owner), codes
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu" and y.size > 0:
        require_equal_length(X, y, owner)
        classes, codes = _count_integers(y)
        # Where most labels stand alone, scikit-learn warns that y might be no labels.
        if 2 * len(classes) <= len(y):
            return classes, move_like(codes, X, keep_dtype=True)
    labels = read_class_labels(y, owner)
    if labels.ndim > 1:
        raise ValueError(f"{owner}: y must hold one label a row; got shape {labels.shape}.")
    require_equal_length(X, labels, owner)
    classes = np.unique(labels)
    return classes, move_like(encode_classes(labels, classes, owner), X, keep_dtype=True)


def _count_integers(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct values and the index of each, without a sort where their range is small."""
    lowest, highest = int(y.min()), int(y.max())
    if highest - lowest > len(y):
        return np.unique(y, return_inverse=True)
    place = y.astype(np.int64) - lowest
    present = np.bincount(place) > 0
    classes = (np.flatnonzero(present) + lowest).astype(y.dtype)
    return classes, (np.cumsum(present) - 1)[place]


def class_factors(class_weight: Any, classes: np.ndarray, codes: Array, weight: Array | None) -> np.ndarray:
    """Weight of each class: by hand from a dict, or so that all classes weigh the same ("balanced")."""
    if class_weight != "balanced":
        return compute_class_weight(class_weight, classes=classes, y=classes)
    counts = to_host(namespace(codes).bincount(codes, weight, minlength=len(classes))).astype(np.float64)
    with np.errstate(divide="ignore"):
        return np.where(counts > 0, counts.sum() / (len(classes) * counts), 0.0)
