"""Standardise each domain by its own mean and standard deviation."""

from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains, read_sample_domain
from sklearn_dl._base.inputs import column_moments
from sklearn_dl._base.params import param
from sklearn_dl.domain_adaptation.base import DomainTransformer


class DomainStandardScaler(OneToOneFeatureMixin, DomainTransformer):
    """Give every feature mean 0 and variance 1 in each domain, by the domain's own moments.

    Each value of `sample_domain` is a domain of its own, so several sources are scaled one by one. Rows
    without a domain, and those of a target that was not in ``fit``, are scaled by the moments of all target
    rows; those of a new source by the moments of all source rows. Without `sample_domain` it is one
    :class:`sklearn.preprocessing.StandardScaler`.

    A feature that is constant in a domain is only centred there.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import DomainStandardScaler
    >>> X = np.array([[0.0], [2.0], [100.0], [300.0]])
    >>> DomainStandardScaler().fit_transform(X, sample_domain=[1, 1, -1, -1]).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """

    with_mean: bool = param(
        default=True, doc="Whether to centre. Sparse X needs False, since its zeros would be filled."
    )
    with_std: bool = param(default=True, doc="Whether to divide by standard deviations.")

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "domains_": ("ndarray of shape (n_domains,)", "Values of `sample_domain`, sorted; [1] without it."),
        "mean_": ("ndarray of shape (n_domains, n_features)", "Means of each domain."),
        "scale_": ("ndarray of shape (n_domains, n_features)", "Standard deviations; 1 where constant."),
    }
    _reading: ClassVar[dict[str, Any]] = {}

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        self._require_dense(X)
        self.domains_ = np.unique(domains.values)
        moments = [self._moments(X[domains.values == value]) for value in self.domains_]
        self.mean_, self.scale_ = (np.array(part) for part in zip(*moments, strict=True))
        self._pooled_source = self._moments(X[domains.source])
        self._pooled_target = self._moments(X[domains.target]) if domains.differ else self._pooled_source

    def _map_rows(self, X: Array, sample_domain: Any) -> Array:
        self._require_dense(X)
        if sample_domain is None:
            return self._map_target(X)
        values = read_sample_domain(sample_domain, X.shape[0], type(self).__name__).values
        present = np.unique(values)
        if len(present) == 1:
            return _scaled(X, *self._moments_of(present[0]))
        parts = [_scaled(X[values == value], *self._moments_of(value)) for value in present]
        order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        return (sparse.vstack(parts, format="csr") if sparse.issparse(X) else np.concatenate(parts))[order]

    def _map_source(self, X: Array) -> Array:
        return _scaled(X, *self._pooled_source)

    def _map_target(self, X: Array) -> Array:
        return _scaled(X, *self._pooled_target)

    def _moments_of(self, value: int) -> tuple[np.ndarray, np.ndarray]:
        place = np.flatnonzero(self.domains_ == value)
        if len(place):
            return self.mean_[place[0]], self.scale_[place[0]]
        return self._pooled_source if value > 0 else self._pooled_target

    def _moments(self, X: Array) -> tuple[np.ndarray, np.ndarray]:
        mean, scale = column_moments([(X, None)], type(self).__name__)
        mean = mean if self.with_mean else np.zeros_like(mean)
        return mean, scale if self.with_std else np.ones_like(scale)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_mean
        return tags

    def _require_dense(self, X: Array) -> None:
        if sparse.issparse(X) and self.with_mean:
            raise ValueError(
                f"{type(self).__name__}: with_mean must be False for sparse X, whose zeros would be filled; "
                "got True. Pass with_mean=False, or X.toarray()."
            )


def _scaled(X: Array, mean: np.ndarray, scale: np.ndarray) -> Array:
    if sparse.issparse(X):
        return sparse.csr_array(X.multiply(1.0 / scale))
    return (X - mean) / scale
