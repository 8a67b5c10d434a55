"""Neighbours from distances that are given: a dense matrix, or a sparse graph of the nearest."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.neighbors import sort_graph_by_row_values
from sklearn.utils.validation import check_array

from sklearn_dl._base.arrays import Array, is_tensor


def read_distances(X: Any, owner: str) -> Array:
    """Distances of shape (n_queries, n_samples); CSR with the lines sorted by distance.

    Raises
    ------
    ValueError
        If a distance is negative or not finite.
    TypeError
        If the sparse format loses distances of 0.
    """
    if is_tensor(X):
        if bool((X < 0).any()):
            raise ValueError(f"{owner}: Negative values in data passed to precomputed distance matrix.")
        return X
    if sparse.issparse(X) and X.format not in ("csr", "csc", "coo", "lil"):
        raise TypeError(
            f"{owner}: Sparse matrix in {X.format!r} format is not supported due to its handling of explicit "
            "zeros. Convert it to 'csr'."
        )
    given = X
    X = check_array(
        X, accept_sparse="csr", ensure_non_negative=True, input_name="precomputed distance matrix"
    )
    if not sparse.issparse(X):
        return X
    return sort_graph_by_row_values(X, copy=X is given or np.shares_memory(X.data, given.data))


def nearest_in_graph(graph: Any, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """First `n_neighbors` entries of each line of a graph whose lines are sorted by distance.

    Returns
    -------
    distance, row : ndarray of shape (n_queries, n_neighbors)

    Raises
    ------
    ValueError
        If a line has fewer entries.
    """
    fewest = np.diff(graph.indptr).min()
    if fewest < n_neighbors:
        raise ValueError(
            f"{n_neighbors} neighbors per samples are required, but some samples have only {fewest} "
            "neighbors in precomputed graph matrix. Decrease number of neighbors used or recompute the graph "
            "with more neighbors."
        )
    entry = graph.indptr[:-1, None] + np.arange(n_neighbors)
    return graph.data[entry], graph.indices[entry].astype(np.intp)
