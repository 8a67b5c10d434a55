"""Sums of outer products of rows, which numba compiles to about twice the speed of a BLAS on tall tables.

A block of rows is written column by column into a buffer that stays in cache, shifted and weighted on the
way. Products of two columns are then sums along contiguous memory, 16 at a time in registers.
"""

import numpy as np
from numba import njit

_BLOCK_ROWS = 256
_PADDING = 8  # columns a power of two apart would share the same few places of the cache
_TILE = 32
_PANEL = 128  # columns of a block that stay in the second-level cache while all others pass by

# Sums in any order, but NaN and infinity stay what they are: they tell that X holds some.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def shifted_products(X, by_columns, index, Y, root_weight, shift, start, stop):
    """Sum of the outer products of ``root_weight * [x - shift, y - shift, 1]`` over rows start to stop.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or the transpose where `by_columns`
        C-contiguous.
    by_columns : bool
        Whether X is transposed.
    index : ndarray of shape (n_rows,) or (0,), int64
        Rows of X that count, in the order of the weights and targets; none for all. Not with `by_columns`.
    Y : ndarray of shape (n_rows, n_targets), float64
        C-contiguous.
    root_weight : ndarray of shape (n_rows,) or (0,), float64
        Square roots of the weights; none for ones.
    shift : ndarray of shape (n_features + n_targets,), float64
        Subtracted from the rows.
    start, stop : int
        First row, and the one after the last.

    Returns
    -------
    products : ndarray of shape (width, width), float64
        Upper triangle, in blocks of 4; `width` is n_features + n_targets + 1 rounded up to a multiple of 4.
    """
    n_features = X.shape[0] if by_columns else X.shape[1]
    n_targets = Y.shape[1]
    width = (n_features + n_targets + 4) // 4 * 4
    block = np.zeros((width, _BLOCK_ROWS + _PADDING))
    places = np.empty(_BLOCK_ROWS, np.int64)
    products = np.zeros((width, width))
    for first in range(start, stop, _BLOCK_ROWS):
        n_rows = min(_BLOCK_ROWS, stop - first)
        if by_columns:
            _load_columns(X, first, n_rows, shift, block)
        else:
            for r in range(n_rows):
                places[r] = index[first + r] if index.shape[0] > 0 else first + r
            in_eights = n_rows // 8 * 8
            _load_eights(X, places, in_eights, shift, block)
            _load_rest(X, places, in_eights, n_rows, shift, block)
        for k in range(n_targets):
            for r in range(n_rows):
                block[n_features + k, r] = Y[first + r, k] - shift[n_features + k]
        block[n_features + n_targets, :n_rows] = 1.0
        if root_weight.shape[0] > 0:
            for j in range(n_features + n_targets + 1):
                for r in range(n_rows):
                    block[j, r] *= root_weight[first + r]
        block[:, n_rows:] = 0.0
        _add_products(block, products)
    return products


@njit(nogil=True, cache=True)
def mirror_upper(square):
    """Copy the upper triangle to the lower one, in tiles, because rows of a large matrix are far apart."""
    n = len(square)
    for top in range(0, n, _TILE):
        for left in range(0, top + 1, _TILE):
            for i in range(top, min(top + _TILE, n)):
                for j in range(left, min(left + _TILE, i)):
                    square[i, j] = square[j, i]


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _load_columns(X, first, n_rows, shift, block):
    for j in range(X.shape[0]):
        for r in range(n_rows):
            block[j, r] = X[j, first + r] - shift[j]


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _load_eights(X, places, n_rows, shift, block):
    for r in range(0, n_rows, 8):
        x0, x1, x2, x3 = X[places[r]], X[places[r + 1]], X[places[r + 2]], X[places[r + 3]]
        x4, x5, x6, x7 = X[places[r + 4]], X[places[r + 5]], X[places[r + 6]], X[places[r + 7]]
        for j in range(X.shape[1]):
            column, s = block[j], shift[j]
            # All eight are read before the first is written, so that no write delays a read.
            a0, a1, a2, a3 = x0[j] - s, x1[j] - s, x2[j] - s, x3[j] - s
            a4, a5, a6, a7 = x4[j] - s, x5[j] - s, x6[j] - s, x7[j] - s
            column[r], column[r + 1], column[r + 2], column[r + 3] = a0, a1, a2, a3
            column[r + 4], column[r + 5], column[r + 6], column[r + 7] = a4, a5, a6, a7


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _load_rest(X, places, done, n_rows, shift, block):
    for r in range(done, n_rows):
        for j in range(X.shape[1]):
            block[j, r] = X[places[r], j] - shift[j]


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _add_products(block, products):
    width = block.shape[0]
    for panel in range(0, width, _PANEL):
        end = min(panel + _PANEL, width)
        for i in range(0, end, 4):
            for j in range(max(i, panel), end, 4):
                _add_tile(block, products, i, j)


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _add_tile(block, products, i, j):
    a, b, c, d = block[i], block[i + 1], block[i + 2], block[i + 3]
    x, y, z, w = block[j], block[j + 1], block[j + 2], block[j + 3]
    ax = ay = az = aw = bx = by = bz = bw = 0.0
    cx = cy = cz = cw = dx = dy = dz = dw = 0.0
    for r in range(_BLOCK_ROWS):
        ax += a[r] * x[r]
        ay += a[r] * y[r]
        az += a[r] * z[r]
        aw += a[r] * w[r]
        bx += b[r] * x[r]
        by += b[r] * y[r]
        bz += b[r] * z[r]
        bw += b[r] * w[r]
        cx += c[r] * x[r]
        cy += c[r] * y[r]
        cz += c[r] * z[r]
        cw += c[r] * w[r]
        dx += d[r] * x[r]
        dy += d[r] * y[r]
        dz += d[r] * z[r]
        dw += d[r] * w[r]
    _add_row(products[i], j, ax, ay, az, aw)
    _add_row(products[i + 1], j, bx, by, bz, bw)
    _add_row(products[i + 2], j, cx, cy, cz, cw)
    _add_row(products[i + 3], j, dx, dy, dz, dw)


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _add_row(row, j, first, second, third, fourth):
    row[j] += first
    row[j + 1] += second
    row[j + 2] += third
    row[j + 3] += fourth
