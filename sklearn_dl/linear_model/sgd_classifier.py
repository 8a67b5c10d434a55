"""Linear classification by stochastic gradient descent: for many rows, and for rows that come in parts."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.special import expit
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl._base.params import param
from sklearn_dl._base.targets import (
    encode_classes,
    read_class_labels,
    require_equal_length,
    require_two_classes,
)
from sklearn_dl.linear_model.base import LinearClassifierModel, class_factors, read_classes
from sklearn_dl.linear_model.sgd_base import LARGEST_SEED, SGDModel, Target
from sklearn_dl.linear_model.sgd_losses import CLASSIFICATION_LOSSES


def _has_probabilities(estimator: "SGDClassifier") -> bool:
    if estimator.loss not in ("log_loss", "modified_huber"):
        raise AttributeError(f"probability estimates are not available for loss={estimator.loss!r}")
    return True


class SGDClassifier(LinearClassifierModel, SGDModel):
    """Linear classifier by stochastic gradient descent: support vector machine, logistic regression.

    Several classes are learnt one against all the others. Scale the features first, to mean 0, variance 1.

    Raises
    ------
    ValueError
        In ``fit`` and ``partial_fit``: if parameters exclude each other, y has one class, X or y hold NaN, or
        coefficients overflow; then what was fitted before is kept.

    Notes
    -----
    With ``batch_size=1`` and the same `random_state` the steps are those of scikit-learn, in their order.
    Some things differ. `early_stopping` scores the coefficients themselves, where scikit-learn 1.9 leaves
    out their common scale, and may so stop at another epoch. With an L1 penalty `average` is the mean over
    all steps, where scikit-learn counts the penalty of a step as if it had come first. And
    ``random_state=None`` does not read numpy's global stream.

    On up to 256 rows, weights in ``fit`` are repetitions: equal rows are merged, in an order of their own,
    where weights are given or most rows are repeated. Elsewhere a weight is a factor of the row's steps.

    Some 100,000 visits of features are made in plain Python; a longer fit loads compiled code, which is
    compiled, in about 2 seconds, when it is first used on a machine.

    For CSR with ``batch_size=1`` the intercept's steps are 100 times shorter, as features are met less often.
    With larger batches a step, of which ``t_`` and an int `average` count, is a batch.

    References
    ----------
    Bottou (2012), Stochastic gradient descent tricks.
    Tsuruoka, Tsujii, Ananiadou (2009), Stochastic gradient descent training for L1-regularized log-linear
    models with cumulative penalty.
    Crammer, Dekel, Keshet, Shalev-Shwartz, Singer (2006), Online passive-aggressive algorithms.
    Xu (2011), Towards optimal one pass large scale learning with averaged stochastic gradient descent.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_dl.linear_model import SGDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X)
    >>> bool(SGDClassifier(random_state=0).fit(X, y).score(X, y) > 0.95)
    True

    Mini-batches and momentum:

    >>> model = SGDClassifier(
    ...     loss="log_loss", batch_size=64, momentum=0.9, learning_rate="constant", random_state=0
    ... )
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    loss: Literal[
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ] = param(
        default="hinge",
        kw_only=False,
        doc="What a wrong or narrow decision costs: 'hinge' is the linear support vector machine, "
        "'log_loss' logistic regression; 'log_loss' and 'modified_huber' give probabilities, "
        "'modified_huber' bears outliers; 'perceptron' counts wrong rows alone. The losses of SGDRegressor "
        "take classes as -1 and 1.",
    )
    n_jobs: int | None = param(
        default=None,
        doc="Threads that learn classes side by side; None means 1, or what a joblib context says, and -1 "
        "all processors.",
    )
    class_weight: dict | Literal["balanced"] | None = param(
        default=None,
        doc="Weight of each class, ``{label: weight}``; 'balanced' makes all classes weigh the same.",
    )

    _is_classifier = True
    loss_functions = CLASSIFICATION_LOSSES
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "coef_": (
            "ndarray of shape (1, n_features) or (n_classes, n_features)",
            "Coefficients; one row for two classes. CSR after ``sparsify``.",
        ),
        "intercept_": ("ndarray of shape (1,) or (n_classes,)", "Scores of a row of zeros."),
        "classes_": ("ndarray of shape (n_classes,)", "Labels, sorted."),
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
            Labels.
        coef_init : array-like of shape (n_classes, n_features) or (n_features,), default=None
            Coefficients to start from, 0 by default.
        intercept_init : array-like of shape (n_classes,) or (1,), default=None
            Intercepts to start from, 0 by default.
        sample_weight : array-like or tensor of shape (n_samples,), default=None
            Factors of the steps of each row, times those of `class_weight`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_failure():
            self._check_params()
            name = type(self).__name__
            X = self._read_X(X, reset=True, order="C")
            self.classes_, codes = read_classes(y, X, name)
            require_two_classes(self.classes_, name)
            weight = self._read_weight(sample_weight, X)
            X, codes, weight = self._rows_for_steps(X, codes, weight)
            X, codes, weight = self._weights_as_repetitions(
                X, codes, weight, weights_given=sample_weight is not None
            )
            start = self._start_of_fit(coef_init, intercept_init)
            self._learn(X, codes, weight, self.max_iter, *start)
        self._warn_after_fit()
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows in one epoch, from what was learnt before.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Some of the rows.
        y : array-like or tensor of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed at the first call.
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
            if self.class_weight == "balanced":
                raise ValueError(
                    f"{type(self).__name__}: class_weight 'balanced' is not supported for partial_fit. In "
                    "order to use 'balanced' weights, use compute_class_weight('balanced', "
                    "classes=classes, y=y). In place of y you can use a large enough sample of the full "
                    "training set target to properly estimate the class frequency distributions. Pass the "
                    "resulting weights as the class_weight parameter."
                )
            X = self._read_X(X, reset=not hasattr(self, "classes_"), order="C")
            _check_partial_fit_first_call(self, classes)
            require_two_classes(self.classes_, type(self).__name__)
            codes = self._encoded(y, X)
            weight = self._read_weight(sample_weight, X)
            X, codes, weight = self._rows_for_steps(X, codes, weight)
            self._learn(X, codes, weight, 1, *self._standard_state())
        return self

    def _encoded(self, y: Any, X: Array) -> Array:
        """Index of each row's class, in X's kind of array."""
        name = type(self).__name__
        if is_tensor(X) and is_tensor(y):
            present, place = namespace(X).unique(y.detach().to(X.device), return_inverse=True)
            codes = move_like(encode_classes(to_host(present), self.classes_, name), X, keep_dtype=True)[
                place
            ]
        else:
            codes = move_like(
                encode_classes(read_class_labels(y, name), self.classes_, name), X, keep_dtype=True
            )
        require_equal_length(X, codes, name)
        return codes

    def _learn(
        self, X: Array, codes: Array, weight: Array, max_iter: int, coef_init: Any, intercept_init: Any
    ) -> None:
        """Train two classes at once, or each of several against the others."""
        factors = class_factors(self.class_weight, self.classes_, codes, None)
        random = self._random_state()
        # The draws from random_state, some of which nothing here reads, are those of scikit-learn.
        if len(self.classes_) == 2:
            random.randint(1, LARGEST_SEED)
            held_out = [self._hold_out(codes, weight, random)]
            seeds = [random.randint(LARGEST_SEED)]
            targets = [self._target(X, codes, weight, 1, factors[1], factors[0])]
        else:
            outputs = range(len(self.classes_))
            held_out = [self._hold_out(codes, weight, random)] * len(outputs)
            streams = [
                np.random.RandomState(seed) for seed in random.randint(LARGEST_SEED, size=len(outputs))
            ]
            seeds = [stream.randint(LARGEST_SEED, size=2)[1] for stream in streams]
            targets = [self._target(X, codes, weight, i, factors[i], 1.0) for i in outputs]
        self._train(X, targets, seeds, held_out, max_iter, coef_init, intercept_init)

    @staticmethod
    def _target(
        X: Array, codes: Array, weight: Array, output: int, positive_factor: float, negative_factor: float
    ) -> Callable[[], Target]:
        def target() -> Target:
            is_positive = move_like(codes == output, X)  # 1 or 0
            return 2 * is_positive - 1, weight * (
                negative_factor + is_positive * (positive_factor - negative_factor)
            )

        return target

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Probability of each class, for the losses 'log_loss' and 'modified_huber'.

        Several classes are one against the others, made to sum to 1. For 'modified_huber' a probability is
        ``(clip(score, -1, 1) + 1) / 2``.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        probabilities : ndarray or tensor of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. A tensor where X is one.

        References
        ----------
        Zadrozny, Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates.
        Zhang (2002), Covering number bounds of certain regularized linear function classes, appendix B.
        """
        scores = self.decision_function(X)
        xp = namespace(scores)
        if self.loss == "modified_huber":
            positive = (xp.clip(scores, -1, 1) + 1) / 2
        else:
            positive = xp.sigmoid(scores) if is_tensor(scores) else expit(scores)
        if positive.ndim == 1:
            return xp.stack([1 - positive, positive], 1)
        total = positive.sum(1).reshape(-1, 1)
        uniform = 0 * positive + 1 / len(self.classes_)
        return xp.where(total > 0, positive / xp.where(total > 0, total, 0 * total + 1), uniform)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Logarithm of the probability of each class; -inf where it is 0.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        log_probabilities : ndarray or tensor of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. A tensor where X is one.
        """
        probabilities = self.predict_proba(X)
        return namespace(probabilities).log(probabilities)
