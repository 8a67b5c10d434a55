"""Loops over tiles for the factor of a matrix and its inverse; see :mod:`sklearn_dl.gaussian_process.tiles`.

A block of rows is copied into panels, worked on there, and its products are subtracted from the matrix, of
which only the upper triangle is read or written. Panels are filled up with zeros.
"""

from numba import njit

from sklearn_dl.gaussian_process import cholesky_tiles as tiles
from sklearn_dl.gaussian_process.tiles import COLUMNS, ITEM, LANES, ROWS

_PANELS_AT_A_TIME = 16  # which stay in the second-level cache

_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def copy_rows(matrix, row, column, n_rows, panels):
    """Copy rows from `row` and columns from `column` on."""
    n = matrix.shape[1]
    for p in range(len(panels)):
        first, to = column + p * COLUMNS, panels[p].ctypes.data
        for t in range(-(-n_rows // ROWS) * ROWS):
            width = n - first if t < n_rows else 0
            source = matrix.ctypes.data + ((row + t) * n + first) * ITEM
            tiles.copy_row_and_zeros(source, to + t * COLUMNS * ITEM, width)


@_compiled
def turn_columns(matrix, column, n_columns, panels):
    """Copy columns from `column` on, negative, as rows."""
    n = matrix.shape[1]
    for p in range(len(panels)):
        for c in range(0, COLUMNS, LANES):
            source = matrix.ctypes.data + ((p * COLUMNS + c) * n + column) * ITEM
            to = panels[p].ctypes.data + c * ITEM
            for t in range(0, n_columns, LANES):
                tiles.turn(source + t * ITEM, n, n_columns - t, to + t * COLUMNS * ITEM)


@_compiled
def write_rows(panels, n_rows, matrix, row):
    """Write rows back to where :func:`copy_rows` took them from the diagonal on, the upper triangle only."""
    n = matrix.shape[1]
    for p in range(len(panels)):
        first, own = p * COLUMNS, panels[p].ctypes.data
        for t in range(n_rows):
            to = matrix.ctypes.data + ((row + t) * n + row + first) * ITEM
            tiles.copy_row(own + t * COLUMNS * ITEM, to, t - first, n - row - first)


@_compiled
def solve_panels(triangle, panels, n_rows, is_identity):
    """Replace the panels by the solution X of U' X = panels.

    Parameters
    ----------
    triangle : ndarray of shape (n, n_rows or more, COLUMNS)
        U in panels, its diagonal as reciprocals. What lies below it is not read.
    panels : ndarray of shape (n_panels, n_rows or more, COLUMNS)
    n_rows : int
    is_identity : bool
        Whether the panels are those of the identity, so that rows of zeros can be left out.
    """
    for p in range(len(panels)):
        first = p * COLUMNS if is_identity else 0
        panel = panels[p].ctypes.data + first * COLUMNS * ITEM
        for row in range(first, n_rows, ROWS):
            own = triangle[row // COLUMNS].ctypes.data + (first * COLUMNS + row % COLUMNS) * ITEM
            tiles.solve_rows(own, panel, row - first)


@_compiled
def factor_panels(panels, n_rows, pivots):
    """Replace the first `n_rows` columns, which are symmetric, by their upper Cholesky factor.

    Its diagonal goes to `pivots`, and reciprocals take its place. Returns the first column whose pivot is not
    positive, or `n_rows` if all are.
    """
    for p in range(-(-n_rows // COLUMNS)):
        first, panel = p * COLUMNS, panels[p].ctypes.data
        for row in range(0, min(first + COLUMNS, n_rows), ROWS):
            own = panels[row // COLUMNS].ctypes.data + row % COLUMNS * ITEM
            if row < first:
                tiles.solve_rows(own, panel, row)
                continue
            failed = tiles.factor_rows(own, panel, row, pivots.ctypes.data + row * ITEM)
            if failed < ROWS and row + failed < n_rows:
                return row + failed
    return n_rows


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
