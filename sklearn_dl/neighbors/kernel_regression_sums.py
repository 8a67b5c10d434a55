"""Kernel-weighted means of rows at queries, by blocks: the matrix of all pairs is never formed.

Weights are first taken as they are, K(distance / bandwidth). Queries so far from all rows that their weights
vanish are taken again, by logarithms of weights or by their nearest rows.
"""

from collections.abc import Sequence

import numpy as np

from sklearn_dl._base.arrays import Array, is_tensor, namespace, to_host
from sklearn_dl._base.threads import map_blocks
from sklearn_dl.neighbors.kernel_regression_pairs import (
    ExactPairs,
    NearPairs,
    RoundedPairs,
    squared_distances,
)

_BLOCK = (128, 1024)  # queries and rows whose weights stay in the cache
_TENSOR_BLOCK = (1024, 16384)
_LARGE = 4e6  # pairs; below, compiled loops and trees save less than getting them ready takes
_TREE_FEATURES = 8
_TREE_FRACTION = 0.03  # of all pairs within reach, up to which a tree is faster


class Sample:
    """Rows with targets and weights, of which means are taken.

    Parameters
    ----------
    X : {ndarray, tensor} of shape (n_samples, n_features)
        Rows.
    y : {ndarray, tensor} of shape (n_samples, n_targets)
        Targets.
    weight : {ndarray, tensor} of shape (n_samples,)
        Weights above 0.
    """

    def __init__(self, X: Array, y: Array, weight: Array):
        if not is_tensor(X):
            y, weight = y.astype(np.float64, copy=False), weight.astype(np.float64, copy=False)
        self.X, self.y = X, y
        self.weight = weight / weight.max()
        #: What is summed, a row each: the weighted targets, then the weights.
        self.columns = namespace(X).concatenate([(y * self.weight[:, None]).T, self.weight[None]])


def kernel_means(sample: Sample, X: Array, kernel: str, bandwidth: float) -> Array:
    """Means of the targets at the queries X, of shape (n_queries, n_targets)."""
    return _means(sample, X, kernel, (bandwidth,), leave_out=False)[0]


def leave_one_out_means(sample: Sample, kernel: str, bandwidths: Sequence[float]) -> Array:
    """Means at each row of the sample without that row, of shape (n_bandwidths, n_samples, n_targets)."""
    return _means(sample, sample.X, kernel, bandwidths, leave_out=True)


def _means(sample: Sample, X: Array, kernel: str, bandwidths: Sequence[float], *, leave_out: bool) -> Array:
    sums = _sums(sample, X, kernel, bandwidths, leave_out=leave_out)
    xp = namespace(sums)
    totals = sums[:, -1]
    # Gaussian weights near the smallest number have lost digits; what is above this sums without them.
    vanishing = totals <= (xp.finfo(sums.dtype).tiny ** 0.7 if kernel == "gaussian" else 0)
    means = xp.swapaxes(sums[:, :-1] / xp.where(vanishing, 1.0, totals)[:, None], 1, 2)
    step = max(1, _BLOCK[0] * _BLOCK[1] // sample.X.shape[0])
    for bandwidth, far, mean in zip(bandwidths, to_host(vanishing), means, strict=True):
        lonely = far.nonzero()[0]
        for start in range(0, len(lonely), step):
            index = lonely[start : start + step]
            mean[index] = _means_of_lonely(sample, X, index, kernel, bandwidth, leave_out=leave_out)
    return means


def _means_of_lonely(
    sample: Sample, X: Array, index: np.ndarray, kernel: str, bandwidth: float, *, leave_out: bool
) -> Array:
    """Means at ``X[index]``: by logarithms of Gaussian weights, by the nearest rows for other kernels."""
    distances = squared_distances(X[index], sample.X)
    xp = namespace(distances)
    themselves = (np.arange(len(index)), index) if leave_out else ([], [])
    distances[themselves] = xp.inf
    # Squares beyond the largest float count as equal.
    excess = xp.clip(distances, None, xp.finfo(distances.dtype).max)
    excess = excess - xp.amin(excess, 1)[:, None]
    if kernel == "gaussian":
        with np.errstate(over="ignore"):  # infinitely many bandwidths away: the weight is 0
            exponents = xp.log(sample.weight) - excess / (2 * bandwidth) / bandwidth
        weights = xp.exp(exponents - xp.amax(exponents, 1)[:, None])
    else:
        weights = xp.where(excess == 0, sample.weight, 0.0)
    weights[themselves] = 0
    return weights @ sample.y / weights.sum(1)[:, None]


def _sums(sample: Sample, X: Array, kernel: str, bandwidths: Sequence[float], *, leave_out: bool) -> Array:
    """Sums of the sample's columns times the weights, of shape (n_bandwidths, n_targets + 1, n_queries)."""
    on_device = {"device": X.device} if is_tensor(X) else {}
    shape = (len(bandwidths), len(sample.columns), X.shape[0])
    sums = namespace(X).zeros(shape, dtype=sample.columns.dtype, **on_device)
    to_fill = list(zip(bandwidths, sums, strict=True))
    large = X.shape[0] * sample.X.shape[0] >= _LARGE and not is_tensor(X)
    if large and kernel == "gaussian":
        rounded = RoundedPairs(X, sample.X, sample.columns, min(bandwidths))
        if rounded.safe:
            _add_blocks(to_fill, rounded, sample, X, leave_out=leave_out)
            return sums
    elif large and X.shape[1] <= _TREE_FEATURES:
        to_fill = _add_near_pairs(to_fill, sample, X, kernel, leave_out=leave_out)
    if to_fill:
        exact = ExactPairs(X, sample.X, sample.columns, kernel)
        _add_blocks(to_fill, exact, sample, X, leave_out=leave_out)
    return sums


def _add_blocks(
    to_fill: list[tuple[float, Array]],
    pairs: ExactPairs | RoundedPairs,
    sample: Sample,
    X: Array,
    *,
    leave_out: bool,
) -> None:
    """Add to the sums of each bandwidth, in one pass over the pairs for all of them."""
    bandwidths = [bandwidth for bandwidth, _ in to_fill]
    query_step, row_step = _TENSOR_BLOCK if is_tensor(X) else _BLOCK

    def add(queries: slice) -> None:
        for rows in _slices(sample.X.shape[0], row_step):
            parts = pairs.sums(queries, rows, bandwidths, leave_out=leave_out)
            for (_, total), part in zip(to_fill, parts, strict=True):
                total[:, queries] += part

    map_blocks(add, _slices(X.shape[0], query_step), n_threads=1 if is_tensor(X) else None)


def _add_near_pairs(
    to_fill: list[tuple[float, np.ndarray]], sample: Sample, X: np.ndarray, kernel: str, *, leave_out: bool
) -> list[tuple[float, np.ndarray]]:
    """Add to the sums of the bandwidths that reach few pairs; return what is left for the others."""
    near = NearPairs(X, sample.X)
    few = _TREE_FRACTION * X.shape[0] * sample.X.shape[0]
    left = []
    for bandwidth, sums in to_fill:
        if near.count(bandwidth) > few:
            left.append((bandwidth, sums))
            continue
        for query, row, weight in near.weights(kernel, bandwidth):
            if leave_out:
                weight[query == row] = 0
            for total, column in zip(sums, sample.columns, strict=True):
                total += np.bincount(query, weight * column[row], minlength=X.shape[0])
    return left


def _slices(n: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
