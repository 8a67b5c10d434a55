"""An estimator that is trained on the source rows alone."""

from typing import Any

import numpy as np

from sklearn_dl._base.domains import Domains
from sklearn_dl.domain_adaptation.source_estimator import SourceEstimator


class SourceOnly(SourceEstimator):
    """Train an estimator on the source rows; those of the target are left out, with whatever is in their y.

    The last step of a pipeline behind a transformer of domains: a pipeline cannot drop rows, so without it
    the classifier would be trained on target rows too, with labels that it must not see. Alone it is the
    baseline without adaptation.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import CORAL, SourceOnly
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> model = make_pipeline(CORAL(), SourceOnly())
    >>> domains = {"coral__sample_domain": sample_domain, "sourceonly__sample_domain": sample_domain}
    >>> model = model.fit(X, y, **domains)
    >>> target = sample_domain < 0
    >>> baseline = SourceOnly().fit(X, y, sample_domain)
    >>> model.score(X[target], y[target]) > baseline.score(X[target], y[target])
    True
    """

    def _weigh(self, X: Any, y: np.ndarray, domains: Domains) -> None:
        return None
