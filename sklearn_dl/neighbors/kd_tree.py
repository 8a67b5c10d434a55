"""A k-d tree of arrays: exact search in few dimensions, ties by row."""

from typing import NamedTuple, Self

import numpy as np

from sklearn_dl._base.threads import effective_n_threads, map_blocks
from sklearn_dl.neighbors.kernels_kd_tree import (
    bound_nodes,
    gather_points,
    leaf_of,
    search_tree,
    split_points,
)
from sklearn_dl.neighbors.selection import sort_by_distance_and_row

_QUERIES_PER_BLOCK = 512


class KDTree(NamedTuple):
    """Points split at the median of the widest side of their cell, down to leaves of a given size.

    Attributes
    ----------
    points : ndarray of shape (n_features, n_samples), float64
        In the order of the leaves.
    order : ndarray of shape (n_samples,)
        Row of each point.
    feature, value : ndarray of shape (n_inner_nodes,)
        Where the inner nodes are split.
    box : ndarray of shape (n_nodes, 2, n_features)
        Least and largest value in each node.
    first_row : ndarray of shape (n_nodes,)
        Least row in each node: equally distant ones can then be passed over.

    References
    ----------
    Friedman, Bentley, Finkel (1977), An algorithm for finding best matches in logarithmic expected time.
    """

    points: np.ndarray
    order: np.ndarray
    feature: np.ndarray
    value: np.ndarray
    box: np.ndarray
    first_row: np.ndarray

    @classmethod
    def build(cls, X: np.ndarray, leaf_size: int, n_threads: int | None = None) -> Self:
        """Tree over the rows of X, at most `leaf_size` in a leaf; the same for any number of threads."""
        depth = max(0, int(np.ceil(np.log2(len(X) / leaf_size))))
        depth = min(depth, len(X).bit_length() - 1)
        X = np.ascontiguousarray(X, dtype=np.float64)
        n_inner = (1 << depth) - 1
        box = np.empty((2 * n_inner + 1, 2, X.shape[1]))
        box[0, 0], box[0, 1] = (
            0.5 * np.array([limit(column) for column in X.T]) for limit in (np.min, np.max)
        )
        packed, spare = np.arange(len(X), dtype=np.uint64), np.empty(len(X), dtype=np.uint64)
        feature, value = np.zeros(n_inner, dtype=np.intp), np.zeros(n_inner)
        n_threads = effective_n_threads() if n_threads is None else n_threads
        top = min(depth, (n_threads - 1).bit_length())

        split_points(X, packed, spare, box, feature, value, 0, 0, top)
        map_blocks(
            lambda place: split_points(X, packed, spare, box, feature, value, top, place, depth),
            range(1 << top),
            n_threads,
        )
        order, points = np.empty(len(X), dtype=np.intp), np.empty(X.shape[::-1])
        gather_points(X, packed, points, order)
        first_row = np.empty(len(box), dtype=np.intp)
        bound_nodes(points, order, depth, box, first_row)
        return cls(points, order, feature, value, box, first_row)

    def nearest_rows(
        self, queries: np.ndarray, n_neighbors: int, power: float, n_threads: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n_neighbors` points nearest to each query, ordered by (distance, row).

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features)
        n_neighbors : int
            At most n_samples.
        power : float
            At least 1, the p of the Minkowski distance; may be infinite.
        n_threads : int, default=None
            As in :func:`~sklearn_dl._base.threads.map_blocks`.

        Returns
        -------
        distance, row : ndarray of shape (n_queries, n_neighbors), float64 and intp
        """
        queries = np.ascontiguousarray(queries, dtype=np.float64)
        depth = (len(self.feature) + 1).bit_length() - 1
        distance = np.full((len(queries), n_neighbors), np.inf)
        row = np.full((len(queries), n_neighbors), len(self.order))
        # Neighbouring queries visit the same nodes, which are then still in the cache.
        in_space = np.argsort(leaf_of(queries, self.feature, self.value, depth), kind="stable")

        def search(start: int) -> None:
            which = in_space[start : start + _QUERIES_PER_BLOCK]
            search_tree(
                float(power), self.points, self.order, self.box, self.first_row, depth, queries, which,
                distance, row,
            )  # fmt: skip

        map_blocks(search, range(0, len(queries), _QUERIES_PER_BLOCK), n_threads)
        return sort_by_distance_and_row(distance, row)
