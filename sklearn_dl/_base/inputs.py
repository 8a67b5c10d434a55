"""Inputs: X becomes an array of numbers, or a message says what to do."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from sklearn_dl._base.arrays import Array, is_tensor, namespace, on_host

_BLOCK_BYTES = 1 << 22


class TableInput:
    """X is a table of shape (n_samples, n_features): array, data frame, memmap or CSR."""

    def _read_X(self, X: Any, *, reset: bool) -> Array:
        return _read_numbers(self, X, reset=reset)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags


class FloatTableInput:
    """X is a table of float64 or float32: array, memmap, CSR, or a torch tensor where it lives."""

    def _read_X(self, X: Any, *, reset: bool, **options: Any) -> Array:
        if is_tensor(X):
            return _read_tensor(self, X, reset=reset)
        return _validated(self, X, **{"dtype": [np.float64, np.float32], "reset": reset, **options})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags


class ArrayInput:
    """X has shape (n_samples, ...): a table, images, series or token ids, whatever the module takes."""

    def _read_X(self, X: Any, *, reset: bool) -> Array:
        X = _read_numbers(self, X, reset=reset, allow_nd=True)
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


def _read_tensor(estimator: Any, X: Array, *, reset: bool) -> Array:
    name, torch = type(estimator).__name__, namespace(X)
    X = X.detach()
    if X.ndim != 2:
        raise ValueError(
            f"{name} needs X of shape (n_samples, n_features); got a tensor of shape {tuple(X.shape)}. "
            "Reshape your data: X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one sample."
        )
    if X.is_complex():
        raise ValueError(f"{name}: X must hold real numbers. Complex data not supported; got {X.dtype}.")
    if 0 in X.shape:
        raise ValueError(f"{name}: X needs a minimum of 1 row and 1 column; got shape {tuple(X.shape)}.")
    if X.dtype not in (torch.float64, torch.float32):
        small = X.dtype in (torch.float16, torch.bfloat16) or X.device.type == "mps"
        X = X.to(torch.float32 if small else torch.float64)
    if not bool(torch.isfinite(X).all()):
        raise ValueError(f"{name}: X contains NaN or infinity. Impute or drop such rows first.")
    if reset:
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {name} is expecting {estimator.n_features_in_} features "
            "as input."
        )
    return X


def _read_numbers(estimator: Any, X: Any, **options: Any) -> Array:
    X = _validated(estimator, on_host(X), dtype="numeric", **options)
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"{type(estimator).__name__}: X must hold real numbers; got dtype {X.dtype}. "
            "Encode other columns first, e.g. by sklearn.compose.ColumnTransformer."
        )
    return X


def _validated(estimator: Any, X: Any, **options: Any) -> Array:
    """X as scikit-learn reads it, with errors that name the estimator."""
    try:
        return validate_data(estimator, X, **{"accept_sparse": "csr", **options})
    except ValueError as error:
        name = type(estimator).__name__
        if name in str(error):
            raise
        raise ValueError(f"{name} cannot read X: {error}") from error


def row_blocks(X: Array, n_rows: int | None = None) -> Iterator[slice]:
    """Slices of the first `n_rows` rows, all by default, that hold about 4 MB in float64 each, in order."""
    step = max(1, _BLOCK_BYTES // (8 * max(1, int(np.prod(X.shape[1:])))))
    stop = X.shape[0] if n_rows is None else n_rows
    return (slice(start, min(start + step, stop)) for start in range(0, stop, step))


def column_moments(
    blocks: Iterable[tuple[Array, np.ndarray | None]], name: str = "X"
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of every feature, over blocks of rows that may only pass by.

    Parameters
    ----------
    blocks : iterable of (X, weight)
        X of shape (n_samples, ...), ndarray or CSR; weight of shape (n_samples,), or None for ones.
        Weights count as repetitions.
    name : str, default="X"
        What errors call the rows.

    Returns
    -------
    mean, scale : ndarray of shape X.shape[1:], float64
        For CSR the mean is 0, since a shift would fill the zeros. A constant feature has scale 1.

    Raises
    ------
    ValueError
        If there are no rows, or a variance is beyond float64.
    """
    scaler = None
    shape: tuple[int, ...] = ()
    for X, weight in blocks:
        shape = X.shape[1:]
        if sparse.issparse(X):
            parts = (
                X.data,
                X.indices.astype(np.int32),
                X.indptr.astype(np.int32),
            )  # as old scikit-learn needs
            flat = sparse.csr_array(parts, shape=X.shape)
        else:
            flat = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
        scaler = scaler or StandardScaler(with_mean=not sparse.issparse(X))
        with np.errstate(over="ignore", invalid="ignore"):
            scaler.partial_fit(flat, sample_weight=weight)
    if scaler is None:
        raise ValueError(f"{name} holds no rows to learn from.")
    mean = scaler.mean_ if scaler.with_mean else np.zeros_like(scaler.scale_)
    if not (np.isfinite(mean).all() and np.isfinite(scaler.scale_).all()):
        raise ValueError(f"{name} has a variance beyond float64. Divide it by a constant first.")
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
