"""Compiled loops of the neighbour searches: exact distances, the heap of the k best, and the scans.

A point is better than another if its (distance, row) is lexicographically smaller, so the k best are the same
in whatever order points are met.
"""

import numpy as np
from numba import njit

EUCLIDEAN, MANHATTAN, CHEBYSHEV, COSINE = range(4)

# Sums may be reordered; NaN and infinity keep their meaning.
REORDERED = {"reassoc", "contract", "arcp", "nsz"}

_CHUNK = 64


@njit(nogil=True, cache=True)
def push_on_heap(distance, row, r, new_distance, new_row):
    """Replace the worst of the k best of query `r`, which stands first, and restore the heap."""
    k = distance.shape[1]
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= k:
            break
        if child + 1 < k and (
            distance[r, child + 1] > distance[r, child]
            or (distance[r, child + 1] == distance[r, child] and row[r, child + 1] > row[r, child])
        ):
            child += 1
        if distance[r, child] < new_distance or (
            distance[r, child] == new_distance and row[r, child] < new_row
        ):
            break
        distance[r, hole], row[r, hole] = distance[r, child], row[r, child]
        hole = child
    distance[r, hole], row[r, hole] = new_distance, new_row


@njit(nogil=True, cache=True, fastmath=REORDERED)
def _sum_of_squares(x, unit):
    total = 0.0
    for j in range(x.shape[0]):
        value = np.float64(x[j]) / unit
        total += value * value
    return total


@njit(nogil=True, cache=True)
def row_norm(x):
    """Euclidean norm without overflow or underflow."""
    norm = np.sqrt(_sum_of_squares(x, 1.0))
    if 1e-140 < norm < 1e140:
        return norm
    unit = 0.0
    for j in range(x.shape[0]):
        unit = max(unit, abs(np.float64(x[j])))
    return unit * np.sqrt(_sum_of_squares(x, unit)) if unit > 0.0 else 0.0


@njit(nogil=True, cache=True, fastmath=REORDERED)
def _squared_distance(x, norm, query):
    total = 0.0
    for j in range(query.shape[0]):
        gap = np.float64(x[j]) / norm - query[j]
        total += gap * gap
    return total


@njit(nogil=True, cache=True, fastmath=REORDERED)
def exact_distance(metric, x, query):
    """Distance in float64; for the cosine, `query` has norm 1 or 0."""
    total = 0.0
    if metric == EUCLIDEAN:
        for j in range(query.shape[0]):
            gap = np.float64(x[j]) - query[j]
            total += gap * gap
        return np.sqrt(total)
    if metric == MANHATTAN:
        for j in range(query.shape[0]):
            total += abs(np.float64(x[j]) - query[j])
        return total
    if metric == CHEBYSHEV:
        for j in range(query.shape[0]):
            total = max(total, abs(np.float64(x[j]) - query[j]))
        return total
    norm = row_norm(x)
    if norm == 0.0 or _sum_of_squares(query, 1.0) == 0.0:
        return 1.0
    # |x/|x| - q|^2 / 2 is 1 - cos(x, q) without its cancellation.
    return min(0.5 * _squared_distance(x, norm, query), 2.0)


@njit(nogil=True, cache=True, fastmath=REORDERED)
def all_whole(X):
    """Whether X holds whole numbers only."""
    for i in range(X.shape[0]):
        fraction = 0.0
        for j in range(X.shape[1]):
            fraction += abs(X[i, j] - np.rint(X[i, j]))
        if fraction > 0.0:
            return False
    return True


