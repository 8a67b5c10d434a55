"""Exact search over all rows: rough scores of all, float64 distances of the few in question."""

import numpy as np

from sklearn_dl._base.threads import effective_n_threads, map_blocks, single_threaded_blas
from sklearn_dl.neighbors.float_scores import FloatScores
from sklearn_dl.neighbors.integer_scores import IntegerScores
from sklearn_dl.neighbors.kernels import CHEBYSHEV, COSINE, EUCLIDEAN, MANHATTAN
from sklearn_dl.neighbors.selection import sort_by_distance_and_row

METRICS = {"euclidean": EUCLIDEAN, "manhattan": MANHATTAN, "chebyshev": CHEBYSHEV, "cosine": COSINE}

_ROWS_PER_BLOCK = 2048
_QUERIES_PER_TRIAL, _VALUES_PER_TRIAL = 32, 1 << 18
#: Shares of the rows measured without need, above which more exact scores pay, or rows are likely to repeat.
_IMPRECISE, _CROWDED = 0.01, 0.05


def nearest_rows(
    X: np.ndarray, queries: np.ndarray, n_neighbors: int, metric: str, n_threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""The `n_neighbors` rows of X nearest to each query, ordered by (distance, row).

    Scores of blocks of rows come from products of 16-bit integers, or, where these blur too much, from
    products or differences in float32. A bound on their error tells which rows may be among the nearest;
    those alone are measured in float64. Small whole numbers have no error, so ties cost nothing.

    Parameters
    ----------
    X, queries : ndarray of shape (n_samples, n_features), (n_queries, n_features)
        Float64 or float32, C-contiguous and finite.
    n_neighbors : int
        At most n_samples.
    metric : {"euclidean", "manhattan", "chebyshev", "cosine"}
        For the cosine, a row of zeros is at distance 1 from all others.
    n_threads : int, default=None
        As in :func:`~sklearn_dl._base.threads.map_blocks`.

    Returns
    -------
    distance, row : ndarray of shape (n_queries, n_neighbors), float64 and intp
    """
    n_threads = effective_n_threads() if n_threads is None else n_threads
    with single_threaded_blas(when=n_threads > 1):
        scores, is_crowded = _choose_scores(X, queries, n_neighbors, METRICS[metric])
    kept = _first_copies(X, n_neighbors) if is_crowded else np.arange(len(X))
    X = X[kept] if len(kept) < len(X) else X
    distance, row = _no_neighbors(len(X), len(queries), n_neighbors)

    def search(block: slice) -> int:
        return scores.search(X, queries[block], distance[block], row[block])

    per_thread = max(32, -(-len(queries) // n_threads))
    starts = range(0, len(queries), per_thread)
    map_blocks(search, [slice(start, start + per_thread) for start in starts], n_threads)
    return sort_by_distance_and_row(distance, kept[row])


def _choose_scores(
    X: np.ndarray, queries: np.ndarray, n_neighbors: int, metric: int
) -> tuple[FloatScores | IntegerScores, bool]:
    """Scores that leave few rows to measure, and whether even they leave so many that rows must repeat."""
    floats = FloatScores.choose(X, metric)
    if len(queries) <= 2 * _QUERIES_PER_TRIAL:  # too few to repay a trial, or rows rounded to integers
        return floats, False
    integers = IntegerScores.choose(X, queries, floats)
    n_rows = min(8192, max(512, _VALUES_PER_TRIAL // X.shape[1]))
    some = np.ascontiguousarray(X[:: -(-len(X) // n_rows)])
    queries = np.ascontiguousarray(queries[:: -(-len(queries) // _QUERIES_PER_TRIAL)])
    k = min(n_neighbors, len(some))
    needed = 2 * k * (1 + np.log(len(some) / k))  # in any order of the rows but the worst

    def share_measured(scores: FloatScores | IntegerScores) -> float:
        found = _no_neighbors(len(some), len(queries), k)
        return (scores.search(some, queries, *found) / len(queries) - needed) / len(some)

    share = share_measured(integers or floats)
    if integers is not None and share > _IMPRECISE:
        float_share = share_measured(floats)
        if float_share < share / 2:
            integers, share = None, float_share
    return integers or floats, share > _CROWDED


def _no_neighbors(n_rows: int, n_queries: int, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    shape = n_queries, n_neighbors
    return np.full(shape, np.inf), np.full(shape, n_rows)


def _first_copies(X: np.ndarray, n_copies: int) -> np.ndarray:
    """Rows of X but for those with `n_copies` equal ones before them, which are never among the nearest."""
    bits = np.uint64 if X.dtype == np.float64 else np.uint32
    odd = 2 * np.random.RandomState(0).randint(2**31, size=X.shape[1], dtype=np.uint64) + 1
    key = np.empty(len(X), dtype=np.uint64)
    for start in range(0, len(X), _ROWS_PER_BLOCK):
        block = (X[start : start + _ROWS_PER_BLOCK] + X.dtype.type(0)).view(bits)  # -0.0 becomes 0.0
        mixed = block.astype(np.uint64) * odd
        key[start : start + _ROWS_PER_BLOCK] = ((mixed ^ (mixed >> np.uint64(29))) * odd).sum(axis=1)
    order = np.argsort(key, kind="stable")
    is_new = np.ones(len(X), dtype=bool)
    same_key = 1 + np.flatnonzero(key[order[1:]] == key[order[:-1]])
    for start in range(0, len(same_key), _ROWS_PER_BLOCK):
        at = same_key[start : start + _ROWS_PER_BLOCK]
        is_new[at] = (X[order[at]] != X[order[at - 1]]).any(axis=1)
    position = np.arange(len(X))
    copies_before = position - np.maximum.accumulate(np.where(is_new, position, 0))
    return np.sort(order[copies_before < n_copies])
