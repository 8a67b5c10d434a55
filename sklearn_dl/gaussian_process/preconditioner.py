"""Pivoted Cholesky factor of the covariance plus the noise: what conjugate gradients divide by."""

import numpy as np

from sklearn_dl._base.arrays import Array, namespace
from sklearn_dl.gaussian_process.signal import SignalCovariance
from sklearn_dl.gaussian_process.triangular import (
    cholesky,
    identity_like,
    log_determinant,
    solve_lower,
    solve_upper,
    zeros_like,
)

CLOSED = 1e-2  # of the noise, in sum: then the preconditioned condition number is at most 1.01


class Preconditioner:
    """P = F' F + noise, with F (rank, n_samples) from a Cholesky decomposition that was stopped early.

    Parameters
    ----------
    signal : SignalCovariance
        Of the function values.
    X : array of shape (n_samples, n_features)
        Inputs, of numpy or torch.
    noise : array of shape (n_samples,)
        Variance of the noise of each row, that of the kernel included.
    theta : ndarray
        Hyper-parameters.
    size : int
        Largest rank. Rows of F take `n_samples` numbers each; few suffice for smooth covariances.

    Attributes
    ----------
    left_open : float
        Trace of the rest of the covariance over the noise; the covariance with its noise is at most P plus
        this many times the noise.

    References
    ----------
    Harbrecht, Peters, Schneider (2012), On the low-rank approximation by the pivoted Cholesky decomposition,
    algorithm 1. Gardner, Pleiss, Bindel, Weinberger, Wilson (2018), GPyTorch: blackbox matrix-matrix Gaussian
    process inference with GPU acceleration, section 4.1.
    """

    def __init__(
        self, signal: SignalCovariance, X: Array, noise: Array, theta: np.ndarray, size: int
    ) -> None:
        self.noise = noise
        self.F, self.left_open = _pivoted_cholesky(signal, X, noise, theta, size)
        inner = (self.F / noise) @ self.F.T
        L = cholesky(inner + identity_like(inner))
        if L is None:
            raise np.linalg.LinAlgError(
                f"The preconditioner is singular to machine precision: noise of {float(noise.min()):.1e} is "
                "too little beside the covariance. Raise alpha or the lower bound of the noise_level."
            )
        self._L = L

    def solve(self, V: Array) -> Array:
        """P^-1 V by the identity of Woodbury, for V of shape (n_samples, n_columns)."""
        scaled = V / self.noise[:, None]
        whitened = solve_lower(self._L, self.F @ scaled)
        back = self.F.T @ solve_upper(self._L, whitened)
        return scaled - back / self.noise[:, None]

    def log_determinant(self) -> float:
        """Logarithm of the determinant of P."""
        return log_determinant(self._L) + float(namespace(self.noise).log(self.noise).sum())

    def draw(self, by_factor: Array, by_noise: Array) -> Array:
        """Vectors of covariance P from standard normal ones, (rank or more, s) and (n_samples, s)."""
        return self.F.T @ by_factor[: len(self.F)] + self.noise[:, None] ** 0.5 * by_noise


def _pivoted_cholesky(
    signal: SignalCovariance, X: Array, noise: Array, theta: np.ndarray, size: int
) -> tuple[Array, float]:
    """Rows of the factor, and the trace of what it leaves open, in units of the noise.

    Each pivot is the row that is most open in these units.
    """
    size = min(size, len(X))
    F = zeros_like(noise, size, len(X))
    left_open = signal.variances(X, theta).signal
    for step in range(size):
        relative = left_open / noise
        if float(relative.sum()) <= CLOSED:
            return F[:step], float(relative.sum())
        pivot = int(relative.argmax())
        row = signal.between(X[pivot : pivot + 1], X, theta)[0]
        row = row - F[:step].T @ F[:step, pivot]
        F[step] = row / float(left_open[pivot]) ** 0.5
        left_open = (left_open - F[step] ** 2).clip(min=0)
        left_open[pivot] = 0
    return F, float((left_open / noise).sum())
