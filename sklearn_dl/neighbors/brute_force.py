"""Exact search over all rows: float32 scores of all, float64 distances of the few in question."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from sklearn_dl._base.threads import effective_n_threads, map_blocks, single_threaded_blas
from sklearn_dl.neighbors.kernels import (
    CHEBYSHEV,
    COSINE,
    EUCLIDEAN,
    MANHATTAN,
    negative_distances,
    prepare_rows,
    row_norm,
    scan_scores,
)
from sklearn_dl.neighbors.selection import sort_by_distance_and_row

METRICS = {"euclidean": EUCLIDEAN, "manhattan": MANHATTAN, "chebyshev": CHEBYSHEV, "cosine": COSINE}

_ROWS_PER_BLOCK = 2048
_VALUES_PER_BLOCK = 1 << 18
_QUERIES_PER_BLOCK = 256
_ROWS_PER_SAMPLE = 512
_UNIT_ROUNDOFF = 2.0**-24
#: Above this share of measured points, rows are likely to repeat.
_CROWDED = 0.05


@dataclass
class _Frame:
    """Origin and unit in which float32 loses least; the answer does not depend on them."""

    metric: int
    center: np.ndarray
    scale: float

    def prepare(self, X: np.ndarray) -> tuple[np.ndarray, float, bool]:
        """Rows in float32, with a column of -|x|^2 / 2 if Euclidean; their largest norm; if all are whole."""
        out = np.empty((len(X), X.shape[1] + (self.metric == EUCLIDEAN)), dtype=np.float32)
        largest, integral = prepare_rows(self.metric, X, self.center, self.scale, out)
        return out, largest, integral and self.metric != COSINE


@dataclass
class _Queries:
    """A block of queries: as given, in float32, and what turns their scores into distances."""

    exact: np.ndarray
    rounded: np.ndarray
    norm: np.ndarray
    integral: bool
    offset: np.ndarray
    floor: np.ndarray
    distance: np.ndarray
    row: np.ndarray


def nearest_rows(
    X: np.ndarray, queries: np.ndarray, n_neighbors: int, metric: str, n_threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""The `n_neighbors` rows of X nearest to each query, ordered by (distance, row).

    Scores of blocks of rows come from one float32 product, :math:`x \cdot q - |x|^2 / 2`, or from float32
    differences. A bound on their rounding error tells which rows may be among the nearest; those alone are
    measured in float64. Whole numbers below :math:`2^{23}` have no rounding error, so ties cost nothing.

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
    frame = _choose_frame(X, METRICS[metric])
    distance = np.full((len(queries), n_neighbors), np.inf)
    row = np.full((len(queries), n_neighbors), len(X))
    rows: np.ndarray | None = None

    def search(block: slice) -> int:
        return _search(frame, X, queries[block], distance[block], row[block])

    probe = slice(0, min(32, len(queries)))
    with single_threaded_blas() if n_threads > 1 else nullcontext():
        n_measured = search(probe)
    if n_measured > _CROWDED * len(X) * probe.stop:
        rows = _first_copies(X, n_neighbors)
        X = X[rows] if len(rows) < len(X) else X
    per_thread = max(32, -(-(len(queries) - probe.stop) // n_threads))
    starts = range(probe.stop, len(queries), per_thread)
    map_blocks(search, [slice(start, start + per_thread) for start in starts], n_threads)
    if rows is not None:
        row[probe.stop :] = rows[row[probe.stop :]]
    return sort_by_distance_and_row(distance, row)


def _choose_frame(X: np.ndarray, metric: int) -> _Frame:
    """Mean and size of a sample of the rows; whole numbers are kept whole."""
    n_features = X.shape[1]
    if metric == COSINE:
        return _Frame(metric, np.zeros(n_features), 1.0)
    n_sampled = min(1024, max(64, _VALUES_PER_BLOCK // 4 // n_features))
    sample = X[:: -(-len(X) // n_sampled)].astype(np.float64)
    center = sample.mean(axis=0)
    if np.array_equal(sample, np.rint(sample)) and np.ptp(sample) < 2.0**12:
        return _Frame(metric, np.rint(center), 1.0)
    size = np.abs(sample - center).max()
    usable = np.isfinite(center).all() and 0 < size < np.inf
    scale = 2.0 ** np.clip(-np.rint(np.log2(size)), -1000, 1000) if usable else 1.0
    return _Frame(metric, center if usable else np.zeros(n_features), float(scale))


def _search(frame: _Frame, X: np.ndarray, queries: np.ndarray, distance: np.ndarray, row: np.ndarray) -> int:
    """Fill the heaps of the k best of some queries; returns how many points were measured."""
    blocks = [
        _read_queries(frame, queries[part], distance[part], row[part])
        for part in (slice(i, i + _QUERIES_PER_BLOCK) for i in range(0, len(queries), _QUERIES_PER_BLOCK))
    ]
    n_rows = min(len(X), _ROWS_PER_BLOCK, max(256, _VALUES_PER_BLOCK // X.shape[1]))
    scores = np.empty((min(len(queries), _QUERIES_PER_BLOCK), n_rows), dtype=np.float32)
    if len(X) > 8 * _ROWS_PER_SAMPLE and distance.shape[1] <= _ROWS_PER_SAMPLE:
        n_sampled = min(_ROWS_PER_SAMPLE, max(distance.shape[1], _VALUES_PER_BLOCK // 2 // X.shape[1]))
        _raise_floors(frame, np.ascontiguousarray(X[:: len(X) // n_sampled]), blocks)
    n_measured = 0
    factor = frame.scale**2 / 2 if frame.metric == EUCLIDEAN else frame.scale
    for start in range(0, len(X), n_rows):
        points, largest, integral = frame.prepare(X[start : start + n_rows])
        points = _laid_out(frame, points)
        for block in blocks:
            view = _score(frame, block, points, scores)
            slack = _slack(frame, block, largest, integral)
            n_measured += scan_scores(
                frame.metric, view, X, start, block.exact, block.offset, factor, block.floor, slack,
                block.distance, block.row,
            )  # fmt: skip
    return n_measured


def _read_queries(frame: _Frame, queries: np.ndarray, distance: np.ndarray, row: np.ndarray) -> _Queries:
    rounded, _, integral = frame.prepare(queries)
    exact = queries.astype(np.float64, copy=False)
    offset = np.zeros(len(queries))
    if frame.metric == COSINE:
        norm = np.array([row_norm(query) for query in exact])
        exact = exact / np.where(norm > 0, norm, 1)[:, None]
        norm, offset = np.ones(len(queries)), np.ones(len(queries))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = (exact - frame.center) * frame.scale
            order = {EUCLIDEAN: 2, MANHATTAN: 1, CHEBYSHEV: np.inf}[frame.metric]
            norm = np.linalg.norm(shifted, ord=order, axis=1)
            if frame.metric == EUCLIDEAN:
                offset = np.einsum("ij,ij->i", shifted, shifted) / 2
                rounded[:, -1] = 1.0
    floor = np.full(len(queries), -np.inf)
    return _Queries(exact, rounded, norm, integral, offset, floor, distance, row)


def _laid_out(frame: _Frame, points: np.ndarray) -> np.ndarray:
    return points if frame.metric in (EUCLIDEAN, COSINE) else np.ascontiguousarray(points.T)


def _score(frame: _Frame, block: _Queries, points: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Float32 scores, (n_queries, n_points): the larger, the nearer."""
    by_product = frame.metric in (EUCLIDEAN, COSINE)
    shape = len(block.rounded), len(points) if by_product else points.shape[1]
    out = memory.reshape(-1)[: shape[0] * shape[1]].reshape(shape)
    if by_product:
        with np.errstate(over="ignore", invalid="ignore"):
            np.dot(block.rounded, points.T, out=out)
    else:
        negative_distances(frame.metric, block.rounded, points, out)
    return out


