"""Rows with their mean taken out and their weight put in, never formed as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator
from sklearn.utils import assert_all_finite

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl.linear_model.gram import in_float64, row_slices


@dataclass(frozen=True)
class CenteredRows:
    """The matrix ``root_weight * (X - mean)`` and the targets ``root_weight * (Y - target_mean)``.

    Parameters
    ----------
    X : ndarray, CSR or tensor of shape (n_samples, n_features)
        Float64 or float32.
    Y : ndarray or tensor of shape (n_samples, n_targets)
        Of X's kind.
    root_weight : ndarray or tensor of shape (n_samples,), or None
        Square roots of the weights, None for ones.
    mean : ndarray of shape (n_features,)
        Zeros for no centring.
    target_mean : ndarray of shape (n_targets,)
        As `mean`, of the targets.
    """

    X: Array
    Y: Array
    root_weight: Array | None
    mean: np.ndarray
    target_mean: np.ndarray

    def targets(self, rows: slice = slice(None)) -> Array:
        """Centred, weighted targets of some rows, float64."""
        Y = in_float64(self.Y[rows])
        Y = Y - move_like(self.target_mean, Y)
        return Y if self.root_weight is None else Y * self.root_weight[rows][:, None]

    def block(self, rows: slice = slice(None)) -> Array:
        """Centred, weighted rows, float64; a dense copy."""
        X = self.X[rows]
        X = in_float64(X.toarray() if sparse.issparse(X) else X)
        X = X - move_like(self.mean, X)
        return X if self.root_weight is None else X * self.root_weight[rows][:, None]

    def blocks(self) -> Iterator[tuple[Array, Array]]:
        """Blocks of rows, each with its targets."""
        return ((self.block(rows), self.targets(rows)) for rows in row_slices(self.X))

    def roots(self) -> Array:
        """Square roots of the weights, (n_samples,)."""
        if self.root_weight is not None:
            return self.root_weight
        return namespace(self.Y).ones_like(in_float64(self.Y[:, 0]))

    def gradient(self, coef: np.ndarray) -> np.ndarray:
        """Transposed rows times residuals, (n_features, n_targets); `coef` has that shape too."""
        if sparse.issparse(self.X):
            return self.rmatmat(self.targets() - self.matmat(coef))
        total = 0.0
        for x, y in self.blocks():
            total = total + x.T @ (y - x @ move_like(coef, x))
        return to_host(total).astype(np.float64)

    def matmat(self, coef: np.ndarray) -> Array:
        """Rows times `coef` of shape (n_features,) or (n_features, k)."""
        if not sparse.issparse(self.X):
            blocks = [x @ move_like(coef, x) for x, _ in self.blocks()]
            return namespace(self.X).concatenate(blocks)
        product = self.X @ coef - self.mean @ coef
        return product if self.root_weight is None else (self.root_weight * product.T).T

    def rmatmat(self, values: Array) -> np.ndarray:
        """Transposed rows times `values` of shape (n_samples,) or (n_samples, k), on the host."""
        if sparse.issparse(self.X):
            weighted = values if self.root_weight is None else (self.root_weight * values.T).T
            return self.X.T @ weighted - np.multiply.outer(self.mean, weighted.sum(0))
        values, total = move_like(values, in_float64(self.X[:1])), 0.0
        for rows in row_slices(self.X):
            total = total + self.block(rows).T @ values[rows]
        return to_host(total).astype(np.float64)

    def as_operator(self) -> LinearOperator:
        """The matrix for scipy's iterative solvers; on the host only."""
        return LinearOperator(
            self.X.shape,
            matvec=lambda v: self.matmat(v.ravel()),
            rmatvec=lambda v: self.rmatmat(v.ravel()),
            dtype=np.float64,
        )

    def row_products(self) -> np.ndarray:
        """The rows times their transpose, (n_samples, n_samples), on the host."""
        if not sparse.issparse(self.X):
            block = self.block()
            return to_host(block @ block.T).astype(np.float64)
        X = self.X.astype(np.float64)
        offset = X @ self.mean
        products = (X @ X.T).toarray() - offset[:, None] - offset + self.mean @ self.mean
        return products if self.root_weight is None else products * np.outer(self.roots(), self.roots())


def require_finite(X: Array, owner: Any) -> None:
    """Raise ValueError, as reading X would, if X holds NaN or infinity. Tensors are checked when read."""
    if not is_tensor(X):
        values = X.data if sparse.issparse(X) else X
        assert_all_finite(values, estimator_name=type(owner).__name__, input_name="X")


def column_means(X: Array, Y: Array, weight: Array | None, *, center: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means of the columns of X and of Y, on the host; zeros without centring."""
    if not center or (weight is not None and not bool((weight > 0).any())):
        return np.zeros(X.shape[1]), np.zeros(Y.shape[1])
    weights = namespace(Y).ones_like(Y[:, 0]) if weight is None else weight
    weights = in_float64(weights)
    weights = weights / weights.sum()
    if sparse.issparse(X):
        return X.T @ weights, weights @ in_float64(Y)
    # About the first counted row, so that an offset costs no digits.
    first = int(to_host((weights > 0) * 1).argmax())
    x0, y0 = in_float64(X[first]), in_float64(Y[first])
    mean, target_mean = x0, y0
    for rows in row_slices(X):
        mean = mean + weights[rows] @ (in_float64(X[rows]) - x0)
        target_mean = target_mean + weights[rows] @ (in_float64(Y[rows]) - y0)
    return to_host(mean).astype(np.float64), to_host(target_mean).astype(np.float64)


def is_small_square(n: int, X: Array) -> bool:
    """Whether an n x n matrix needs little memory beside X, so that it may be formed for sparse X."""
    return not sparse.issparse(X) or n * n <= max(X.nnz, 1 << 18)
