"""Square roots of a symmetric positive-definite matrix without its eigenvectors."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy.linalg import lapack
from scipy.special import ellipj, ellipkm1

#: Most that the largest eigenvalue may exceed the least; beyond, the elliptic functions lose digits.
MOST_CONDITION = 1e4
_DIGITS = 37.0  # logarithm of the inverse of the error that is aimed at, 1e-16
_COLUMNS = 64  # of the rows given, side by side, which stay in the cache over all shifts


@dataclass(frozen=True)
class TridiagonalMatrix:
    """Symmetric positive-definite matrix as a tridiagonal one in another basis.

    Its inverse root is a sum of inverses with shifts, which converges as fast as eigenvalues are close to one
    another. The inverses are those of tridiagonal matrices and cost next to nothing.

    Parameters
    ----------
    basis : ndarray of shape (n_features, n_features)
        Orthonormal columns.
    diagonal : ndarray of shape (n_features,)
        Diagonal of the tridiagonal matrix.
    beside : ndarray of shape (n_features - 1,)
        What stands beside the diagonal.
    least : float
        Lower bound of the eigenvalues, above 0.
    exponent : {1.0, 0.5, -0.5}, default=1.0
        Power of that matrix that this one is.

    References
    ----------
    Hale, Higham, Trefethen (2008), Computing A^alpha, log(A), and related matrix functions by contour
    integrals, SIAM J. Numer. Anal. 46, section 4, method 3.
    """

    basis: np.ndarray
    diagonal: np.ndarray
    beside: np.ndarray
    least: float
    exponent: float = 1.0

    def power(self, exponent: float) -> "TridiagonalMatrix":
        """Root of the matrix, or its inverse: `exponent` 0.5 or -0.5."""
        return replace(self, exponent=exponent)

    def after(self, rows: np.ndarray) -> np.ndarray:
        """``rows @ matrix``, in 4 * n_samples * n_features^2 operations and few more."""
        columns = self.basis.T @ rows.T
        if self.exponent != 1:
            largest = np.abs(self.diagonal)
            largest[:-1] += np.abs(self.beside)
            largest[1:] += np.abs(self.beside)
            shifts, weights = inverse_root_terms(self.least, largest.max())
            solved = np.zeros_like(columns)
            _add_solutions(self.diagonal, self.beside, shifts, weights, columns, solved)
            columns = solved
        if self.exponent > 0:
            columns = self._multiplied(columns)
        return columns.T @ self.basis.T

    def toarray(self) -> np.ndarray:
        """Dense matrix of shape (n_features, n_features)."""
        return self.after(np.eye(len(self.diagonal)))

    def _multiplied(self, columns: np.ndarray) -> np.ndarray:
        product = self.diagonal[:, None] * columns
        product[:-1] += self.beside[:, None] * columns[1:]
        product[1:] += self.beside[:, None] * columns[:-1]
        return product


def tridiagonal(lower: np.ndarray, factor: float, shift: float) -> TridiagonalMatrix:
    """`factor` times a symmetric matrix, plus `shift` times the identity, by Householder's reflections.

    Parameters
    ----------
    lower : ndarray of shape (n_features, n_features), Fortran order
        Positive semi-definite matrix by its lower triangle. Overwritten.
    factor : float
        At least 0.
    shift : float
        Above 0.
    """
    order = len(lower)
    room = int(lapack.dsytrd_lwork(order, lower=1)[0])
    reflected, diagonal, beside, scales, _ = lapack.dsytrd(lower, lower=1, lwork=room, overwrite_a=1)
    reflectors = np.asfortranarray(reflected[1:, :-1])
    inner = lapack.dorgqr(reflectors, scales, lwork=room, overwrite_a=1)[0]
    basis = np.zeros((order, order), order="F")
    basis[0, 0], basis[1:, 1:] = 1.0, inner
    return TridiagonalMatrix(basis, factor * diagonal + shift, factor * beside, shift)


def inverse_root_terms(least: float, largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Shifts s and weights w with ``sum(w / (x + s)) == 1 / sqrt(x)`` for x from `least` to `largest`.

    The relative error is that of rounding up to a quotient of MOST_CONDITION.
    """
    n_terms = int(np.ceil((np.log(largest / least) + 3) * _DIGITS / (2 * np.pi**2)))
    quarter = ellipkm1(least / largest)
    sine, cosine, delta, _ = ellipj((np.arange(n_terms) + 0.5) * quarter / n_terms, 1 - least / largest)
    weights = 2 * np.sqrt(least) * quarter / (np.pi * n_terms) * delta / cosine**2
    return least * (sine / cosine) ** 2, weights


@njit(nogil=True, cache=True)
def _add_solutions(diagonal, beside, shifts, weights, right, total):
    """Add to `total` the weighted solutions of the tridiagonal systems with each shift on the diagonal."""
    n, n_columns = right.shape
    pivot, factor = np.empty(n), np.zeros(n)
    held = np.empty((n, _COLUMNS))
    for first in range(0, n_columns, _COLUMNS):
        width = min(_COLUMNS, n_columns - first)
        for j in range(len(shifts)):
            pivot[0] = diagonal[0] + shifts[j]
            for i in range(1, n):
                factor[i] = beside[i - 1] / pivot[i - 1]
                pivot[i] = diagonal[i] + shifts[j] - factor[i] * beside[i - 1]
            for k in range(width):
                held[0, k] = right[0, first + k]
            for i in range(1, n):
                for k in range(width):
                    held[i, k] = right[i, first + k] - factor[i] * held[i - 1, k]
            for k in range(width):
                held[n - 1, k] /= pivot[n - 1]
                total[n - 1, first + k] += weights[j] * held[n - 1, k]
            for i in range(n - 2, -1, -1):
                scale, share = 1.0 / pivot[i], factor[i + 1]
                for k in range(width):
                    held[i, k] = held[i, k] * scale - share * held[i + 1, k]
                    total[i, first + k] += weights[j] * held[i, k]