def _slack(frame: _Frame, block: _Queries, largest: float, integral: bool) -> np.ndarray:
    """Bound on the error of a score, for each query: Higham (2002), section 3.1, and the rounded inputs."""
    n_terms = block.exact.shape[1] + 6
    size = (
        block.norm * largest + largest**2 / 2 if frame.metric in (EUCLIDEAN, COSINE) else block.norm + largest
    )
    if frame.metric == CHEBYSHEV:
        n_terms = 6
    slack = n_terms * (_UNIT_ROUNDOFF * size + 1e-37) + 1e-13 * (block.offset + size)
    if integral and block.integral:
        slack[size < 2.0**23] = 0.0
    slack[~(size < 1e30)] = np.inf
    return slack


def _raise_floors(frame: _Frame, sample: np.ndarray, blocks: list[_Queries]) -> None:
    """Take the score of the k-th best of a sample, which the k-th best of all reaches, as the least of use.

    Without it, rows sorted so that ever nearer ones follow would all be measured.
    """
    points, largest, integral = frame.prepare(sample)
    points = _laid_out(frame, points)
    memory = np.empty((len(blocks[0].rounded), len(sample)), dtype=np.float32)
    for block in blocks:
        k = block.distance.shape[1]
        slack = _slack(frame, block, largest, integral)
        best = np.partition(_score(frame, block, points, memory), len(sample) - k, axis=1)[:, -k]
        floor = best - np.where(slack == 0, 0.25, slack)
        block.floor[:] = np.where(np.isfinite(floor), floor, -np.inf)


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
