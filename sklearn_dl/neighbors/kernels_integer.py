"""Compiled loops around integer scores: rounding rows to 16 bits, and the scan for the k best.

Arrays are assigned to by element: the check of shapes in other assignments takes seconds to compile.
"""

import numpy as np
from numba import njit

from sklearn_dl.neighbors.integer_tiles import TILE_QUERIES, TILE_ROWS, score_tile
from sklearn_dl.neighbors.kernels import COSINE, REORDERED, exact_distance, push_on_heap, row_norm

LARGEST_INT16 = 2**15 - 1
#: Scores of rows that do not fit 16 bits, above any threshold, and of places without a row, below all.
ALWAYS, NEVER = 2**31 - 1, -(2**31)


@njit(nogil=True, cache=True, fastmath=REORDERED)
def _round(x, center, unit, out):
    """Write ``(x - center) * unit``, rounded; and its squared norm and that of what rounding took off."""
    square = 0.0
    error = 0.0
    for j in range(x.shape[0]):
        value = (np.float64(x[j]) - center[j]) * unit
        rounded = np.rint(value)
        gap = value - rounded
        square += value * value
        error += gap * gap
        out[j] = np.int16(min(max(rounded, -LARGEST_INT16), LARGEST_INT16))
    return square, error


@njit(nogil=True, cache=True)
def round_rows(metric, X, center, scale, limit, panels, start):
    """Write ``(X - center) * scale``, rounded, in panels of 16 rows; and what their scores start from.

    For the cosine, `scale` is the norm that rows are brought to. Rows of a norm above `limit` become zeros
    that start from ALWAYS. Returns the largest norm of the others, and of what rounding took off one.

    Parameters
    ----------
    panels : int16 array of shape (n_panels, n_pairs, 16, 2)
        As :func:`~sklearn_dl.neighbors.integer_tiles.score_tile` takes them.
    start : int32 array of shape (n_panels, 16)
    """
    largest_square = 0.0
    largest_error = 0.0
    rounded = np.zeros(2 * panels.shape[1], dtype=np.int16)
    for i in range(panels.shape[0] * TILE_ROWS):
        panel, lane = divmod(i, TILE_ROWS)
        rounded[:] = 0
        start[panel, lane] = NEVER
        if i < X.shape[0]:
            unit = scale
            if metric == COSINE:
                norm = row_norm(X[i])
                unit = scale / norm if norm > 0.0 else 0.0
            square, error = _round(X[i], center, unit, rounded)
            if square <= limit * limit:
                start[panel, lane] = 0 if metric == COSINE else np.int32(np.rint(-square))
                largest_square = max(largest_square, square)
                largest_error = max(largest_error, error)
            else:
                start[panel, lane] = ALWAYS
                rounded[:] = 0
        for j in range(panels.shape[1]):
            panels[panel, j, lane, 0] = rounded[2 * j]
            panels[panel, j, lane, 1] = rounded[2 * j + 1]
    return np.sqrt(largest_square), np.sqrt(largest_error)


@njit(nogil=True, cache=True)
def round_queries(metric, queries, center, scale, tiles, exact, size, error):
    """Write queries, rounded, in tiles of 12; their norms, and the norms of what rounding took off.

    For the cosine, `exact` becomes the queries brought to norm 1. Those beyond 16 bits have an infinite norm.

    Parameters
    ----------
    tiles : int16 array of shape (n_tiles, 12, 2 n_pairs)
        Zeros.
    """
    for r in range(queries.shape[0]):
        unit = 2.0 * scale
        if metric == COSINE:
            norm = row_norm(queries[r])
            unit = scale / norm if norm > 0.0 else 0.0
            for j in range(queries.shape[1]):
                exact[r, j] = queries[r, j] / norm if norm > 0.0 else 0.0
        square, square_error = _round(queries[r], center, unit, tiles[divmod(r, TILE_QUERIES)])
        size[r], error[r] = np.sqrt(square), np.sqrt(square_error)
        for j in range(queries.shape[1]):
            if not abs(queries[r, j] - center[j]) * unit <= LARGEST_INT16:
                size[r] = np.inf


@njit(nogil=True, cache=True)
def score_all(panels, start, tiles, out):
    """Write the scores of all rows, (n_queries, n_rows)."""
    threshold = np.full(TILE_QUERIES, NEVER, dtype=np.int32)
    scores = np.empty((TILE_QUERIES, TILE_ROWS), dtype=np.int32)
    for tile in range(tiles.shape[0]):
        first = tile * TILE_QUERIES
        for panel in range(panels.shape[0]):
            scores[:] = NEVER
            score_tile(panels[panel], start[panel], tiles[tile], threshold, scores)
            for r in range(min(TILE_QUERIES, out.shape[0] - first)):
                for lane in range(TILE_ROWS):
                    out[first + r, panel * TILE_ROWS + lane] = scores[r, lane]


@njit(nogil=True, cache=True)
def _threshold(metric, scale, top, floor, slack, distance):
    """Score at or below which no row can be nearer than `distance`; for an infinite floor, that of no row."""
    if floor == np.inf:
        return np.int32(ALWAYS)
    score = top - (scale * scale * distance if metric == COSINE else (scale * distance) ** 2)
    if slack == 0.0:  # whole numbers
        score = np.rint(score)
    score = np.floor(max(score, floor) - slack)
    return np.int32(min(max(score, np.float64(NEVER)), np.float64(ALWAYS - 1)))


@njit(nogil=True, cache=True)
def scan_panels(metric, scale, panels, start, X, first_row, tiles, exact, top, floor, slack, distance, row):
    """Update the heaps of the k best by the rows X, from `first_row` on, which `panels` hold rounded.

    A score is, up to `slack`, ``top - scale**2 * g(distance)``, g the square for the Euclidean metric and the
    identity for the cosine. Only rows whose score could put them among the k best are measured, in float64.
    Returns how many were.
    """
    n_measured = 0
    threshold = np.empty(TILE_QUERIES, dtype=np.int32)
    scores = np.empty((TILE_QUERIES, TILE_ROWS), dtype=np.int32)
    for tile in range(tiles.shape[0]):
        first = tile * TILE_QUERIES
        n_queries = min(TILE_QUERIES, exact.shape[0] - first)
        threshold[:] = ALWAYS
        for q in range(n_queries):
            r = first + q
            threshold[q] = _threshold(metric, scale, top[r], floor[r], slack[r], distance[r, 0])
        for panel in range(panels.shape[0]):
            found = score_tile(panels[panel], start[panel], tiles[tile], threshold, scores)
            r = first
            while found:  # the lowest bit is that of query r
                if found & 1:
                    for lane in range(TILE_ROWS):
                        if scores[r - first, lane] <= threshold[r - first]:
                            continue
                        i = panel * TILE_ROWS + lane
                        d = exact_distance(metric, X[i], exact[r])
                        n_measured += 1
                        if d < distance[r, 0] or (d == distance[r, 0] and first_row + i < row[r, 0]):
                            push_on_heap(distance, row, r, d, first_row + i)
                            threshold[r - first] = _threshold(
                                metric, scale, top[r], floor[r], slack[r], distance[r, 0]
                            )
                found >>= 1
                r += 1
    return n_measured
