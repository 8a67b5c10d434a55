"""Bandwidth of a kernel regression: by leave-one-out, or by a rule."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from sklearn_dl._base.arrays import Array, is_tensor, namespace, to_host
from sklearn_dl.neighbors.kernel_regression_pairs import squared_distances
from sklearn_dl.neighbors.kernel_regression_sums import Sample, leave_one_out_means

_PRECISION = 1e-3  # relative, of the bandwidth
_HALVINGS = 40  # at most, of the largest bandwidth
_PROBES = 256  # rows whose nearest other row is looked for, to know the scale of the data


class BandwidthSearch(NamedTuple):
    """Bandwidths that were tried, in increasing order, and their leave-one-out errors."""

    bandwidths: np.ndarray
    scores: np.ndarray

    @property
    def best(self) -> float:
        """Bandwidth of least error, the largest of equals; 1 where none was tried."""
        if len(self.scores) == 0:
            return 1.0
        return float(self.bandwidths[np.flatnonzero(self.scores == self.scores.min())[-1]])


def rule_of_thumb(rule: str, n_rows: float, n_features: int) -> float:
    """Bandwidth for rows of unit variance, as in :class:`sklearn.neighbors.KernelDensity`."""
    factor = 1.0 if rule == "scott" else (n_features + 2) / 4
    return float((n_rows * factor) ** (-1 / (n_features + 4)))


def search_bandwidth(
    X: Array, y: Array, weight: Array, kernel: str, candidates: Sequence[float] | None = None
) -> BandwidthSearch:
    """Mean squared leave-one-out errors of the candidates, or on a grid and then near its best one.

    Equal rows are left out together, so that a weight counts as repetitions.
    """
    sample, floor = _distinct_rows(X, y, weight)
    grid = _grid(sample, kernel)
    if len(grid) == 0:
        return BandwidthSearch(np.empty(0), np.empty(0))

    def errors(bandwidths: Sequence[float]) -> np.ndarray:
        return floor + _mean_squared_errors(sample, kernel, bandwidths)

    if candidates is not None:
        bandwidths = sorted({float(candidate) for candidate in candidates})
        return BandwidthSearch(np.array(bandwidths), errors(bandwidths))
    tried = dict(zip(grid, errors(grid).tolist(), strict=True))
    best = int(np.argmin(list(tried.values())))
    bracket = grid[min(best + 1, len(grid) - 1)], grid[max(best - 1, 0)]

    def error(log_bandwidth: float) -> float:
        bandwidth = float(np.exp(log_bandwidth))
        tried[bandwidth] = float(errors([bandwidth])[0])
        return tried[bandwidth]

    # Brent's method: golden sections, and parabolas where these help.
    minimize_scalar(error, bounds=np.log(bracket), method="bounded", options={"xatol": _PRECISION})
    bandwidths = sorted(tried)
    return BandwidthSearch(np.array(bandwidths), np.array([tried[bandwidth] for bandwidth in bandwidths]))


def _distinct_rows(X: Array, y: Array, weight: Array) -> tuple[Sample, float]:
    """Distinct rows with summed weights and mean targets; mean squared deviation of targets from these."""
    xp = namespace(X)
    if is_tensor(X):
        distinct, index = xp.unique(X, dim=0, return_inverse=True)
    else:
        distinct, index = np.unique(X, axis=0, return_inverse=True)
        index = index.ravel()
        y, weight = y.astype(np.float64, copy=False), weight.astype(np.float64, copy=False)
    total = xp.bincount(index, weight)
    means = xp.stack([xp.bincount(index, weight * target) / total for target in y.T], 1)
    deviation = float((weight @ (y - means[index]) ** 2).mean() / weight.sum())
    return Sample(distinct, means, total), deviation


def _grid(sample: Sample, kernel: str) -> list[float]:
    """Bandwidths that halve in two steps, from nearly a common mean down to nearly the nearest row's target.

    Empty where all rows are one. Raises ValueError where distances are beyond the floats.
    """
    X = sample.X
    with np.errstate(over="ignore"):
        spread = (
            float(2 * namespace(X).var(X, 0, correction=0).sum()) ** 0.5
        )  # root mean square of the distances
    if not spread < np.inf:
        raise ValueError(f"X has a variance beyond {X.dtype}. Divide it by a constant first.")
    if spread == 0:
        return []
    step = -(-X.shape[0] // _PROBES)
    distances = to_host(squared_distances(X[::step], X))
    distances[np.arange(len(distances)), np.arange(0, len(X), step)] = np.inf
    # In many dimensions Gaussian weights differ only where the bandwidth is far below the nearest distance.
    part = 1 / 16 if kernel == "gaussian" else 1 / 2
    halvings = np.log2(4 * spread / part) - 0.5 * np.log2(np.median(distances.min(1)))
    steps = int(np.ceil(2 * min(halvings, _HALVINGS))) + 1
    return [4 * spread * 2 ** (-step / 2) for step in range(steps)]


def _mean_squared_errors(sample: Sample, kernel: str, bandwidths: Sequence[float]) -> np.ndarray:
    """Mean squared leave-one-out errors, over the rows with their weights and over the targets."""
    residuals = leave_one_out_means(sample, kernel, bandwidths) - sample.y
    return to_host((residuals**2).mean(2) @ sample.weight / sample.weight.sum()).astype(np.float64)
