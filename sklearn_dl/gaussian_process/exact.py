"""Exact Gaussian process regression, by the Cholesky factor of the covariance matrix."""

import warnings
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel

from sklearn_dl.gaussian_process.covariance import compile_covariance
from sklearn_dl.gaussian_process.hyperparameters import Objective, minimize_from, starting_points
from sklearn_dl.gaussian_process.inference import Inference, log_priors, negative_log_posterior
from sklearn_dl.gaussian_process.likelihood import MarginalLikelihood, log_likelihood, solve
from sklearn_dl.gaussian_process.posterior import (
    append_rows,
    explained_covariance,
    explained_variance,
    leave_one_out,
)


class ExactInference(Inference):
    """Holds the n x n factor.

    References
    ----------
    Rasmussen, Williams (2006), Gaussian processes for machine learning, algorithm 2.1.
    """

    @staticmethod
    def default_kernel(X: Any) -> Kernel:
        """Kernel of a regressor without one."""
        return ConstantKernel() * RBF()

    def fit(self) -> None:
        """Choose the hyper-parameters and condition on the rows, in one matrix."""
        self._whole = self.likelihood()
        super().fit()

    def likelihood(self) -> MarginalLikelihood:
        """Log-likelihood of the targets, with a matrix of its own."""
        model = self.model
        covariance = compile_covariance(model.kernel_)
        return MarginalLikelihood(covariance, model.X_train_, self.targets, model.noise_train_)

    def search(self) -> None:
        """Give kernel_ the hyper-parameters of greatest likelihood."""
        model, priors = self.model, log_priors(self.model)
        spare = [self._whole]

        def make() -> Objective:
            return negative_log_posterior(spare.pop() if spare else self.likelihood(), priors)

        starts = starting_points(model.kernel_, model.n_restarts_optimizer, model.random_state)
        model.kernel_.theta = minimize_from(starts, make, model.kernel_.bounds, model.optimizer).theta

    def condition(self) -> None:
        """Factor the covariance at the hyper-parameters of kernel_."""
        self._factor(self._whole)

    def _factor(self, likelihood: MarginalLikelihood) -> None:
        model = self.model
        factor = likelihood.factor(model.kernel_.theta, clean=True)
        name = type(model).__name__
        if factor is None:
            raise np.linalg.LinAlgError(
                f"The kernel, {model.kernel_}, is not returning a positive definite matrix, even with a "
                "jitter of 1e-3 of its mean diagonal. Try gradually increasing the 'alpha' parameter of your "
                f"{name} estimator."
            )
        if factor.jitter > 0:
            warnings.warn(
                f"{name}: the covariance of the training rows is singular to machine precision, so "
                f"{factor.jitter:.1e} was added to its diagonal (jitter_). Rows that repeat or nearly do, or "
                "long length scales, make it so; a larger alpha or a WhiteKernel states it.",
                UserWarning,
                stacklevel=3,
            )
        model.L_, model.jitter_ = factor
        self._solve()

    def _solve(self) -> None:
        model = self.model
        dual = solve(model.L_, self.targets)
        model.log_marginal_likelihood_value_ = log_likelihood(model.L_, self.targets, dual)
        model.alpha_ = dual.reshape(model.y_train_.shape)

    def grow(self, X: Any, y: np.ndarray, noise: np.ndarray) -> None:
        """Append further rows to the factor."""
        model, theta = self.model, self.model.kernel_.theta
        cross = compile_covariance(model.kernel_).between(X, model.X_train_[: -len(X)], theta)
        corner = model.kernel_(X)
        corner[np.diag_indices_from(corner)] += noise + model.jitter_
        grown = append_rows(model.L_, cross, corner)
        if grown is not None:
            model.L_ = grown
            self._solve()
        else:  # the new rows repeat old ones: a jitter is needed, and belongs to all rows
            self._factor(self.likelihood())

    def leave_one_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n_samples, n_targets) and variance (n_samples,) of each target given all others."""
        return leave_one_out(self.model.L_, self.targets, self.model.alpha_.reshape(self.targets.shape))

    def between(self, rows: Any, centres: Any) -> np.ndarray:
        """Covariances of rows with centres."""
        return compile_covariance(self.model.kernel_).between(rows, centres, self.model.kernel_.theta)

    def explained_variance(self, cross: np.ndarray) -> np.ndarray:
        """Variance of each row that the training rows take away; `cross` is overwritten."""
        return explained_variance(self.model.L_, cross)

    def explained_covariance(self, cross: np.ndarray) -> np.ndarray:
        """Covariance of the rows that the training rows take away; `cross` is overwritten."""
        return explained_covariance(self.model.L_, cross)

    def prior_variance(self, rows: Any) -> np.ndarray:
        """Variance of each row before the training rows are known, its noise included."""
        return self.model.kernel_.diag(rows)

    def prior_covariance(self, rows: Any) -> np.ndarray:
        """Covariance of the rows before the training rows are known, their noise included."""
        return self.model.kernel_(rows)
