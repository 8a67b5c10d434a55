"""Nearest neighbours: search, classification, regression, and kernel regression."""

from sklearn_dl.neighbors.kernel_regression import KernelRegression

__all__ = ["KernelRegression"]
