"""Euclidean neighbours among rows in CSR: a product finds the candidates, differences measure them."""

from typing import Any

import numpy as np
from scipy import sparse

from sklearn_dl.neighbors.direct import query_blocks
from sklearn_dl.neighbors.selection import smallest

_PAIRS_PER_BLOCK = 1 << 15


def nearest_sparse_rows(X: Any, queries: Any, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """The `n_neighbors` rows of X nearest to each query, ordered by (distance, row).

    Parameters
    ----------
    X, queries : CSR or ndarray of shape (n_samples, n_features), (n_queries, n_features)
    n_neighbors : int
        At most n_samples.

    Returns
    -------
    distance, row : ndarray of shape (n_queries, n_neighbors), float64 and intp
    """
    X, queries = (sparse.csr_array(rows).astype(np.float64, copy=False) for rows in (X, queries))
    norm, query_norm = ((rows * rows).sum(axis=1) for rows in (X, queries))
    # Rounding of a product of at most so many terms, and of the three-term sum.
    error = 1e-15 * (X.shape[1] + 8)
    parts = []
    for block in query_blocks(queries.shape[0], X.shape[0]):
        part = queries[block]
        size = query_norm[block, None] + norm
        squared = size - 2.0 * (part @ X.T).toarray()
        bound = np.partition(squared + error * size, n_neighbors - 1, axis=1)[
            :, n_neighbors - 1 : n_neighbors
        ]
        query, row = np.nonzero(squared - error * size <= bound)
        found = np.full(squared.shape, np.inf)
        for start in range(0, len(row), _PAIRS_PER_BLOCK):
            pairs = slice(start, start + _PAIRS_PER_BLOCK)
            gap = part[query[pairs]] - X[row[pairs]]
            found[query[pairs], row[pairs]] = np.sqrt((gap * gap).sum(axis=1))
        parts.append(smallest(found, n_neighbors))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
