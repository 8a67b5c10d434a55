"""Compiled loops of the k-d tree: selection of medians, tight boxes, and the search for the k best.

The tree is a full binary one of `depth` splits: node i has the children 2i + 1 and 2i + 2, and the p-th node
of level l holds the points from ``n * p >> l`` to ``n * (p + 1) >> l`` of the tree's order. Floating-point
flags stay off: sums in a fixed order keep a box's distance below that of each point in it, to the last bit.
"""

import numpy as np
from numba import njit

from sklearn_dl.neighbors.kernels import push_on_heap


@njit(nogil=True, cache=True)
def _select(a, spare, low, high, middle):
    """Quickselect of distinct integers without branches: a[middle] gets its sorted place in a[low:high]."""
    one = np.uint64(1)
    while high - low > 16:
        first, second, third = a[low], a[(low + high) >> 1], a[high - 1]
        pivot = max(min(first, second), min(max(first, second), third))
        # Unsigned, since an index that may be negative costs numba twice the time.
        left, right = np.uint64(low), np.uint64(high - 1)
        for i in range(np.uint64(low), np.uint64(high)):
            here = a[i]
            spare[left] = spare[right] = here
            is_left = np.uint64(here < pivot)
            left += is_left
            right -= one - is_left
        for i in range(
            low, high
        ):  # as slices, it would compile the text of an error longer than all the rest
            a[i] = spare[i]
        if middle < np.int64(left):
            high = np.int64(left)
        else:
            low = np.int64(left)
    for i in range(low + 1, high):
        here, j = a[i], i
        while j > low and a[j - 1] > here:
            a[j] = a[j - 1]
            j -= 1
        a[j] = here


@njit(nogil=True, cache=True)
def split_points(X, packed, spare, cell, feature, value, top_level, top_place, depth):
    """Order the rows into the nodes `depth` levels below the root, by splits at medians; for one subtree.

    A value in steps of 2**-32 of its feature's range shares one integer with its row, so equal values are
    told apart and repeated rows do not slow the selection. The boxes are made of the exact values later.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
    packed, spare : ndarray of shape (n_samples,), uint64
        The rows from 0 on, whose order is left in the lower 32 bits; and room for as many.
    cell : ndarray of shape (n_nodes, 2, n_features)
        Half the least and largest values of X in the first node; the others are filled.
    feature, value : ndarray of shape (n_inner_nodes,)
        Filled.
    top_level, top_place : int
        Where the root of the subtree is; the nodes above it have to be split before.
    depth : int
        Splits from the root of the tree to the last nodes made.
    """
    n_samples, n_features = X.shape
    low_bits, half = np.uint64(2**32 - 1), np.uint64(32)
    for level in range(top_level, depth):
        width = 1 << (level - top_level)
        for place in range(top_place * width, (top_place + 1) * width):
            node = (1 << level) - 1 + place
            low, high = n_samples * place >> level, n_samples * (place + 1) >> level
            middle = n_samples * (2 * place + 1) >> (level + 1)
            widest = 0
            for j in range(1, n_features):
                if cell[node, 1, j] - cell[node, 0, j] > cell[node, 1, widest] - cell[node, 0, widest]:
                    widest = j
            least, extent = cell[0, 0, widest], max(cell[0, 1, widest] - cell[0, 0, widest], 1e-300)
            for i in range(np.uint64(low), np.uint64(high)):
                row = packed[i] & low_bits
                share = (0.5 * X[row, widest] - least) / extent
                packed[i] = (np.uint64(share * (2.0**32 - 1)) << half) | row
            _select(packed, spare, low, high, middle)
            split = least + extent * ((packed[middle] >> half) / (2.0**32 - 1))
            feature[node], value[node] = widest, 2.0 * split
            left, right = 2 * node + 1, 2 * node + 2
            for j in range(n_features):
                cell[left, 0, j] = cell[right, 0, j] = cell[node, 0, j]
                cell[left, 1, j] = cell[right, 1, j] = cell[node, 1, j]
            cell[left, 1, widest] = cell[right, 0, widest] = split


@njit(nogil=True, cache=True)
def gather_points(X, packed, points, order):
    """Write the rows of X in the order of the lower bits of `packed`, a line of `points` for each feature."""
    low_bits = np.uint64(2**32 - 1)
    for i in range(packed.shape[0]):
        row = packed[i] & low_bits
        order[i] = np.int64(row)
        for j in range(X.shape[1]):
            points[j, i] = X[row, j]


