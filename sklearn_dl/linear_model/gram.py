"""Weighted sums of products of centred columns, in one pass over rows that are never copied as a whole.

A column is shifted by about its mean before it is multiplied, and what is left of the mean is taken out of
the sums. Without the shift, an offset of 1e7 would cost all digits (Chan, Golub, LeVeque, 1983, Algorithms
for computing the sample variance).
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl._base.threads import effective_n_threads, map_blocks
from sklearn_dl.linear_model.gram_kernels import mirror_upper, shifted_products

_FUSED_WORK = 2e7  # multiplications below which the compiled kernel is not worth loading
_THREADED_WORK = 2e8  # and below which threads are not worth starting
_FUSED_TARGETS = 16  # more targets than this cost the kernel more than products of their own
_SHIFT_ROWS = 256
_BLOCK_ELEMENTS = {False: 1 << 18, True: 1 << 24}  # of a block on the host, and of a block of a tensor

ALL_ROWS = np.empty(0, np.int64)  # for `shifted_products`


class Gram(NamedTuple):
    """Sums over rows, with weights, of products of centred columns; all float64 on the host."""

    products: np.ndarray  # (n_features, n_features)
    cross: np.ndarray  # (n_features, n_targets)
    mean: np.ndarray  # (n_features,); 0 without centring
    target_mean: np.ndarray  # (n_targets,)

    @property
    def is_finite(self) -> bool:
        """Whether no value was NaN, infinite or beyond the square root of float64's range."""
        return bool(np.isfinite(self.products).all() and np.isfinite(self.cross).all())


def root_of_weight(weight: Array | None) -> Array | None:
    """Square roots of the weights in float64, or None for None."""
    return None if weight is None else namespace(weight).sqrt(in_float64(weight))


def in_float64(array: Array) -> Array:
    """`array` in float64; in float32 on devices that have no float64."""
    if not is_tensor(array):
        return array.astype(np.float64, copy=False)
    return array.float() if array.device.type == "mps" else array.double()


