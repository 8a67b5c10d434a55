"""Blocks of pairs of rows, which a covariance is evaluated on, and the slots of its hyper-parameters."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

_MANY_FEATURES = 4  # from which on products of matrices are faster than differences
_NEAR = 8.0  # squared length scales from the centre, up to which products round like differences
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


class Distances:
    """Squared distances of rows and columns after a division of the features by `scale`.

    Of several features they are taken from inner products, as |a|^2 + |b|^2 - 2 a'b, where no row is far from
    the centre in length scales. The rounding is then that of a few units of a covariance, as it is for
    differences of scaled features. Near duplicates far off would be lost, and get differences.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, scale: Any, by_differences: bool) -> None:
        self.rows = rows / scale
        self.columns = self.rows if rows is columns else columns / scale
        self.by_products = not by_differences and rows.shape[1] >= _MANY_FEATURES and self._centre()

    def block(self, rows: slice, columns: slice) -> np.ndarray:
        """Those of some rows with some columns."""
        if not self.by_products:
            return cdist(self.rows[rows], self.columns[columns], "sqeuclidean")
        squared = self.rows[rows] @ self.turned[:, columns]
        return np.maximum(squared, 0, out=squared)

    def _centre(self) -> bool:
        centre = self.columns.mean(axis=0)
        rows, columns = self.rows - centre, self.columns - centre
        row_norms, column_norms = (np.einsum("ij,ij->i", part, part) for part in (rows, columns))
        if max(row_norms.max(), column_norms.max()) > _NEAR:
            return False
        self.rows = np.column_stack([-2 * rows, row_norms, np.ones(len(rows))])
        self.turned = np.vstack([columns.T, np.ones(len(columns)), column_norms])
        return True


@dataclass(frozen=True)
class Pairs:
    """All pairs of some rows with some columns, both (n, n_features) rows of data.

    With `diagonal`, pair (i, i) is one observation with itself, which white noise tells from a repetition.
    Blocks of the same pairs share what they need of all rows and columns.
    """

    rows: np.ndarray
    columns: np.ndarray
    diagonal: bool = False
    whole: "Pairs | None" = None
    place: tuple[slice, slice] = (slice(None), slice(None))

    def block(self, rows: slice, columns: slice) -> "Pairs":
        """Some of these pairs; the slices start at the same place where `diagonal` is to hold for them."""
        return Pairs(self.rows[rows], self.columns[columns], self.diagonal, self, (rows, columns))

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

    def scaled_squared_distances(self, scale: Any, *, by_differences: bool = False) -> np.ndarray:
        """Squared distances after a division of the features by `scale`, a float or one for each feature.

        Those of near duplicates are exact with `by_differences`, and else to rounding beside 1.
        """
        if np.ndim(scale) == 0 and self.rows.shape[1] < _MANY_FEATURES:
            return self.squared_distances / scale**2
        return (self.whole or self)._distances(scale, by_differences).block(*self.place)

    def weighted_squares(self, weight: np.ndarray, *, by_differences: bool = False) -> np.ndarray:
        """Sum over the pairs of weight times squared difference, for each feature.

        By a matrix product, in which large weights of near duplicates lose digits, or `by_differences`.
        """
        if by_differences:
            columns_of_each = zip(self.rows.T, self.columns.T, strict=True)
            return np.array([np.vdot(weight, np.subtract.outer(a, b) ** 2) for a, b in columns_of_each])
        rows, columns = self._centred
        products = weight @ columns[:, : columns.shape[1] // 2 + 1]
        n_features = self.rows.shape[1]
        crossed = np.einsum("ik,ik->k", rows[:, :n_features], products[:, :n_features])
        of_columns = weight.sum(axis=0) @ columns[:, n_features + 1 :]
        return products[:, n_features] @ rows[:, n_features + 1 :] + of_columns - 2 * crossed

    def weighted_differences(self, weight: np.ndarray) -> np.ndarray:
        """Sum over the columns of weight times (row - column), of shape (n_rows, n_features)."""
        rows, columns = (part[:, : self.rows.shape[1]] for part in self._centred)
        return weight.sum(axis=1, keepdims=True) * rows - weight @ columns

    @cached_property
    def _centred(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns about the mean of all columns, a column of ones, and their squares."""
        if self.whole is not None:
            rows, columns = self.whole._centred
            return rows[self.place[0]], columns[self.place[1]]
        centre = self.columns.mean(axis=0)
        parts = [self.rows - centre, self.columns - centre]
        rows, columns = (np.column_stack([part, np.ones(len(part)), part**2]) for part in parts)
        return rows, columns

    @cached_property
    def _known_distances(self) -> dict[tuple[bytes, bool], Distances]:
        return {}

    def _distances(self, scale: Any, by_differences: bool) -> Distances:
        key = np.asarray(scale).tobytes(), by_differences
        if key not in self._known_distances:
            self._known_distances[key] = Distances(self.rows, self.columns, scale, by_differences)
        return self._known_distances[key]


def row_slices(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of the rows, so that a block of all columns fits into the cache."""
    step = max(8, _BLOCK_ELEMENTS // max(1, n_columns))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
