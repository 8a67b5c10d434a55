"""Exact Gaussian process regression without the covariance matrix, by conjugate gradients."""

import warnings
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl._base.arrays import Array, to_host
from sklearn_dl.gaussian_process.covariance import compile_covariance
from sklearn_dl.gaussian_process.hyperparameters import Objective, minimize_from, starting_points
from sklearn_dl.gaussian_process.inference import MatrixFreeInference, log_priors, negative_log_posterior
from sklearn_dl.gaussian_process.likelihood import MarginalLikelihood
from sklearn_dl.gaussian_process.preconditioner import CLOSED
from sklearn_dl.gaussian_process.stochastic_likelihood import StochasticLikelihood, System
from sklearn_dl.gaussian_process.triangular import cholesky, cholesky_with_jitter, solve_lower

_ADAM_STEP, _ADAM_MEAN, _ADAM_SQUARE = 0.1, 0.9, 0.999


class ConjugateGradientInference(MatrixFreeInference):
    """Holds the dual coefficients; solves anew for variances, or projects them once.

    References
    ----------
    Wang, Pleiss, Gardner, Tyree, Weinberger, Wilson (2019), Exact Gaussian processes on a million data
    points.
    """

    @cached_property
    def _stochastic(self) -> StochasticLikelihood:
        model = self.model
        return StochasticLikelihood(
            self.signal,
            self.here(model.X_train_),
            self.here(self.targets),
            self.here(model.noise_train_),
            n_probes=model.n_probes,
            preconditioner_size=min(model.preconditioner_size, len(model.X_train_)),
            tol=model.cg_tol,
            max_iter=model.cg_max_iter,
            seed=model._seed,
        )

    def likelihood(self) -> StochasticLikelihood:
        """The estimate of the log-likelihood."""
        return self._stochastic

    def search(self) -> None:
        """Give kernel_ the best hyper-parameters seen: of a subset, and some steps from there on all rows.

        This is how Wang et al. (2019), section 5, start.
        """
        model = self.model
        theta = self._of_subset()
        if len(model.X_train_) > model.subset_size and model.n_adam_steps > 0:
            objective = negative_log_posterior(self._stochastic, log_priors(model))
            theta = adam(objective, theta, model.kernel_.bounds, model.n_adam_steps)
        self.theta = model.kernel_.theta = theta

    def _of_subset(self) -> np.ndarray:
        model, n_samples = self.model, len(self.model.X_train_)
        rows = np.arange(n_samples)
        if n_samples > model.subset_size:
            rows = np.sort(np.random.default_rng(model._seed).permutation(n_samples)[: model.subset_size])
        X, y, noise = model.X_train_[rows], self.targets[rows], model.noise_train_[rows]
        covariance, priors = compile_covariance(model.kernel_), log_priors(model)

        def make() -> Objective:
            return negative_log_posterior(MarginalLikelihood(covariance, X, y, noise), priors)

        starts = starting_points(model.kernel_, model.n_restarts_optimizer, model.random_state)
        return minimize_from(starts, make, model.kernel_.bounds, model.optimizer).theta

    def condition(self) -> None:
        """Solve for the dual coefficients at the hyper-parameters of kernel_."""
        model = self.model
        estimate = self._stochastic.estimate(self.theta)
        dual, n_iter, residual = self._refined(estimate.dual)
        model.alpha_ = to_host(dual).astype(np.float64, copy=False).reshape(model.y_train_.shape)
        model.n_iter_, model.residual_ = estimate.n_iter + n_iter, float(residual.max())
        model.log_marginal_likelihood_value_ = estimate.value
        if not model.residual_ <= model.cg_tol:  # NaN too
            self._warn("the dual coefficients", model.residual_, model.n_iter_)
        if model.fast_variance:
            model.variance_factor_ = to_host(_variance_factor(self._system))

    def _refined(self, dual: Array) -> tuple[Array, int, np.ndarray]:
        """Solve once more for what is left, where the true residual is above the recursive one."""
        y, tol = self._stochastic.y, self.model.cg_tol
        size = np.maximum(to_host((y * y).sum(0)) ** 0.5, np.finfo(np.float64).tiny)
        left = y - self._system.product(dual)
        residual = to_host((left * left).sum(0)) ** 0.5 / size
        if residual.max() <= tol:
            return dual, 0, residual
        relative = tol / residual.max()
        further = self._system.solve(left, tol=relative, max_iter=self.model.cg_max_iter)
        return dual + further.x, further.n_iter, further.residual * residual

    def _warn(self, what: str, residual: float, n_iter: int) -> None:
        tol = self.model.cg_tol
        warnings.warn(
            f"{type(self.model).__name__}: conjugate gradients for {what} stopped after {n_iter} iterations "
            f"at a relative residual of {residual:.1e}, above cg_tol={tol:.1e}. Raise preconditioner_size, "
            "cg_max_iter or the noise, or ask for less by cg_tol.",
            ConvergenceWarning,
            stacklevel=6,
        )

    def grow(self, X: Any, y: np.ndarray, noise: np.ndarray) -> None:
        """Solve anew with the further rows."""
        self.noise_of(X, noise)
        self.condition()

    @cached_property
    def _system(self) -> System:
        return self._stochastic.system(self.theta)

    def rows_at_a_time(self, n_centres: int) -> int:
        """Rows of a block to predict for: many, as all solves of a block share their products."""
        return max(32, (1 << 23) // n_centres)

    def explained_variance(self, cross: Array) -> Array:
        """Variance of each row that the training rows take away."""
        if self.model.fast_variance:
            return ((cross @ self.here(self.model.variance_factor_)) ** 2).sum(1)
        return (cross * self._solved(cross).T).sum(1)

    def explained_covariance(self, cross: Array) -> Array:
        """Covariance of the rows that the training rows take away."""
        if self.model.fast_variance:
            projected = cross @ self.here(self.model.variance_factor_)
            return projected @ projected.T
        explained = cross @ self._solved(cross)
        return 0.5 * (explained + explained.T)

    def _solved(self, cross: Array) -> Array:
        model = self.model
        solution = self._system.solve(cross.T, tol=model.cg_tol, max_iter=model.cg_max_iter)
        if not solution.residual.max() <= model.cg_tol:
            self._warn("the variances", float(solution.residual.max()), solution.n_iter)
        return solution.x


def _variance_factor(system: System) -> Array:
    """W R^-1, where the columns of W span the preconditioner's part and R' R = W' A W.

    The best approximation of c' A^-1 c from the span, by Galerkin; never above it. Takes one product with A,
    or none where the preconditioner leaves so little open that a hundredth more noise is above it.
    """
    preconditioner, noise = system.preconditioner, system.noise[:, None]
    span = preconditioner.F.T / noise
    L, _ = cholesky_with_jitter(preconditioner.F @ span)
    W = solve_lower(L, span.T).T  # now W' noise W is the identity, but for rounding
    if preconditioner.left_open <= CLOSED:
        projected = preconditioner.F @ W
        inner = projected.T @ projected + (1 + preconditioner.left_open) * (W.T @ (noise * W))
    else:
        inner = W.T @ system.product(W)
    return solve_lower(cholesky(0.5 * (inner + inner.T)), W.T).T


def adam(objective: Objective, start: np.ndarray, bounds: np.ndarray, n_steps: int) -> np.ndarray:
    """Best of the points that so many steps of Adam visit, the start and the end included.

    Kingma, Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
    """
    point, best, least = start, start, np.inf
    mean, square = np.zeros_like(start), np.zeros_like(start)
    for step in range(n_steps + 1):
        value, gradient = objective(point)
        if value < least:
            best, least = point, value
        mean = _ADAM_MEAN * mean + (1 - _ADAM_MEAN) * gradient
        square = _ADAM_SQUARE * square + (1 - _ADAM_SQUARE) * gradient**2
        unbiased = mean / (1 - _ADAM_MEAN ** (step + 1))
        scale = np.sqrt(square / (1 - _ADAM_SQUARE ** (step + 1))) + 1e-8
        point = np.clip(point - _ADAM_STEP * unbiased / scale, bounds[:, 0], bounds[:, 1])
    return best
