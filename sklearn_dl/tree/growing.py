"""A tree grown from rows that are sorted by every feature.

A node is a range of places that is the same for all features. A split marks the rows that go left and moves
them, in each feature, before those that go right; both keep their order, so nothing is ever sorted again.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

from sklearn_dl.tree.splits import ENTROPY, GINI, POISSON, class_split, mean_split, unweighted_class_split, x_log_x

LEAF = -1
_ZERO_IMPURITY = np.finfo(np.float64).eps
_EQUAL = np.float32(1e-7)


class Rows(NamedTuple):
    """Rows in the order of each feature."""

    values: np.ndarray  #: (n_features, n_samples), float32, missing values last
    entries: np.ndarray  #: (n_features, n_samples), uint32: the row, above `n_bits` bits for its class
    n_bits: int
    has_missing: np.ndarray  #: (n_features,), bool


class Target(NamedTuple):
    """What the tree predicts."""

    criterion: int
    n_classes: int  #: 0 for real targets
    weight: np.ndarray  #: (n_samples,)
    unweighted: bool  #: whether all weights are 1
    y: np.ndarray  #: real targets of shape (n_samples,), or (0,)
    weighted_y: np.ndarray  #: their products with the weights
    logs: np.ndarray  #: x log x of every count up to n_samples, for entropies without weights


class Limits(NamedTuple):
    """When to stop, and what to look at."""

    max_depth: int
    min_samples_split: int
    min_samples_leaf: int
    min_weight_leaf: float
    max_leaf_nodes: int  #: 0 for any number, grown depth first
    min_impurity_decrease: float
    max_features: int
    random_thresholds: bool
    signs: np.ndarray  #: (n_features,): 1 where predictions must rise, -1 where they must fall, else 0


class Nodes(NamedTuple):
    """Columns of the tree's table, an entry a node."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    impurity: np.ndarray
    n_samples: np.ndarray
    weight: np.ndarray
    value: np.ndarray  #: (n_nodes, n_classes or 1)


class Split(NamedTuple):
    """How a node divides."""

    feature: int  #: LEAF where it does not
    n_left: int  #: known rows of smaller value
    missing_left: bool
    threshold: float
    improvement: float


_NO_SPLIT = Split(LEAF, 0, False, 0.0, 0.0)


class Room(NamedTuple):
    """Memory that every node uses again."""

    total: np.ndarray
    left: np.ndarray
    right: np.ndarray
    goes_left: np.ndarray  #: (n_samples,), uint8
    values: np.ndarray
    entries: np.ndarray
    random: np.ndarray  #: state of the random numbers, (1,) uint64


@njit(nogil=True, cache=True)
def grow(rows, target, limits, total_weight, seed, capacity):
    """Grow a tree; depth first, or best first where the number of leaves is limited.

    Parameters
    ----------
    rows : Rows
        Overwritten.
    target : Target
        Classes or real values.
    limits : Limits
        When to stop.
    total_weight : float
        Sum of the weights.
    seed : int
        Above 0; decides between equal splits, and everything that is random.
    capacity : int
        Nodes at most.

    Returns
    -------
    nodes : Nodes
        In the order of their creation, which is scikit-learn's; leaves have feature and threshold -2.
    depth : int
        Of the deepest leaf.
    """
    p, n = rows.values.shape
    nodes = _empty_nodes(capacity, max(1, target.n_classes))
    room = _room(n, max(1, target.n_classes), seed)
    active = np.empty((16, p), np.int64)
    active[0] = np.arange(p)
    best_first = limits.max_leaf_nodes > 0
    # A place: start, stop, depth, parent, is left, a feature in order, active features, bounds on the value.
    to_create = [(0, n, 0, LEAF, False, 0, p, -np.inf, np.inf)]
    queue = [(0.0, 0) for _ in range(0)]  # minus the improvement, and the index in `waiting`
    waiting = [(0, to_create[0], _NO_SPLIT) for _ in range(0)]
    n_nodes, depth_reached, n_leaves = 0, 0, 1
    while len(to_create) > 0 or (len(queue) > 0 and n_leaves < limits.max_leaf_nodes):
        if len(to_create) > 0:
            place = to_create.pop()
            start, stop, depth, parent, is_left, ordered, n_active, lower, upper = place
            me = n_nodes
            n_nodes += 1
            depth_reached = max(depth_reached, depth)
            if parent != LEAF:
                (nodes.left if is_left else nodes.right)[parent] = me
            _describe(nodes, me, rows, target, ordered, start, stop, room, lower, upper)
            if _must_stop(nodes, me, depth, limits):
                continue
            if depth + 2 > len(active) and not best_first:
                active = np.concatenate((active, np.empty_like(active)))
            split, n_active = _find_split(
                nodes.weight[me], rows, target, limits, total_weight, place, active, room
            )
            if split.feature == LEAF:
                continue
            place = (start, stop, depth, parent, is_left, ordered, n_active, lower, upper)
            if best_first:
                heapq.heappush(queue, (-split.improvement, len(waiting)))
                waiting.append((me, place, split))
                continue
        else:
            me, place, split = waiting[heapq.heappop(queue)[1]]
            n_leaves += 1
        _expand(nodes, me, place, split, rows, target, limits, active, room, to_create)
    return _first(nodes, n_nodes), depth_reached


