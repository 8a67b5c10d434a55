"""Nearest neighbours: search, classification, regression, and kernel regression."""

from sklearn_dl.neighbors.classification import KNeighborsClassifier
from sklearn_dl.neighbors.kernel_regression import KernelRegression
from sklearn_dl.neighbors.nearest_neighbors import NearestNeighbors
from sklearn_dl.neighbors.regression import KNeighborsRegressor

__all__ = ["KNeighborsClassifier", "KNeighborsRegressor", "KernelRegression", "NearestNeighbors"]
