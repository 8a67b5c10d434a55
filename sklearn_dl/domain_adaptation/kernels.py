"""Kernel matrices, and the width of a Gaussian kernel from the rows."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import euclidean_distances, linear_kernel, rbf_kernel

from sklearn_dl._base.arrays import Array

Gamma = float | Literal["median"]
_MEDIAN_ROWS = 1000  # 500,000 distances, whose median varies by a part in a thousand


def resolve_gamma(X: Array, gamma: Gamma) -> float:
    """Factor of the squared distance in the Gaussian kernel; "median" takes half its median's inverse.

    So the standard deviation of the kernel is the median distance. Of more than 1000 rows every so many-th
    counts.
    """
    if gamma != "median":
        return float(gamma)
    some = X[:: -(-X.shape[0] // _MEDIAN_ROWS)]
    some, _ = near_origin(some, some)
    distances = euclidean_distances(some, squared=True)[np.triu_indices(some.shape[0], 1)]
    median = float(np.median(distances)) if distances.size else 0.0
    return 1.0 / (2.0 * median) if median > 0 else 1.0


def kernel_matrix(X: Array, Y: Array, kernel: str | Callable, gamma: float) -> np.ndarray:
    """Kernel of each row of X with each row of Y, of shape (n_rows_of_X, n_rows_of_Y), float64."""
    if callable(kernel):
        return np.asarray(kernel(X, Y), dtype=np.float64)
    if kernel == "linear":
        return np.asarray(linear_kernel(X, Y), dtype=np.float64)
    return np.asarray(rbf_kernel(*near_origin(X, Y), gamma=gamma), dtype=np.float64)


def near_origin(X: Array, Y: Array) -> tuple[Array, Array]:
    """Both sets of rows less the mean of Y, if dense: their distances suffer least from rounding there."""
    if sparse.issparse(X) or sparse.issparse(Y):
        return X, Y
    centre = Y.mean(0, dtype=np.float64)
    moved = Y - centre
    return (moved if X is Y else X - centre), moved
