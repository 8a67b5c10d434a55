"""Cholesky factors and triangular systems, of arrays of numpy and of torch."""

import numpy as np
from scipy.linalg import blas, lapack

from sklearn_dl._base.arrays import Array, is_tensor, namespace


def cholesky(matrix: Array) -> Array | None:
    """Lower factor, or None if the matrix is not positive definite."""
    if is_tensor(matrix):
        L, info = namespace(matrix).linalg.cholesky_ex(matrix)
        return L if int(info) == 0 else None
    if not np.isfinite(matrix).all():
        return None
    L, info = lapack.dpotrf(matrix.T, lower=1, clean=1)
    return L if info == 0 else None


def cholesky_with_jitter(matrix: Array) -> tuple[Array | None, float]:
    """Lower factor of a positive semi-definite matrix with a little added to its diagonal, and how much.

    The least that does, from a thousandth of the square root of the precision on, times the mean diagonal:
    without any, the factor of a matrix that is singular but for rounding is made of rounding.
    """
    precision = namespace(matrix).finfo(matrix.dtype).eps
    mean = float(matrix.diagonal().mean())
    for power in range(-3, 6):
        jitter = float(precision**0.5) * 10.0**power * mean
        L = cholesky(matrix + jitter * identity_like(matrix))
        if L is not None:
            return L, jitter
    return None, 0.0


def solve_lower(L: Array, B: Array) -> Array:
    """Solution of L x = B."""
    if is_tensor(L):
        return namespace(L).linalg.solve_triangular(L, B, upper=False)
    # x' L' = B', whose C-ordered B' BLAS reads in place.
    return blas.dtrsm(1.0, L, np.ascontiguousarray(B).T, side=1, lower=1, trans_a=1).T


def solve_upper(L: Array, B: Array) -> Array:
    """Solution of L' x = B."""
    if is_tensor(L):
        return namespace(L).linalg.solve_triangular(L.mT, B, upper=True)
    return blas.dtrsm(1.0, L, np.ascontiguousarray(B).T, side=1, lower=1).T


def identity_like(matrix: Array) -> Array:
    """Identity of the kind, device and shape of a square matrix."""
    return namespace(matrix).eye(len(matrix), **_where(matrix))


def zeros_like(array: Array, *shape: int) -> Array:
    """Zeros of the kind, device and dtype of an array."""
    return namespace(array).zeros(shape, **_where(array))


def log_determinant(L: Array) -> float:
    """Logarithm of the determinant of L L'."""
    return 2 * float(namespace(L).log(L.diagonal()).sum())


def _where(array: Array) -> dict:
    return {"dtype": array.dtype, "device": array.device}
