"""Linear regression by stochastic gradient descent: for many rows, and for rows that come in parts."""

from typing import Any, ClassVar, Literal, Self

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.params import FiniteFloat, param
from sklearn_dl._base.targets import read_float_targets
from sklearn_dl.linear_model.base import LinearRegressorModel, SparseCoefficients
from sklearn_dl.linear_model.sgd_base import LARGEST_SEED, SGDModel
from sklearn_dl.linear_model.sgd_losses import REGRESSION_LOSSES


class SGDRegressor(SparseCoefficients, LinearRegressorModel, SGDModel):
    """Linear regression by stochastic gradient descent: least squares, robust, or with a dead zone.

    Scale the features first, to mean 0 and variance 1.

    Raises
    ------
    ValueError
        In ``fit`` and ``partial_fit``: if parameters exclude each other, X or y hold NaN, or coefficients
        overflow; then what was fitted before is kept.

    See Also
    --------
    SGDClassifier : The notes there hold here too.

    References
    ----------
    Bottou (2012), Stochastic gradient descent tricks.
    Tsuruoka, Tsujii, Ananiadou (2009), Stochastic gradient descent training for L1-regularized log-linear
    models with cumulative penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.linear_model import SGDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=1000)
    >>> SGDRegressor(random_state=0).fit(X, y).coef_.round(1)
    array([1., 2., 3.])

    Batch gradient descent:

    >>> model = SGDRegressor(batch_size="full", learning_rate="constant", eta0=0.5, random_state=0)
    >>> model.fit(X, y).coef_.round(1)
    array([1., 2., 3.])
    """

    loss: Literal["squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"] = param(
        default="squared_error",
        kw_only=False,
        doc="What an error costs: half its square; the same up to `epsilon` and linear beyond ('huber', "
        "which bears outliers); or what it exceeds `epsilon` by ('epsilon_insensitive', support vector "
        "regression), or the square of that.",
    )
    learning_rate: Literal["constant", "optimal", "invscaling", "adaptive", "pa1", "pa2"] = param(
        default="invscaling"
    )
    power_t: FiniteFloat = param(default=0.25)

    _is_classifier = False
    _multi_output = False
    loss_functions = REGRESSION_LOSSES
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "coef_": ("ndarray of shape (n_features,)", "Coefficients; CSR of one row after ``sparsify``."),
        "intercept_": ("ndarray of shape (1,)", "Prediction for a row of zeros."),
    }

    def fit(  # type: ignore[override]
        self, X: Any, y: Any, coef_init: Any = None, intercept_init: Any = None, sample_weight: Any = None
    ) -> Self:
        """Learn from the rows, in as many epochs as pay off.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from. A tensor is computed where it lives.
        y : array-like or tensor of shape (n_samples,)
            Targets.
        coef_init : array-like of shape (n_features,), default=None
            Coefficients to start from, 0 by default.
        intercept_init : array-like of shape (1,), default=None
            Intercept to start from, 0 by default.
        sample_weight : array-like or tensor of shape (n_samples,), default=None
            Factors of the steps of each row.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_failure():
            X, y, weight = self._read_regression(X, y, sample_weight, order="C")
            X, y, weight = self._rows_for_steps(X, y, weight)
            X, y, weight = self._weights_as_repetitions(X, y, weight, weights_given=sample_weight is not None)
            start = self._start_of_fit(coef_init, intercept_init)
            self._learn(X, y, weight, self.max_iter, *start)
        self._warn_after_fit()
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from the rows in one epoch, from what was learnt before.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Some of the rows.
        y : array-like or tensor of shape (n_samples,)
            Their targets.
        sample_weight : array-like or tensor of shape (n_samples,), default=None
            Factors of the steps of each row.

        Returns
        -------
        self : object
            The estimator.
        """
        with self._unchanged_on_failure():
            self._check_params()
            self._require_no_early_stopping()
            X = self._read_X(X, reset=not hasattr(self, "coef_"), order="C")
            y = read_float_targets(y, X, type(self).__name__, multi_output=False)
            weight = self._read_weight(sample_weight, X)
            X, y, weight = self._rows_for_steps(X, y, weight)
            self._learn(X, y, weight, 1, *self._standard_state())
        return self

    def densify(self) -> Self:
        """Make ``coef_`` an ndarray again, after :meth:`sparsify`.

        Returns
        -------
        self : object
            The estimator.
        """
        super().densify()
        self.coef_ = self.coef_.reshape(-1)
        return self

    def _learn(
        self, X: Array, y: Array, weight: Array, max_iter: int, coef_init: Any, intercept_init: Any
    ) -> None:
        random = self._random_state()
        held_out = self._hold_out(y, weight, random)
        seed = random.randint(LARGEST_SEED)
        self._train(X, [lambda: (y, weight)], [seed], [held_out], max_iter, coef_init, intercept_init)
