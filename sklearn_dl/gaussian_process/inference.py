"""What every way of conditioning a process on its rows does for a regressor."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel

from sklearn_dl._base.arrays import Array, move_like, namespace, to_host
from sklearn_dl.gaussian_process.hyperparameters import (
    LogNormalPriors,
    Objective,
    check_priors,
    dimension_priors,
)
from sklearn_dl.gaussian_process.posterior import clip_variance
from sklearn_dl.gaussian_process.signal import SignalCovariance, slices

CROSS_ELEMENTS = 1 << 21  # 16 MB of covariances with the training rows at a time
_LEAST_NOISE = 1e-8  # over the variance of the function: the square root of the precision of float64


class Inference(ABC):
    """Chooses the hyper-parameters of a regressor, conditions it on its rows, and predicts.

    Reads the parameters and fitted attributes of the regressor and writes what it learns to them; has no
    state of its own.

    Parameters
    ----------
    model : GaussianProcessRegressor
        With kernel_, X_train_, y_train_ and noise_train_.
    like : array, default=None
        Array of numpy or torch whose kind and device the work is done in; X_train_ by default.
    """

    #: Fitted attributes of one way or another; those of the last fit are dropped by the next.
    attributes = (
        "L_", "LB_", "alpha_", "jitter_", "inducing_points_", "n_iter_", "residual_", "variance_factor_",
    )  # fmt: skip

    def __init__(self, model: Any, like: Array | None = None) -> None:
        self.model = model
        self.like = model.X_train_ if like is None else like

    @staticmethod
    @abstractmethod
    def default_kernel(X: Array) -> Kernel:
        """Kernel of a regressor without one."""

    def fit(self) -> None:
        """Choose the hyper-parameters, where there is an optimizer, and condition on the rows."""
        self.prepare()
        kernel = self.model.kernel_
        if self.model.optimizer is not None and kernel.n_dims > 0:
            self.search()
            kernel._check_bounds_params()
        self.condition()

    def prepare(self) -> None:  # noqa: B027
        """Check what the way needs, and choose what the hyper-parameters rest on; by default nothing."""

    @abstractmethod
    def search(self) -> None:
        """Give kernel_ the hyper-parameters of greatest likelihood."""

    @abstractmethod
    def condition(self) -> None:
        """Condition on the rows at the hyper-parameters of kernel_."""

    @abstractmethod
    def likelihood(self) -> Any:
        """Log-likelihood of the targets, with ``value(theta)`` and ``value_and_gradient(theta)``."""

    @abstractmethod
    def grow(self, X: Array, y: np.ndarray, noise: np.ndarray) -> None:
        """Condition on further rows, which are in X_train_ and so on already, too."""

    def leave_one_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n_samples, n_targets) and variance (n_samples,) of each target given all others."""
        raise NotImplementedError(
            f'{type(self.model).__name__}.leave_one_out needs inference="exact", as it reads the inverse of '
            "the covariance matrix. Use sklearn.model_selection.cross_val_predict with an estimator of "
            "kernel=kernel_ and optimizer=None instead."
        )

    def here(self, array: Any) -> Any:
        """An array of the regressor as one of the kind and device at work."""
        return array

    @property
    def centres(self) -> Array:
        """Rows whose covariances with a row, times alpha_, are its mean."""
        return self.model.X_train_

    @property
    def targets(self) -> np.ndarray:
        """Training targets, of shape (n_samples, n_targets)."""
        return self.model.y_train_.reshape(len(self.model.y_train_), -1)

    @abstractmethod
    def between(self, rows: Array, centres: Array) -> Array:
        """Covariances of rows with centres."""

    @abstractmethod
    def explained_variance(self, cross: Array) -> Array:
        """Variance of each row that the training rows take away. May overwrite `cross`."""

    @abstractmethod
    def explained_covariance(self, cross: Array) -> Array:
        """Covariance of the rows that the training rows take away. May overwrite `cross`."""

    @abstractmethod
    def prior_variance(self, rows: Array) -> Array:
        """Variance of each row before the training rows are known, its noise included."""

    @abstractmethod
    def prior_covariance(self, rows: Array) -> Array:
        """Covariance of the rows before the training rows are known, their noise included."""

    def rows_at_a_time(self, n_centres: int) -> int:
        """Rows of a block to predict for."""
        return max(1, CROSS_ELEMENTS // n_centres)

    def predict(
        self, rows: Array, *, variance: bool = False, covariance: bool = False
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Mean of the normalised targets, and variance or covariance of the function, where asked for."""
        centres, weights = self.here(self.centres), self.here(self.model.alpha_)
        means, taken = [], []
        step = len(rows) if covariance else self.rows_at_a_time(len(centres))
        for part in slices(len(rows), step):
            cross = self.between(rows[part], centres)
            means.append(to_host(cross @ weights))
            if variance:
                taken.append(to_host(self.explained_variance(cross)))
        mean = np.concatenate(means)
        if covariance:
            return mean, to_host(self.prior_covariance(rows) - self.explained_covariance(cross))
        if variance:
            return mean, clip_variance(to_host(self.prior_variance(rows)) - np.concatenate(taken))
        return mean, None


class MatrixFreeInference(Inference):
    """One of those that take the covariance apart, into that of the function and that of the noise."""

    def __init__(self, model: Any, like: Array | None = None) -> None:
        super().__init__(model, like)
        self.signal = SignalCovariance(model.kernel_, type(model).__name__)
        self.theta = model.kernel_.theta

    @staticmethod
    def default_kernel(X: Any) -> Kernel:
        """Kernel of a regressor without one: the scale of the rows, and a noise, to be searched from.

        A search with noise that starts where no two rows are related ends in noise alone.
        """
        spread = float(np.clip(to_host(X).std(axis=0), 1e-4, 1e4).max()) * X.shape[1] ** 0.5
        return ConstantKernel() * RBF(min(spread, 1e5)) + WhiteKernel(0.1)

    def here(self, array: np.ndarray) -> Array:
        """An array of the regressor as one of the kind and device at work."""
        return move_like(array, self.like)

    def prepare(self) -> None:
        """Refuse noise alone, and rows without any, as the bound and the iterations divide by it."""
        owner = f'{type(self.model).__name__}: inference="{self.model.inference}"'
        variances = self.signal.variances(self.model.X_train_, self.theta)
        least, greatest = (self.model.noise_train_ + variances.noise).min(), variances.signal.max()
        if greatest == 0:
            raise ValueError(
                f"{owner} needs a kernel that relates the rows to each other; {self.model.kernel_} holds "
                'noise alone. Add another kernel to it, or use inference="exact".'
            )
        if least < _LEAST_NOISE * greatest:
            raise ValueError(
                f"{owner} needs noise of at least {_LEAST_NOISE:.0e} times the variance of the function, "
                f"{greatest:.3g}; there is {least:.3g}. Add a WhiteKernel to the kernel, whose level is then "
                'searched, or raise alpha. For noise-free rows use inference="exact".'
            )

    def noise_of(self, X: Array, noise: np.ndarray) -> np.ndarray:
        """Variance of the noise of further rows, that of the kernel included."""
        total = noise + self.signal.variances(to_host(X), self.theta).noise
        if total.min() <= 0:
            raise ValueError(
                f"{type(self.model).__name__}.partial_fit: every row needs noise above 0 where inference is "
                f"not exact; {np.sum(total <= 0)} of {len(total)} have none. Give it as sample_noise, as in "
                "fit, or as alpha."
            )
        return total

    def between(self, rows: Array, centres: Array) -> Array:
        """Covariances of rows with centres."""
        return self.signal.between(rows, centres, self.theta)

    def prior_variance(self, rows: Array) -> Array:
        """Variance of each row before the training rows are known, its noise included."""
        variances = self.signal.variances(rows, self.theta)
        return variances.signal + variances.noise

    def prior_covariance(self, rows: Array) -> Array:
        """Covariance of the rows before the training rows are known, their noise included."""
        covariance = self.signal.between(rows, rows, self.theta)
        noise = self.signal.variances(rows, self.theta).noise
        return covariance + namespace(noise).diag(noise)


def negative_log_posterior(likelihood: Any, priors: LogNormalPriors) -> Objective:
    """What is minimised over theta, or over points that begin with theta."""
    n_parameters = len(priors.mean)

    def objective(point: np.ndarray, eval_gradient: bool = True) -> Any:
        log_prior, pull = priors(point[:n_parameters])
        if not eval_gradient:
            return -(likelihood.value(point) + log_prior)
        value, gradient = likelihood.value_and_gradient(point)
        gradient[:n_parameters] += pull
        return -(value + log_prior), -gradient

    return objective


def log_priors(model: Any) -> LogNormalPriors:
    """Priors of the hyper-parameters of a regressor."""
    kernel, priors = model.kernel_, model.priors
    if priors == "dimension":
        return LogNormalPriors(kernel, dimension_priors(model.X_train_.shape[1]))
    return LogNormalPriors(kernel, check_priors(priors or {}, kernel, type(model).__name__))
