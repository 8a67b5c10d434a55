"""Gaussian process regression: a distribution over functions, conditioned on the rows."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin, clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sklearn_dl._base.arrays import is_tensor, move_like, on_host, to_host
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import (
    Estimator,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    RandomState,
    param,
)
from sklearn_dl.gaussian_process.covariance import Covariance, compile_covariance
from sklearn_dl.gaussian_process.hyperparameters import (
    LogNormalPriors,
    Objective,
    check_priors,
    dimension_priors,
    minimize_from,
)
from sklearn_dl.gaussian_process.likelihood import MarginalLikelihood, log_likelihood, solve
from sklearn_dl.gaussian_process.posterior import (
    append_rows,
    clip_variance,
    explained_covariance,
    explained_variance,
    leave_one_out,
    normal_log_density,
)

_CROSS_ELEMENTS = 1 << 21  # 16 MB of covariances with the training rows at a time


class GaussianProcessRegressor(MultiOutputMixin, RegressorMixin, FloatTableInput, Estimator):
    r"""Gaussian process regression, with hyper-parameters of greatest marginal likelihood.

    The targets are values of a function with a normal prior, of covariance ``kernel``, plus noise of variance
    ``alpha``. Predictions are the mean and standard deviation of the function given the training rows.

    Kernels are scikit-learn's own objects. Sums, products and powers of ``ConstantKernel``, ``WhiteKernel``,
    ``RBF``, ``Matern`` (nu 0.5, 1.5, 2.5, inf), ``RationalQuadratic``, ``ExpSineSquared`` and ``DotProduct``
    are evaluated by blocks and differentiated in reverse; any other is evaluated by its own code.

    Features should have a common scale where they share a length scale, and the target one near 1, for which
    there is ``normalize_y``. Before ``fit``, predictions are those of the prior.

    Notes
    -----
    A fit takes about :math:`n^3` multiplications for each evaluation of the likelihood, and memory for one
    matrix of :math:`n^2` numbers for each thread that searches, whatever the number of hyper-parameters.

    Where the covariance is not positive definite to machine precision, the least of the jitters 1e-12, 1e-11,
    ... 1e-3 times its mean diagonal that makes it so is added to the diagonal, with a warning;
    scikit-learn raises an error there.

    References
    ----------
    Rasmussen, Williams (2006), Gaussian processes for machine learning, algorithm 2.1, equations 5.9 and
    5.12.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    >>> from sklearn_dl.gaussian_process import GaussianProcessRegressor
    >>> X = np.linspace(0, 10, 40)[:, None]
    >>> y = np.sin(X[:, 0]) + 0.1 * np.random.default_rng(0).normal(size=40)
    >>> model = GaussianProcessRegressor(RBF() + WhiteKernel(), normalize_y=True).fit(X, y)
    >>> mean, std = model.predict([[5.0]], return_std=True)
    >>> bool(abs(mean[0] - np.sin(5)) < 0.1)
    True
    """

    kernel: Kernel | None = param(
        default=None,
        doc="Covariance function, whose values are where the search for hyper-parameters starts. "
        'None means ConstantKernel(1.0, "fixed") * RBF(1.0, "fixed") before ``fit`` and '
        "ConstantKernel() * RBF() in it.",
        kw_only=False,
    )
    alpha: NonNegativeFloat | np.ndarray = param(
        default=1e-10,
        doc="Variance of the noise, added to the diagonal of the covariance; an array has one for each "
        "training row. Larger is smoother. In units of the normalised target where normalize_y is True.",
    )
    optimizer: Literal["fmin_l_bfgs_b"] | Callable | None = param(
        default="fmin_l_bfgs_b",
        doc="How hyper-parameters are searched: by L-BFGS-B, or by a function ``optimizer(obj_func, "
        "initial_theta, bounds)`` that returns the best theta and its value, where ``obj_func(theta, "
        "eval_gradient=True)`` is to be minimised. None keeps those of the kernel.",
    )
    n_restarts_optimizer: NonNegativeInt = param(
        default=0,
        doc="Further searches, from random starts within the bounds. Several threads share them out.",
    )
    normalize_y: bool = param(
        default=False, doc="Whether targets are centred and scaled to unit variance first."
    )
    copy_X_train: bool = param(  # noqa: N815
        default=True, doc="Whether a copy of the training rows is kept; else a reference, where it will do."
    )
    n_targets: PositiveInt | None = param(
        default=None, doc="Number of targets of predictions before ``fit``; None means 1."
    )
    priors: dict | Literal["dimension"] | None = param(
        default=None,
        doc='Log-normal priors of hyper-parameters, as {"length_scale": (mean, std of the logarithm)}. They '
        'keep them off the bounds where data are few. "dimension": for length scales (sqrt(2) + '
        "log(n_features) / 2, sqrt(3)) and for noise levels (-4, 1), meant for features and targets of unit "
        "scale. None: none.",
    )
    warm_start: bool = param(
        default=False,
        doc="Whether the search starts from the hyper-parameters of the last fit, where there are as many.",
    )
    random_state: RandomState = param(default=None, doc="Seed of the random starts.")

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "kernel_": ("Kernel", "Kernel with the hyper-parameters that were found."),
        "X_train_": ("array of n_samples rows", "Training rows."),
        "y_train_": (
            "ndarray of shape (n_samples,) or (n_samples, n_targets)",
            "Training targets, normalised where normalize_y is True.",
        ),
        "noise_train_": ("ndarray of shape (n_samples,)", "Variance of their noise, in all."),
        "L_": (
            "ndarray of shape (n_samples, n_samples)",
            "Lower Cholesky factor of their covariance, noise included.",
        ),
        "alpha_": (
            "ndarray of shape (n_samples,) or (n_samples, n_targets)",
            "Dual coefficients: the covariance, noise included, times them is y_train_.",
        ),
        "jitter_": ("float", "Variance that was added to the diagonal so that the factor exists; 0 if none."),
        "log_marginal_likelihood_value_": ("float", "Log-likelihood at the hyper-parameters of kernel_."),
        "n_features_in_": ("int", "Number of features."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features, if X has string column names.",
        ),
    }  # fmt: skip

    def fit(self, X: Any, y: Any, sample_noise: Any = None) -> Self:
        """Choose the hyper-parameters and condition on the rows.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Training rows; a list of objects for kernels that take them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Real targets. Several are independent and share the kernel.
        sample_noise : array-like of shape (n_samples,), default=None
            Variance of the noise of each row, added to `alpha` and in its units.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X or y holds NaN or infinity, or their numbers of rows or
            those of alpha or `sample_noise` differ.
        LinAlgError
            If the covariance is not positive definite with the largest jitter.
        """
        self._check_params()
        kernel = ConstantKernel() * RBF() if self.kernel is None else clone(self.kernel)
        X, y = self._read_rows(X, kernel, reset=True), self._read_targets(y)
        self._require_a_target_each(X, y)
        if self.n_targets is not None and y.reshape(len(y), -1).shape[1] != self.n_targets:
            raise ValueError(
                "The number of targets seen in `y` is different from the parameter `n_targets`. "
                f"Got {y.reshape(len(y), -1).shape[1]} != {self.n_targets}."
            )
        noise = self._read_noise(sample_noise, len(y), self.alpha)
        earlier = getattr(self, "kernel_", None) if self.warm_start else None
        if earlier is not None and earlier.n_dims == kernel.n_dims:
            kernel.theta = np.clip(earlier.theta, kernel.bounds[:, 0], kernel.bounds[:, 1])
        self._normalize(y)
        self.kernel_, self.noise_train_ = kernel, noise
        self.X_train_ = np.copy(X) if self.copy_X_train else X
        self.y_train_ = (y - self._y_train_mean) / self._y_train_std
        self._choose_hyperparameters()
        return self

    def partial_fit(self, X: Any, y: Any, sample_noise: Any = None) -> Self:
        """Condition on further rows, with the hyper-parameters of the last fit; the first call is a fit.

        The Cholesky factor grows by the new rows, in time quadratic in their number so far. The mean and
        scale of ``normalize_y`` stay those of the first rows.

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
            As in ``fit``; also if alpha is an array, which belongs to the rows of ``fit``.
        """
        if not hasattr(self, "X_train_"):
            return self.fit(X, y, sample_noise)
        self._check_params()
        if np.size(self.alpha) != 1:
            raise ValueError(
                f"{type(self).__name__}.partial_fit: alpha must be a float, as an array belongs to the rows "
                "of fit. Give the noise of each row as sample_noise."
            )
        X, y = self._read_rows(X, self.kernel_, reset=False), self._read_targets(y)
        self._require_a_target_each(X, y)
        if y.shape[1:] != self.y_train_.shape[1:]:
            raise ValueError(
                f"{type(self).__name__}.partial_fit: y must have the shape of fit, {self.y_train_.shape} but "
                f"for the rows; got {y.shape}."
            )
        self._grow(
            X,
            (y - self._y_train_mean) / self._y_train_std,
            self._read_noise(sample_noise, len(y), self.alpha),
        )
        return self

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Predict the mean of the function for each row, and how sure it is.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Rows to predict for.
        return_std : bool, default=False
            Whether standard deviations are returned too. They hold the noise of a ``WhiteKernel`` and not
            that of ``alpha``.
        return_cov : bool, default=False
            Whether the covariance of the rows is returned too.

        Returns
        -------
        mean : ndarray or tensor of shape (n_samples,) or (n_samples, n_targets)
            A tensor, on X's device and of its dtype, where X is one; so are the others.
        std : ndarray or tensor of shape (n_samples,) or (n_samples, n_targets)
            With `return_std`.
        cov : ndarray or tensor of shape (n_samples, n_samples) or (n_samples, n_samples, n_targets)
            With `return_cov`.

        Raises
        ------
        RuntimeError
            If both `return_std` and `return_cov` are asked for.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        if return_std and return_cov:
            raise RuntimeError("At most one of return_std or return_cov can be requested.")
        if hasattr(self, "kernel_") or hasattr(self, "L_"):
            rows = self._read_rows(X, self.kernel_, reset=False)
            answers = self._posterior(rows, return_std, return_cov)
        else:
            answers = self._prior(X, return_std, return_cov)
        answers = tuple(move_like(answer, X) if is_tensor(X) else answer for answer in answers)
        return answers if len(answers) > 1 else answers[0]

    def sample_y(self, X: Any, n_samples: int = 1, random_state: Any = 0) -> np.ndarray:
        """Draw functions from the process and evaluate them at the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or list of object
            Where the functions are evaluated.
        n_samples : int, default=1
            Number of functions.
        random_state : int, RandomState instance or None, default=0
            Seed of the draws.

        Returns
        -------
        y : ndarray of shape (n_rows, n_samples) or (n_rows, n_targets, n_samples)
            Values of the functions.
        """
        rng = check_random_state(random_state)
        mean, covariance = map(to_host, self.predict(X, return_cov=True))
        if mean.ndim == 1:
            return rng.multivariate_normal(mean, covariance, n_samples).T
        draws = [
            rng.multivariate_normal(mean[:, target], covariance[..., target], n_samples).T
            for target in range(mean.shape[1])
        ]
        return np.stack(draws, axis=1)

    def log_marginal_likelihood(
        self, theta: Any = None, eval_gradient: bool = False, clone_kernel: bool = True
    ) -> Any:
        """Log-likelihood of the training targets at some hyper-parameters, without the priors.

        Parameters
        ----------
        theta : array-like of shape (n_hyperparameters,), default=None
            Logarithms of the hyper-parameters, as in ``kernel_.theta``. None takes those of the fit.
        eval_gradient : bool, default=False
            Whether the gradient by theta is returned too; theta must then be given.
        clone_kernel : bool, default=True
            Whether ``kernel_`` stays as it is; else it gets theta.

        Returns
        -------
        value : float
            Log-likelihood, summed over targets; -inf where the covariance is not positive definite.
        gradient : ndarray of shape (n_hyperparameters,)
            With `eval_gradient`.

        Raises
        ------
        ValueError
            If the gradient is asked for without theta.
        """
        check_is_fitted(self)
        if theta is None:
            if eval_gradient:
                raise ValueError("Gradient can only be evaluated for theta!=None")
            return self.log_marginal_likelihood_value_
        theta = np.asarray(theta, dtype=np.float64)
        if not clone_kernel:
            self.kernel_.theta = theta
        likelihood = self._likelihood()
        return likelihood.value_and_gradient(theta) if eval_gradient else likelihood.value(theta)

    def log_predictive_density(self, X: Any, y: Any, sample_noise: Any = None) -> np.ndarray:
        """Logarithm of the predictive density of new targets, row by row.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_noise : array-like of shape (n_samples,), default=None
            Variance of the noise of each, in the units of `alpha`. None takes the mean over training rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Larger is better. Its mean, negated, is the NLPD.
        """
        check_is_fitted(self)
        mean, std = map(to_host, self.predict(X, return_std=True))
        y = self._read_targets(y)
        if y.shape != mean.shape:
            raise ValueError(f"{type(self).__name__}: y must have shape {mean.shape}; got {y.shape}.")
        default = float(self.noise_train_.mean()) if sample_noise is None else 0.0
        noise = self._read_noise(sample_noise, len(y), default)
        scale = np.broadcast_to(self._y_train_std, y.shape[1:] or (1,))
        noise = np.outer(noise, scale**2).reshape(y.shape)
        return normal_log_density(y, mean, std**2 + noise)

    def leave_one_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Predict each training target from all others, with the hyper-parameters of the fit.

        Analytic: no further factorisation is made.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Means.
        std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Standard deviations of the observation left out: its noise is in them, that of alpha too.
        """
        check_is_fitted(self)
        targets, dual = (a.reshape(len(self.L_), -1) for a in (self.y_train_, self.alpha_))
        mean, variance = leave_one_out(self.L_, targets, dual)
        mean = mean.reshape(self.y_train_.shape) * self._y_train_std + self._y_train_mean
        return mean, np.sqrt(self._in_units_of_y(variance))

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
        weights = self.alpha_.reshape(len(self.L_), -1) * self._y_train_std
        by_rows = partial(self._covariance().slopes, rows, self.X_train_, self.kernel_.theta)
        gradient = np.stack([by_rows(weight) for weight in weights.T], axis=-1)
        return gradient[..., 0] if self.alpha_.ndim == 1 else gradient

    def _choose_hyperparameters(self) -> None:
        kernel, likelihood = self.kernel_, self._likelihood()
        if self.optimizer is not None and kernel.n_dims > 0:
            best = minimize_from(self._starts(), self._objectives(likelihood), kernel.bounds, self.optimizer)
            kernel.theta = best.theta
            kernel._check_bounds_params()
        self._condition(likelihood)

    def _condition(self, likelihood: MarginalLikelihood) -> None:
        """Factor the covariance at the hyper-parameters of kernel_, in the matrix of the likelihood."""
        kernel = self.kernel_
        factor = likelihood.factor(kernel.theta, clean=True)
        if factor is None:
            raise np.linalg.LinAlgError(
                f"The kernel, {kernel}, is not returning a positive definite matrix, even with a jitter of "
                "1e-3 of its mean diagonal. Try gradually increasing the 'alpha' parameter of your "
                f"{type(self).__name__} estimator."
            )
        if factor.jitter > 0:
            warnings.warn(
                f"{type(self).__name__}: the covariance of the training rows is singular to machine "
                f"precision, so {factor.jitter:.1e} was added to its diagonal (jitter_). Rows that repeat or "
                "nearly do, or long length scales, make it so; a larger alpha or a WhiteKernel states it.",
                UserWarning,
                stacklevel=3,
            )
        self.L_, self.jitter_ = factor
        self._solve()

    def _solve(self) -> None:
        targets = self.y_train_.reshape(len(self.L_), -1)
        dual = solve(self.L_, targets)
        self.log_marginal_likelihood_value_ = log_likelihood(self.L_, targets, dual)
        self.alpha_ = dual.reshape(self.y_train_.shape)

    def _starts(self) -> list[np.ndarray]:
        bounds = self.kernel_.bounds
        if self.n_restarts_optimizer > 0 and not np.isfinite(bounds).all():
            raise ValueError(
                "Multiple optimizer restarts (n_restarts_optimizer>0) requires that all bounds are finite."
            )
        rng = check_random_state(self.random_state)
        further = [rng.uniform(bounds[:, 0], bounds[:, 1]) for _ in range(self.n_restarts_optimizer)]
        return [self.kernel_.theta, *further]

    def _objectives(self, likelihood: MarginalLikelihood) -> Callable[[], Objective]:
        """Maker of objectives; the first reuses the matrix of `likelihood`."""
        priors = self._log_priors()
        spare = [likelihood]

        def make() -> Objective:
            own = spare.pop() if spare else self._likelihood()

            def objective(theta: np.ndarray, eval_gradient: bool = True) -> Any:
                log_prior, pull = priors(theta)
                if not eval_gradient:
                    return -(own.value(theta) + log_prior)
                value, gradient = own.value_and_gradient(theta)
                return -(value + log_prior), -(gradient + pull)

            return objective

        return make

    def _log_priors(self) -> LogNormalPriors:
        if self.priors == "dimension":
            return LogNormalPriors(self.kernel_, dimension_priors(self.kernel_, self.X_train_.shape[1]))
        return LogNormalPriors(self.kernel_, check_priors(self.priors or {}, type(self).__name__))

    def _covariance(self) -> Covariance:
        return compile_covariance(self.kernel_)

    def _likelihood(self) -> MarginalLikelihood:
        targets = self.y_train_.reshape(len(self.y_train_), -1)
        return MarginalLikelihood(self._covariance(), self.X_train_, targets, self.noise_train_)

    def _grow(self, X: Any, y: np.ndarray, noise: np.ndarray) -> None:
        cross = self._covariance().between(X, self.X_train_, self.kernel_.theta)
        corner = self.kernel_(X)
        corner[np.diag_indices_from(corner)] += noise + self.jitter_
        self.X_train_ = np.concatenate([self.X_train_, X])
        self.y_train_ = np.concatenate([self.y_train_, y])
        self.noise_train_ = np.concatenate([self.noise_train_, noise])
        grown = append_rows(self.L_, cross, corner)
        if grown is not None:
            self.L_ = grown
            self._solve()
        else:  # the new rows repeat old ones: a jitter is needed, and belongs to all rows
            self._condition(self._likelihood())

    def _prior(self, X: Any, return_std: bool, return_cov: bool) -> tuple[np.ndarray, ...]:
        kernel = ConstantKernel(1.0, "fixed") * RBF(1.0, "fixed") if self.kernel is None else self.kernel
        rows = self._read_rows(X, kernel, reset=False)
        n_targets = self.n_targets or 1
        shape = () if n_targets == 1 else (n_targets,)
        mean = np.zeros((len(rows), *shape))
        if return_cov:
            return mean, _repeat(kernel(rows), shape)
        return (mean, np.sqrt(_repeat(kernel.diag(rows), shape))) if return_std else (mean,)

    def _posterior(self, rows: Any, return_std: bool, return_cov: bool) -> tuple[np.ndarray, ...]:
        covariance, theta = self._covariance(), self.kernel_.theta
        step = len(rows) if return_cov else max(1, _CROSS_ELEMENTS // len(self.L_))
        means, taken = [], []
        for start in range(0, len(rows), step):
            cross = covariance.between(rows[start : start + step], self.X_train_, theta)
            means.append(cross @ self.alpha_)
            if return_std:
                taken.append(explained_variance(self.L_, cross))
        mean = self._y_train_std * np.concatenate(means) + self._y_train_mean
        if mean.ndim > 1 and mean.shape[1] == 1:
            mean = mean[:, 0]
        if return_cov:
            return mean, self._in_units_of_y(self.kernel_(rows) - explained_covariance(self.L_, cross))
        if not return_std:
            return (mean,)
        variance = clip_variance(self.kernel_.diag(rows) - np.concatenate(taken))
        return mean, np.sqrt(self._in_units_of_y(variance))

    def _in_units_of_y(self, variance: np.ndarray) -> np.ndarray:
        """Variances of the normalised targets times the squared scale of each target, as a last axis."""
        scale = np.broadcast_to(self._y_train_std, self.y_train_.shape[1:] or (1,))
        scaled = variance[..., None] * scale**2
        return scaled[..., 0] if scaled.shape[-1] == 1 else scaled

    def _normalize(self, y: np.ndarray) -> None:
        shape = y.shape[1:] or 1
        self._y_train_mean, self._y_train_std = np.zeros(shape), np.ones(shape)
        if self.normalize_y:
            std = np.std(y, axis=0)
            # A constant target, but for rounding, has no scale.
            constant = std <= 10 * np.finfo(np.float64).eps * np.abs(y).max(axis=0)
            self._y_train_mean, self._y_train_std = np.mean(y, axis=0), np.where(constant, 1.0, std)

    def _read_rows(self, X: Any, kernel: Kernel, *, reset: bool) -> Any:
        if kernel.requires_vector_input:
            if not reset and not hasattr(self, "n_features_in_"):
                return check_array(on_host(X), dtype=np.float64)
            return to_host(self._read_X(X, reset=reset, accept_sparse=False, dtype=np.float64)).astype(
                np.float64, copy=False
            )
        return validate_data(self, on_host(X), reset=reset, ensure_2d=False, dtype=None)

    def _read_targets(self, y: Any) -> np.ndarray:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = check_array(on_host(y), dtype=np.float64, ensure_2d=False, input_name="y", force_writeable=False)
        if y.ndim not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: y must have shape (n_samples,) or (n_samples, n_targets); "
                f"got {y.shape}."
            )
        return y

    def _require_a_target_each(self, X: Any, y: np.ndarray) -> None:
        if len(X) != len(y):
            raise ValueError(
                f"{type(self).__name__}: X and y must have equally many rows. "
                f"Found input variables with inconsistent numbers of samples: [{len(X)}, {len(y)}]."
            )

    def _read_noise(self, sample_noise: Any, n_samples: int, alpha: Any) -> np.ndarray:
        """Variance of the noise of each row."""
        total = np.zeros(n_samples)
        for name, value in (
            ("alpha", alpha),
            ("sample_noise", 0.0 if sample_noise is None else sample_noise),
        ):
            values = np.asarray(on_host(value), dtype=np.float64)
            if values.size != 1 and values.shape != (n_samples,):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be a scalar or an array with same number of "
                    f"entries as y. ({len(values)} != {n_samples})"
                )
            if not np.isfinite(values).all() or (values < 0).any():
                raise ValueError(f"{type(self).__name__}: {name} must hold finite variances of at least 0.")
            total += values
        return total

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.requires_fit = False
        return tags


def _repeat(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(values[..., None], (*values.shape, *shape)).copy() if shape else values