@njit(nogil=True, cache=True)
def bound_nodes(points, order, depth, box, first_row):
    """Fill in the tight box (least and largest values) of every node, and its first row."""
    n_features, n_samples = points.shape
    n_inner = (1 << depth) - 1
    for node in range(2 * n_inner, -1, -1):
        if node >= n_inner:
            place = node - n_inner
            low, high = n_samples * place >> depth, n_samples * (place + 1) >> depth
            first_row[node] = order[low]
            for i in range(low, high):
                first_row[node] = min(first_row[node], order[i])
            for j in range(n_features):
                least = largest = points[j, low]
                for i in range(low, high):
                    least, largest = min(least, points[j, i]), max(largest, points[j, i])
                box[node, 0, j], box[node, 1, j] = least, largest
        else:
            left, right = 2 * node + 1, 2 * node + 2
            first_row[node] = min(first_row[left], first_row[right])
            for j in range(n_features):
                box[node, 0, j] = min(box[left, 0, j], box[right, 0, j])
                box[node, 1, j] = max(box[left, 1, j], box[right, 1, j])


@njit(nogil=True, cache=True)
def leaf_of(queries, feature, value, depth):
    """Leaf in whose cell each query lies: queries of one leaf are neighbours in space."""
    leaf = np.empty(queries.shape[0], dtype=np.int32)
    for r in range(queries.shape[0]):
        node = 0
        for _ in range(depth):
            node = 2 * node + 1 + (queries[r, feature[node]] >= value[node])
        leaf[r] = node
    return leaf


@njit(nogil=True, cache=True)
def _add(power, total, gap):
    if power == 2.0:
        return total + gap * gap
    if power == 1.0:
        return total + gap
    if power == np.inf:
        return max(total, gap)
    return total + gap**power


@njit(nogil=True, cache=True)
def _root(power, total):
    if power == 2.0:
        return np.sqrt(total)
    if power == 1.0 or power == np.inf:
        return total
    return total ** (1.0 / power)


@njit(nogil=True, cache=True)
def _reach(power, distance):
    """Sum of powers above which no point is within `distance`."""
    if power == 1.0 or power == np.inf:
        return distance
    return _add(power, 0.0, distance) * (1.0 + 1e-12)


@njit(nogil=True, cache=True)
def _box_total(power, box, query):
    total = 0.0
    for j in range(query.shape[0]):
        below, above = box[0, j] - query[j], query[j] - box[1, j]
        total = _add(power, total, max(max(below, above), 0.0))
    return total


@njit(nogil=True, cache=True)
def _totals(power, points, low, query, totals):
    """Sums of powers of the differences to the points from `low` on."""
    totals[:] = 0.0
    for j in range(query.shape[0]):
        column, at = points[j, low : low + len(totals)], query[j]
        if power == 2.0:  # vectorizes, unlike the loop with all powers
            for i in range(len(totals)):
                gap = column[i] - at
                totals[i] += gap * gap
        else:
            for i in range(len(totals)):
                totals[i] = _add(power, totals[i], abs(column[i] - at))


@njit(nogil=True, cache=True)
def _scan_leaf(power, points, order, low, query, r, totals, distance, row):
    """Update the heap of query `r` by the points of a leaf."""
    _totals(power, points, low, query, totals)
    reach = _reach(power, distance[r, 0])
    for i in range(len(totals)):
        if totals[i] <= reach:
            d = _root(power, totals[i])
            if d < distance[r, 0] or (d == distance[r, 0] and order[low + i] < row[r, 0]):
                push_on_heap(distance, row, r, d, order[low + i])
                reach = _reach(power, distance[r, 0])


@njit(nogil=True, cache=True)
def search_tree(power, points, order, box, first_row, depth, queries, which, distance, row):
    """Fill the heaps of the k best of the queries `which`, in that order."""
    n_samples = points.shape[1]
    n_inner = (1 << depth) - 1
    # A power that is not exact may put a box above a point in it by its rounding.
    shrink = 1.0 if power in (1.0, 2.0, np.inf) else 1.0 - 1e-12
    stack = np.empty(depth + 2, dtype=np.int64)
    stack_total = np.empty(depth + 2)
    totals = np.empty((n_samples >> depth) + 1)
    for r in which:
        query = queries[r]
        stack[0], stack_total[0] = 0, 0.0
        height = 1
        reach = np.inf
        while height > 0:
            height -= 1
            node, total = stack[height], stack_total[height]
            if total > reach:
                continue
            if total >= reach * (1.0 - 1e-11):
                nearest = _root(power, total) * shrink
                if nearest > distance[r, 0] or (nearest == distance[r, 0] and first_row[node] > row[r, 0]):
                    continue
            if node >= n_inner:
                place = node - n_inner
                low, high = n_samples * place >> depth, n_samples * (place + 1) >> depth
                _scan_leaf(power, points, order, low, query, r, totals[: high - low], distance, row)
                reach = _reach(power, distance[r, 0])
                continue
            near, far = 2 * node + 1, 2 * node + 2
            near_total = _box_total(power, box[near], query)
            far_total = _box_total(power, box[far], query)
            if far_total < near_total:
                near, far, near_total, far_total = far, near, far_total, near_total
            stack[height], stack_total[height] = far, far_total
            stack[height + 1], stack_total[height + 1] = near, near_total
            height += 2
