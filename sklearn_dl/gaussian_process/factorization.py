"""Cholesky factor and inverse of a matrix where it lies: by LAPACK, or by tiles where they are faster."""

import numpy as np
from scipy.linalg import lapack

from sklearn_dl._base.threads import blas_libraries
from sklearn_dl.gaussian_process.in_place import invert_triangle

_LEAST_ROWS = 128  # from which on tiles are faster
_LEAST_ROWS_TO_LOAD = 1000  # for which a search gains more time than compiled code takes to load
_MOST_THREADS = 2  # of BLAS on half as wide registers, which together are as fast
_WITHOUT_AVX512 = {"prescott", "nehalem", "sandybridge", "haswell", "zen"}  # what OpenBLAS takes x86 for


def tiles_pay(n_rows: int, *, loaded: bool) -> bool:
    """Whether a search takes less time by tiles, with compiled code loaded already or not.

    They are for processors with AVX-512 that BLAS does not know to have it.
    """
    if n_rows < (_LEAST_ROWS if loaded else _LEAST_ROWS_TO_LOAD):
        return False
    if not all(
        library.internal_api == "openblas"
        and str(library.architecture).lower() in _WITHOUT_AVX512
        and library.num_threads <= _MOST_THREADS
        for library in blas_libraries()
    ):
        return False
    from sklearn_dl.gaussian_process.tiles import HAS_AVX512

    return HAS_AVX512


def factor(matrix: np.ndarray, *, by_tiles: bool = False, clean: bool = False) -> tuple[np.ndarray, int]:
    """Replace a matrix by its Cholesky factor.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        float64, C-contiguous; the upper triangle is read.
    by_tiles : bool, default=False
        Whether to factor it by tiles.
    clean : bool, default=False
        Whether the other triangle of the factor becomes 0; else it is left alone.

    Returns
    -------
    L : ndarray of shape (n, n)
        Lower factor in Fortran order, a view of the matrix.
    info : int
        0, or the order of the first leading minor that is not positive definite.
    """
    if not by_tiles:
        return lapack.dpotrf(matrix.T, lower=1, clean=int(clean), overwrite_a=1)
    from sklearn_dl.gaussian_process.cholesky import factor_upper

    if clean:
        for i in range(1, len(matrix)):
            matrix[i, :i] = 0
    return matrix.T, factor_upper(matrix)


def invert(L: np.ndarray, *, by_tiles: bool = False) -> None:
    """Write the lower triangle of (L L')^-1 over L, which is in Fortran order."""
    if by_tiles:
        from sklearn_dl.gaussian_process.cholesky import invert_upper

        invert_upper(L.T)
        return
    invert_triangle(L)
    lapack.dlauum(L, lower=1, overwrite_c=1)
