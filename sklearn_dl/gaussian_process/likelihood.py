"""Marginal likelihood of a Gaussian process: one matrix, factored and inverted where it lies."""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import blas, lapack

from sklearn_dl.gaussian_process import factorization, huge_pages
from sklearn_dl.gaussian_process.covariance import Covariance
from sklearn_dl.gaussian_process.weights import PairWeights

_JITTERS = (0.0, *(10.0**power for power in range(-12, -2)))


class Factor(NamedTuple):
    """Cholesky factor of the covariance with the noise on its diagonal."""

    L: np.ndarray  # lower triangle, in Fortran order
    jitter: float  # variance that had to be added to every row


class MarginalLikelihood:
    """Log-likelihood of the targets, the function values integrated out.

    Holds one n x n buffer, in whose upper triangle (LAPACK's lower: the buffer is its transpose) the
    covariance, its factor and its inverse follow one another. One instance serves one thread.

    Parameters
    ----------
    covariance : Covariance
        Of the function values.
    X : array of n_samples rows
        Inputs.
    y : ndarray of shape (n_samples, n_targets)
        Targets, which share the covariance and are independent.
    noise : float or ndarray of shape (n_samples,)
        Variance added to the diagonal.
    """

    def __init__(self, covariance: Covariance, X: Any, y: np.ndarray, noise: Any) -> None:
        self.covariance, self.X, self.y, self.noise = covariance, X, y, noise
        self._buffer = huge_pages.empty(len(y), len(y))
        self._searched = self._by_tiles = False  # with a search, compiled code is loaded

    def factor(self, theta: np.ndarray, *, clean: bool = False) -> Factor | None:
        """Factor the covariance at theta, with the least jitter that does; None if none does.

        The factor lies in the buffer and lives until the next call. With `clean` the other triangle is 0.
        """
        loaded = self.covariance.is_compiled(self.X, theta)
        self._by_tiles = self._searched and factorization.tiles_pay(len(self.y), loaded=loaded)
        for relative in _JITTERS:
            self.covariance.fill(self.X, theta, self._buffer, often=self._searched)
            diagonal = self._buffer.ravel()[:: len(self.y) + 1]
            diagonal += self.noise
            jitter = relative * float(diagonal.mean())
            diagonal += jitter
            if not np.isfinite(diagonal).all():
                return None
            L, info = factorization.factor(self._buffer, by_tiles=self._by_tiles, clean=clean)
            if info == 0:
                return Factor(L, jitter)
        return None

    def value(self, theta: np.ndarray) -> float:
        """Log-likelihood, summed over the targets; -inf where the covariance is not positive definite."""
        factor = self.factor(theta)
        return -np.inf if factor is None else log_likelihood(factor.L, self.y, solve(factor.L, self.y))

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its derivative by theta."""
        self._searched = True
        factor = self.factor(theta)
        if factor is None:
            return -np.inf, np.zeros(len(theta))
        dual = solve(factor.L, self.y)
        value = log_likelihood(factor.L, self.y, dual)
        factorization.invert(factor.L, by_tiles=self._by_tiles)
        # Rasmussen and Williams, equation 5.9: tr((alpha alpha' - K^-1) dK/dtheta) / 2.
        n_samples, n_targets = self.y.shape
        root = None if n_targets == 1 else np.full(n_samples, n_targets**0.5)
        weights = PairWeights(dual, dual, self._buffer, root)
        return value, self.covariance.contract(self.X, theta, weights)


def solve(L: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Solution of L L' x = y, for y of shape (n_samples, n_targets)."""
    if y.shape[1] > 1:
        return lapack.dpotrs(L, y, lower=1)[0]
    halfway = blas.dtrsv(L, y[:, 0], lower=1)  # for one column in half the time
    return blas.dtrsv(L, halfway, lower=1, trans=1, overwrite_x=1)[:, None]


def log_likelihood(L: np.ndarray, y: np.ndarray, dual: np.ndarray) -> float:
    """Log-density of the columns of y under N(0, L L'); `dual` solves L L' x = y."""
    n_samples, n_targets = y.shape
    log_determinant = 2 * float(np.log(L.diagonal()).sum())
    fit = float(np.vdot(y, dual))
    return -0.5 * (fit + n_targets * (log_determinant + n_samples * np.log(2 * np.pi)))


def inverse_diagonal(L: np.ndarray) -> np.ndarray:
    """Diagonal of (L L')^-1."""
    inverse = L.copy(order="F")
    factorization.invert(inverse)
    return inverse.diagonal().copy()
