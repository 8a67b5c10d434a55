"""Geodesic flow kernel: all subspaces on the way from the source's to the target's."""

from typing import Any, ClassVar

import numpy as np
from scipy.linalg import svd
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import PositiveInt, param
from sklearn_dl.domain_adaptation.base import DomainTransformer
from sklearn_dl.domain_adaptation.subspace_alignment import principal_axes

_ONE = 1 - 1e-14  # cosine of an angle that rounding cannot tell from 0


class GeodesicFlowKernel(ClassNamePrefixFeaturesOutMixin, DomainTransformer):
    r"""Features whose inner product is that of projections on all subspaces between the two domains.

    The principal axes of source and target span two points of a manifold of subspaces. The kernel is
    :math:`\int_0^1 \langle \Phi(t)^T x, \Phi(t)^T y \rangle\, dt` along the shortest way :math:`\Phi` between
    them; directions that both subspaces share count in full. Rows of both domains are mapped alike, to twice
    as many features as there are axes, whose inner product is the kernel. Without `sample_domain` both
    subspaces are those of all rows, and the kernel is that of PCA's scores.

    References
    ----------
    Gong, Shi, Sha, Grauman (2012), Geodesic flow kernel for unsupervised domain adaptation, equations 5 and
    6.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import GeodesicFlowKernel
    >>> X, y, sample_domain = make_shifted(shift="subspace", n_features=6, random_state=0)
    >>> GeodesicFlowKernel(n_axes=2).fit_transform(X, sample_domain=sample_domain).shape
    (400, 4)
    """

    n_axes: PositiveInt = param(
        default=20,
        doc="Principal axes of each domain, at most; there are no more than half the features, or rows of a "
        "domain. More keep more of X.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "components_": (
            "ndarray of shape (2 * n_axes, n_features)",
            "``components_.T @ components_`` is the kernel.",
        ),
        "angles_": ("ndarray of shape (n_axes,)", "Angles between the two subspaces, in radians, rising."),
    }

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        parts = [X[domains.source], X[domains.target] if domains.differ else X[domains.source]]
        n_axes = max(1, min(self.n_axes, X.shape[1] // 2, *(part.shape[0] for part in parts)))
        first, second = (principal_axes(np.asarray(part, dtype=np.float64), n_axes)[1].T for part in parts)
        turned, cosines, turn = svd(first.T @ second)
        self.angles_ = angles = np.where(cosines < _ONE, np.arccos(np.clip(cosines, -1, 1)), 0.0)
        start = first @ turned
        towards = second @ turn.T - start * cosines
        towards /= np.where(angles > 0, np.maximum(np.linalg.norm(towards, axis=0), 1e-300), np.inf)
        self.components_ = _flow(start, towards, angles)

    def _map_source(self, X: Array) -> np.ndarray:
        return X @ self.components_.T

    _map_target = _map_source

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]


def _flow(start: np.ndarray, towards: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Root of the integral over t of the projections on ``start cos(t angle) + towards sin(t angle)``."""
    share = np.sinc(2 * angles / np.pi)  # sin(2 a) / (2 a)
    crossed = np.where(angles > 0, np.sin(angles) ** 2 / np.maximum(2 * angles, 1e-300), 0.0)
    blocks = np.empty((len(angles), 2, 2))
    blocks[:, 0, 0], blocks[:, 1, 1] = (1 + share) / 2, (1 - share) / 2
    blocks[:, 0, 1] = blocks[:, 1, 0] = crossed
    values, vectors = np.linalg.eigh(blocks)
    roots = np.sqrt(np.maximum(values, 0.0))[:, :, None] * vectors.transpose(0, 2, 1)
    pairs = np.stack([start.T, towards.T], axis=1)  # (n_axes, 2, n_features)
    return (roots @ pairs).reshape(-1, start.shape[0])
