"""One process of a search over a storage; prints its rows.

``python worker.py STORAGE N_ITER SECONDS_A_FIT [FITS]``; after so many fits it hangs, to be killed there.
"""

import json
import sys
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification

from sklearn_dl.model_selection import Real, TPESearchCV

X, Y = make_classification(60, 4, random_state=0)
MIDDLE = 0.0


class Hanging:
    """How many fits this process still does before it hangs."""

    fits_left = float("inf")


class Slow(ClassifierMixin, BaseEstimator):
    """Predicts by a threshold on a shifted feature, after a pause."""

    def __init__(self, shift=0.0, seconds=0.0):
        self.shift, self.seconds = shift, seconds

    def fit(self, X, y):
        Hanging.fits_left -= 1
        time.sleep(self.seconds if Hanging.fits_left >= 0 else 600)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] + X[:, 1] > self.shift).astype(int)]


def search(storage, n_iter, seconds=0.0, **params):
    """The search of every process."""
    estimator = Slow(seconds=seconds)
    space = {"shift": Real(MIDDLE - 2, MIDDLE + 2)}
    return TPESearchCV(
        estimator, space, n_iter=n_iter, cv=3, storage=storage, random_state=0, refit=False, **params
    )


if __name__ == "__main__":
    Hanging.fits_left = float(sys.argv[4])
    found = search(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])).fit(X, Y)
    print(json.dumps([params["shift"] for params in found.cv_results_["params"]]))
