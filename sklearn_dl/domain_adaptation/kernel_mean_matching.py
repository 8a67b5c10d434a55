"""Kernel mean matching: weights that give the source rows the target's mean in a kernel space."""

from typing import Literal

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.params import NonNegativeFloat, PositiveFloat, param
from sklearn_dl.domain_adaptation.bounded_quadratic import solve_bounded_quadratic
from sklearn_dl.domain_adaptation.kernels import kernel_matrix, resolve_gamma
from sklearn_dl.domain_adaptation.reweighting import ReweightedEstimator


class KernelMeanMatching(ReweightedEstimator):
    r"""Train an estimator on source rows, weighted to have the mean of the target rows in a kernel space.

    The weights minimise :math:`\|\frac{1}{n}\sum_i \beta_i \phi(x_i) - \frac{1}{m}\sum_j \phi(x'_j)\|^2` over
    source rows x and target rows x', where :math:`0 \le \beta_i \le B` and their mean is within
    :math:`\epsilon` of 1. For `estimator` they are then scaled to mean 1.

    Notes
    -----
    The quadratic programme is solved to its optimum by an interior point, in about 15 factorisations of an
    n_source x n_source matrix.

    References
    ----------
    Huang, Smola, Gretton, Borgwardt, Schoelkopf (2007), Correcting sample selection bias by unlabeled data,
    equation 12.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import KernelMeanMatching
    >>> X, y, sample_domain = make_shifted(shift="covariate", random_state=0)
    >>> model = KernelMeanMatching().fit(X, y, sample_domain=sample_domain)
    >>> source = X[sample_domain > 0]
    >>> bool(source[model.weights_ > 1, 0].mean() > source[model.weights_ < 1, 0].mean())
    True
    """

    kernel: Literal["rbf", "linear"] = param(
        default="rbf", doc='Kernel: "rbf", the Gaussian ``exp(-gamma |x - y|^2)``, or the inner product.'
    )
    gamma: PositiveFloat | Literal["median"] = param(
        default="median",
        doc='Factor of the squared distance in "rbf". Larger is more local. "median": half the inverse of '
        "the median squared distance of all rows.",
    )
    max_weight: PositiveFloat = param(
        default=1000.0, doc="The paper's B: bound of a weight, above 1. Smaller trusts single rows less."
    )
    slack: NonNegativeFloat | Literal["auto"] = param(
        default="auto",
        doc='The paper\'s epsilon: how far the mean weight may be from 1; "auto" is 1 - 1 / sqrt(n_source).',
    )

    def _density_ratio(self, source: Array, target: Array) -> np.ndarray:
        n, name = source.shape[0], type(self).__name__
        if self.max_weight <= 1:
            raise ValueError(f"{name}: max_weight must be above 1; got {self.max_weight!r}.")
        slack = 1 - 1 / np.sqrt(n) if self.slack == "auto" else self.slack
        stack = sparse.vstack if sparse.issparse(source) else np.concatenate
        gamma = resolve_gamma(stack([source, target]), self.gamma) if self.kernel == "rbf" else 1.0
        K = kernel_matrix(source, source, self.kernel, gamma)
        likeness = n / target.shape[0] * kernel_matrix(source, target, self.kernel, gamma).sum(1)
        # A range of width 0 has no interior, which the solver needs.
        slack = max(slack, 1e-8)
        return solve_bounded_quadratic(
            K, likeness, self.max_weight, (n * max(0.0, 1 - slack), n * (1 + slack))
        )
