"""Subspace alignment: the source's principal axes are turned onto the target's."""

from typing import Any, ClassVar

import numpy as np
from scipy.linalg import svd
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import PositiveInt, param
from sklearn_dl.domain_adaptation.base import DomainTransformer


class SubspaceAlignment(ClassNamePrefixFeaturesOutMixin, DomainTransformer):
    r"""Project each domain on its own principal axes, and turn the source's onto the target's.

    With means :math:`\mu` and principal axes P of the two domains, target rows become :math:`(x - \mu_T) P_T`
    and source rows :math:`(x - \mu_S) P_S P_S^T P_T`. Without `sample_domain` it is PCA.

    References
    ----------
    Fernando, Habrard, Sebban, Tuytelaars (2013), Unsupervised visual domain adaptation using subspace
    alignment, Algorithm 1.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import SubspaceAlignment
    >>> X, y, sample_domain = make_shifted(shift="subspace", n_features=5, random_state=0)
    >>> SubspaceAlignment(n_components=2).fit_transform(X, sample_domain=sample_domain).shape
    (400, 2)
    """

    n_components: PositiveInt = param(
        default=10,
        doc="Principal axes of each domain, at most; there are no more than features, or than rows of a "
        "domain. More keep more of X.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "components_source_": ("ndarray of shape (n_components, n_features)", "Axes of the source, as rows."),
        "components_target_": ("ndarray of shape (n_components, n_features)", "Axes of the target, as rows."),
        "mean_source_": ("ndarray of shape (n_features,)", "Mean of the source rows."),
        "mean_target_": ("ndarray of shape (n_features,)", "Mean of the target rows."),
    }

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        parts = [X[domains.source]] + ([X[domains.target]] if domains.differ else [])
        n_components = min(self.n_components, *(min(part.shape) for part in parts))
        learnt = [principal_axes(np.asarray(part, dtype=np.float64), n_components) for part in parts]
        self.mean_source_, self.components_source_ = learnt[0]
        self.mean_target_, self.components_target_ = learnt[-1]

    def _map_source(self, X: Array) -> np.ndarray:
        projected = (X - self.mean_source_) @ self.components_source_.T
        return projected @ (self.components_source_ @ self.components_target_.T)

    def _map_target(self, X: Array) -> np.ndarray:
        return (X - self.mean_target_) @ self.components_target_.T

    @property
    def _n_features_out(self) -> int:
        return self.components_target_.shape[0]


def principal_axes(rows: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the rows, and their first principal axes as rows; the largest entry of each is positive."""
    mean = rows.mean(0)
    axes = svd(rows - mean, full_matrices=False)[2][:n_components]
    largest = axes[np.arange(n_components), np.abs(axes).argmax(1)]
    return mean, axes * np.where(largest < 0, -1.0, 1.0)[:, None]
