"""Small estimators that keep every promise; broken_estimators.py breaks them one by one."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MultiOutputMixin,
    OneToOneFeatureMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sklearn_dl._base.params import Estimator, PositiveFloat, param

KNOWN_DEVICES = ("cpu", "cuda")


class Centroids(ClassifierMixin, BaseEstimator):
    """Nearest weighted mean of a class; `random_state` shifts the means by very little."""

    def __init__(
        self, jitter=1e-3, class_weight=None, batch_size=32, max_epochs=1, device=None, random_state=None
    ):
        self.jitter = jitter
        self.class_weight = class_weight
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        self._forget()
        return self._add(X, y, None, sample_weight)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return self._add(X, y, classes, sample_weight)

    def predict(self, X):
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return np.concatenate(
            [self._batch_proba(X[i : i + self.batch_size]) for i in range(0, len(X), self.batch_size)]
        )

    def _forget(self):
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _add(self, X, y, classes, sample_weight):
        if self.device is not None and self.device not in KNOWN_DEVICES:
            raise ValueError(f"Centroids: device must be one of {KNOWN_DEVICES}; got {self.device!r}.")
        first = not hasattr(self, "sums_")
        X, y = validate_data(self, X, y, reset=first)
        check_classification_targets(y)
        if first:
            self.classes_ = np.unique(y) if classes is None else np.unique(classes)
            self.sums_ = np.zeros((len(self.classes_), X.shape[1]))
            self.totals_ = np.zeros(len(self.classes_))
        weight = _check_sample_weight(sample_weight, X) * self._class_weight(y)
        members = (y[:, None] == self.classes_) * weight[:, None]
        self.sums_ += members.T @ X
        self.totals_ += members.sum(axis=0)
        self.noise_ = self.jitter * self._rng().normal(size=X.shape[1])
        return self

    def _rng(self):
        if self.random_state is None:
            return np.random.RandomState(np.random.default_rng().integers(2**31))
        return check_random_state(self.random_state)

    def _class_weight(self, y):
        return compute_sample_weight(self.class_weight, y)

    def _batch_proba(self, X):
        means = self.sums_ / np.maximum(self.totals_, 1e-12)[:, None] + self.noise_
        # Heavier classes reach further, so that weights of classes matter.
        logits = np.log(self.totals_ / self.totals_.sum() + 1e-12) - ((X[:, None] - means) ** 2).sum(axis=2)
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)


class LeastSquares(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Weighted least squares with an intercept."""

    def fit(self, X, y, sample_weight=None):
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True)
        root = np.sqrt(_check_sample_weight(sample_weight, X))[:, None]
        Y = y.reshape(len(y), -1)
        A = np.column_stack([X, np.ones(len(X))])
        coef = np.linalg.lstsq(root * A, root * Y, rcond=None)[0]
        self.coef_ = coef[:, 0] if y.ndim == 1 else coef
        return self

    def predict(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return X @ self.coef_[:-1] + self.coef_[-1]


class Centre(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Subtracts the mean of each feature."""

    def fit(self, X, y=None):
        self.mean_ = validate_data(self, X).mean(axis=0)
        return self

    def transform(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False) - self.mean_


class Typed(TransformerMixin, Estimator):
    """Scales by a typed parameter, and names itself and the argument in every error."""

    scale: PositiveFloat = param(default=2.0, doc="Factor.")

    def fit(self, X, y=None):
        self._check_params()
        self._read(X, reset=True)
        return self

    def transform(self, X):
        check_is_fitted(self)
        return self.scale * self._read(X, reset=False)

    def _read(self, X, *, reset):
        try:
            return validate_data(self, X, reset=reset)
        except ValueError as error:
            raise ValueError(f"Typed: X is not usable. {error}") from error

    def get_feature_names_out(self, input_features=None):
        return np.array([f"scaled{i}" for i in range(self.n_features_in_)], dtype=object)


class MeanImages(ClassifierMixin, BaseEstimator):
    """Nearest mean image of a class: X has shape (n_samples, height, width)."""

    def __init__(self, metric_power=2.0):
        self.metric_power = metric_power

    def fit(self, X, y):
        X, y = validate_data(self, X, y, allow_nd=True)
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def predict(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, allow_nd=True, reset=False)
        distances = (np.abs(X[:, None] - self.means_) ** self.metric_power).sum(axis=(2, 3))
        return self.classes_[distances.argmin(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def make_images(rng):
    y = np.arange(60) % 3
    X = rng.normal(size=(60, 4, 4))
    X[np.arange(60), y] += 3
    return {"X": X, "y": y}
