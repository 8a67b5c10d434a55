"""Transfer component analysis: kernel components along which the domains have one mean."""

from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import PositiveFloat, PositiveInt, param
from sklearn_dl.domain_adaptation.aligned_components import aligned_components, domain_contrast
from sklearn_dl.domain_adaptation.base import DomainTransformer
from sklearn_dl.domain_adaptation.kernels import kernel_matrix, resolve_gamma


class TransferComponentAnalysis(ClassNamePrefixFeaturesOutMixin, DomainTransformer):
    r"""Components of a kernel with large variance and a small distance between the domains' means.

    Solves :math:`K H K\, w = \lambda\, (K L K + \mu I)\, w` for the kernel matrix K of all rows, where L
    measures the squared distance of the means (the maximum mean discrepancy) and H centres. Rows of both
    domains are mapped alike, by :math:`x \mapsto k(x, X) W`, and come back in the order in which they were
    given.

    Without `sample_domain` it is kernel PCA, scaled.

    Notes
    -----
    L has rank one, so the generalised problem becomes an ordinary symmetric one in closed form, and a few
    components of many rows come from Lanczos steps. Memory grows with the square of the rows.

    References
    ----------
    Pan, Tsang, Kwok, Yang (2011), Domain adaptation via transfer component analysis, equation 8.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import TransferComponentAnalysis, mmd
    >>> X, y, sample_domain = make_shifted(shift="covariate", random_state=0)
    >>> Z = TransferComponentAnalysis(n_components=2).fit_transform(X, sample_domain=sample_domain)
    >>> Z.shape
    (400, 2)
    """

    n_components: PositiveInt = param(
        default=10, doc="Components, at most; there are no more than training rows. More keep more of X."
    )
    kernel: Literal["linear", "rbf"] = param(
        default="rbf", doc='Kernel: the inner product, or "rbf", the Gaussian ``exp(-gamma |x - y|^2)``.'
    )
    gamma: PositiveFloat | Literal["median"] = param(
        default="median",
        doc='Factor of the squared distance in "rbf". Larger is more local. "median": half the inverse of '
        "the median squared distance of training rows.",
    )
    reg: PositiveFloat = param(
        default=1.0, doc="The paper's mu: penalty of the weights. Smaller lets means agree more closely."
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "weights_": ("ndarray of shape (n_train, n_components)", "Weight of each training row's kernel."),
        "eigenvalues_": ("ndarray of shape (n_components,)", "Eigenvalues of the problem above, falling."),
        "gamma_": ("float", "Factor of the squared distance that was used."),
        "X_fit_": ("{ndarray, CSR} of shape (n_train, n_features)", "Training rows of both domains."),
    }
    _reading: ClassVar[dict[str, Any]] = {}

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        self.X_fit_, self.gamma_ = X.copy(), resolve_gamma(X, self.gamma)
        K = kernel_matrix(X, X, self.kernel, self.gamma_)
        contrasts = domain_contrast(domains.source)[:, None]
        self.weights_, self.eigenvalues_ = aligned_components(K, contrasts, self.reg, self.n_components)

    def _map_source(self, X: Array) -> np.ndarray:
        return kernel_matrix(X, self.X_fit_, self.kernel, self.gamma_) @ self.weights_

    _map_target = _map_source

    @property
    def _n_features_out(self) -> int:
        return self.weights_.shape[1]
