"""Weights from a classifier that tells the domains apart."""

from typing import Annotated

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.params import Interval, OpenFraction, param
from sklearn_dl.domain_adaptation.defaults import logistic_regression
from sklearn_dl.domain_adaptation.reweighting import ReweightedEstimator


class DensityRatioReweighting(ReweightedEstimator):
    r"""Train an estimator on source rows, weighted by the odds that a classifier of domains gives the target.

    With :math:`p(T | x)` from a classifier of the two domains, the density ratio is :math:`\frac{p(T |
    x)}{p(S | x)} \frac{n_S}{n_T}`. Each row's probability comes from a classifier that was not trained on it,
    so that a flexible one cannot learn the rows by heart.

    References
    ----------
    Bickel, Brueckner, Scheffer (2009), Discriminative learning under covariate shift, J. Mach. Learn. Res.
    10.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import DensityRatioReweighting
    >>> X, y, sample_domain = make_shifted(shift="covariate", random_state=0)
    >>> model = DensityRatioReweighting().fit(X, y, sample_domain=sample_domain)
    >>> source = X[sample_domain > 0]
    >>> bool(source[model.weights_ > 1, 0].mean() > source[model.weights_ < 1, 0].mean())
    True
    """

    domain_classifier: BaseEstimator | None = param(
        default=None,
        doc="Classifier with predict_proba that tells target from source; trained on copies. None is "
        "LogisticRegression(). It should be calibrated.",
    )
    n_folds: Annotated[int, Interval("an int of at least 2", low=2)] | None = param(
        default=5,
        doc="Parts for probabilities out of sample, at most as many as the smaller domain has rows. None "
        "takes those of one classifier on its own training rows.",
    )
    clip: OpenFraction = param(
        default=1e-3,
        doc="Probabilities are kept this far from 0 and 1. Larger bounds the weights more tightly.",
    )

    def _density_ratio(self, source: Array, target: Array) -> np.ndarray:
        return classifier_density_ratio(source, target, self.domain_classifier, self.n_folds, self.clip)


def classifier_density_ratio(
    source: Array, target: Array, classifier: BaseEstimator | None, n_folds: int | None, clip: float
) -> np.ndarray:
    """Target's density over source's at each source row, by the odds of a classifier of domains."""
    stack = sparse.vstack if sparse.issparse(source) else np.concatenate
    X = stack([source, target])
    n_rows = [source.shape[0], target.shape[0]]
    is_target = np.repeat([0, 1], n_rows)
    classifier = logistic_regression() if classifier is None else clone(classifier)
    n_parts = min([*n_rows, n_folds]) if n_folds is not None else 0
    if n_parts < 2:
        odds = classifier.fit(X, is_target).predict_proba(source)[:, 1]
    else:
        # Rows of one class often come together, so parts are drawn; the same ones for the same rows.
        folds = StratifiedKFold(n_parts, shuffle=True, random_state=0)
        odds = cross_val_predict(classifier, X, is_target, cv=folds, method="predict_proba")[: n_rows[0], 1]
    odds = np.clip(odds, clip, 1 - clip)
    return odds / (1 - odds) * (n_rows[0] / n_rows[1])
