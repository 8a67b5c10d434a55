"""Weights of one's own for the source rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import Fraction, param
from sklearn_dl.domain_adaptation.reweighting import ReweightedEstimator


class ImportanceWeighted(ReweightedEstimator):
    """Train an estimator on source rows, weighted by a density ratio of one's own.

    The ratio is a function of the rows, or known beforehand and given as `sample_weight` to ``fit``; both
    multiply.

    References
    ----------
    Shimodaira (2000), Improving predictive inference under covariate shift by weighting the log-likelihood
    function, equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import ImportanceWeighted
    >>> X, y, sample_domain = make_shifted(shift="covariate", random_state=0)
    >>> def ratio(source, target):
    ...     return np.exp(-((source[:, 0] - target[:, 0].mean()) ** 2))
    >>> model = ImportanceWeighted(density_ratio=ratio).fit(X, y, sample_domain=sample_domain)
    >>> round(float(model.weights_.mean()), 6)
    1.0
    """

    density_ratio: Callable | None = param(
        default=None,
        doc="Function of the rows of the source and of the target that returns a weight of at least 0 for "
        "each source row. None: all weigh alike, unless `sample_weight` is given.",
    )
    flattening: Fraction = param(
        default=1.0,
        doc="Power of the weights. 1 is unbiased and of large variance, 0 leaves all rows alike.",
    )

    def _weigh(self, X: Any, y: np.ndarray, domains: Domains) -> np.ndarray | None:
        return None if self.density_ratio is None else super()._weigh(X, y, domains)

    def _density_ratio(self, source: Array, target: Array) -> np.ndarray:
        weight = np.asarray(self.density_ratio(source, target), dtype=np.float64)  # type: ignore[misc]
        if weight.shape != (source.shape[0],) or not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError(
                f"{type(self).__name__}: density_ratio must return a finite weight of at least 0 for each of "
                f"the {source.shape[0]} source rows; got shape {weight.shape}"
                + (f" with a least value of {weight.min():g}." if weight.size else ".")
            )
        return weight**self.flattening