def row_slices(X: Array) -> Iterator[slice]:
    """Slices of rows, in order, that hold as much as suits the cache of the device."""
    step = max(256, _BLOCK_ELEMENTS[is_tensor(X) and X.device.type != "cpu"] // max(1, X.shape[1]))
    return (slice(start, min(start + step, X.shape[0])) for start in range(0, X.shape[0], step))


def compute_gram(X: Array, Y: Array, weight: Array | None, *, center: bool) -> Gram:
    """Gram matrix of the columns of X, and their products with the columns of Y.

    Parameters
    ----------
    X : ndarray, CSR or tensor of shape (n_samples, n_features)
        Float64 or float32; sums are float64.
    Y : ndarray or tensor of shape (n_samples, n_targets)
        Of X's kind.
    weight : ndarray or tensor of shape (n_samples,), or None
        Weights of at least 0, None for ones.
    center : bool
        Whether means are subtracted.

    Returns
    -------
    gram : Gram
        Holds NaN or infinity where X does.
    """
    root = root_of_weight(weight)
    if sparse.issparse(X):
        return _sparse_gram(X, in_float64(Y), weight, center=center)
    shift = _rough_means(X, Y, weight) if center else np.zeros(X.shape[1] + Y.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        gram, lost = _shifted_gram(X, Y, root, shift, center=center)
        if lost:  # the rows that gave the shift were unlike the others
            gram, _ = _shifted_gram(X, Y, root, np.append(gram.mean, gram.target_mean), center=center)
    return gram


def _rough_means(X: Array, Y: Array, weight: Array | None) -> np.ndarray:
    rows: Any = slice(None, None, max(1, X.shape[0] // _SHIFT_ROWS))
    if weight is not None:
        counted = namespace(weight).nonzero(weight)
        counted = counted[:, 0] if is_tensor(weight) else counted[0]
        rows = counted[:: max(1, len(counted) // _SHIFT_ROWS)]
        if len(counted) == 0:
            return np.zeros(X.shape[1] + Y.shape[1])
    means = [to_host(in_float64(part[rows]).mean(0)) for part in (X, Y)]
    return np.concatenate(means).astype(np.float64)


def _shifted_gram(
    X: Array, Y: Array, root: Array | None, shift: np.ndarray, *, center: bool
) -> tuple[Gram, bool]:
    """The Gram matrix, and whether digits were lost because the shift is far from the mean."""
    n_samples, n_features = X.shape
    width = n_features + Y.shape[1]
    is_long = n_samples * width * (width + 1) >= _FUSED_WORK and Y.shape[1] <= _FUSED_TARGETS
    if is_long and not is_tensor(X) and (X.flags.c_contiguous or X.flags.f_contiguous):
        products, sums, total = _fused_sums(X, Y, root, shift)
    else:
        products, sums, total = _blockwise_sums(X, Y, root, shift)
    if not center or total == 0:
        zeros = np.zeros(width)
        return _gram_of(products, zeros, n_features), False
    drift = sums / total
    removed = total * drift**2
    raw = np.append(np.diagonal(products), removed[n_features:])
    products -= np.outer(drift[:n_features], total * drift)
    # A constant column loses all digits, whatever the shift; there the drift is but rounding.
    lost = bool(((removed > 0.9999 * raw) & (abs(drift) > 1e-10 * abs(shift)))[:n_features].any())
    return _gram_of(products, shift + drift, n_features), lost


def _gram_of(products: np.ndarray, means: np.ndarray, n_features: int) -> Gram:
    square = np.ascontiguousarray(products[:, :n_features])
    return Gram(square, products[:, n_features:].copy(), means[:n_features], means[n_features:])


def _fused_sums(
    X: np.ndarray, Y: np.ndarray, root: np.ndarray | None, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Products (n_features, n_features + n_targets), sums of columns and sum of weights, compiled."""
    by_columns = not X.flags.c_contiguous
    rows = read_only(X.T if by_columns else X)
    targets = read_only(np.ascontiguousarray(Y, dtype=np.float64))
    roots = read_only(np.empty(0) if root is None else np.ascontiguousarray(root))
    is_long = len(X) * len(shift) ** 2 >= _THREADED_WORK
    bounds = np.linspace(0, len(X), (effective_n_threads() if is_long else 1) + 1).astype(int).tolist()

    def part(span: tuple[int, int]) -> np.ndarray:
        return shifted_products(rows, by_columns, ALL_ROWS, targets, roots, shift, *span)

    total, *others = map_blocks(part, list(pairwise(bounds)))
    for other in others:
        total += other
    n_features, width = X.shape[1], len(shift)
    mirror_upper(total)
    return total[:n_features, :width].copy(), total[:width, width].copy(), float(total[width, width])


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written to: numba compiles once for those instead of for both kinds."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _blockwise_sums(
    X: Array, Y: Array, root: Array | None, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """As :func:`_fused_sums`, by BLAS where the arrays live."""
    n_features = X.shape[1]
    widest = in_float64(X[:1])
    x_shift, y_shift = (move_like(part, widest) for part in np.split(shift, [n_features]))
    square = cross = x_sum = y_sum = total = 0.0
    for rows in row_slices(X):
        x, y = in_float64(X[rows]) - x_shift, in_float64(Y[rows]) - y_shift
        ones = namespace(X).ones_like(y[:, 0]) if root is None else root[rows]
        if root is not None:
            x, y = x * ones[:, None], y * ones[:, None]
        square, cross = square + x.T @ x, cross + x.T @ y
        x_sum, y_sum, total = x_sum + ones @ x, y_sum + ones @ y, total + ones @ ones
    products = np.hstack([to_host(square), to_host(cross)]).astype(np.float64)
    return products, np.append(to_host(x_sum), to_host(y_sum)).astype(np.float64), float(total)


def _sparse_gram(X: Any, Y: np.ndarray, weight: np.ndarray | None, *, center: bool) -> Gram:
    X = X.astype(np.float64)
    weighted = X if weight is None else sparse.diags_array(weight.astype(np.float64)) @ X
    total = X.shape[0] if weight is None else float(weight.sum(dtype=np.float64))
    mean, target_mean = np.zeros(X.shape[1]), np.zeros(Y.shape[1])
    if center and total > 0:
        mean = np.asarray(weighted.sum(0)).ravel() / total
        target_mean = np.average(Y, axis=0, weights=weight)
    products = (X.T @ weighted).toarray() - total * np.outer(mean, mean)
    return Gram(products, weighted.T @ (Y - target_mean), mean, target_mean)
