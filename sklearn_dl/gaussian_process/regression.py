"""Gaussian process regression: a distribution over functions, conditioned on the rows."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin, clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import is_tensor, move_like, to_host
from sklearn_dl.gaussian_process.conjugate_gradients_inference import ConjugateGradientInference
from sklearn_dl.gaussian_process.exact import ExactInference
from sklearn_dl.gaussian_process.inference import Inference
from sklearn_dl.gaussian_process.kernel_checks import read_theta, require_length_scales_for, require_one_value
from sklearn_dl.gaussian_process.large_data import _LargeDataParameters
from sklearn_dl.gaussian_process.regression_additions import RegressionAdditions
from sklearn_dl.gaussian_process.regression_parameters import _RegressionParameters
from sklearn_dl.gaussian_process.sparse_inference import SparseInference

_INFERENCES: dict[str, type[Inference]] = {
    "exact": ExactInference,
    "sgpr": SparseInference,
    "cg": ConjugateGradientInference,
}


class GaussianProcessRegressor(
    MultiOutputMixin, RegressorMixin, RegressionAdditions, _RegressionParameters, _LargeDataParameters
):
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
    An exact fit takes about :math:`n^3` multiplications for each evaluation of the likelihood, and memory for
    one matrix of :math:`n^2` numbers for each thread that searches, whatever the number of hyper-parameters.
    ``inference="sgpr"`` takes :math:`4 n m^2` with m inducing points and holds :math:`m^2` numbers, ``"cg"``
    :math:`n^2` covariances an iteration and n times the size of its preconditioner. Both divide by the noise,
    so there must be some, by ``alpha`` or a ``WhiteKernel``. They compute torch tensors where they live.

    With ``inference="sgpr"`` there are the attributes ``inducing_points_``, of shape (n_inducing_points,
    n_features), and ``LB_``, the lower Cholesky factor of their precision given the rows, in coordinates in
    which it is 1 before. With ``"cg"`` there are ``n_iter_``, the iterations for ``alpha_``, and
    ``residual_``, the largest norm of a residual over that of its target; with ``fast_variance`` also
    ``variance_factor_``, of shape (n_samples, rank): covariances with the rows times it, squared and summed,
    are the variance that the rows take away. ``L_`` and ``jitter_`` are then missing.

    Where the covariance is not positive definite to machine precision, the least of the jitters 1e-12, 1e-11,
    ... 1e-3 times its mean diagonal that makes it so is added to the diagonal, with a warning;
    scikit-learn raises an error there.

    References
    ----------
    Rasmussen, Williams (2006), Gaussian processes for machine learning, algorithm 2.1, equations 5.9 and
    5.12. Titsias (2009), Variational learning of inducing variables in sparse Gaussian processes. Gardner,
    Pleiss, Bindel, Weinberger, Wilson (2018), GPyTorch: blackbox matrix-matrix Gaussian process inference
    with GPU acceleration.

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
            'Lower Cholesky factor of their covariance, noise included; with inference="sgpr" that of the '
            'inducing points, without noise. Not with "cg".',
        ),
        "alpha_": (
            "ndarray of shape (n_samples,) or (n_samples, n_targets)",
            "Dual coefficients: the covariance, noise included, times them is `y_train_`. With "
            'inference="sgpr" one for each inducing point. Covariances with these rows times them are means.',
        ),
        "jitter_": (
            "float",
            'Variance that was added to the diagonal so that the factor exists; 0 if none. Not with "cg".',
        ),
        "log_marginal_likelihood_value_": (
            "float",
            "Log-likelihood at the hyper-parameters of `kernel_`; with "
            'inference="sgpr" its lower bound, with "cg" an estimate.',
        ),
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
            If a parameter is out of its range, the kernel is a CompoundKernel or has length scales for
            another number of features, X or y holds NaN or infinity, or their numbers of rows or those of
            alpha or `sample_noise` differ; or inference is not exact and there is no noise, or nothing else.
        NotImplementedError
            If the kernel is evaluated by its own code and inference is not exact.
        LinAlgError
            If the covariance is not positive definite with the largest jitter.
        """
        self._check_params()
        name, in_kind = type(self).__name__, self.inference != "exact"
        kernel = RBF() if self.kernel is None else self.kernel
        require_one_value(kernel, name)
        X, y = self._read_rows(X, kernel, reset=True, in_kind=in_kind), self._read_targets(y)
        self._require_a_target_each(X, y)
        if self.n_targets is not None and y.reshape(len(y), -1).shape[1] != self.n_targets:
            raise ValueError(
                "The number of targets seen in `y` is different from the parameter `n_targets`. "
                f"Got {y.reshape(len(y), -1).shape[1]} != {self.n_targets}."
            )
        noise = self._read_noise(sample_noise, len(y), self.alpha)
        kernel = _INFERENCES[self.inference].default_kernel(X) if self.kernel is None else clone(kernel)
        require_length_scales_for(X, kernel, name)
        earlier = getattr(self, "kernel_", None) if self.warm_start else None
        if earlier is not None and earlier.n_dims == kernel.n_dims:
            kernel.theta = np.clip(earlier.theta, kernel.bounds[:, 0], kernel.bounds[:, 1])
        for attribute in Inference.attributes:
            self.__dict__.pop(attribute, None)
        self._normalize(y)
        self._inference_of_fit = self.inference
        self._seed = _seed(self.random_state) if in_kind else None
        self.kernel_, self.noise_train_ = kernel, noise
        self.X_train_ = self._kept(X)
        self.y_train_ = (y - self._y_train_mean) / self._y_train_std
        self._inference(like=X).fit()
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
        if hasattr(self, "kernel_") or hasattr(self, "X_train_"):  # a damaged fit is no prior
            rows = self._read_rows(X, self.kernel_, reset=False, in_kind=self._inference_of_fit != "exact")
            mean, variance = self._inference(like=rows).predict(
                rows, variance=return_std, covariance=return_cov
            )
            answers: tuple[Any, ...] = (self._mean_in_units_of_y(mean),)
            if variance is not None:
                spread = self._in_units_of_y(variance)
                answers = (*answers, spread if return_cov else np.sqrt(spread))
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
            Log-likelihood, summed over targets; -inf where the covariance is not positive definite. Its lower
            bound with ``inference="sgpr"``; an estimate with "cg", by the random vectors of the fit.
        gradient : ndarray of shape (n_hyperparameters,)
            With `eval_gradient`.

        Raises
        ------
        ValueError
            If theta has another shape, or the gradient is asked for without theta.
        """
        check_is_fitted(self)
        theta = read_theta(theta, eval_gradient, [self.kernel_.n_dims], type(self).__name__)
        if theta is None:
            return self.log_marginal_likelihood_value_
        if not clone_kernel:
            self.kernel_.theta = theta
        likelihood = self._inference().likelihood()
        return likelihood.value_and_gradient(theta) if eval_gradient else likelihood.value(theta)

    def _inference(self, like: Any = None) -> Inference:
        """How the fit conditioned on its rows, at work in the kind and on the device of an array."""
        return _INFERENCES[self._inference_of_fit](self, like)

    def _prior(self, X: Any, return_std: bool, return_cov: bool) -> tuple[np.ndarray, ...]:
        kernel = ConstantKernel(1.0, "fixed") * RBF(1.0, "fixed") if self.kernel is None else self.kernel
        rows = self._read_rows(X, kernel, reset=False)
        n_targets = self.n_targets or 1
        shape = () if n_targets == 1 else (n_targets,)
        mean = np.zeros((len(rows), *shape))
        if return_cov:
            return mean, _repeat(kernel(rows), shape)
        return (mean, np.sqrt(_repeat(kernel.diag(rows), shape))) if return_std else (mean,)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.requires_fit = False
        return tags


def _repeat(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(values[..., None], (*values.shape, *shape)).copy() if shape else values


def _seed(random_state: Any) -> int:
    """Seed of what is drawn in a fit, which predictions and likelihoods draw again."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))
