"""Blocks of pairs of rows, which a covariance is evaluated on, and the slots of its hyper-parameters."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

_BLOCK_ELEMENTS = 1 << 15  # 256 kB: the few arrays of an expression stay in the second-level cache


@dataclass(frozen=True)
class Hyperparameter:
    """A value of a kernel: a slice of theta, which holds logarithms, or a constant where that is None."""

    slot: slice | None
    constant: Any

    def at(self, theta: np.ndarray) -> Any:
        """Value, a float or an array of one for each feature."""
        if self.slot is None:
            return self.constant
        values = np.exp(theta[self.slot])
        return values if len(values) > 1 else values[0]

    def add(self, gradient: np.ndarray, value: Any) -> None:
        """Add to the part of the gradient that belongs to this hyper-parameter, if it is free."""
        if self.slot is not None:
            gradient[self.slot] += value


@dataclass(frozen=True)
class Pairs:
    """All pairs of some rows with some columns, both (n, n_features) rows of data.

    With `diagonal`, pair (i, i) is one observation with itself, which white noise tells from a repetition.
    """

    rows: np.ndarray
    columns: np.ndarray
    diagonal: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of columns."""
        return len(self.rows), len(self.columns)

    @cached_property
    def squared_distances(self) -> np.ndarray:
        """Squared Euclidean distances, from differences: inner products would round near duplicates away."""
        if self.rows.shape[1] == 1:
            difference = self.rows - self.columns.T
            return np.square(difference, out=difference)
        return cdist(self.rows, self.columns, "sqeuclidean")

    def scaled_squared_distances(self, scale: Any) -> np.ndarray:
        """Squared distances after a division of the features by `scale`, a float or one for each feature."""
        if np.ndim(scale) == 0:
            return self.squared_distances / scale**2
        return cdist(self.rows / scale, self.columns / scale, "sqeuclidean")

    def weighted_squares(self, weight: np.ndarray) -> np.ndarray:
        """Sum over the pairs of weight times squared difference, for each feature, by a matrix product."""
        centre = self.columns.mean(axis=0)
        rows, columns = self.rows - centre, self.columns - centre
        crossed = np.einsum("ik,ik->k", rows, weight @ columns)
        return weight.sum(axis=1) @ rows**2 + weight.sum(axis=0) @ columns**2 - 2 * crossed

    def weighted_differences(self, weight: np.ndarray) -> np.ndarray:
        """Sum over the columns of weight times (row - column), of shape (n_rows, n_features)."""
        centre = self.columns.mean(axis=0)
        rows, columns = self.rows - centre, self.columns - centre
        return weight.sum(axis=1, keepdims=True) * rows - weight @ columns


def row_slices(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of the rows, so that a block of all columns fits into the cache."""
    step = max(8, _BLOCK_ELEMENTS // max(1, n_columns))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
