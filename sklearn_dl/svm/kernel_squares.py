"""Whole kernel matrices, of problems whose rows are so few that each is one working set."""

from collections.abc import Callable

import numpy as np

from sklearn_dl.svm.kernel_rows import Kernel
from sklearn_dl.svm.working_set_kernels import add_rows

LARGEST_SQUARE = 512  # rows


class KernelSquare:
    """A whole kernel matrix, of so few rows that it is at hand; in use as :class:`KernelRows`.

    `rounding` is the largest error of an element, and `exact` computes the matrix without it.
    """

    def __init__(self, matrix: np.ndarray, rounding: float, exact: Callable[[], np.ndarray]) -> None:
        self.matrix, self.rounding, self.exact = matrix, rounding, exact
        self.largest = float(matrix.diagonal().max())

    def refine(self) -> None:
        """Hold the exact matrix from now on."""
        self.matrix, self.rounding = self.exact(), 0.0

    def square(self, rows: np.ndarray) -> np.ndarray:
        """Kernel among `rows`."""
        return self.matrix if len(rows) == len(self.matrix) else self.matrix[np.ix_(rows, rows)]

    def add_products(
        self, rows: np.ndarray, factors: np.ndarray, targets: list[tuple[int, np.ndarray]]
    ) -> None:
        """Add the rows times their factors to each target, from the target's first column on."""
        for first_column, total in targets:
            add_rows(self.matrix, rows, factors, first_column, total)


class KernelSquares:
    """Kernel matrices among ranges of rows of X, as the pairs of classes ask for them.

    Parameters
    ----------
    kernel : Kernel
    X : ndarray of shape (n_rows, n_columns)
    rounding : float
        Error of an element that float32 may have for a start; 0 for float64.
    """

    def __init__(self, kernel: Kernel, X: np.ndarray, rounding: float) -> None:
        self.kernel, self.X, self.rounding = kernel, X, rounding
        self._sides: dict[type, tuple[np.ndarray, np.ndarray]] = {}
        self._within: dict[tuple[type, int], np.ndarray] = {}

    def among(self, *ranges: slice) -> KernelSquare:
        """Kernel among the rows of one range, or of two."""
        dtype = np.float32 if self.rounding else np.float64
        return KernelSquare(
            self._matrix(dtype, ranges), self.rounding, lambda: self._matrix(np.float64, ranges)
        )

    def _matrix(self, dtype: type, ranges: tuple[slice, ...]) -> np.ndarray:
        if len(ranges) == 1:
            return self._block(dtype, *ranges, *ranges)
        first, second = ranges
        n_first, n_rows = first.stop - first.start, first.stop - first.start + second.stop - second.start
        matrix = np.empty((n_rows, n_rows), dtype)
        matrix[:n_first, :n_first] = self._of_class(dtype, first)
        matrix[n_first:, n_first:] = self._of_class(dtype, second)
        matrix[:n_first, n_first:] = self._block(dtype, first, second)
        matrix[n_first:, :n_first] = matrix[:n_first, n_first:].T
        return matrix

    def _of_class(self, dtype: type, rows: slice) -> np.ndarray:
        """Kernel among the rows of a class, of which all its pairs have need."""
        key = dtype, rows.start
        if key not in self._within:
            self._within[key] = self._block(dtype, rows, rows)
        return self._within[key]

    def _block(self, dtype: type, rows: slice, columns: slice) -> np.ndarray:
        if dtype not in self._sides:
            left, right = self.kernel.sides(self.X.mean(0), dtype)
            self._sides[dtype] = left(self.X), right(self.X)
        left_rows, right_rows = self._sides[dtype]
        return self.kernel.apply(left_rows[rows] @ right_rows[columns].T)
