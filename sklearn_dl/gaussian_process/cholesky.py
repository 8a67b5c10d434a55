"""Cholesky factor and inverse of a symmetric matrix where it lies, in compiled code of our own."""

import numpy as np

from sklearn_dl.gaussian_process import huge_pages
from sklearn_dl.gaussian_process.cholesky_kernels import add_rank, factor_rows, invert_rows
from sklearn_dl.gaussian_process.tiles import COLUMNS

_BLOCK_ROWS = 144  # of panels whose own share of the work is small, and products long enough


def factor_upper(matrix: np.ndarray) -> int:
    """Replace the upper triangle by that of U, where U' U is the matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        float64, C-contiguous. The lower triangle is neither read nor written.

    Returns
    -------
    info : int
        0, or the order of the first leading minor that is not positive definite, as of LAPACK's dpotrf.
    """
    _check(matrix)
    n, step = len(matrix), _block_rows(len(matrix))
    panels = _panels(n, step)
    for start in range(0, n, step):
        n_rows, here = min(step, n - start), panels[start // COLUMNS :]
        n_factored = factor_rows(matrix, start, n_rows, here)
        if n_factored < n_rows:
            return start + n_factored + 1
        add_rank(panels, n_rows, -1.0, matrix, start + step, n, n, 0)
    return 0


def invert_upper(matrix: np.ndarray) -> None:
    """Replace the upper triangle U by that of the inverse of U' U.

    By blocks K of rows, with S those before and J those after. At each step the rows of S and K hold the
    inverse of the leading triangle V = U_SS^-1 times its transpose, and V U_SJ beside it. Both grow by one
    product, of the columns of the inverse of U that K adds: V_SK = -(V U_SK) U_KK^-1 and U_KK^-1.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        float64, C-contiguous. The lower triangle is neither read nor written.
    """
    _check(matrix)
    n, step = len(matrix), _block_rows(len(matrix))
    panels, triangle = _panels(n, step), _panels(step, step)
    for start in range(0, n, step):
        n_rows = min(step, n - start)
        invert_rows(matrix, start, n_rows, triangle, panels)
        add_rank(panels, n_rows, 1.0, matrix, 0, start + n_rows, start, n_rows)


def _check(matrix: np.ndarray) -> None:
    usable = matrix.shape == (len(matrix), len(matrix)) and matrix.dtype == np.float64
    if not (usable and matrix.flags.c_contiguous and matrix.flags.writeable):
        raise ValueError(
            "The matrix must be a square float64 array in C order that can be written to; got shape "
            f"{matrix.shape}, {matrix.dtype}."
        )


def _block_rows(n: int) -> int:
    """Rows of a block: about equal parts of n in whole panels."""
    n_blocks = -(-n // _BLOCK_ROWS)
    return -(-n // (n_blocks * COLUMNS)) * COLUMNS


def _panels(n_columns: int, n_rows: int) -> np.ndarray:
    """Room for panels."""
    return huge_pages.empty(-(-n_columns // COLUMNS), n_rows, COLUMNS)
