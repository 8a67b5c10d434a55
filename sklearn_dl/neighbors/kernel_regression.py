"""Kernel regression: the mean of the targets near a row, weighted by a kernel of the distance."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import Estimator, PositiveFloat, param
from sklearn_dl._base.targets import naming, read_float_targets
from sklearn_dl.neighbors.kernel_regression_bandwidth import rule_of_thumb, search_bandwidth
from sklearn_dl.neighbors.kernel_regression_sums import Sample, kernel_means


class KernelRegression(RegressorMixin, AtomicFit, FloatTableInput, Estimator):
    r"""Nadaraya-Watson kernel regression, with a bandwidth from leave-one-out.

    The prediction is a weighted mean of the training targets,
    :math:`\sum_i K(\|x - x_i\| / h)\, y_i / \sum_i K(\|x - x_i\| / h)`, with kernel K and bandwidth h. As h
    falls to 0 it becomes the target of the nearest row; as h grows, the mean of all targets.

    Distances are Euclidean and share one bandwidth, so features should have a common scale: put a
    :class:`~sklearn.preprocessing.StandardScaler` before it.

    Notes
    -----
    A row with no training row in the support of a compact kernel gets the mean target of its nearest
    training rows. The Gaussian kernel tends to the same far away, where its weights are computed by their
    logarithms; so predictions are never NaN.

    Leave-one-out predicts each row from those at other places: equal rows are left out together. Otherwise
    duplicates would predict one another and the bandwidth would fall to 0. A row of weight w counts as w
    equal rows. A pass over n rows costs n^2 weights: one pass serves a grid of bandwidths, each the last over
    the square root of 2, and Brent's method then takes about 10 between the neighbours of the best.

    The weights of a large Gaussian problem come from inner products of the rows about their mean. These are
    rounded to float32 where a bound shows that a weight keeps a relative precision of 1e-6.

    A fitted estimator holds the training rows. Fitted on a tensor, it keeps them where they are, and
    pickles them as numpy arrays.

    References
    ----------
    Nadaraya (1964), On estimating regression. Watson (1964), Smooth regression analysis. Leave-one-out:
    Haerdle (1990), Applied nonparametric regression, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.neighbors import KernelRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-3, 3, size=(200, 1))
    >>> y = np.sin(X[:, 0]) + 0.1 * rng.normal(size=200)
    >>> model = KernelRegression().fit(X, y)
    >>> round(model.bandwidth_, 2)
    0.12
    >>> round(float(model.predict([[1.5]])[0]), 2)
    1.01
    """

    kernel: Literal["gaussian", "epanechnikov", "boxcar", "tophat"] = param(
        default="gaussian",
        doc="Weight of a row at u = distance / bandwidth: exp(-u^2 / 2); 1 - u^2 for u below 1, else 0; or 1 "
        'for u up to 1, else 0. "tophat" is another name of "boxcar".',
    )
    bandwidth: PositiveFloat | tuple[PositiveFloat, ...] | Literal["loo", "scott", "silverman"] = param(
        default="loo",
        doc="Scale of the distances; larger is smoother. Several: the one of least leave-one-out error. "
        '"loo": the one of least leave-one-out error over all scales of the data. "scott", "silverman": '
        "rules for features of unit variance, which do not look at y.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "bandwidth_": ("float", "Bandwidth of the predictions."),
        "loo_bandwidths_": (
            "ndarray of shape (n_bandwidths,)",
            'Bandwidths whose leave-one-out error was computed, in increasing order. Only with "loo" or '
            "several bandwidths. Empty, and `bandwidth_` 1, where all rows are equal.",
        ),
        "loo_scores_": (
            "ndarray of shape (n_bandwidths,)",
            "Mean squared leave-one-out errors, over rows (by weight) and targets. As `loo_bandwidths_`.",
        ),
        "X_fit_": ("{ndarray, tensor} of shape (n_samples, n_features)", "Training rows of weight above 0."),
        "y_fit_": ("{ndarray, tensor} of shape (n_samples,) or (n_samples, n_targets)", "Their targets."),
        "sample_weight_fit_": ("{ndarray, tensor} of shape (n_samples,)", "Their weights."),
        "n_features_in_": ("int", "Number of features."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features, if X has string column names.",
        ),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Keep the rows and choose the bandwidth.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features)
            Training rows.
        y : {array-like, torch tensor} of shape (n_samples,) or (n_samples, n_targets)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, which count as repetitions. None gives every row 1.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X is sparse, X or y holds NaN or infinity, their numbers of
            rows differ, or no weight is above 0.
        """
        self._check_params()
        if np.size(self.bandwidth) == 0:
            raise ValueError(f"{type(self).__name__}: bandwidth must hold at least one value; got none.")
        X = self._read_X(X, reset=True, accept_sparse=False, order="C")
        y = read_float_targets(y, X, type(self).__name__)
        weight = self._read_weight(sample_weight, X)
        if sample_weight is not None:
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        self.X_fit_, self.y_fit_, self.sample_weight_fit_ = X, y, weight
        self._choose_bandwidth()
        return self

    def predict(self, X: Any) -> Array:
        """Predict a real value, or several, for each row.

        Parameters
        ----------
        X : {array-like, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray or tensor of shape (n_samples,) or (n_samples, n_targets)
            Of X's dtype. A tensor, on X's device, where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        check_is_fitted(self)
        X = self._read_X(X, reset=False, accept_sparse=False, order="C")
        rows, y, weight = (move_like(part, X) for part in (self.X_fit_, self.y_fit_, self.sample_weight_fit_))
        sample = Sample(rows, y.reshape(rows.shape[0], -1), weight)
        means = kernel_means(sample, X, self._kernel, self.bandwidth_)
        return move_like(means if y.ndim == 2 else means[:, 0], X)

    @property
    def _kernel(self) -> str:
        return "boxcar" if self.kernel == "tophat" else self.kernel

    def _choose_bandwidth(self) -> None:
        for name in ("loo_bandwidths_", "loo_scores_"):
            self.__dict__.pop(name, None)
        X, y, weight, choice = self.X_fit_, self.y_fit_, self.sample_weight_fit_, self.bandwidth
        if isinstance(choice, str) and choice != "loo":
            self.bandwidth_ = rule_of_thumb(choice, float(weight.sum()), X.shape[1])
        elif isinstance(choice, str | Sequence | np.ndarray):
            candidates = None if isinstance(choice, str) else choice
            search = search_bandwidth(X, y.reshape(X.shape[0], -1), weight, self._kernel, candidates)
            self.bandwidth_, self.loo_bandwidths_, self.loo_scores_ = search.best, *search
        else:
            self.bandwidth_ = float(choice)

    def _read_weight(self, sample_weight: Any, X: Array) -> Array:
        given = to_host(sample_weight) if is_tensor(sample_weight) else sample_weight
        with naming(type(self).__name__):
            weight = _check_sample_weight(given, to_host(X[:, :1]), ensure_non_negative=True)
        if not weight.any():
            raise ValueError(
                f"{type(self).__name__}: sample_weight must hold a weight above 0; got zeros only."
            )
        return move_like(weight, X)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: to_host(value) if is_tensor(value) else value for name, value in state.items()}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.target_tags.multi_output = True
        return tags
