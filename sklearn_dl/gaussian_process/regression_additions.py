"""What a fitted regressor does beyond scikit-learn's: further rows, rows left out, densities, derivatives."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl.gaussian_process.covariance import compile_covariance
from sklearn_dl.gaussian_process.posterior import negative_entropy, normal_log_density
from sklearn_dl.gaussian_process.regression_input import RegressionInput

# Of the prior variance: a smaller rest of it has few digits that are not rounding.
_RESOLVED = float(np.finfo(np.float64).eps ** 0.5)


class RegressionAdditions(AtomicFit, RegressionInput):
    """Methods of a regressor that scikit-learn's lacks."""

    alpha: Any
    kernel_: Any
    alpha_: np.ndarray
    X_train_: Any
    noise_train_: np.ndarray
    fit: Callable[..., Self]
    predict: Callable[..., Any]
    _check_params: Callable[[], None]
    _inference: Callable[..., Any]
    _inference_of_fit: str

    def partial_fit(self, X: Any, y: Any, sample_noise: Any = None) -> Self:
        """Condition on further rows, with the hyper-parameters of the last fit; the first call is a fit.

        The Cholesky factor grows by the new rows, in time quadratic in their number so far; inducing points
        learn of them in time for the new rows alone; conjugate gradients solve anew. The mean and scale of
        ``normalize_y`` stay those of the first rows.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_new, n_features) or list of object
            Further training rows.
        y : array-like of shape (n_new,) or (n_new, n_targets)
            Their targets.
        sample_noise : array-like of shape (n_new,), default=None
            Variance of the noise of each, added to `alpha`. As in ``fit``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in ``fit``; also if y has another number of targets, or alpha is an array, which belongs to the
            rows of ``fit``.
        LinAlgError
            As in ``fit``.
        """
        if not hasattr(self, "X_train_"):
            return self.fit(X, y, sample_noise)
        self._check_params()
        if np.size(self.alpha) != 1:
            raise ValueError(
                f"{type(self).__name__}.partial_fit: alpha must be a float, as an array belongs to the rows "
                "of fit. Give the noise of each row as sample_noise."
            )
        in_kind = self._inference_of_fit != "exact"
        X, y = self._read_rows(X, self.kernel_, reset=False, in_kind=in_kind), self._read_targets(y)
        self._require_a_target_each(X, y)
        if y.shape[1:] != self.y_train_.shape[1:]:
            raise ValueError(
                f"{type(self).__name__}.partial_fit: y must have the shape of fit, {self.y_train_.shape} but "
                f"for the rows; got {y.shape}."
            )
        y = (y - self._y_train_mean) / self._y_train_std
        noise = self._read_noise(sample_noise, len(y), self.alpha)
        self.X_train_ = np.concatenate([self.X_train_, to_host(X)])
        self.y_train_ = np.concatenate([self.y_train_, y])
        self.noise_train_ = np.concatenate([self.noise_train_, noise])
        self._inference(like=X).grow(X, y, noise)
        return self

    def score_samples(self, X: Any, y: Any = None, sample_noise: Any = None) -> Array:
        """Logarithm of the predictive density of new targets, row by row; larger is better.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Their targets. None gives what is expected of them if the predictions are right, the negative
            entropy: it tells where the process is sure, and not whether it is right.
        sample_noise : array-like of shape (n_samples,), default=None
            Variance of the noise of each, in the units of `alpha`. None takes the mean over training rows.

        Returns
        -------
        log_density : ndarray or tensor of shape (n_samples,) or (n_samples, n_targets)
            Its mean, negated, is the NLPD. Without y, variances below 1.5e-8 of the prior's count as that, as
            they are hardly more than rounding.

        Raises
        ------
        ValueError
            If y has another shape than the means, or X, y or `sample_noise` are as ``fit`` refuses them.
        """
        check_is_fitted(self)
        mean, std = map(to_host, self.predict(X, return_std=True))
        default = float(self.noise_train_.mean()) if sample_noise is None else 0.0
        variance = std**2 + self._in_units_of_y(self._read_noise(sample_noise, len(mean), default))
        if y is None:
            prior = self._in_units_of_y(self.kernel_.diag(self._read_rows(X, self.kernel_, reset=False)))
            density = negative_entropy(np.maximum(variance, _RESOLVED * prior))
        else:
            density = normal_log_density(self._targets_like(mean, y), mean, variance)
        return move_like(density, X) if is_tensor(X) else density

    def _targets_like(self, mean: np.ndarray, y: Any) -> np.ndarray:
        y = self._read_targets(y)
        if mean.ndim == 1 and y.shape == (len(mean), 1):
            y = y[:, 0]
        if y.shape != mean.shape:
            raise ValueError(f"{type(self).__name__}: y must have shape {mean.shape}; got {y.shape}.")
        return y

    def leave_one_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Predict each training target from all others, with the hyper-parameters of the fit.

        Analytic: no further factorisation is made. For ``inference="exact"`` alone.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Means.
        std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Standard deviations of the observation left out: its noise is in them, that of alpha too.

        Raises
        ------
        NotImplementedError
            If the fit was not exact.
        """
        check_is_fitted(self)
        mean, variance = self._inference().leave_one_out()
        return self._mean_in_units_of_y(mean), np.sqrt(self._in_units_of_y(variance))

    def mean_gradient(self, X: Any) -> np.ndarray:
        """Derivative of the predicted mean by the features.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_features) or (n_samples, n_features, n_targets)
            At training rows the kink of ``Matern(nu=0.5)`` counts as 0.

        Raises
        ------
        NotImplementedError
            If the kernel is evaluated by its own code.
        """
        check_is_fitted(self)
        rows = self._read_rows(X, self.kernel_, reset=False)
        centres = self._inference().centres
        weights = self.alpha_.reshape(len(centres), -1) * self._y_train_std
        by_rows = partial(compile_covariance(self.kernel_).slopes, rows, centres, self.kernel_.theta)
        gradient = np.stack([by_rows(weight) for weight in weights.T], axis=-1)
        return gradient[..., 0] if gradient.shape[-1] == 1 else gradient
