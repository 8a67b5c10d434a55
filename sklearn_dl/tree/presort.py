"""Rows in the order of every feature: sorted once before a tree grows, and kept sorted from node to node."""

import numpy as np
from numba import njit

from sklearn_dl.tree.kernel import APART, EQUAL, GREATER

_DIGITS = 2048  # values of 11 bits: three passes sort the 32 bits of a float


@njit(nogil=True, cache=True)
def presort(X, codes, n_bits, entries):
    """Sort the rows by each feature, missing values last.

    Parameters
    ----------
    X : ndarray of shape (n_features, n_samples), float32
        One feature a row; C-contiguous.
    codes : ndarray of shape (n_samples,), uint32
        What is packed beside the row's index, such as its class; below ``2**n_bits``.
    n_bits : int
        Bits of a code.
    entries : ndarray of shape (n_features, n_samples), uint32
        Filled with ``row << n_bits | code`` in the order of the values, and the flags GREATER and APART.
    """
    n = X.shape[1]
    keys, other_keys = np.empty(n, np.uint32), np.empty(n, np.uint32)
    rows, other_rows = np.empty(n, np.uint32), np.empty(n, np.uint32)
    for j in range(X.shape[0]):
        x = X[j]
        _to_keys(x, keys, rows)
        for shift in (0, 11, 22):
            _sort_by_digit(keys, rows, other_keys, other_rows, np.uint32(shift))
            keys, other_keys = other_keys, keys
            rows, other_rows = other_rows, rows
        last = x[rows[0]]
        for i in range(n):
            row = rows[i]
            flags = GREATER if x[row] > last else np.uint32(0)
            flags |= APART if x[row] > last + EQUAL else np.uint32(0)
            entries[j, i] = flags | (row << n_bits) | codes[row]
            last = x[row]


@njit(nogil=True, cache=True)
def _to_keys(x, keys, rows):
    """Integers in the order of the floats: the sign bit flips, and all others below zero."""
    bits = x.view(np.uint32)
    for i in range(len(x)):
        rows[i] = i
        if np.isnan(x[i]):
            keys[i] = np.uint32(0xFFFFFFFF)
        elif bits[i] >> np.uint32(31):
            keys[i] = bits[i] ^ np.uint32(0xFFFFFFFF)
        else:
            keys[i] = bits[i] ^ np.uint32(0x80000000)


@njit(nogil=True, cache=True)
def _sort_by_digit(keys, rows, new_keys, new_rows, shift):
    """One pass of a radix sort, which keeps the order of equal digits."""
    places = np.zeros(_DIGITS + 1, np.int64)
    for key in keys:
        places[((key >> shift) & np.uint32(_DIGITS - 1)) + 1] += 1
    for d in range(_DIGITS):
        places[d + 1] += places[d]
    for i in range(len(keys)):
        digit = (keys[i] >> shift) & np.uint32(_DIGITS - 1)
        new_keys[places[digit]] = keys[i]
        new_rows[places[digit]] = rows[i]
        places[digit] += 1
