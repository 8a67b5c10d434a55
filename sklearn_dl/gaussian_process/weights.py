"""Weights of pairs of rows, which the derivative of a covariance is summed with."""

from typing import NamedTuple

import numpy as np


class PairWeights(NamedTuple):
    """A symmetric matrix, left right' - inverse, that is never stored as a whole."""

    left: np.ndarray  # (n_samples, rank)
    right: np.ndarray
    inverse: np.ndarray  # (n_samples, n_samples), of which the upper triangle is read
    root: np.ndarray | None = None  # (n_samples,): scales rows and columns of the inverse

    def block(self, rows: slice, columns: slice) -> np.ndarray:
        """Some rows and columns of the upper triangle, as an array of its own."""
        left, right, precision = self.left[rows], self.right[columns], self.inverse[rows, columns]
        # A product of matrices of one column is slow.
        products = left * right.T if left.shape[1] == 1 else left @ right.T
        if self.root is not None:
            precision = precision * self.root[columns]
            precision *= self.root[rows, None]
        return np.subtract(products, precision, out=products)

    def diagonal(self) -> np.ndarray:
        """Weights of the rows with themselves."""
        precision = self.inverse.diagonal()
        if self.root is not None:
            precision = precision * self.root**2
        return np.einsum("ij,ij->i", self.left, self.right) - precision
