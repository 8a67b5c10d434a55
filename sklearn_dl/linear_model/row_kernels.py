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
        # Unsigned, so that no negative index is provided for; half as long, so that more fit in the cache.
        indices = X.indices.astype(np.uint32, copy=False) if X.shape[1] < 2**32 else X.indices
        data = np.require(X.data, requirements="W")
        return RowArrays(np.empty((0, 0)), data, indices, X.indptr.astype(np.int64), rows.constant)
    dense = np.require(X, requirements=["C", "W"])
    empty = np.empty(0, dtype=np.int64)
    return RowArrays(dense, np.empty(0), empty.astype(np.uint32), empty, rows.constant)


@njit(nogil=True, cache=True)
def entries(rows, i):
    """Values of row i of CSR and their columns, as views, which the compiler indexes fastest."""
    part = slice(rows.indptr[i], rows.indptr[i + 1])
    return rows.data[part], rows.indices[part]


@njit(nogil=True, cache=True, fastmath=FAST)
def row_dot(rows, i, w):
    """Product of row i with w, whose last element belongs to the constant if that is not 0."""
    total = rows.constant * w[-1]
    if rows.dense.size > 0:
        for j in range(rows.dense.shape[1]):
            total += rows.dense[i, j] * w[j]
    else:
        data, columns = entries(rows, i)
        for k in range(len(data)):
            total += data[k] * w[columns[k]]
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def add_row(rows, i, factor, w):
    """Add `factor` times row i to w."""
    if rows.dense.size > 0:
        for j in range(rows.dense.shape[1]):
            w[j] += factor * rows.dense[i, j]
    else:
        data, columns = entries(rows, i)
        for k in range(len(data)):
            w[columns[k]] += factor * data[k]
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
            data, columns = entries(rows, i)
            for k in range(len(data)):
                total += data[k] * W[m, columns[k]]
        out[m] = total
