"""CORAL: source rows get the covariance of the target."""

from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import NonNegativeFloat, param
from sklearn_dl.domain_adaptation.base import DomainTransformer
from sklearn_dl.domain_adaptation.covariance import SpectralMatrix, regularised_covariance
from sklearn_dl.domain_adaptation.tridiagonal import TridiagonalMatrix

Root = SpectralMatrix | TridiagonalMatrix


class CORAL(OneToOneFeatureMixin, DomainTransformer):
    r"""Correlation alignment: whiten the source rows, then colour them by the target's covariance.

    Source rows are mapped by :math:`x \mapsto (x - \mu_S)\, C_S^{-1/2} C_T^{1/2} + \mu_T` with the
    regularised covariances :math:`C_S, C_T` of the domains; target rows stay as they are. Train a classifier
    on the mapped source rows, for instance by :class:`SourceOnly` behind this step.

    Notes
    -----
    With p features and n rows in a domain, a fit costs min(n, p)^2 max(n, p) operations, and nothing of size
    p x p is kept unless n is at least p. Then roots come without eigenvectors, from a tridiagonal matrix and
    a sum of its shifted inverses, in about half the time; where the eigenvalues of a covariance may differ by
    a factor above 10,000, as with `reg` near 0, they come from eigenvectors.

    References
    ----------
    Sun, Feng, Saenko (2016), Return of frustratingly easy domain adaptation, Algorithm 1. Roots: Hale,
    Higham, Trefethen (2008), Computing A^alpha, log(A), and related matrix functions by contour integrals,
    SIAM J. Numer. Anal. 46, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import CORAL
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    >>> X[200:] *= [3.0, 0.5]
    >>> sample_domain = np.repeat([1, -1], 200)
    >>> mapped = CORAL(reg=0).fit_transform(X, sample_domain=sample_domain)
    >>> bool(np.allclose(np.cov(mapped[:200].T), np.cov(X[200:].T)))
    True
    """

    reg: NonNegativeFloat | Literal["auto"] = param(
        default="auto",
        doc="Added to the diagonals of both covariances, in squared units of the features; the paper takes 1 "
        'for features of unit variance. Larger moves the map towards a shift. "auto" shrinks each '
        "covariance by Ledoit's and Wolf's coefficient.",
    )
    match_mean: bool = param(
        default=True,
        doc="Whether source rows also get the mean of the target. False leaves means alone, as in the paper, "
        "where features have mean 0 in both domains.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "mean_source_": ("ndarray of shape (n_features,)", "Mean of the source rows."),
        "mean_target_": ("ndarray of shape (n_features,)", "Mean of the target rows."),
    }

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        source = np.asarray(X[domains.source], dtype=np.float64)
        self.mean_source_ = self.mean_target_ = source.mean(0)
        self._roots: tuple[Root, Root] | None = None
        if not domains.differ:
            return
        target = np.asarray(X[domains.target], dtype=np.float64)
        self.mean_target_ = target.mean(0)
        covariances = [
            regularised_covariance(rows - mean, self.reg)
            for rows, mean in ((source, self.mean_source_), (target, self.mean_target_))
        ]
        self._roots = covariances[0].power(-0.5), covariances[1].power(0.5)

    def _map_source(self, X: Array) -> Array:
        if self._roots is None:
            return X
        whitening, colouring = self._roots
        mapped = colouring.after(whitening.after(X - self.mean_source_))
        return mapped + (self.mean_target_ if self.match_mean else self.mean_source_)

    def _map_target(self, X: Array) -> Array:
        return X