@njit(nogil=True, cache=True, fastmath=REORDERED)
def prepare_rows(metric, X, center, scale, out):
    """Write ``(X - center) * scale`` to `out` in float32, with -|row|^2 / 2 as last column if Euclidean.

    Returns the largest norm of a row, in the metric.
    """
    n_features = X.shape[1]
    largest = 0.0
    for i in range(X.shape[0]):
        norm = 0.0
        unit = scale
        if metric == COSINE:
            norm = row_norm(X[i])
            unit = 1.0 / norm if norm > 0.0 else 0.0
        total = 0.0
        for j in range(n_features):
            value = np.float32((np.float64(X[i, j]) - center[j]) * unit)
            out[i, j] = value
            if metric == EUCLIDEAN:
                total += np.float64(value) * np.float64(value)
            elif metric == MANHATTAN:
                total += abs(np.float64(value))
            elif metric == CHEBYSHEV:
                total = max(total, abs(np.float64(value)))
            else:
                total = 1.0
        if metric == EUCLIDEAN:
            out[i, n_features] = np.float32(-0.5 * total)
            total = np.sqrt(total)
        largest = max(largest, total)
    return largest


@njit(nogil=True, cache=True, fastmath=REORDERED)
def negative_distances(metric, queries, points, out):
    """Minus the L1 or maximum distance of `queries` (n_queries, p) to `points` (p, n_points), in float32."""
    n_features, n_points = points.shape
    for r in range(queries.shape[0]):
        query, row = queries[r], out[r]
        row[:] = np.float32(0.0)
        if metric == CHEBYSHEV:
            for j in range(n_features):
                for i in range(n_points):
                    row[i] = min(row[i], -abs(points[j, i] - query[j]))
            continue
        even = n_features - n_features % 4
        for j in range(0, even, 4):  # four features a pass: the sums are loaded and stored once for them
            for i in range(n_points):
                row[i] -= (
                    abs(points[j, i] - query[j])
                    + abs(points[j + 1, i] - query[j + 1])
                    + abs(points[j + 2, i] - query[j + 2])
                    + abs(points[j + 3, i] - query[j + 3])
                )
        for j in range(even, n_features):
            for i in range(n_points):
                row[i] -= abs(points[j, i] - query[j])


@njit(nogil=True, cache=True, fastmath=REORDERED)
def _count_above(scores, threshold):
    count = np.int32(0)
    for j in range(scores.shape[0]):
        count += np.int32(not (scores[j] <= threshold))  # NaN counts: its distance has to be looked at
    return count


@njit(nogil=True, cache=True)
def _threshold(offset, factor, squared, floor, slack, distance):
    """Score at or below which no point can be nearer than `distance`; NaN if float32 cannot tell."""
    if not np.isfinite(slack):
        return np.float32(np.nan)
    if squared:
        distance = distance * distance
        if slack == 0.0:  # whole numbers
            distance = np.rint(distance)
    score = max(offset - factor * distance, floor)
    return np.float32(score - slack - 1e-7 * abs(score) if slack > 0.0 else score)


@njit(nogil=True, cache=True)
def scan_scores(metric, scores, X, first_row, queries, offset, factor, floor, slack, distance, row):
    """Update the heaps of the k best by the rows of X from `first_row` on, given their float32 scores.

    A score is, up to `slack`, ``offset - factor * g(distance)``, g the square for the Euclidean metric and
    the identity for others. Only points whose score could put them among the k best are measured, in float64.
    Returns how many were.
    """
    n_measured = 0
    n_points = scores.shape[1]
    squared = metric == EUCLIDEAN
    for r in range(scores.shape[0]):
        threshold = _threshold(offset[r], factor, squared, floor[r], slack[r], distance[r, 0])
        for start in range(0, n_points, _CHUNK):
            stop = min(n_points, start + _CHUNK)
            if _count_above(scores[r, start:stop], threshold) == 0:
                continue
            for j in range(start, stop):
                if scores[r, j] <= threshold:
                    continue
                i = first_row + j
                d = exact_distance(metric, X[i], queries[r])
                n_measured += 1
                if d < distance[r, 0] or (d == distance[r, 0] and i < row[r, 0]):
                    push_on_heap(distance, row, r, d, i)
                    threshold = _threshold(offset[r], factor, squared, floor[r], slack[r], distance[r, 0])
    return n_measured
