"""Sparse Gaussian process regression: the variational bound over inducing points, and its posterior."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sklearn_dl._base.arrays import Array, namespace, to_host
from sklearn_dl.gaussian_process.separation import Variances
from sklearn_dl.gaussian_process.signal import SignalCovariance, block_slices, slices
from sklearn_dl.gaussian_process.triangular import (
    cholesky,
    cholesky_with_jitter,
    identity_like,
    log_determinant,
    solve_lower,
    solve_upper,
    zeros_like,
)

_ROWS_AT_A_TIME = 1024  # whitened in one call of BLAS


class SparsePosterior(NamedTuple):
    """What the rows say of the function at m inducing points, with A = L^-1 K_uf.

    Titsias (2009), equation 10, in whitened form.
    """

    L: Array  # lower factor of the covariance of the inducing points
    jitter: float  # variance that had to be added to each of them
    LB: Array  # lower factor of B = I + A noise^-1 A'
    fit: Array  # LB^-1 A noise^-1 y, of shape (m, n_targets)

    @property
    def weights(self) -> Array:
        """Weights of the covariances with the inducing points in the posterior mean."""
        return solve_upper(self.L, solve_upper(self.LB, self.fit))

    def explained(self, cross: Array) -> tuple[Array, Array]:
        """Factors of the covariance that the rows take away: that of the first less that of the second.

        `cross` (n_rows, m) holds the covariances with the inducing points.
        """
        whitened = solve_lower(self.L, cross.T)
        return whitened, solve_lower(self.LB, whitened)

    def extended(
        self, signal: SignalCovariance, Z: Array, X: Array, y: Array, noise: Array, theta: np.ndarray
    ) -> "SparsePosterior | None":
        """Posterior with further rows, of known noise, at the same hyper-parameters; None if that fails."""
        B, projected = self.LB @ self.LB.T, self.LB @ self.fit
        for A, targets in _whitened_rows(self.L, signal, Z, X, y, noise, theta):
            B = B + A @ A.T
            projected = projected + A @ targets
        LB = cholesky(B)
        return None if LB is None else self._replace(LB=LB, fit=solve_lower(LB, projected))


class VariationalBound:
    """Lower bound of the log-likelihood of the targets, tight where the inducing points are the rows.

    Nothing of n_samples x n_inducing numbers is held: the blocks are evaluated twice, once for the bound and
    once more for its gradient, which costs about a tenth of the time.

    Parameters
    ----------
    signal : SignalCovariance
        Of the function values.
    X : array of shape (n_samples, n_features)
        Inputs, of numpy or torch.
    y : array of shape (n_samples, n_targets)
        Targets, which share the covariance and are independent.
    noise : array of shape (n_samples,)
        Variance of the noise of each row beside that of the kernel.

    References
    ----------
    Titsias (2009), Variational learning of inducing variables in sparse Gaussian processes, equation 9.
    """

    def __init__(self, signal: SignalCovariance, X: Array, y: Array, noise: Array) -> None:
        self.signal, self.X, self.y, self.noise = signal, X, y, noise

    def posterior(self, theta: np.ndarray, Z: Array) -> SparsePosterior | None:
        """Condition the inducing points Z on the rows; None where that fails to machine precision."""
        return self._condition(theta, Z, self.signal.variances(self.X, theta))

    def at(self, posterior: SparsePosterior, theta: np.ndarray) -> float:
        """Bound of a posterior that is conditioned on these rows at theta."""
        return self._bound(posterior, self.signal.variances(self.X, theta))

    def value(self, theta: np.ndarray, Z: Array) -> float:
        """Bound, summed over targets; -inf where it cannot be computed."""
        variances = self.signal.variances(self.X, theta)
        posterior = self._condition(theta, Z, variances)
        return -np.inf if posterior is None else self._bound(posterior, variances)

    def value_and_gradient(
        self, theta: np.ndarray, Z: Array, *, by_inducing_points: bool = False
    ) -> tuple[float, np.ndarray]:
        """Bound and its derivative by theta, followed by that by Z where asked for."""
        variances = self.signal.variances(self.X, theta)
        posterior = self._condition(theta, Z, variances)
        if posterior is None:
            return -np.inf, np.zeros(len(theta) + by_inducing_points * Z.shape[0] * Z.shape[1])
        value = self._bound(posterior, variances)
        return value, _BoundGradient(self, theta, Z, posterior, variances)(by_inducing_points)

    def _condition(self, theta: np.ndarray, Z: Array, variances: Variances) -> SparsePosterior | None:
        noise = self.noise + variances.noise
        if not bool((noise > 0).all()):
            return None
        L, jitter = cholesky_with_jitter(self.signal.between(Z, Z, theta))
        if L is None:
            return None
        B, projected = identity_like(L), zeros_like(L, len(Z), self.y.shape[1])
        for A, targets in _whitened_rows(L, self.signal, Z, self.X, self.y, noise, theta):
            B += A @ A.T
            projected += A @ targets
        LB = cholesky(B)
        return None if LB is None else SparsePosterior(L, jitter, LB, solve_lower(LB, projected))

    def _bound(self, posterior: SparsePosterior, variances: Variances) -> float:
        noise, n_targets = self.noise + variances.noise, self.y.shape[1]
        log = namespace(noise).log
        fit = float((self.y**2 / noise[:, None]).sum() - (posterior.fit**2).sum())
        explained = float((posterior.LB**2).sum()) - len(posterior.LB)  # tr(B) - m
        # The trace term: what the inducing points leave open, in units of the noise.
        left_open = float((variances.signal / noise).sum()) - explained
        volume = log_determinant(posterior.LB) + float(log(2 * np.pi * noise).sum())
        return -0.5 * (fit + n_targets * (volume + left_open))


class _BoundGradient:
    """Derivative of the bound, pulled back from the covariances block by block.

    With M = K_uu + K_uf noise^-1 K_fu and a = M^-1 K_uf noise^-1 y, the derivative by K_uf is
    (S K_uf + a y') noise^-1, where S = K_uu^-1 - M^-1 - a a', for one target.
    """

    def __init__(
        self, bound: VariationalBound, theta: np.ndarray, Z: Array, posterior: SparsePosterior,
        variances: Variances,
    ) -> None:  # fmt: skip
        self.bound, self.theta, self.Z, self.variances = bound, theta, Z, variances
        self.jitter, n_targets = posterior.jitter, bound.y.shape[1]
        eye = identity_like(posterior.L)
        to_whitened = solve_lower(posterior.L, eye)
        inverse = solve_lower(posterior.LB, eye)
        dual = solve_upper(posterior.LB, posterior.fit)
        inner = n_targets * (eye - inverse.T @ inverse) - dual @ dual.T
        self.S = to_whitened.T @ inner @ to_whitened
        excess = n_targets * (posterior.LB @ posterior.LB.T - eye)
        self.by_inducing = 0.5 * to_whitened.T @ (inner - excess) @ to_whitened
        self.weights = to_whitened.T @ dual

    def __call__(self, by_inducing_points: bool) -> np.ndarray:
        gradient, by_Z = self._of_inducing_covariance(by_inducing_points)
        n_targets, y = self.bound.y.shape[1], self.bound.y
        signal, noise = self.variances.signal, self.bound.noise + self.variances.noise
        by_noise = namespace(noise).zeros_like(noise)
        for rows in block_slices(self.bound.X, len(self.Z)):
            block = self.bound.signal.block(self.Z, self.bound.X[rows], self.theta)
            cross = block.values
            half = self.S @ cross
            fitted = self.weights @ y[rows].T
            by_noise[rows] = -(cross * (0.5 * half + fitted)).sum(0)
            adjoint = (half + fitted) / noise[rows]
            gradient += block.pull(adjoint)
            if by_inducing_points:
                by_Z = by_Z + block.pull_rows(adjoint)
        by_noise = by_noise + 0.5 * ((y**2).sum(1) + n_targets * (signal - noise))
        gradient += self.variances.gradient(-0.5 * n_targets / noise, by_noise / noise**2, len(gradient))
        if not by_inducing_points:
            return gradient
        return np.concatenate([gradient, to_host(by_Z).astype(np.float64).ravel()])

    def _of_inducing_covariance(self, by_inducing_points: bool) -> tuple[np.ndarray, Array]:
        # The jitter is a share of the mean variance, so it has a derivative too.
        mean = float(self.bound.signal.variances(self.Z, self.theta).signal.mean())
        share = self.jitter / mean if mean > 0 else 0.0
        adjoint = self.by_inducing + share * self.by_inducing.diagonal().mean() * identity_like(self.S)
        gradient, by_Z = np.zeros(len(self.theta)), namespace(self.Z).zeros_like(self.Z)
        for rows in block_slices(self.Z, len(self.Z)):
            block = self.bound.signal.block(self.Z[rows], self.Z, self.theta)
            gradient += block.pull(adjoint[rows])
            if by_inducing_points:
                by_Z[rows] += 2 * block.pull_rows(adjoint[rows])  # Z stands on both sides
        return gradient, by_Z


def _whitened_rows(
    L: Array, signal: SignalCovariance, Z: Array, X: Array, y: Array, noise: Array, theta: np.ndarray
) -> Iterator[tuple[Array, Array]]:
    """Blocks of L^-1 K_uf and y, each divided by the standard deviation of the noise."""
    precision = noise**-0.5
    for rows in slices(len(X), max(_ROWS_AT_A_TIME, len(Z))):
        cross = signal.between(Z, X[rows], theta) * precision[rows]
        yield solve_lower(L, cross), y[rows] * precision[rows, None]
