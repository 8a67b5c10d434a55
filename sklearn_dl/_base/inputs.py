"""Inputs: X becomes an array of numbers, or a message says what to do."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

Array = Any  # ndarray, memmap or CSR, of any real dtype

_BLOCK_BYTES = 1 << 22


class TableInput:
    """X is a table of shape (n_samples, n_features): array, data frame, memmap or CSR."""

    def _read_X(self, X: Any, *, reset: bool) -> Array:
        return validate_data(self, X, reset=reset, dtype="numeric", accept_sparse="csr")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags


class ArrayInput:
    """X has shape (n_samples, ...): a table, images, series or token ids, whatever the module takes."""

    def _read_X(self, X: Any, *, reset: bool) -> Array:
        X = validate_data(self, X, reset=reset, dtype="numeric", accept_sparse="csr", allow_nd=True)
        fitted_shape = X.shape[1:] if reset else tuple(vars(self)["_sample_shape"])
        if X.shape[1:] != fitted_shape:
            raise ValueError(
                f"{type(self).__name__} was fitted on samples of shape {fitted_shape}; "
                f"X has samples of shape {X.shape[1:]}. Give X the shape it had in fit."
            )
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


def row_blocks(X: Array) -> Iterator[slice]:
    """Slices of rows that hold about 4 MB in float64 each, in order."""
    width = max(1, int(np.prod(X.shape[1:])))
    n_rows = max(1, _BLOCK_BYTES // (8 * width))
    return (slice(start, start + n_rows) for start in range(0, X.shape[0], n_rows))


def column_moments(blocks: Iterable[tuple[Array, np.ndarray | None]]) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of every feature, over blocks of rows that may only pass by.

    Parameters
    ----------
    blocks : iterable of (X, weight)
        X of shape (n_samples, ...), ndarray or CSR; weight of shape (n_samples,), or None for ones.
        Weights count as repetitions.

    Returns
    -------
    mean, scale : ndarray of shape X.shape[1:], float64
        For CSR the mean is 0, since a shift would fill the zeros. A constant feature has scale 1.
    """
    scaler = None
    shape: tuple[int, ...] = ()
    for X, weight in blocks:
        shape = X.shape[1:]
        flat = X if sparse.issparse(X) else np.asarray(X, dtype=np.float64).reshape(len(X), -1)
        scaler = scaler or StandardScaler(with_mean=not sparse.issparse(X))
        scaler.partial_fit(flat, sample_weight=weight)
    if scaler is None:
        raise ValueError("There are no rows to learn from.")
    mean = scaler.mean_ if scaler.with_mean else np.zeros_like(scaler.scale_)
    return mean.reshape(shape), scaler.scale_.reshape(shape)


def merge_equal_rows(X: Array, y: np.ndarray, weight: np.ndarray) -> tuple[Array, np.ndarray, np.ndarray]:
    """Distinct (X, y) rows in lexicographic order, with their summed weights.

    Training on the result is training on the input, for sums over rows; repeated rows and weights come out
    the same to the last bit.
    """
    dense = X.toarray() if sparse.issparse(X) else X
    flat = np.column_stack([dense.reshape(len(dense), -1), y.reshape(len(y), -1)])
    _, first, group = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    return X[first], y[first], np.bincount(group.ravel(), weights=weight)
