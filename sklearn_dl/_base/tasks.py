"""What a torch module is trained for: classes, real values, or features of X."""

import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from sklearn_dl._base.batches import Batch, Rows
from sklearn_dl._base.criterion import RowLoss, class_log_probabilities, make_criterion
from sklearn_dl._base.inputs import column_moments
from sklearn_dl._base.params import Fraction, OpenFraction, PositiveFloat, param
from sklearn_dl._base.targets import encode_classes, read_class_labels, read_real_values, require_two_classes
from sklearn_dl._base.torch_estimator import TorchEstimator


class TorchClassifier(ClassifierMixin, TorchEstimator):
    """Trains a module whose outputs are the logits of the classes."""

    loss: Literal["log_loss"] | Callable = param(
        default="log_loss",
        doc="What training minimises: cross-entropy of the logits, or a torch loss class or instance, or "
        "a function of the outputs (n_samples, n_classes) and the class indices (n_samples,) that "
        "gives one loss a row.",
    )
    class_weight: dict | Literal["balanced"] | None = param(
        default=None,
        doc='Factor on the weight of each class, {label: weight}; "balanced" gives all classes one total '
        "weight.",
    )
    label_smoothing: Fraction = param(
        default=0.0,
        doc="Share of the target probability spread over all classes. More keeps predicted probabilities "
        "away from 0 and 1.",
    )

    _attributes = {
        "classes_": ("ndarray of shape (n_classes,)", "Labels seen in ``fit``, sorted."),
    }

    def predict(self, X: Any) -> np.ndarray:
        """Most probable class of each row.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            In the form of `y`; of shape (n_samples, n_labels), 0 or 1, if `y` had several labels a row.
        """
        encoded = self._predict_encoded(torch.from_numpy(self._outputs(X)))
        return encoded if self._multilabel else self.classes_[encoded]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. They sum to 1 unless a row can have several labels.
        """
        return self._probabilities(torch.from_numpy(self._outputs(X)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._log_probabilities(torch.from_numpy(self._outputs(X))).numpy()

    def partial_fit(  # type: ignore[override]
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> "TorchEstimator":
        """Train for one epoch on these rows, going on from what is there, with constant `lr`.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows, as in ``fit``. Scales are learnt from those of the first call and kept.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed at the first call if `y` lacks some of them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in ``fit``.

        Returns
        -------
        self : estimator
        """
        self._check_known_classes(classes)
        return self._train_one_epoch(X, y, sample_weight, classes)

    def _check_known_classes(self, classes: Any) -> None:
        """Raise ValueError where an estimator that is fitted already is told other classes."""
        if classes is None or not self.__sklearn_is_fitted__():
            return
        if not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"{type(self).__name__}: classes must be those of the first call, {self.classes_.tolist()}; "
                f"got {np.unique(classes).tolist()}. Name all that will ever come in the first call."
            )

    def _read_y(self, y: Any, X: Any) -> np.ndarray:
        return read_class_labels(y, type(self).__name__)

    def _learn_y(self, y: np.ndarray, weight: np.ndarray, classes: Any) -> None:
        self._multilabel = y.ndim == 2
        self.classes_ = (
            np.arange(y.shape[1]) if self._multilabel else np.unique(y if classes is None else classes)
        )
        if not self._multilabel:
            require_two_classes(self.classes_, type(self).__name__)
        self._n_outputs = len(self.classes_)

    def _encode_y(self, y: np.ndarray) -> np.ndarray:
        if not self._multilabel:
            return encode_classes(y, self.classes_, type(self).__name__)
        if y.ndim != 2 or y.shape[1] != len(self.classes_):
            raise ValueError(
                f"{type(self).__name__} was fitted on {len(self.classes_)} labels a row; "
                f"y has shape {y.shape}."
            )
        return y.astype(np.float64)

    def _class_factors(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if self._multilabel:
            raise ValueError(
                f"{type(self).__name__}: class_weight must be None where rows have several labels."
            )
        factors = np.ones(len(self.classes_))
        if self.class_weight == "balanced":
            present = np.unique(y)
            factors[present] = compute_class_weight("balanced", classes=present, y=y, sample_weight=weight)
            return factors
        for label, factor in self.class_weight.items():
            place = np.flatnonzero(self.classes_ == label)
            if not len(place) or not isinstance(factor, Real) or not 0 <= float(factor) < np.inf:
                raise ValueError(
                    f"{type(self).__name__}: class_weight must map classes of y, {self.classes_.tolist()}, "
                    f"to finite numbers of at least 0; got {{{label!r}: {factor!r}}}."
                )
            factors[place] = factor
        return factors

    def _make_criterion(self) -> RowLoss:
        loss = "binary_log_loss" if self._multilabel and self.loss == "log_loss" else self.loss
        return make_criterion(loss, label_smoothing=self.label_smoothing)

    def _averaged_kind(self) -> Literal["mean", "probabilities"]:
        kind = self.loss if isinstance(self.loss, type) else type(self.loss)
        is_softmax = self.loss == "log_loss" or issubclass(kind, nn.CrossEntropyLoss | nn.NLLLoss)
        return "probabilities" if is_softmax and not self._multilabel else "mean"

    def _predict_encoded(self, logits: Tensor) -> np.ndarray:
        if self._multilabel:
            return (logits > 0).numpy().astype(np.int64)
        return logits.argmax(1).numpy()

    def _probabilities(self, logits: Tensor) -> np.ndarray:
        return self._log_probabilities(logits).exp().numpy()

    def _log_probabilities(self, logits: Tensor) -> Tensor:
        fitted = self._fit_params
        label_smoothing = fitted["label_smoothing"] if fitted["loss"] == "log_loss" else 0.0
        return class_log_probabilities(
            logits,
            self._net.criterion_,
            multilabel=self._multilabel,
            label_smoothing=label_smoothing,
        )

    def _score_rows(self, rows: Rows) -> float:
        predicted = self._predict_encoded(self._net.forward(rows))
        weight = None if rows.weight is None else rows.weight.cpu().numpy()
        return float(accuracy_score(rows.y.cpu().numpy(), predicted, sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class TorchRegressor(RegressorMixin, TorchEstimator):
    """Trains a module whose outputs are one or several real values."""

    loss: Literal["squared_error", "absolute_error", "huber", "quantile"] | Callable = param(
        default="squared_error",
        doc="What training minimises, on standardised targets: the mean, the median, something between, "
        "or a quantile is fitted. Or a torch loss class or instance, or a function of outputs and "
        "targets, both of shape (n_samples, n_targets), that gives one loss a row.",
    )
    quantile: OpenFraction = param(
        default=0.5, doc='Level that ``loss="quantile"`` fits. Larger predicts higher.'
    )
    huber_delta: PositiveFloat = param(
        default=1.35,
        doc="Error, in standard deviations of the target, from which the Huber loss is linear. Smaller "
        "trusts outliers less.",
    )

    def predict(self, X: Any) -> np.ndarray:
        """Predicted values.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            As `y` was in ``fit``, in its units.
        """
        y = self._outputs(X)
        if self._y_mean is not None:
            y = y * self._y_scale + self._y_mean
        return y[:, 0] if self._y_is_flat else y

    def _read_y(self, y: Any, X: Any) -> np.ndarray:
        return read_real_values(y, type(self).__name__)

    def _learn_y(self, y: np.ndarray, weight: np.ndarray, classes: Any) -> None:
        self._y_is_flat = y.ndim == 1
        self._n_outputs = 1 if self._y_is_flat else y.shape[1]
        mean, scale = column_moments([(y.reshape(len(y), -1), weight)], f"{type(self).__name__}: y")
        self._y_mean: np.ndarray | None = mean if self.standardize else None
        self._y_scale: np.ndarray | None = scale if self.standardize else None

    def _encode_y(self, y: np.ndarray) -> np.ndarray:
        y = y.reshape(len(y), -1)
        if y.shape[1] != self._n_outputs:
            raise ValueError(
                f"{type(self).__name__} was fitted on {self._n_outputs} targets; y has {y.shape[1]}."
            )
        return y if self._y_mean is None else (y - self._y_mean) / self._y_scale

    def _make_criterion(self) -> RowLoss:
        return make_criterion(self.loss, quantile=self.quantile, delta=self.huber_delta)

    def _score_rows(self, rows: Rows) -> float:
        weight = None if rows.weight is None else rows.weight.cpu().numpy()
        predicted = self._net.forward(rows).numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)  # one held-out row has no R2: NaN says so
            return float(r2_score(rows.y.cpu().numpy(), predicted, sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _has_decoder(estimator: "TorchTransformer") -> bool:
    return hasattr(estimator.module_, "decode")


class TorchTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchEstimator):
    """Trains a module to give back X; its ``encode`` method, if it has one, gives the features."""

    loss: Literal["squared_error", "absolute_error", "huber"] | Callable = param(
        default="squared_error",
        doc="Distance between X and what the module gives back. Or a torch loss class or instance, or a "
        "function of both, flattened to (n_samples, n_values), that gives one loss a row.",
    )

    def transform(self, X: Any) -> np.ndarray:
        """Features of each row.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows.

        Returns
        -------
        features : ndarray of shape (n_samples, n_components)
            What ``module_.encode`` gives, or, without that method, what the module gives.
        """
        check_is_fitted(self)
        features = self._forward(X, getattr(self.module_, "encode", self.module_))
        return features.astype(np.float32) if getattr(X, "dtype", None) == np.float32 else features

    @available_if(_has_decoder)
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows that have the given features, by the module's ``decode``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Features, as ``transform`` gives them.

        Returns
        -------
        rows : ndarray of shape (n_samples, ...)
            In the units of the training rows.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=self._dtype, input_name="X", estimator=self)
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"{type(self).__name__}: X must have the {self._n_features_out} features that transform "
                f"gives; got shape {codes.shape}."
            )
        decode: Callable[[Tensor], Tensor] = self.module_.decode  # type: ignore[assignment]
        with torch.inference_mode():
            codes = torch.from_numpy(codes).to(self._device)
            rows = np.concatenate([*self._tile_outputs(codes, decode)])
        rows = rows.reshape(-1, *self._sample_shape)
        return rows if self._x_mean is None else rows * self._x_scale + self._x_mean

    def _read_y(self, y: Any, X: Any) -> np.ndarray:
        return np.zeros(X.shape[0])  # y plays no part

    def _learn_y(self, y: np.ndarray, weight: np.ndarray, classes: Any) -> None:
        self._n_outputs = int(np.prod(self._sample_shape))

    def _encode_y(self, y: np.ndarray) -> np.ndarray:
        return y

    def _loss(self, module: Any, batch: Batch) -> Tensor | tuple[Tensor, ...]:
        return super()._loss(module, Batch(batch.X, batch.X.flatten(1), batch.weight))

    def _shaped(self, outputs: Tensor) -> Tensor:
        return outputs.flatten(1)

    def _make_criterion(self) -> RowLoss:
        return make_criterion(self.loss)

    def _score_rows(self, rows: Rows) -> float:
        batches = list(rows.batches(self._net.batch_size))
        given = torch.cat([self._shaped(self._net.forward(Rows(batch.X, batch.y))) for batch in batches])
        true = torch.cat([batch.X.flatten(1) for batch in batches])
        return float(r2_score(true.cpu(), given.cpu(), multioutput="variance_weighted"))

    def _check_params(self) -> None:
        super()._check_params()
        if self.n_members > 1:
            raise ValueError(
                f"{type(self).__name__}: n_members must be 1, since the features of several networks differ; "
                f"got {self.n_members}."
            )

    @property
    def _n_features_out(self) -> int:
        """Number of features that ``transform`` gives, found by transforming one row."""
        check_is_fitted(self)
        mean = np.zeros(self._sample_shape) if self._x_mean is None else self._x_mean
        rows = self._tensor(np.stack([mean, mean]))
        with torch.inference_mode():
            return self._shaped(getattr(self.module_, "encode", self.module_)(rows)).shape[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
