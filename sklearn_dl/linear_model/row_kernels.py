"""Compiled products with one row, dense or CSR, and a constant feature at its end."""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import sparse

from sklearn_dl.linear_model.augmented_rows import AugmentedRows

FAST = {"reassoc", "contract", "arcp", "nsz"}


class RowArrays(NamedTuple):
    """Rows as compiled functions take them: `dense` for an ndarray, the other three for CSR."""

    dense: np.ndarray
    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    constant: float


def row_arrays(rows: AugmentedRows) -> RowArrays:
    """Arrays of `rows`, whose X is a C-ordered ndarray or CSR."""
    X = rows.X
    if sparse.issparse(X):
        X = sparse.csr_array(X)
        indices, indptr = X.indices.astype(np.int64, copy=False), X.indptr.astype(np.int64, copy=False)
        return RowArrays(np.empty((0, 0)), X.data, indices, indptr, rows.constant)
    empty = np.empty(0, dtype=np.int64)
    return RowArrays(np.require(X, requirements=["C", "W"]), np.empty(0), empty, empty, rows.constant)


@njit(nogil=True, cache=True, fastmath=FAST)
def row_dot(rows, i, w):
    """Product of row i with w, whose last element belongs to the constant if that is not 0."""
    total = rows.constant * w[-1]
    if rows.dense.size > 0:
        for j in range(rows.dense.shape[1]):
            total += rows.dense[i, j] * w[j]
    else:
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            total += rows.data[k] * w[rows.indices[k]]
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def add_row(rows, i, factor, w):
    """Add `factor` times row i to w."""
    if rows.dense.size > 0:
        for j in range(rows.dense.shape[1]):
            w[j] += factor * rows.dense[i, j]
    else:
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            w[rows.indices[k]] += factor * rows.data[k]
    w[-1] += factor * rows.constant


@njit(nogil=True, cache=True, fastmath=FAST)
def row_dots(rows, i, W, out):
    """Products of row i with the rows of W, written to `out`."""
    for m in range(W.shape[0]):
        total = rows.constant * W[m, -1]
        if rows.dense.size > 0:
            for j in range(rows.dense.shape[1]):
                total += rows.dense[i, j] * W[m, j]
        else:
            for k in range(rows.indptr[i], rows.indptr[i + 1]):
                total += rows.data[k] * W[m, rows.indices[k]]
        out[m] = total
