"""Search by all distances: for small problems, tensors, and metrics without a faster route."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics import DistanceMetric, pairwise_distances
from sklearn.neighbors import VALID_METRICS_SPARSE

from sklearn_dl._base.arrays import Array, is_tensor, namespace
from sklearn_dl.neighbors.selection import smallest

_SCIPY_NAMES = {"euclidean": "euclidean", "manhattan": "cityblock", "chebyshev": "chebyshev"}
_POWERS = {"euclidean": 2.0, "manhattan": 1.0, "chebyshev": float("inf")}
_PAIRS_PER_BLOCK, _PAIRS_PER_DEVICE_BLOCK = 1 << 19, 1 << 26
_PAIRS_PER_PRODUCT = 1 << 16  # memory of this size is used again, and not asked for anew
_MOST_CANDIDATES = 4  # times as many as neighbours: above, all distances take no longer


def nearest_directly(
    X: Array, queries: Array, n_neighbors: int, metric: Any, params: dict[str, Any]
) -> tuple[Array, Array]:
    """The `n_neighbors` rows of X nearest to each query, ordered by (distance, row).

    Parameters
    ----------
    X, queries : ndarray, CSR or tensor of shape (n_samples, n_features), (n_queries, n_features)
        Both of one kind.
    n_neighbors : int
        At most n_samples.
    metric : str, callable or DistanceMetric
        Effective metric. Tensors know "euclidean", "manhattan", "chebyshev", "minkowski" and "cosine".
    params : dict
        Its arguments.
    """
    if metric == "euclidean" and isinstance(X, np.ndarray) and _MOST_CANDIDATES * n_neighbors <= len(X):
        products = _Products(X)
        blocks = query_blocks(len(queries), len(X), most_pairs=_PAIRS_PER_PRODUCT)
        return _joined(products.nearest(queries[block], n_neighbors) for block in blocks)
    blocks = query_blocks(queries.shape[0], X.shape[0], on_device=is_tensor(X))
    return _joined(smallest(distances(queries[block], X, metric, params), n_neighbors) for block in blocks)


def nearest_in_matrix(matrix: Array, n_neighbors: int) -> tuple[Array, Array]:
    """The `n_neighbors` smallest of each line of given distances, ordered by (distance, column)."""
    blocks = query_blocks(*matrix.shape, on_device=is_tensor(matrix))
    return _joined(smallest(matrix[block], n_neighbors) for block in blocks)


def query_blocks(
    n_queries: int, n_samples: int, *, on_device: bool = False, most_pairs: int = _PAIRS_PER_BLOCK
) -> Iterator[slice]:
    """Slices of the queries, whose distances to all rows fit the cache, or a share of a device's memory."""
    step = max(1, (_PAIRS_PER_DEVICE_BLOCK if on_device else most_pairs) // n_samples)
    return (slice(start, start + step) for start in range(0, n_queries, step))


class _Products:
    """Euclidean neighbours by products, whose bound on the error tells which distances to measure.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    """

    def __init__(self, X: np.ndarray) -> None:
        self.X = X.astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            self._center = self.X.mean(0)
            centered = self.X - self._center
            self._halves = np.einsum("ij,ij->i", centered, centered) / 2
            self._largest = np.sqrt(2 * self._halves.max())
        self._columns = centered.T
        self._error = 2 * (X.shape[1] + 8) * np.finfo(np.float64).eps

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances and rows of the `k` nearest to each query, ordered by (distance, row)."""
        queries = queries.astype(np.float64, copy=False)
        query, row = self._candidates(queries, k)
        counts = np.bincount(query, minlength=len(queries))
        if counts.min() < k or len(row) > _MOST_CANDIDATES * k * len(queries):
            return smallest(cdist(queries, self.X), k)
        gap = queries[query] - self.X[row]
        distance = np.sqrt(np.einsum("ij,ij->i", gap, gap))
        order = np.lexsort((distance, query))
        chosen = order[(np.cumsum(counts) - counts)[:, None] + np.arange(k)]
        return distance[chosen], row[chosen]

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Queries and rows of all pairs that may be among the nearest; fewer where squares are not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            centered = queries - self._center
            halves = centered @ self._columns  # half the squared distances, less a constant of each query
            np.subtract(self._halves, halves, out=halves)
            size = np.sqrt(np.einsum("ij,ij->i", centered, centered)) + self._largest
            slack = self._error * size**2 + np.finfo(np.float64).tiny
            limit = np.partition(halves, k - 1, axis=1)[:, k - 1] + 2 * slack
            return np.divmod(np.flatnonzero(halves <= limit[:, None]), len(self.X))


def _joined(parts: Iterable[tuple[Array, Array]]) -> tuple[Array, Array]:
    distance, row = zip(*parts, strict=True)
    xp = namespace(*distance)
    return xp.concatenate(distance), xp.concatenate(row)


def distances(queries: Array, X: Array, metric: Any, params: dict[str, Any]) -> Array:
    """Distances of shape (n_queries, n_samples)."""
    if is_tensor(X):
        return _tensor_distances(queries, X, metric, params)
    if sparse.issparse(queries) and not sparse.issparse(X) and metric not in VALID_METRICS_SPARSE["brute"]:
        queries = queries.toarray()
    if isinstance(metric, DistanceMetric):
        return metric.pairwise(queries, X)
    if metric == "braycurtis":  # scipy's has another denominator where numbers are below 0
        return DistanceMetric.get_metric("braycurtis", **params).pairwise(queries, X)
    if sparse.issparse(X) or sparse.issparse(queries):
        return pairwise_distances(queries, X, metric=metric, **params)
    if metric in _SCIPY_NAMES:
        return cdist(queries, X, metric=_SCIPY_NAMES[metric])
    if metric == "minkowski":
        return cdist(queries, X, metric="minkowski", **params)
    if metric == "cosine":
        return _cosine(queries, X)
    return pairwise_distances(queries, X, metric=metric, **params)


def _cosine(queries: np.ndarray, X: np.ndarray) -> np.ndarray:
    """1 - cos as half the squared distance of unit vectors, which does not cancel; 1 to a row of zeros."""
    queries, X = (_unit_rows(np.asarray(rows, dtype=np.float64)) for rows in (queries, X))
    found = np.minimum(cdist(queries, X, metric="sqeuclidean") / 2, 2.0)
    found[~queries.any(axis=1)] = 1.0
    found[:, ~X.any(axis=1)] = 1.0
    return found


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows / np.where(norm > 0, norm, 1.0)


def _tensor_distances(queries: Array, X: Array, metric: Any, params: dict[str, Any]) -> Array:
    torch = namespace(X)
    if metric == "cosine":
        queries, X = (
            torch.nn.functional.normalize(rows, dim=1, eps=0.0).nan_to_num() for rows in (queries, X)
        )
        found = (_tensor_distances(queries, X, "euclidean", {}) ** 2 / 2).clamp(max=2.0)
        absent = ~queries.any(1)[:, None] | ~X.any(1)
        return torch.where(absent, torch.ones_like(found), found)
    power = _POWERS.get(metric, params.get("p") if metric == "minkowski" else None)
    if power is None or params.get("w") is not None:
        raise ValueError(
            f"metric={metric!r} with {params} has no route for torch tensors. Pass X as an ndarray, or use "
            "one of 'euclidean', 'manhattan', 'chebyshev', 'minkowski' without w, or 'cosine'."
        )
    # The product form loses the digits of near neighbours.
    return torch.cdist(queries, X, p=float(power), compute_mode="donot_use_mm_for_euclid_dist")