@njit(nogil=True, cache=True)
def _empty_nodes(capacity, width):
    return Nodes(
        np.full(capacity, LEAF, np.int64),
        np.full(capacity, LEAF, np.int64),
        np.full(capacity, -2, np.int64),
        np.full(capacity, -2.0),
        np.zeros(capacity, np.uint8),
        np.empty(capacity),
        np.empty(capacity, np.int64),
        np.empty(capacity),
        np.empty((capacity, width)),
    )


@njit(nogil=True, cache=True)
def _first(nodes, n):
    return Nodes(
        nodes.left[:n], nodes.right[:n], nodes.feature[:n], nodes.threshold[:n], nodes.missing_left[:n],
        nodes.impurity[:n], nodes.n_samples[:n], nodes.weight[:n], nodes.value[:n],
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _room(n, width, seed):
    return Room(
        np.empty(width), np.empty(width), np.empty(width), np.zeros(n, np.uint8),
        np.empty(n, np.float32), np.empty(n, np.uint32), np.full(1, seed, np.uint64),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _describe(nodes, me, rows, target, ordered, start, stop, room, lower, upper):
    """Fill in a node's counts, value and impurity, and ``room.total``."""
    entries = rows.entries[ordered, start:stop]
    nodes.n_samples[me] = stop - start
    if target.n_classes > 0:
        _describe_classes(nodes, me, target, entries, rows.n_bits, room.total)
    else:
        _describe_mean(nodes, me, target, entries, room.total)
    value = nodes.value[me]
    value[0] = min(max(value[0], lower), upper)
    if target.n_classes == 2 and (lower > -np.inf or upper < np.inf):
        value[1] = 1 - value[0]


@njit(nogil=True, cache=True)
def _describe_classes(nodes, me, target, entries, n_bits, total):
    mask = np.uint32((1 << n_bits) - 1)
    total[:] = 0.0
    if target.unweighted:
        for entry in entries:
            total[entry & mask] += 1.0
    else:
        for entry in entries:
            total[entry & mask] += target.weight[entry >> n_bits]
    weight = total.sum()
    impurity = 1.0 if target.criterion == GINI else 0.0
    for k in range(len(total)):
        share = total[k] / weight
        nodes.value[me, k] = share
        impurity -= share * share if target.criterion == GINI else x_log_x(share) / np.log(2.0)
    nodes.weight[me] = weight
    nodes.impurity[me] = max(impurity, 0.0)


@njit(nogil=True, cache=True)
def _describe_mean(nodes, me, target, entries, total):
    weight = total_y = 0.0
    for entry in entries:
        weight += target.weight[entry]
        total_y += target.weighted_y[entry]
    mean = total_y / weight
    impurity = 0.0
    for entry in entries:
        w = target.weight[entry]
        if target.criterion == POISSON:
            impurity += w * x_log_x(target.y[entry])
        else:
            impurity += w * (target.y[entry] - mean) ** 2
    impurity /= weight
    if target.criterion == POISSON:
        impurity -= x_log_x(mean)
    total[0] = total_y
    nodes.weight[me] = weight
    nodes.value[me, 0] = mean
    nodes.impurity[me] = max(impurity, 0.0)


@njit(nogil=True, cache=True)
def _must_stop(nodes, me, depth, limits):
    n = nodes.n_samples[me]
    return (
        depth >= limits.max_depth
        or n < limits.min_samples_split
        or n < 2 * limits.min_samples_leaf
        or nodes.weight[me] < 2 * limits.min_weight_leaf
        or nodes.impurity[me] <= _ZERO_IMPURITY
    )


@njit(nogil=True, cache=True)
def _find_split(node_weight, rows, target, limits, total_weight, place, active, room):
    """Best split over features in random order. Those that vary go to the next level of `active`."""
    start, stop, depth, _, _, _, n_active, lower, upper = place
    best_first = limits.max_leaf_nodes > 0
    features = active[0 if best_first else depth, :n_active].copy()
    n_constant = rows.values.shape[0] - n_active  # found further up; drawing one counts as looking at it
    first, last = 0, n_active  # those before were looked at, those behind were found constant
    best, best_score = _NO_SPLIT, -np.inf
    n_drawn = 0
    while first < last and (n_drawn < limits.max_features or first == 0):
        n_drawn += 1
        drawn = first + int(_uniform(room.random) * (last - first + n_constant))
        if drawn >= last:
            n_constant -= 1
            continue
        j = features[drawn]
        n_missing = _count_missing(rows, j, start, stop)
        if _is_constant(rows.values[j, start:stop], n_missing):
            last -= 1
            features[drawn], features[last] = features[last], j
            continue
        features[drawn], features[first] = features[first], j
        first += 1
        score, n_left, missing_left, threshold = _split_feature(
            node_weight, rows, target, limits, j, start, stop, n_missing, room, lower, upper
        )
        if score > best_score:
            best, best_score = Split(j, n_left, missing_left, threshold, 0.0), score
    if not best_first:
        active[depth + 1, :last] = features[:last]
        n_active = last
    if best.feature == LEAF:
        return best, n_active
    improvement = (best_score - _score_of_node(target, node_weight, room.total)) / total_weight
    if target.criterion == ENTROPY:
        improvement /= np.log(2.0)
    if improvement + _ZERO_IMPURITY < limits.min_impurity_decrease:
        return _NO_SPLIT, n_active
    return Split(best.feature, best.n_left, best.missing_left, best.threshold, improvement), n_active


@njit(nogil=True, cache=True)
def _uniform(state):
    """Random number from 0 to below 1 (Marsaglia, 2003, Xorshift RNGs)."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return float(x >> np.uint64(11)) / 9007199254740992.0


@njit(nogil=True, cache=True)
def _count_missing(rows, j, start, stop):
    if not rows.has_missing[j]:
        return 0
    low, high = start, stop
    while low < high:
        middle = (low + high) // 2
        if np.isnan(rows.values[j, middle]):
            high = middle
        else:
            low = middle + 1
    return stop - low


@njit(nogil=True, cache=True)
def _is_constant(values, n_missing):
    n_known = len(values) - n_missing
    return n_known == 0 or (n_missing == 0 and values[n_known - 1] <= values[0] + _EQUAL)


@njit(nogil=True, cache=True)
def _split_feature(node_weight, rows, target, limits, j, start, stop, n_missing, room, lower, upper):
    """Score, known rows on the left, whether missing values go there, and threshold of the best split."""
    values, entries = rows.values[j, start:stop], rows.entries[j, start:stop]
    n_known = stop - start - n_missing
    only, missing_left, threshold = 0, False, 0.0
    if limits.random_thresholds:
        low, high = float(values[0]), float(values[n_known - 1])
        threshold = low + _uniform(room.random) * (high - low)
        threshold = low if threshold >= high else threshold
        only = np.searchsorted(values[:n_known], threshold, side="right")
        missing_left = n_missing > 0 and only < n_known and _uniform(room.random) < 0.5
    score, n_left = _scan(
        node_weight, values, entries, rows.n_bits, target, limits, limits.signs[j], n_missing, missing_left,
        only, room, lower, upper,
    )  # fmt: skip
    if n_missing > 0 and not limits.random_thresholds:
        other, other_n_left = _scan(
            node_weight, values, entries, rows.n_bits, target, limits, limits.signs[j], n_missing, True,
            only, room, lower, upper,
        )  # fmt: skip
        if other > score:
            score, n_left, missing_left = other, other_n_left, True
    if n_left == n_known:
        threshold = np.inf
    elif not limits.random_thresholds and n_left > 0:
        threshold = between(values[n_left - 1], values[n_left])
    return score, n_left, missing_left, threshold


@njit(nogil=True, cache=True)
def between(low, high):
    """Middle of two values, which is `low` where rounding would make it `high`."""
    middle = float(low) / 2 + float(high) / 2
    return float(low) if middle == float(high) or np.isinf(middle) else middle


@njit(nogil=True, cache=True)
def _scan(
    node_weight, values, entries, n_bits, target, limits, sign, n_missing, missing_left, only, room, lower, upper
):
    bounded = sign != 0 or lower > -np.inf or upper < np.inf
    if target.n_classes == 0:
        return mean_split(
            values, entries, target.weight, target.weighted_y, target.criterion, node_weight, room.total[0],
            n_missing, missing_left, only, limits.min_samples_leaf, limits.min_weight_leaf, sign, lower, upper,
        )  # fmt: skip
    if target.unweighted and n_missing == 0 and only == 0 and not bounded:
        return unweighted_class_split(
            values, entries, n_bits, target.criterion, target.logs, room.total, room.left, room.right,
            limits.min_samples_leaf,
        )  # fmt: skip
    return class_split(
        values, entries, n_bits, target.weight, target.criterion, room.total, room.left, room.right,
        n_missing, missing_left, only, limits.min_samples_leaf, limits.min_weight_leaf, sign, lower, upper,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _score_of_node(target, weight, total):
    """What a split that leaves all on one side would score."""
    if target.n_classes == 0:
        return x_log_x(total[0]) - total[0] * np.log(weight) if target.criterion == POISSON else total[0] ** 2 / weight
    if target.criterion == GINI:
        return (total**2).sum() / weight
    score = -x_log_x(weight)
    for count in total:
        score += x_log_x(count)
    return score


@njit(nogil=True, cache=True)
def _expand(nodes, me, place, split, rows, target, limits, active, room, to_create):
    """Give a node its split, move the rows, and put its children on the list, the left one last."""
    start, stop, depth, _, _, _, n_active, lower, upper = place
    j = split.feature
    n_missing = _count_missing(rows, j, start, stop)
    n_left = split.n_left + (n_missing if split.missing_left else 0)
    middle = start + n_left
    nodes.feature[me] = j
    nodes.threshold[me] = split.threshold
    nodes.missing_left[me] = split.missing_left if n_missing > 0 else n_left > stop - middle
    _mark(rows, j, start, stop, split, n_missing, room.goes_left)
    in_order = n_missing == 0 or not split.missing_left
    largest = max(n_left, stop - middle)
    if depth + 1 < limits.max_depth and largest >= limits.min_samples_split:
        features = active[0] if limits.max_leaf_nodes > 0 else active[depth + 1]
        for f in features[:n_active]:
            if f != j:
                _partition(rows, f, start, stop, room)
    if not in_order:
        _partition(rows, j, start, stop, room)
    left_upper, right_upper, left_lower, right_lower = upper, upper, lower, lower
    if limits.signs[j] != 0:
        between_values = _middle_value(rows, j, start, middle, stop, target)
        if limits.signs[j] > 0:
            left_upper = right_lower = between_values
        else:
            left_lower = right_upper = between_values
    to_create.append((middle, stop, depth + 1, me, False, j, n_active, right_lower, right_upper))
    to_create.append((start, middle, depth + 1, me, True, j, n_active, left_lower, left_upper))


@njit(nogil=True, cache=True)
def _mark(rows, j, start, stop, split, n_missing, goes_left):
    entries, bits = rows.entries[j], rows.n_bits
    for i in range(start, stop):
        known = i < stop - n_missing
        goes_left[entries[i] >> bits] = i - start < split.n_left if known else split.missing_left


@njit(nogil=True, cache=True)
def _partition(rows, j, start, stop, room):
    """Move the marked rows before the others, both in their order."""
    values, entries, bits = rows.values[j], rows.entries[j], rows.n_bits
    left, right = start, 0
    for i in range(start, stop):
        entry, value = entries[i], values[i]
        goes_left = np.int64(room.goes_left[entry >> bits])
        # Both are written, and the one that is not wanted is overwritten: no branch to mispredict.
        entries[left], values[left] = entry, value
        room.entries[right], room.values[right] = entry, value
        left += goes_left
        right += 1 - goes_left
    entries[left:stop] = room.entries[:right]
    values[left:stop] = room.values[:right]


@njit(nogil=True, cache=True)
def _middle_value(rows, j, start, middle, stop, target):
    """Middle of the values of two children: of the shares of the first class, or of the means."""
    means = np.empty(2)
    for side in range(2):
        weight = value = 0.0
        for entry in rows.entries[j, start:middle] if side == 0 else rows.entries[j, middle:stop]:
            w = target.weight[entry >> rows.n_bits]
            weight += w
            if target.n_classes == 0:
                value += target.weighted_y[entry]
            elif entry & np.uint32((1 << rows.n_bits) - 1) == 0:
                value += w
        means[side] = value / weight
    return means.mean()
