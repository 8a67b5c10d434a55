"""Gaussian processes: distributions over functions."""

from sklearn_dl.gaussian_process.classification import GaussianProcessClassifier
from sklearn_dl.gaussian_process.regression import GaussianProcessRegressor

__all__ = ["GaussianProcessClassifier", "GaussianProcessRegressor"]
