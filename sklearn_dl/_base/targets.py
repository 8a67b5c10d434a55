"""Targets: y becomes class indices or real columns, or a message says what to do."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, on_host


def read_class_labels(y: Any, owner: str) -> np.ndarray:
    """Labels of shape (n_samples,); where a row has several, 0 and 1 of shape (n_samples, n_labels).

    Raises
    ------
    ValueError
        If y is missing, holds NaN or real values, or has a shape that stands for no labels.
    TypeError
        If y is sparse.
    """
    y = _given(y, owner)
    if sparse.issparse(y):
        raise TypeError(f"{owner}: y must be dense; got a sparse {type(y).__name__}. Pass y.toarray().")
    if _has_missing(y):
        raise ValueError(f"{owner}: y must hold class labels; it contains NaN or None.")
    with naming(owner):
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            return check_array(y, accept_sparse=False, dtype=np.int64, input_name="y")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
    return y


def encode_classes(y: np.ndarray, classes: np.ndarray, owner: str) -> np.ndarray:
    """Index of each label in the sorted `classes`, int64.

    Raises
    ------
    ValueError
        If y holds a label outside `classes`.
    """
    if y.ndim != 1:
        raise ValueError(f"{owner} was fitted on one label a row; y has shape {y.shape}.")
    try:
        index = np.searchsorted(classes, y)
    except TypeError as error:
        raise ValueError(
            f"{owner}: y must hold labels of the kind of {_few(classes)}; got {_few(y)}."
        ) from error
    index[index == len(classes)] = 0
    unknown = classes[index] != y
    if np.any(unknown):
        raise ValueError(
            f"{owner}: y must hold the classes {_few(classes)} known so far; "
            f"got {_few(np.unique(y[unknown]))}."
        )
    return index


def read_real_values(y: Any, owner: str) -> np.ndarray:
    """Real targets in float64, of shape (n_samples,) or (n_samples, n_targets).

    A single column becomes (n_samples,), with scikit-learn's warning.

    Raises
    ------
    ValueError
        If y is missing, not numeric, or holds NaN or infinity.
    """
    y = _given(y, owner)
    with naming(owner):
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y", force_writeable=False)
    if y.ndim > 2:
        raise ValueError(f"{owner}: y must have shape (n_samples,) or (n_samples, n_targets); got {y.shape}.")
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; it is read as y.ravel().",
            DataConversionWarning,
            stacklevel=4,
        )
        return y.ravel()
    return y


def read_float_targets(y: Any, X: Array, owner: str, *, multi_output: bool = True) -> Array:
    """Real targets in the kind, device and dtype of X, of shape (n_samples,) or (n_samples, n_targets).

    Raises
    ------
    ValueError
        If y is missing, holds NaN or infinity, has several columns where `multi_output` is False, or has
        another number of rows than X.
    """
    y = y.detach() if is_tensor(y) and is_tensor(X) else _given(y, owner)
    if is_tensor(X):
        y = move_like(y, X)
        if y.ndim == 0 or y.ndim > 2:
            raise ValueError(
                f"{owner}: y must have shape (n_samples,) or (n_samples, n_targets); got {tuple(y.shape)}."
            )
        if not bool(namespace(y).isfinite(y).all()):
            raise ValueError(f"{owner}: Input y contains NaN or infinity.")
    else:
        with naming(owner):
            y = check_array(y, dtype=X.dtype, ensure_2d=False, input_name="y", force_writeable=False)
    if not multi_output and y.ndim == 2:
        y = y.reshape(-1) if is_tensor(y) and y.shape[1] == 1 else column_or_1d(y, warn=True)
    require_equal_length(X, y, owner)
    return y


def require_equal_length(X: Array, y: Array, owner: str) -> None:
    """Raise ValueError unless y has a row for each of X."""
    if X.shape[0] != y.shape[0]:
        raise ValueError(
            f"{owner}: X and y must have equally many rows. "
            f"Found input variables with inconsistent numbers of samples: [{X.shape[0]}, {y.shape[0]}]."
        )


def require_two_classes(classes: np.ndarray, owner: str) -> None:
    """Raise ValueError unless there are at least two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"{owner}: This solver needs samples of at least 2 classes in the data; "
            f"y holds {len(classes)} class: {_few(classes)}. "
            "Rows of weight 0 do not count."
        )


@contextmanager
def naming(owner: str) -> Iterator[None]:
    """Begin the message of a ValueError within the block with `owner`, unless it says who it is about."""
    try:
        yield
    except ValueError as error:
        if owner in str(error):
            raise
        raise ValueError(f"{owner}: {error}") from error


def _given(y: Any, owner: str) -> Any:
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    return on_host(y)


def _has_missing(y: Any) -> bool:
    labels = np.asarray(y, dtype=None if hasattr(y, "dtype") else object)
    if labels.dtype.kind == "f":
        return not np.isfinite(labels).all()
    return labels.dtype.kind == "O" and any(map(_is_missing, labels.ravel()))


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # pandas.NA, which is neither equal nor unequal to itself
        return True


def _few(values: np.ndarray) -> str:
    shown = ", ".join(repr(value) for value in values[:5].tolist())
    return f"[{shown}, ...]" if len(values) > 5 else f"[{shown}]"
