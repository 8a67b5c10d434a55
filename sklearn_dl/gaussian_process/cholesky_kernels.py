"""Loops over tiles for the factor of a matrix and its inverse; see :mod:`sklearn_dl.gaussian_process.tiles`.

A block of rows is copied into panels, worked on there, and its products are subtracted from the matrix, of
which only the upper triangle is read or written. Panels are filled up with zeros. Those on the diagonal hold
a triangle U whose diagonal is reciprocals; what lies below it there is not read.
"""

import numpy as np
from numba import njit

from sklearn_dl.gaussian_process import cholesky_tiles as tiles
from sklearn_dl.gaussian_process.tiles import COLUMNS, ITEM, LANES, ROWS

_PANELS_AT_A_TIME = 16  # which stay in the second-level cache

_compiled = njit(nogil=True, cache=True, error_model="numpy")
_inlined = njit(inline="always", error_model="numpy")


@_inlined
def _copy(matrix, row, column, n_rows, panel):
    """Copy the rows from `row` and the columns from `column` on to a panel."""
    n, to = len(matrix), panel.ctypes.data
    for t in range(-(-n_rows // ROWS) * ROWS):
        width = n - column if t < n_rows else 0
        source = matrix.ctypes.data + ((row + t) * n + column) * ITEM
        tiles.copy_row_and_zeros(source, to + t * COLUMNS * ITEM, width)


@_inlined
def _write(panel, n_rows, matrix, row, column):
    """Write a panel back to where it is from, the upper triangle only."""
    n, own = len(matrix), panel.ctypes.data
    for t in range(n_rows):
        to = matrix.ctypes.data + ((row + t) * n + column) * ITEM
        tiles.copy_row(own + t * COLUMNS * ITEM, to, row + t - column, n - column)


@_inlined
def _solve(triangle, panel, first, n_rows):
    """Replace a panel, whose rows before `first` are 0, by the solution X of U' X = panel."""
    start = panel.ctypes.data + first * COLUMNS * ITEM
    for row in range(first, n_rows, ROWS):
        own = triangle[row // COLUMNS].ctypes.data + (first * COLUMNS + row % COLUMNS) * ITEM
        tiles.solve_rows(own, start, row - first)


@_compiled
def factor_rows(matrix, start, n_rows, panels):
    """Replace rows of a matrix, from the diagonal on, by those of its upper Cholesky factor.

    What the rows before contribute has to be subtracted already. The panels, from the diagonal on, get the
    rows too. Returns the number of the first one whose pivot is not positive, or `n_rows`.
    """
    pivots = np.empty(panels.shape[1])
    for p in range(len(panels)):  # all of the work on one at a time, while it is in the cache
        first, panel = p * COLUMNS, panels[p].ctypes.data
        stop = min(first + COLUMNS, n_rows)
        _copy(matrix, start, start + first, n_rows, panels[p])
        _solve(panels, panels[p], 0, min(first, n_rows))
        for i in range(first, stop, ROWS):
            failed = tiles.factor_rows(panel + i % COLUMNS * ITEM, panel, i, pivots.ctypes.data + i * ITEM)
            if failed < ROWS and i + failed < n_rows:
                return i + failed
        _write(panels[p], stop, matrix, start, start + first)
        for i in range(first, stop):
            matrix[start + i, start + i] = pivots[i]
    return n_rows


@_compiled
def invert_rows(matrix, start, n_rows, triangle, panels):
    """Write to panels what takes the inverse V of a triangle U from the rows before to the rows K.

    In columns before K that is minus the transposed columns K of V U, solved for U_KK', in K the solution of
    the identity, and after K the rows of U themselves. `triangle` is room for U_KK.
    """
    n, own, after = len(matrix), start // COLUMNS, (start + len(triangle) * COLUMNS) // COLUMNS
    for p in range(own, len(panels)):
        _copy(matrix, start, p * COLUMNS, n_rows, triangle[p - own] if p < after else panels[p])
    for i in range(n_rows):
        triangle[i // COLUMNS, i, i % COLUMNS] = 1.0 / matrix[start + i, start + i]
    for p in range(min(after, len(panels))):
        first = max(0, p * COLUMNS - start)
        if p < own:
            for c in range(0, COLUMNS, LANES):
                source = matrix.ctypes.data + ((p * COLUMNS + c) * n + start) * ITEM
                to = panels[p].ctypes.data + c * ITEM
                for t in range(0, n_rows, LANES):
                    tiles.turn(source + t * ITEM, n, n_rows - t, to + t * COLUMNS * ITEM)
        else:
            for i in range(first, n_rows):
                for c in range(COLUMNS):
                    panels[p, i, c] = 1.0 if i == first + c else 0.0
        _solve(triangle, panels[p], first, n_rows)


@_compiled
def add_rank(panels, n_rows, factor, matrix, first, stop, new, n_new):
    """Add factor times Z' Z to rows `first` to `stop` of a matrix, where the panels hold Z.

    Rows and columns `new` to ``new + n_new`` of the matrix are written instead, where Z is lower triangular.
    """
    n, n_panels = len(matrix), len(panels)
    for group in range(first // COLUMNS, n_panels, _PANELS_AT_A_TIME):
        group_stop = min(group + _PANELS_AT_A_TIME, n_panels)
        for row in range(first, min(stop, group_stop * COLUMNS), ROWS):
            own = panels[row // COLUMNS].ctypes.data + row % COLUMNS * ITEM
            for p in range(max(group, row // COLUMNS), group_stop):
                column = p * COLUMNS
                empty = max(0, row - new, column - new if column < new + n_new else 0)
                skipped = empty * COLUMNS * ITEM
                tiles.add_products(
                    own + skipped,
                    panels[p].ctypes.data + skipped,
                    n_rows - empty,
                    factor,
                    matrix.ctypes.data + (row * n + column) * ITEM,
                    n,
                    row - column,
                    n - column,
                    row < new and not new <= column < new + n_new,
                )
