"""From X, y and weights, as users give them, to rows on the device that a net trains on."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.batches import Batch, Rows, RowsOnDemand, Stream, n_batch_rows, raw_batches
from sklearn_dl._base.inputs import column_moments, merge_equal_rows, row_blocks
from sklearn_dl._base.vocabulary import TrainingParameters

_MOST_ROWS_TO_MERGE = 256  # on so few rows, repeating a row and weighting it is the same to the last bit
_MOST_BYTES_IN_MEMORY = 2 << 30  # larger X stays where it is and is converted block by block


class RowReader(TrainingParameters):
    """Part of `TorchEstimator`: reads training data, learning classes and scales on the way."""

    _leaves_input_alone: ClassVar[bool] = False  # whether the module never works in place on its input

    # -- what an input mixin and a task say, see inputs.py and tasks.py

    def _read_X(self, X: Any, *, reset: bool) -> Array:
        """X as an array, with its number of features remembered or checked."""
        raise NotImplementedError

    def _read_y(self, y: Any, X: Any) -> np.ndarray:
        """Targets as they came, as an array."""
        raise NotImplementedError

    def _learn_y(self, y: np.ndarray, weight: np.ndarray, classes: Any) -> None:
        """Fitted attributes of the target: classes or scales, and ``_n_outputs``."""
        raise NotImplementedError

    def _encode_y(self, y: np.ndarray) -> np.ndarray:
        """Targets as the criterion takes them."""
        raise NotImplementedError

    def _rows_are_alike(self) -> bool:
        """Whether a row is no more than its X, y and weight, so that equal ones can be merged."""
        return True

    def _class_factors(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
        """Factor on the weights of each class, from encoded targets; None for no factors."""
        return None

    def _read_rows(
        self, X: Any, y: Any, sample_weight: Any, *, resume: bool, classes: Any, seed: int
    ) -> tuple[Rows, Rows | None]:
        """Training and validation rows from arrays; classes and scales are learnt on the way."""
        X = self._read_X(X, reset=not resume)
        y = self._read_y(y, X)
        if X.shape[0] != len(y):
            raise ValueError(
                f"{type(self).__name__}: X and y must have equally many rows; got {X.shape[0]} and {len(y)}."
            )
        weight = self._read_weight(sample_weight, X)
        index = np.flatnonzero(weight)  # rows of weight 0 are no rows
        y, weight = y[index], weight[index]
        if not resume:
            self._sample_shape = tuple(X.shape[1:])
            self._learn_y(*_merged_if_few(y, weight), classes)
        y = self._encode_y(y)
        factors = self._class_factors(y, weight)
        if factors is not None:
            weight = weight * factors[y]
            kept = np.flatnonzero(weight)
            index, y, weight = index[kept], y[kept], weight[kept]
            if not len(y):
                raise ValueError(
                    f"{type(self).__name__}: class_weight must leave some rows a weight above 0; "
                    f"got {self.class_weight!r}."
                )
        if len(y) <= _MOST_ROWS_TO_MERGE and self._rows_are_alike():
            X, y, weight = merge_equal_rows(X[index], y, weight)
            index = np.arange(len(y))
        if not resume:
            every = len(index) == X.shape[0]
            blocks = row_blocks(X, len(index))
            counts = None if np.all(weight == 1.0) else weight
            self._learn_scales(
                (X[rows if every else index[rows]], None if counts is None else counts[rows])
                for rows in blocks
            )
        weight *= len(y) / weight.sum()
        if not self.early_stopping:
            return self._to_rows(X, index, y, weight), None
        parts = self._split(y, seed)
        train, valid = (self._to_rows(X, index[part], y[part], weight[part]) for part in parts)
        return train, valid

    def _read_weight(self, sample_weight: Any, X: Array) -> np.ndarray:
        if sample_weight is None:
            return np.ones(X.shape[0])
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        with np.errstate(over="ignore"):
            is_finite = np.isfinite(weight.sum())
        if not is_finite:
            raise ValueError(f"{type(self).__name__}: sample_weight must have a finite sum.")
        return weight

    def _read_weight_of_part(self, sample_weight: Any, X: Array) -> np.ndarray:
        """Weights of a batch, which may all be 0."""
        is_zero = sample_weight is not None and not np.any(sample_weight)
        return np.zeros(X.shape[0]) if is_zero else self._read_weight(sample_weight, X)

    def _read_stream(
        self, source: Any, y: Any, sample_weight: Any, *, resume: bool, classes: Any, seed: int
    ) -> tuple[Stream, None]:
        """Rows that are read anew each epoch; a first pass learns classes and scales."""
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"{type(self).__name__}: y and sample_weight must be None where X is a stream, which gives "
                "them itself as pairs (X, y) or triples (X, y, sample_weight)."
            )
        if self.early_stopping:
            raise ValueError(
                f"{type(self).__name__}: early_stopping needs arrays, to hold out rows; X is a stream. "
                "Set early_stopping=False."
            )
        targets: list[np.ndarray] = []
        weights: list[np.ndarray] = []

        def blocks() -> Iterator[tuple[Array, np.ndarray]]:
            for X, y, weight in raw_batches(source, n_batch_rows(self.batch_size)):
                X = self._read_X(X, reset=not resume and not targets)
                if not targets and not resume:
                    self._sample_shape = tuple(X.shape[1:])
                targets.append(self._read_y(y, X))
                weights.append(self._read_weight_of_part(weight, X))
                if weights[-1].any():
                    yield X, weights[-1]

        def encode(X: Any, y: np.ndarray, weight: np.ndarray | None) -> Batch:
            X, y = self._read_X(X, reset=False), self._encode_y(self._read_y(y, X))
            weight = self._read_weight_of_part(weight, X) / mean_weight
            weight = weight if factors is None else weight * factors[y]
            return Batch(self._tensor(X), self._tensor_y(y), self._tensor_y(weight))

        passing = blocks()
        if not resume:
            self._learn_scales(passing)
        deque(passing, maxlen=0)  # what the scales have left unread
        if not targets:
            raise ValueError(f"{type(self).__name__}: X is a stream that gives no rows.")
        all_targets, all_weights = np.concatenate(targets), np.concatenate(weights)
        if not all_weights.any():
            raise ValueError(f"{type(self).__name__}: X is a stream in which all rows have weight 0.")
        if not resume:
            self._learn_y(all_targets, all_weights, classes)
        encoded = self._encode_y(all_targets)
        factors = self._class_factors(encoded, all_weights)
        mean_weight = np.mean(all_weights if factors is None else all_weights * factors[encoded])
        return Stream(source, encode), None

    def _learn_scales(self, blocks: Iterable[tuple[Array, np.ndarray | None]]) -> None:
        self._x_mean: np.ndarray | None = None
        self._x_scale: np.ndarray | None = None
        if self.standardize:
            self._x_mean, self._x_scale = column_moments(blocks, f"{type(self).__name__}: X")

    def _split(self, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices of training and validation rows, by class where every class has rows for both."""
        n_valid = min(max(1, round(self.validation_fraction * len(y))), len(y) - 1)
        if len(y) < 2:
            raise ValueError(
                f"{type(self).__name__}: early_stopping needs at least 2 rows, to hold some out; "
                "got n_samples=1."
            )
        stratify = None
        if y.dtype.kind == "i":
            counts = np.bincount(y)
            counts = counts[counts > 0]
            if counts.min() >= 2 and len(counts) <= min(n_valid, len(y) - n_valid):
                stratify = y
        return train_test_split(np.arange(len(y)), test_size=n_valid, random_state=seed, stratify=stratify)

    def _to_rows(self, X: Array, index: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Rows:
        """The indexed rows of X: in memory if X is dense and of moderate size, else read on demand."""
        weights = None if np.all(weight == 1.0) else self._tensor_y(weight)
        if sparse.issparse(X) or X.size * self._dtype.itemsize > _MOST_BYTES_IN_MEMORY:
            return RowsOnDemand(X, index, self._tensor_y(y), weights, self._tensor)
        return Rows(self._tensor(X if len(index) == len(X) else X[index]), self._tensor_y(y), weights)

    def _tensor(self, X: Array) -> Tensor:
        """Standardised rows on the device; X itself, not copied, where nothing changes it."""
        is_ready = self._x_mean is None and isinstance(X, np.ndarray) and X.dtype == self._dtype
        if is_ready and self._leaves_input_alone and X.flags.c_contiguous and X.flags.writeable:
            return torch.from_numpy(X).to(self._device)
        scaled = torch.empty(X.shape, dtype=self._torch_dtype, device="cpu")
        out = scaled.numpy()
        try:
            with np.errstate(over="raise"):
                for rows in row_blocks(X):
                    block = X[rows].toarray() if sparse.issparse(X) else X[rows]
                    if self._x_mean is None or self._x_scale is None:
                        out[rows] = block
                    else:
                        np.divide(block - self._x_mean, self._x_scale, out=out[rows], casting="same_kind")
        except FloatingPointError as error:
            raise ValueError(
                f"{type(self).__name__}: X holds values beyond {self._dtype}. "
                'Set standardize=True or precision="float64".'
            ) from error
        return scaled.to(self._device)

    def _tensor_y(self, y: np.ndarray) -> Tensor:
        """Encoded targets or weights on the device: class indices stay int64."""
        y = np.array(y, dtype=np.int64 if y.dtype.kind in "iu" else self._dtype)
        return torch.from_numpy(y).to(self._device)

    @property
    def _torch_dtype(self) -> torch.dtype:
        return torch.float64 if self._fit_params["precision"] == "float64" else torch.float32

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(np.float64 if self._fit_params["precision"] == "float64" else np.float32)


def _merged_if_few(y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct targets, sorted, with their summed weights, if they are few."""
    if len(y) > _MOST_ROWS_TO_MERGE:
        return y, weight
    distinct, group = np.unique(y, axis=0, return_inverse=True)
    return distinct, np.bincount(group.ravel(), weights=weight)
