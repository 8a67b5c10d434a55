"""Gaussian process classification of two classes: what the classifier of many holds one of, or several."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.params import PositiveInt, RandomState, param
from sklearn_dl.gaussian_process.covariance import Covariance, compile_covariance
from sklearn_dl.gaussian_process.hyperparameters import (
    LogNormalPriors,
    Objective,
    minimize_from,
    starting_points,
)
from sklearn_dl.gaussian_process.inference import CROSS_ELEMENTS, negative_log_posterior
from sklearn_dl.gaussian_process.laplace import LaplaceLikelihood, mean_probability
from sklearn_dl.gaussian_process.posterior import explained_variance
from sklearn_dl.gaussian_process.search_parameters import _SearchParameters
from sklearn_dl.gaussian_process.signal import slices


class _LaplaceParameters(_SearchParameters):
    """Parameters that the classifiers of two and of many classes share."""

    kernel: Kernel | None = param(
        default=None,
        doc="Covariance of the latent function, whose values are where the search for hyper-parameters "
        'starts. None means ConstantKernel(1.0, "fixed") * RBF(1.0, "fixed").',
        kw_only=False,
    )
    max_iter_predict: PositiveInt = param(
        default=100,
        doc="Newton steps to the posterior mode at most. About 6 are taken; fewer are faster and less exact.",
    )
    warm_start: bool = param(
        default=False,
        doc="Changes nothing: within a fit every search for the posterior mode starts from the last one "
        "found, as scikit-learn's do if True. Those may then stop short of the mode; these do not.",
    )
    random_state: RandomState = param(default=None, doc="Seed of the random starts.")


class _BinaryLaplaceClassifier(ClassifierMixin, _LaplaceParameters):
    """Classifier of two classes. X and y are read by the classifier that holds it."""

    def fit(self, X: Any, y: Any) -> Self:
        """Choose the hyper-parameters and find the posterior mode."""
        default = ConstantKernel(1.0, "fixed") * RBF(1.0, "fixed")
        kernel = self.kernel_ = default if self.kernel is None else clone(self.kernel)
        self.X_train_ = np.copy(X) if self.copy_X_train else X
        self.classes_, self.y_train_ = np.unique(y, return_inverse=True)
        self.dual_ = np.zeros(len(X))
        likelihood = self._likelihood()
        if self.optimizer is not None and kernel.n_dims > 0:
            starts = starting_points(kernel, self.n_restarts_optimizer, self.random_state)
            best = minimize_from(starts, self._objectives(likelihood), kernel.bounds, self.optimizer)
            kernel.theta = best.theta
            kernel._check_bounds_params()
            if len(starts) > 1:  # which of the searches had it depends on the threads
                likelihood = self._likelihood()
        self._condition(likelihood)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Class of the greater probability: the sign of the latent mean decides."""
        check_is_fitted(self)
        positive = [cross @ (self.y_train_ - self.pi_) > 0 for cross in self._covariances_with(X)]
        return self.classes_[np.concatenate(positive).astype(np.intp)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of both classes, of shape (n_samples, 2)."""
        positive = mean_probability(*self.latent_mean_and_variance(X))
        return np.column_stack([1 - positive, positive])

    def latent_mean_and_variance(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Moments of the latent function: Rasmussen and Williams, algorithm 3.2, lines 4 to 6."""
        check_is_fitted(self)
        means, taken = [], []
        for cross in self._covariances_with(X):
            means.append(cross @ (self.y_train_ - self.pi_))
            cross *= self.W_sr_
            taken.append(explained_variance(self.L_, cross))
        variance = self.kernel_.diag(X) - np.concatenate(taken)
        return np.concatenate(means), np.maximum(variance, 0)  # rounding may leave it below

    def log_marginal_likelihood(
        self, theta: Any = None, eval_gradient: bool = False, clone_kernel: bool = True
    ) -> Any:
        """Log-likelihood at theta, with its gradient if asked for."""
        if theta is None:
            return self.log_marginal_likelihood_value_
        theta = np.asarray(theta, dtype=np.float64)
        if not clone_kernel:
            self.kernel_.theta = theta
        likelihood = self._likelihood()
        return likelihood.value_and_gradient(theta) if eval_gradient else likelihood.value(theta)

    def _condition(self, likelihood: LaplaceLikelihood) -> None:
        mode = likelihood.mode(self.kernel_.theta, clean=True)
        if mode is None:
            raise np.linalg.LinAlgError(
                f"GaussianProcessClassifier: the kernel, {self.kernel_}, gives a covariance that is not "
                "positive definite. Choose a kernel that is one for these rows, or add a WhiteKernel."
            )
        self.dual_, self.pi_, self.W_sr_ = mode.dual, mode.probability, mode.root
        self.L_, self.log_marginal_likelihood_value_ = mode.L, mode.log_likelihood

    def _objectives(self, likelihood: LaplaceLikelihood) -> Callable[[], Objective]:
        """Maker of objectives; the first reuses the matrices of `likelihood`."""
        spare, no_priors = [likelihood], LogNormalPriors(self.kernel_, {})

        def make() -> Objective:
            return negative_log_posterior(spare.pop() if spare else self._likelihood(), no_priors)

        return make

    def _covariance(self) -> Covariance:
        return compile_covariance(self.kernel_)

    def _likelihood(self) -> LaplaceLikelihood:
        covariance = self._covariance()
        return LaplaceLikelihood(covariance, self.X_train_, self.y_train_, self.max_iter_predict, self.dual_)

    def _covariances_with(self, X: Any) -> Iterator[np.ndarray]:
        """Covariances of rows with the training rows, some at a time."""
        covariance = self._covariance()
        for rows in slices(len(X), max(1, CROSS_ELEMENTS // len(self.y_train_))):
            yield covariance.between(X[rows], self.X_train_, self.kernel_.theta)
