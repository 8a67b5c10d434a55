"""What the surrogate believes of other rows, also after runs whose ends are not known yet."""

import copy
import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack
from scipy.special import ndtri
from scipy.stats import qmc

from sklearn_dl.gaussian_process.pairs import Pairs
from sklearn_dl.gaussian_process.posterior import append_rows
from sklearn_dl.model_selection.rough_noise import RoughNoise
from sklearn_dl.model_selection.surrogate import Surrogate, solve_with_mean
from sklearn_dl.model_selection.warping import WarpedInputs

#: From derivatives by mean (n_rows, n_worlds) and deviation (n_rows,) to those by the rows.
Chain = Callable[[np.ndarray, np.ndarray], np.ndarray]

_NOISELESS = 1e-6  # of the prior variance: noise that lets the covariance be factored
_LEAST_VARIANCE = 1e-12  # of the prior variance: what rounding leaves at an observed row


class Posterior:
    """Normal distributions of the function at rows of the unit cube, in units of the standard targets.

    There is one world for what was observed, or several, which differ by imagined targets (fantasies) and so
    in their means; the deviations are those of all worlds.

    Parameters
    ----------
    surrogate : Surrogate
        Fitted to the observations.
    theta : ndarray
        Its hyper-parameters.
    """

    def __init__(self, surrogate: Surrogate, theta: np.ndarray) -> None:
        self.surrogate, self.theta = surrogate, theta
        self.kernel_theta = surrogate.kernel_theta(theta)
        self.variance, self.noise = np.exp(self.kernel_theta[[0, -1]])
        warped, _ = surrogate.warp(surrogate.rows, theta)
        L = surrogate.factor(self.kernel_theta, warped)
        self._condition(warped, L, surrogate.standard_targets(theta).values[:, None])

    def _condition(self, warped: np.ndarray, L: np.ndarray, targets: np.ndarray) -> None:
        self._warped, self._factor, self.targets = warped, L, targets
        self._dual, self._mean = solve_with_mean(L, targets)
        self._whiten, _ = lapack.dtrtri(L, lower=1)
        has_steps = self.surrogate.has_steps
        self._rough_noise = RoughNoise(self.surrogate, self.kernel_theta, warped) if has_steps else None

    @property
    def n_worlds(self) -> int:
        """Number of columns of the means."""
        return self.targets.shape[1]

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Chain]:
        """Means (n_rows, n_worlds), standard deviations (n_rows,), and the chain rule."""
        warped, warp = self.surrogate.warp(rows, self.theta)
        evaluation = self.surrogate.covariance.term(Pairs(warped, self._warped), self.kernel_theta)
        mean = evaluation.values @ self._dual + self._mean
        white = evaluation.values @ self._whiten.T
        variance = self.variance - np.einsum("ij,ij->i", white, white)
        std = np.sqrt(np.maximum(variance, _LEAST_VARIANCE * self.variance))

        def chain(by_mean: np.ndarray, by_std: np.ndarray) -> np.ndarray:
            adjoint = by_mean @ self._dual.T - (by_std / std)[:, None] * (white @ self._whiten)
            return self._before_warp(evaluation.row_gradient(adjoint), warp)

        return mean, std, chain

    def returned(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Chain]:
        """As a call gives them for the function, for what runs at the rows return: noise included.

        Where the targets have steps, a run near an observed row returns its value again, and less noise is
        left there.
        """
        mean, std, chain = self(rows)
        if self._rough_noise is None:
            spread = np.sqrt(std**2 + self.noise)
            return mean, spread, lambda by_mean, by_std: chain(by_mean, by_std * std / spread)
        warped, warp = self.surrogate.warp(rows, self.theta)
        share, noise_chain = self._rough_noise(warped)
        spread = np.sqrt(std**2 + self.noise * share)

        def chain_of_returned(by_mean: np.ndarray, by_std: np.ndarray) -> np.ndarray:
            by_noise = noise_chain(self.noise * by_std / (2 * spread))
            return chain(by_mean, by_std * std / spread) + self._before_warp(by_noise, warp)

        return mean, spread, chain_of_returned

    def _before_warp(self, gradient: np.ndarray, warp: WarpedInputs | None) -> np.ndarray:
        """Derivatives by rows, of those by the warped rows, which are overwritten."""
        if warp is not None:
            gradient[:, self.surrogate.warped_columns] *= warp.by_x
        return gradient

    def best(self) -> np.ndarray:
        """Lowest observed or imagined target of each world (n_worlds,)."""
        return self.targets.min(axis=0)

    def imagine(self, rows: np.ndarray, n_worlds: int, rng: np.random.Generator) -> "Posterior":
        """Condition on targets drawn at rows where runs are under way, each draw a world of its own.

        Worlds that there are already get a draw each.

        References
        ----------
        Snoek, Larochelle, Adams (2012), Practical Bayesian optimization of machine learning algorithms,
        section 3.2.
        """
        n_worlds = n_worlds if self.n_worlds == 1 else self.n_worlds
        warped, _ = self.surrogate.warp(rows, self.theta)
        between = self.surrogate.covariance.between
        cross = between(warped, self._warped, self.kernel_theta)
        mean = cross @ self._dual + self._mean
        corner = between(warped, warped, self.kernel_theta)
        corner[np.diag_indices_from(corner)] += self.noise + _LEAST_VARIANCE * self.variance
        L = append_rows(self._factor, cross, corner)
        if L is None:  # the runs repeat observations: nothing will be learnt from them
            return self
        n_known = len(self._factor)
        draws = mean + L[n_known:, n_known:] @ _normal_draws(len(rows), n_worlds, rng)
        known = np.broadcast_to(self.targets, (n_known, n_worlds))
        return self._changed(np.concatenate([self._warped, warped]), L, np.concatenate([known, draws]))

    def denoise(self, n_worlds: int, rng: np.random.Generator) -> "Posterior":
        """Condition on noiseless values drawn at the observed rows, each draw a world of its own.

        References
        ----------
        Letham, Karrer, Ottoni, Bakshy (2019), Constrained Bayesian optimization with noisy experiments,
        section 3.
        """
        # With S = K + noise: the mean is y - noise S^-1 (y - m), the covariance noise - noise S^-1 noise.
        mean = self.targets - self.noise * self._dual
        covariance = -(self.noise**2) * (self._whiten.T @ self._whiten)
        covariance[np.diag_indices_from(covariance)] += self.noise * (1 + 1e-6)
        spread, info = lapack.dpotrf(np.asfortranarray(covariance), lower=1, clean=1)
        if info != 0:
            return self
        noiseless = self.kernel_theta.copy()
        noiseless[-1] = math.log(min(self.noise, _NOISELESS * self.variance))
        L = self.surrogate.factor(noiseless, self._warped)
        draws = mean + spread @ _normal_draws(len(mean), n_worlds, rng)
        changed = self._changed(self._warped, L, draws)
        changed.kernel_theta, changed.noise = noiseless, math.exp(noiseless[-1])
        return changed

    def _changed(self, warped: np.ndarray, L: np.ndarray, targets: np.ndarray) -> "Posterior":
        changed = copy.copy(self)
        changed._condition(warped, L, targets)
        return changed


def _normal_draws(n_dimensions: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Standard normal draws (n_dimensions, n_draws) that are spread evenly."""
    uniform = qmc.Sobol(n_dimensions, seed=rng).random(n_draws)
    return ndtri(np.clip(uniform, 1e-9, 1 - 1e-9)).T
