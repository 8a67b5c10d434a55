"""Gaussian process classification: probabilities from a latent function, by Laplace's approximation."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.gaussian_process.kernels import CompoundKernel, Kernel
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dl._base.arrays import Array, is_tensor, move_like, on_host, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import param
from sklearn_dl._base.targets import read_class_labels, require_equal_length
from sklearn_dl.gaussian_process.classification_binary import _BinaryLaplaceClassifier, _LaplaceParameters
from sklearn_dl.gaussian_process.kernel_checks import read_theta, require_length_scales_for, require_one_value


class GaussianProcessClassifier(ClassifierMixin, AtomicFit, FloatTableInput, _LaplaceParameters):
    r"""Gaussian process classification, with hyper-parameters of greatest marginal likelihood.

    A latent function with a normal prior, of covariance ``kernel``, gives each row the probability of a class
    through the logistic function. Its posterior is approximated by a normal distribution about the mode
    (Laplace's approximation), and probabilities are averaged over it, so that they go back to 1/2 far from
    the training rows. Several classes are told apart by one such classifier each, or by one for each pair.

    Kernels are scikit-learn's own objects, and evaluated as by :class:`GaussianProcessRegressor`. Features
    should have a common scale where they share a length scale.

    Notes
    -----
    A fit takes one Cholesky factorisation for each Newton step of each evaluation of the likelihood, and
    memory for two matrices of :math:`n^2` numbers for each thread that searches, whatever the number of
    hyper-parameters. Newton's steps are halved where the posterior would fall, and start from the mode of the
    hyper-parameters before. Random starts are uniform in theta, as in :class:`GaussianProcessRegressor`.

    References
    ----------
    Rasmussen, Williams (2006), Gaussian processes for machine learning, algorithms 3.1, 3.2 and 5.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from sklearn_dl.gaussian_process import GaussianProcessClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GaussianProcessClassifier(1.0 * RBF(1.0)).fit(X, y)
    >>> model.predict_proba(X[:2]).round(2)
    array([[0.84, 0.03, 0.13],
           [0.79, 0.07, 0.14]])
    """

    multi_class: Literal["one_vs_rest", "one_vs_one"] = param(
        default="one_vs_rest",
        doc="How more than two classes are told apart: by a classifier of each against all others, or of "
        "each pair, which is fitted to fewer rows and gives no probabilities.",
    )
    n_jobs: int | None = param(
        default=None,
        doc="Processes that fit the classifiers of more than two classes. None means 1, -1 all processors.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "base_estimator_": (
            "estimator",
            "Classifier of two classes, or scikit-learn's OneVsRestClassifier or OneVsOneClassifier of such.",
        ),
        "kernel_": (
            "Kernel",
            "Kernel with the hyper-parameters that were found; of more than two classes a CompoundKernel.",
        ),
        "log_marginal_likelihood_value_": (
            "float",
            "Log-likelihood at the hyper-parameters of `kernel_`; the mean over the classifiers, if several.",
        ),
        "classes_": ("ndarray of shape (n_classes,)", "Classes in sorted order."),
        "n_classes_": ("int", "Number of classes."),
        "n_features_in_": ("int", "Number of features."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features, if X has string column names.",
        ),
    }

    def fit(self, X: Any, y: Any) -> Self:
        """Choose the hyper-parameters and condition on the rows.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Training rows; a list of objects for kernels that take them.
        y : array-like of shape (n_samples,)
            Classes, of any kind.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, the kernel is a CompoundKernel or has length scales for
            another number of features, X holds NaN or infinity, y holds one class alone or no classes, or
            their numbers of rows differ.
        LinAlgError
            If the covariance is not positive definite.
        """
        self._check_params()
        name = type(self).__name__
        if self.kernel is not None:
            require_one_value(self.kernel, name)
        X, y = self._read_rows(X, reset=True), read_class_labels(y, name)
        if self.kernel is not None:
            require_length_scales_for(X, self.kernel, name)
        if y.ndim != 1:
            raise ValueError(f"{name}: y must hold one label a row, of shape (n_samples,); got {y.shape}.")
        require_equal_length(X, y, name)
        self.classes_ = np.unique(y)
        self.n_classes_ = len(self.classes_)
        if self.n_classes_ < 2:
            raise ValueError(
                f"{name} requires 2 or more distinct classes; got {self.n_classes_} class: "
                f"{self.classes_.tolist()}."
            )
        self.base_estimator_ = self._unfitted().fit(X, y)
        values = [binary.log_marginal_likelihood() for binary in self._binaries()]
        self.log_marginal_likelihood_value_ = np.mean(values)
        return self

    def predict(self, X: Any) -> Array:
        """Predict the most probable class for each row.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Rows.

        Returns
        -------
        y : ndarray or tensor of shape (n_samples,)
            Classes; numbers on the device of X where X is a tensor.
        """
        check_is_fitted(self)
        labels = self.base_estimator_.predict(self._read_rows(X, reset=False))
        numeric = labels.dtype.kind in "biuf"
        return move_like(labels, X, keep_dtype=True) if is_tensor(X) and numeric else labels

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class for each row.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Rows.

        Returns
        -------
        probability : ndarray or tensor of shape (n_samples, n_classes)
            Columns in the order of `classes_`. Where there are more than two, those of the classifiers of
            one class against the rest, made to add up to 1.

        Raises
        ------
        ValueError
            If there are more than two classes and `multi_class` was "one_vs_one" in ``fit``.
        """
        check_is_fitted(self)
        if isinstance(self.base_estimator_, OneVsOneClassifier):
            raise ValueError(
                f"{type(self).__name__}: one_vs_one multi-class mode does not support predicting probability "
                "estimates. Use one_vs_rest mode instead."
            )
        probability = self.base_estimator_.predict_proba(self._read_rows(X, reset=False))
        return _in_kind(probability, X)

    @property
    def kernel_(self) -> Kernel:
        """Kernel with the hyper-parameters that were found."""
        kernels = [binary.kernel_ for binary in self._binaries()]
        return kernels[0] if self.n_classes_ == 2 else CompoundKernel(kernels)

    def log_marginal_likelihood(
        self, theta: Any = None, eval_gradient: bool = False, clone_kernel: bool = True
    ) -> Any:
        """Log-likelihood of the training labels at some hyper-parameters, by Laplace's approximation.

        Parameters
        ----------
        theta : array-like of shape (n_hyperparameters,) or (n_classifiers * n_hyperparameters,), default=None
            Logarithms of the hyper-parameters: those of one kernel, for all classifiers, or of each, as in
            ``kernel_.theta``. None takes those of the fit.
        eval_gradient : bool, default=False
            Whether the gradient by theta is returned too; theta must then be given.
        clone_kernel : bool, default=True
            Whether ``kernel_`` stays as it is; else it gets theta.

        Returns
        -------
        value : float
            Log-likelihood, the mean over the classifiers; -inf where a covariance is not positive definite.
        gradient : ndarray of the shape of theta
            With `eval_gradient`.

        Raises
        ------
        ValueError
            If theta has another shape, or the gradient is asked for without theta.
        """
        check_is_fitted(self)
        binaries = self._binaries()
        n_dims = binaries[0].kernel_.n_dims
        theta = read_theta(theta, eval_gradient, [n_dims, n_dims * len(binaries)], type(self).__name__)
        if theta is None:
            return self.log_marginal_likelihood_value_
        shared = len(theta) == n_dims
        parts = [theta] * len(binaries) if shared else np.split(theta, len(binaries))
        answers = [
            binary.log_marginal_likelihood(part, eval_gradient, clone_kernel)
            for binary, part in zip(binaries, parts, strict=True)
        ]
        if not eval_gradient:
            return np.mean(answers)
        value = np.mean([value for value, _ in answers])
        gradients = np.array([gradient for _, gradient in answers]) / len(answers)
        return value, gradients.sum(axis=0) if shared else gradients.ravel()

    def latent_mean_and_variance(self, X: Any) -> tuple[Array, Array]:
        """Mean and variance of the latent function, given the training labels.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features) or list of object
            Rows.

        Returns
        -------
        mean, variance : ndarray or tensor of shape (n_samples,)
            On the scale of the logits.

        Raises
        ------
        ValueError
            If there are more than two classes.
        """
        check_is_fitted(self)
        if self.n_classes_ > 2:
            raise ValueError(
                f"{type(self).__name__}: Returning the mean and variance of the latent function f is only "
                f"supported for binary classification, received {self.n_classes_} classes."
            )
        mean, variance = self.base_estimator_.latent_mean_and_variance(self._read_rows(X, reset=False))
        return _in_kind(mean, X), _in_kind(variance, X)

    def _unfitted(self) -> Any:
        shared = {name: getattr(self, name) for name in _BinaryLaplaceClassifier._fields}
        binary = _BinaryLaplaceClassifier(**shared)
        if self.n_classes_ == 2:
            return binary
        several = OneVsRestClassifier if self.multi_class == "one_vs_rest" else OneVsOneClassifier
        return several(binary, n_jobs=self.n_jobs)

    def _binaries(self) -> list[_BinaryLaplaceClassifier]:
        return [self.base_estimator_] if self.n_classes_ == 2 else self.base_estimator_.estimators_

    def _read_rows(self, X: Any, *, reset: bool) -> Any:
        if self.kernel is None or self.kernel.requires_vector_input:
            X = to_host(self._read_X(X, reset=reset, accept_sparse=False, dtype=np.float64))
            return X.astype(np.float64, copy=False)
        return validate_data(self, on_host(X), reset=reset, ensure_2d=False, dtype=None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def _in_kind(answer: np.ndarray, X: Any) -> Array:
    return move_like(answer, X) if is_tensor(X) else answer
