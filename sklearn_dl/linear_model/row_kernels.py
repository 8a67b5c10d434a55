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
def next_random(state):
    """The next state of splitmix64 (Steele, Lea, Flood, 2014, Fast splittable pseudorandom numbers)."""
    return state + np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def below(state, count):
    """A random whole number from 0 to below `count`, which is less than 2**32."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64(((z >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32))


@njit(nogil=True, cache=True)
def entries(rows, i):
    """Places of the values of row i of CSR, unsigned, so that the compiler provides for no negative one."""
    return range(np.uint64(rows.indptr[i]), np.uint64(rows.indptr[i + 1]))


@njit(nogil=True, cache=True, fastmath=FAST)
def row_dot(rows, i, w):
    """Product of row i with w, whose last element belongs to the constant if that is not 0."""
    total = rows.constant * w[-1]
    if rows.dense.size > 0:
        for j in range(rows.dense.shape[1]):
            total += rows.dense[i, j] * w[j]
    else:
        for k in entries(rows, i):
            total += rows.data[k] * w[rows.indices[k]]
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def add_row(rows, i, factor, w):
    """Add `factor` times row i to w."""
    if rows.dense.size > 0:
        for j in range(rows.dense.shape[1]):
            w[j] += factor * rows.dense[i, j]
    else:
        for k in entries(rows, i):
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
            for k in entries(rows, i):
                total += rows.data[k] * W[m, rows.indices[k]]
        out[m] = total
