"""What transformers of domains share: one fit, one transform, and the rules of which row goes where."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.domains import (
    Domains,
    TakesDomains,
    TransformsDomains,
    read_fit_domains,
    read_sample_domain,
)
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import Estimator
from sklearn_dl._base.targets import encode_classes, read_class_labels


class DomainReader(TakesDomains, AtomicFit, FloatTableInput, Estimator, ABC):
    """Reads the rows of two domains and the labels of the source."""

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "n_features_in_": ("int", "Number of features."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features, if X has string column names.",
        ),
    }

    #: How X is read, beside the defaults: {"accept_sparse": False} refuses sparse X.
    _reading: ClassVar[dict[str, Any]] = {"accept_sparse": False}

    @abstractmethod
    def fit(self, X: Any, *args: Any, **kwargs: Any) -> Self:
        """Learn from rows of both domains."""

    def _read_fit(self, X: Any, sample_domain: Any, X_target: Any) -> tuple[Array, Domains]:
        """Rows of ``fit``, validated, with their domains."""
        name = type(self).__name__
        if sample_domain is None and X_target is None:
            rows = self._read_X(host_rows(X), reset=True, **self._reading)
            return rows, read_sample_domain(None, rows.shape[0], name)
        X, domains = read_fit_domains(host_rows(X), sample_domain, host_rows(X_target), name)
        return self._read_X(X, reset=True, **self._reading), domains

    def _read_source_classes(self, y: Any, domains: Domains) -> tuple[np.ndarray, np.ndarray]:
        """Sorted classes of the source rows, and the index of each row's class."""
        name = type(self).__name__
        labels = read_class_labels(domains.labels(y, name), name)
        if labels.ndim != 1:
            raise ValueError(f"{name}: y must hold one label a row; got shape {labels.shape}.")
        classes = np.unique(labels)
        return classes, encode_classes(labels, classes, name)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._reading.get("accept_sparse", True) is not False
        return tags


class DomainTransformer(TransformsDomains, TransformerMixin, DomainReader):
    """Maps rows of two domains into one space; a subclass says how in three methods.

    ``_fit_rows`` learns from rows and their domains, ``_map_source`` and ``_map_target`` map rows.
    """

    def fit(self, X: Any, y: Any = None, sample_domain: Any = None, X_target: Any = None) -> Self:
        """Learn the map from rows of both domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of both domains; of the source alone where `X_target` is given.
        y : array-like of shape (n_samples,), default=None
            Labels, for the methods that use them. Those of target rows are not read.
        sample_domain : array-like of shape (n_samples,), default=None
            Whole numbers: above 0 source, below 0 target. None: all rows are source, and nothing is adapted.
        X_target : array-like of shape (n_target, n_features), default=None
            Target rows, where X holds source rows only.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter, X, y, `sample_domain` or `X_target` is not as required; the message says what
            to do.
        """
        self._check_params()
        rows, domains = self._read_fit(X, sample_domain, X_target)
        self._fit_rows(rows, y, domains)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_domain: Any = None, X_target: Any = None) -> Array:
        """Learn the map, and map the rows of X, each as one of its own domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as in ``fit``.
        y : array-like of shape (n_samples,), default=None
            Labels, as in ``fit``.
        sample_domain : array-like of shape (n_samples,), default=None
            Domain of each row, as in ``fit``.
        X_target : array-like of shape (n_target, n_features), default=None
            Target rows to learn from, as in ``fit``; they are not among the rows returned.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            Rows in the order of X.
        """
        self.fit(X, y, sample_domain, X_target)
        if sample_domain is None and X_target is not None:
            sample_domain = np.ones(np.shape(X)[0])
        return self._transform_fitted(X, sample_domain)

    def transform(self, X: Any, sample_domain: Any = None) -> Array:
        """Map rows into the common space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_domain : array-like of shape (n_samples,), default=None
            Domain of each row, as in ``fit``. None: all are target rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            Rows in the order of X.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        check_is_fitted(self)
        rows = self._read_X(host_rows(X), reset=False, **self._reading)
        mapped = self._map_rows(rows, sample_domain).astype(rows.dtype, copy=False)
        return move_like(mapped, X) if is_tensor(X) else mapped

    # -- what a subclass says

    @abstractmethod
    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        """Learn from all rows; where ``domains.differ`` is False there is nothing to adapt."""

    @abstractmethod
    def _map_source(self, X: Array) -> Array:
        """Source rows in the common space."""

    @abstractmethod
    def _map_target(self, X: Array) -> Array:
        """Target rows in the common space."""

    def _transform_fitted(self, X: Any, sample_domain: Any) -> Array:
        return DomainTransformer.transform(self, X, sample_domain)

    def _map_rows(self, X: Array, sample_domain: Any) -> Array:
        if sample_domain is None:
            return self._map_target(X)
        domains = read_sample_domain(sample_domain, X.shape[0], type(self).__name__)
        if not domains.target.any():
            return self._map_source(X)
        if not domains.source.any():
            return self._map_target(X)
        return merge_rows(self._map_source(X[domains.source]), self._map_target(X[domains.target]), domains)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def host_rows(X: Any) -> Any:
    """A torch tensor as an ndarray; anything else as it is."""
    return to_host(X) if is_tensor(X) else X


def merge_rows(source: Array, target: Array, domains: Domains) -> np.ndarray:
    """Rows of both domains, each where it was."""
    merged = np.empty((len(domains), source.shape[1]), dtype=np.result_type(source, target))
    merged[domains.source] = source
    merged[domains.target] = target
    return merged
