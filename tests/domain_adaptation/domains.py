"""Small domains that the tests of this folder share."""

import numpy as np

from sklearn_dl.datasets import make_shifted


def two_domains(n=60, n_features=4, shift="subspace", seed=0):
    """Rows in mixed order, their classes and domains; scaled so that features correlate."""
    X, y, domain = make_shifted(n, n - 10, shift=shift, n_features=n_features, random_state=seed)
    order = np.random.default_rng(seed).permutation(len(X))
    return X[order], y[order], domain[order]
