"""Sparse Gaussian process regression (SGPR): the process seen through inducing points."""

import warnings
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl._base.arrays import Array, move_like, to_host
from sklearn_dl.gaussian_process.hyperparameters import minimize_from, starting_points
from sklearn_dl.gaussian_process.inference import MatrixFreeInference, log_priors, negative_log_posterior
from sklearn_dl.gaussian_process.sparse import SparsePosterior, VariationalBound


class SparseInference(MatrixFreeInference):
    """Holds the posterior of the inducing points: two factors of m x m.

    References
    ----------
    Titsias (2009), Variational learning of inducing variables in sparse Gaussian processes.
    """

    def prepare(self) -> None:
        """Choose the inducing points."""
        super().prepare()
        self.model.inducing_points_ = _inducing_points(self.model)

    @property
    def centres(self) -> np.ndarray:
        """Rows whose covariances with a row, times alpha_, are its mean."""
        return self.model.inducing_points_

    @cached_property
    def _bound(self) -> VariationalBound:
        model = self.model
        arrays = map(self.here, (model.X_train_, self.targets, model.noise_train_))
        return VariationalBound(self.signal, *arrays)

    def likelihood(self) -> "_BoundOfPoints":
        """The bound, as a function of theta."""
        return _BoundOfPoints(self._bound, self.here(self.centres), moving=False)

    def search(self) -> None:
        """Give kernel_ and, where asked for, the inducing points the values of the greatest bound."""
        model, moving = self.model, self.model.optimize_inducing_points
        bounds = model.kernel_.bounds
        likelihood = _BoundOfPoints(self._bound, self.here(self.centres), moving=moving)
        starts = starting_points(model.kernel_, model.n_restarts_optimizer, model.random_state)
        if moving:
            flat = self.centres.ravel()
            starts = [np.concatenate([start, flat]) for start in starts]
            bounds = np.vstack([bounds, np.tile([-np.inf, np.inf], (len(flat), 1))])
        objective = negative_log_posterior(likelihood, log_priors(model))
        found = minimize_from(starts, lambda: objective, bounds, model.optimizer).theta
        self.theta = model.kernel_.theta = found[: len(self.theta)]
        if moving:
            model.inducing_points_ = found[len(self.theta) :].reshape(self.centres.shape)

    def condition(self) -> None:
        """Condition the inducing points on the rows at the hyper-parameters of kernel_."""
        posterior = self._bound.posterior(self.theta, self.here(self.centres))
        self._keep(posterior)

    def _keep(self, posterior: SparsePosterior | None) -> None:
        model = self.model
        if posterior is None:
            raise np.linalg.LinAlgError(
                f"{type(model).__name__}: the inducing points could not be conditioned on the rows at "
                f"{model.kernel_}. Either the kernel is not positive definite there, as ExpSineSquared of "
                "several features, or the noise is too little: raise the bounds of noise_level, or alpha."
            )
        weights = to_host(posterior.weights).astype(np.float64, copy=False)
        model.alpha_ = weights if model.y_train_.ndim == 2 else weights[:, 0]
        model.L_, model.jitter_ = to_host(posterior.L), posterior.jitter
        model.LB_ = to_host(posterior.LB)
        model.log_marginal_likelihood_value_ = self._bound.at(posterior, self.theta)

    @cached_property
    def _posterior(self) -> SparsePosterior:
        """The posterior that the regressor holds."""
        model = self.model
        L, LB = self.here(model.L_), self.here(model.LB_)
        weights = self.here(model.alpha_.reshape(len(model.alpha_), -1))
        return SparsePosterior(L, model.jitter_, LB, LB.T @ (L.T @ weights))

    def grow(self, X: Array, y: np.ndarray, noise: np.ndarray) -> None:
        """Add further rows to what the inducing points know."""
        arrays = X, y.reshape(len(y), -1), self.noise_of(X, noise)
        X, y, noise = map(self.here, arrays)
        Z = self.here(self.centres)
        self._keep(self._posterior.extended(self.signal, Z, X, y, noise, self.theta))

    def explained_variance(self, cross: Array) -> Array:
        """Variance of each row that the training rows take away."""
        prior, posterior = self._posterior.explained(cross)
        return (prior**2).sum(0) - (posterior**2).sum(0)

    def explained_covariance(self, cross: Array) -> Array:
        """Covariance of the rows that the training rows take away."""
        prior, posterior = self._posterior.explained(cross)
        return prior.T @ prior - posterior.T @ posterior


class _BoundOfPoints:
    """The bound as a function of one vector: theta, and the inducing points after it where they move."""

    def __init__(self, bound: VariationalBound, Z: Array, *, moving: bool) -> None:
        self.bound, self.Z, self.moving = bound, Z, moving

    def value(self, point: np.ndarray) -> float:
        return self.bound.value(*self._apart(point))

    def value_and_gradient(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        return self.bound.value_and_gradient(*self._apart(point), by_inducing_points=self.moving)

    def _apart(self, point: np.ndarray) -> tuple[np.ndarray, Array]:
        if not self.moving:
            return point, self.Z
        n_parameters = len(point) - self.Z.shape[0] * self.Z.shape[1]
        Z = move_like(point[n_parameters:].reshape(tuple(self.Z.shape)), self.Z)
        return point[:n_parameters], Z


def _inducing_points(model: Any) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans  # which takes as long to import as the rest

    X, given = model.X_train_, model.inducing_points
    if isinstance(given, np.ndarray):
        fits = given.ndim == 2 and len(given) > 0 and given.shape[1] == X.shape[1]
        if not (fits and given.dtype.kind in "biuf" and np.isfinite(given).all()):
            raise ValueError(
                f"{type(model).__name__}: inducing_points must be finite numbers, of shape "
                f"(n_inducing_points, {X.shape[1]}) with at least one point; got shape {given.shape} of "
                f"{given.dtype}."
            )
        return given.astype(np.float64)
    distinct = np.unique(X, axis=0)
    if len(distinct) <= model.n_inducing_points:
        return distinct
    means = MiniBatchKMeans(model.n_inducing_points, n_init=1, random_state=model._seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near repetitions give fewer distinct centres
        return means.fit(X).cluster_centers_
