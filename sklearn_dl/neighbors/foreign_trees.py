"""Search by scikit-learn's trees, for metrics that only they know, with ties in the order of the rows."""

from typing import Any

import numpy as np
from sklearn.metrics import DistanceMetric
from sklearn.neighbors import BallTree, KDTree

from sklearn_dl._base.threads import map_blocks
from sklearn_dl.neighbors.direct import nearest_directly
from sklearn_dl.neighbors.selection import sort_by_distance_and_row

TREES = {"ball_tree": BallTree, "kd_tree": KDTree}

_QUERIES_PER_BLOCK = 256


def nearest_in_tree(
    tree: BallTree | KDTree,
    queries: np.ndarray,
    n_neighbors: int,
    metric: Any,
    params: dict[str, Any],
    n_threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `n_neighbors` points of the tree nearest to each query, ordered by (distance, row).

    One neighbour more than needed tells whether the last is tied; then all distances decide.
    """
    X = np.asarray(tree.data)
    width = min(n_neighbors + 1, len(X))
    blocks = [
        queries[start : start + _QUERIES_PER_BLOCK] for start in range(0, len(queries), _QUERIES_PER_BLOCK)
    ]
    found = map_blocks(lambda block: tree.query(block, width), blocks, n_threads)
    distance, row = sort_by_distance_and_row(*(np.concatenate(part) for part in zip(*found, strict=True)))
    tied = np.flatnonzero((width > n_neighbors) & (distance[:, n_neighbors - 1] == distance[:, -1]))
    distance, row = distance[:, :n_neighbors], row[:, :n_neighbors]
    if len(tied):
        # The tree's own distances, which pairwise ones need not equal.
        metric = metric if isinstance(metric, DistanceMetric) else DistanceMetric.get_metric(metric, **params)
        distance[tied], row[tied] = nearest_directly(X, queries[tied], n_neighbors, metric, params)
    return distance, row
