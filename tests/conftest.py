"""Settings that have to be made before numerical libraries are loaded, and data that many tests share."""

import os

# Small networks in several test processes: threads that wait for one another take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from sklearn.datasets import load_iris, make_regression


@pytest.fixture(scope="session")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="session")
def line():
    """Rows and a target that is linear in them, but for some noise."""
    return make_regression(n_samples=90, n_features=4, noise=5.0, random_state=0)
