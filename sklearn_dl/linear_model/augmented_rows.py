"""Products with rows ``(x - shift, constant)``, none of which is ever stored."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy import sparse
from scipy.linalg import solve_triangular

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host

_BLOCK_BYTES = 1 << 19  # a block and its product stay in the cache
_SAMPLED_FROM = 20_000  # rows, and 100 a column, from which a fit of every tenth is worth its time
_INDEPENDENT = 1e-6  # of a row's squared norm that the rows before it must leave
LARGEST_PLAIN = 200  # columns up to which rows, be they fewer, are taken as they are, for any scales
_DENSE_FRACTION = 0.1  # of nonzeros in CSR rows, above which a dense product is faster


class AugmentedRows:
    """Rows of X, shifted, with one more column that holds a constant.

    What has a value a row (`r`, `weight`, `index`) is an array of X's kind, on X's device; what has a value
    a column (`w`, the results of :meth:`t_dot` and :meth:`gram`) is an ndarray on the host.

    Parameters
    ----------
    X : {ndarray, CSR, tensor} of shape (n_samples, n_features)
        Rows, in float64.
    constant : float, default=0.0
        Value of the additional column; 0 leaves the column out.
    shift : ndarray of shape (n_features,), default=None
        Subtracted from every row. None subtracts nothing.
    """

    def __init__(self, X: Array, constant: float = 0.0, shift: np.ndarray | None = None):
        self.X = X
        self.constant = constant
        self.shift = shift
        self.n_rows = X.shape[0]
        self.n_columns = X.shape[1] + (constant != 0)
        self._block_length = max(64, _BLOCK_BYTES // (8 * max(1, X.shape[1])))

    def __getitem__(self, index: Any) -> Self:
        return type(self)(self.X[index], self.constant, self.shift)

    def part(self, index: Array, columns: np.ndarray) -> Self:
        """Rows at `index` in some columns, given in order; there must be no shift."""
        n_features = self.X.shape[1]
        with_constant = len(columns) > 0 and columns[-1] == n_features
        X = self.X[index][:, columns[columns < n_features]]
        return type(self)(X, self.constant if with_constant else 0.0)

    def shift_of(self, coef: np.ndarray) -> float:
        """What the shift takes off the scores of coefficients of the columns of X."""
        return 0.0 if self.shift is None else float(self.shift @ coef)

    def dot(self, w: np.ndarray) -> Array:
        """Product of the rows with `w`, of shape (n_samples,)."""
        product = self.X @ move_like(np.ascontiguousarray(w[: self.X.shape[1]]), self.X)
        offset = self.constant * w[-1] if self.constant else 0.0
        offset -= self.shift_of(w[: self.X.shape[1]])
        return product + offset if offset else product

    def t_dot(self, r: Array) -> np.ndarray:
        """Sum of the rows times `r`, of shape (n_columns,)."""
        product = to_host(self.X.T @ r)
        total = float(r.sum())
        if self.shift is not None:
            product = product - total * self.shift
        return np.append(product, self.constant * total) if self.constant else product

    def dot_and_t_dot(
        self, w: np.ndarray, weights: Callable[[Array, slice], Array]
    ) -> tuple[Array, np.ndarray]:
        """Scores ``dot(w)``, and ``t_dot(weights(scores, slice(n_rows)))`` in the same pass over the rows.

        `weights` takes the scores of some rows and their slice.
        """
        if not isinstance(self.X, np.ndarray) or self.X.nbytes <= _BLOCK_BYTES or self.shift is not None:
            scores = self.dot(w)
            return scores, self.t_dot(weights(scores, slice(0, self.n_rows)))
        scores, total = np.empty(self.n_rows), np.zeros(self.n_columns)
        for start in range(0, self.n_rows, self._block_length):
            block = slice(start, min(start + self._block_length, self.n_rows))
            part = self[block]
            scores[block] = part.dot(w)
            total += part.t_dot(weights(scores[block], block))
        return scores, total

    def dense(self, index: Any) -> np.ndarray:
        """Rows at `index`, with the constant, on the host; there must be no shift."""
        block = self.X[index]
        block = block.toarray() if sparse.issparse(block) else to_host(block)
        return np.column_stack([block, np.full(len(block), self.constant)]) if self.constant else block

    def squared_norms(self) -> Array:
        """Squared Euclidean norm of every row; there must be no shift."""
        if sparse.issparse(self.X):
            squared = sparse.csr_array((self.X.data**2, self.X.indices, self.X.indptr), self.X.shape)
            squares = squared @ np.ones(self.X.shape[1])
        else:
            squares = namespace(self.X).einsum("ij,ij->i", self.X, self.X)
        return squares + self.constant**2

    def gram(self, weight: Array | None = None, index: Array | None = None) -> np.ndarray:
        """Weighted sum of outer products of the rows, all or those at `index`; weight has one value each."""
        total = np.zeros((self.n_columns, self.n_columns))
        n_rows = self.n_rows if index is None else len(index)
        length = self._block_length
        if sparse.issparse(self.X) and self.X.nnz < _DENSE_FRACTION * np.prod(self.X.shape):
            length = max(length, self.n_columns)  # so that sums of dense matrices take less than products
        for start in range(0, n_rows, length):
            stop = min(start + length, n_rows)
            block = self.X[start:stop] if index is None else self.X[index[start:stop]]
            self._add_outer(total, block, None if weight is None else weight[start:stop])
        return total

    def _add_outer(self, total: np.ndarray, block: Array, weight: Array | None) -> None:
        if sparse.issparse(block):
            if self.shift is None and block.nnz < _DENSE_FRACTION * np.prod(block.shape):
                self._add_sparse_outer(total, block, weight)
                return
            block = block.toarray()
        if self.shift is not None:
            block = block - move_like(self.shift, block)
        root = None if weight is None else weight**0.5
        if root is not None:
            block = block * root[:, None]
        p = self.X.shape[1]
        total[:p, :p] += to_host(block.T @ block)
        if self.constant:
            xp = namespace(block)
            sums = to_host(block.sum(0) if root is None else root @ block) * self.constant
            total[:p, -1] += sums
            total[-1, :p] += sums
            count = len(block) if weight is None else float(xp.sum(weight))
            total[-1, -1] += self.constant**2 * count

    def _add_sparse_outer(self, total: np.ndarray, block: sparse.csr_array, weight: Array | None) -> None:
        p = self.X.shape[1]
        weight = np.ones(block.shape[0]) if weight is None else weight
        total[:p, :p] += (block.T @ block.multiply(weight[:, None]).tocsr()).toarray()
        if self.constant:
            sums = self.constant * (block.T @ weight)
            total[:p, -1] += sums
            total[-1, :p] += sums
            total[-1, -1] += self.constant**2 * weight.sum()


def every_tenth(
    rows: AugmentedRows, lower: Array, upper: Array, cost: Array
) -> tuple[AugmentedRows, Array, Array, Array] | None:
    """Every tenth row, at ten times the cost: its solution is a start for all. None for few rows."""
    if rows.n_rows < max(_SAMPLED_FROM, 100 * rows.n_columns):
        return None
    every = slice(None, None, 10)
    return rows[every], lower[every], upper[every], 10 * cost[every]


class RowSpan:
    """Orthonormal coordinates of the space that the rows of X span; all inner products stay.

    Under a penalty on the norm of the coefficients the solution lies in the span, so that a problem of fewer
    rows than columns has as many unknowns as rows.

    Parameters
    ----------
    X : {ndarray, CSR, tensor} of shape (n_samples, n_features)
        Rows, in float64; fewer than columns.
    """

    def __init__(self, X: Array):
        self._basis: tuple[Array, ...]
        if not is_tensor(X) and self._factor_inner_products(X):
            return
        if sparse.issparse(X):
            norm = np.maximum(np.sqrt(AugmentedRows(X).squared_norms()), np.finfo(float).tiny)[:, None]
            values, vectors = np.linalg.eigh((X @ X.T).toarray() / norm / norm.T)
            kept = values > max(X.shape) * np.finfo(float).eps * values[-1]
            root = np.sqrt(values[kept])
            self.X = vectors[:, kept] * root * norm
            self._basis = (X.T, vectors[:, kept] / root / norm)
        else:
            basis, triangle = namespace(X).linalg.qr(X.T)
            left, values, right = namespace(X).linalg.svd(triangle)
            kept = values > max(X.shape) * np.finfo(float).eps * values[0]
            self.X = right[kept].T * values[kept]
            self._basis = (basis, left[:, kept])

    def _factor_inner_products(self, X: Array) -> bool:
        """Take the Cholesky factor of ``X @ X.T`` as X, if the rows are independent beyond all rounding."""
        inner = X @ X.T
        inner = inner.toarray() if sparse.issparse(inner) else inner
        try:
            self.X = np.linalg.cholesky(inner)
        except np.linalg.LinAlgError:
            return False
        if (np.diag(self.X) ** 2 < _INDEPENDENT * np.diag(inner)).any():
            return False
        inverse = solve_triangular(self.X, np.eye(len(self.X)), lower=True, check_finite=False)
        self._basis = (X.T, inverse.T)
        return True

    def expand(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the columns of X from those of the coordinates."""
        product = move_like(coef, self.X)
        for factor in reversed(self._basis):
            product = factor @ product
        return to_host(product)

    def project(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the coordinates from those of the columns of X."""
        product = move_like(coef, self.X)
        for factor in self._basis:
            product = factor.T @ product
        return to_host(product)


class Reflection:
    """Orthonormal coordinates of which the first one takes all of a typical row.

    Far from the origin the columns of X are nearly dependent, which a shift mends only where an intercept
    makes up for it. Here the offset is in the first column alone.

    Parameters
    ----------
    X : {ndarray, tensor} of shape (n_samples, n_features)
        Rows, in float64.
    typical : ndarray of shape (n_features,)
        The row, not all 0.
    """

    def __init__(self, X: Array, typical: np.ndarray):
        # Householder's vector, whose sign lets nothing cancel.
        normal = typical / np.linalg.norm(typical)
        normal[0] += np.copysign(1.0, normal[0])
        self._normal = normal / np.linalg.norm(normal)
        on_device = move_like(self._normal, X)
        self.X = X - 2 * (X @ on_device)[:, None] * on_device

    def expand(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of the columns of X from those of the coordinates."""
        return coef - 2 * (self._normal @ coef) * self._normal

    project = expand  # a reflection is its own inverse
