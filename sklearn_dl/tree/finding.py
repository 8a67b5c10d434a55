"""The best split of a node: over features in random order, the best threshold of each."""

import numpy as np

from sklearn_dl.tree.bin_splits import bin_split, clear_bins, fill_bins, fill_listed_bins
from sklearn_dl.tree.kernel import (
    APART,
    ENTROPY,
    EQUAL,
    GINI,
    NONE,
    POISSON,
    between,
    inner,
    uniform,
    value_of,
    x_log_x,
)
from sklearn_dl.tree.splits import class_split, mean_split, unweighted_class_split


@inner
def find_split(node, rows, bins, listed, target, limits, room):
    """Fill in a node's best split; False where there is none, or it improves too little.

    Features that vary go to the next level of ``room.active``. As in scikit-learn, at least one of them is
    looked at, and drawing one that was found constant further up counts as looking at it.
    """
    level = min(node.depth, len(room.active) - 1)
    features = room.features
    for i in range(node.n_active):
        features[i] = room.active[level, i]
    n_constant = len(limits.signs) - node.n_active
    first, last = 0, node.n_active  # those before were looked at, those behind were found constant
    node.feature, best = NONE, -np.inf
    n_drawn = 0
    while first < last and (n_drawn < limits.max_features or first == 0):
        n_drawn += 1
        drawn = first + int(uniform(room.random) * (last - first + n_constant))
        if drawn >= last:
            n_constant -= 1
            continue
        j = features[drawn]
        if bins is None:
            varies, best = _split_sorted(node, j, best, rows, target, limits, room)
        else:
            varies, best = _split_binned(node, j, best, rows, bins, listed, target, limits, room)
        if varies:
            features[drawn], features[first] = features[first], j
            first += 1
        else:
            last -= 1
            features[drawn], features[last] = features[last], j
    if level + 1 < len(room.active):
        for i in range(last):
            room.active[level + 1, i] = features[i]
        node.n_active = last
    if node.feature == NONE:
        return False
    if bins is None:
        node.threshold = _threshold(node, rows)
    node.improvement = best - _score_of_node(target, node.weight, room.total)
    if target.criterion == ENTROPY:
        node.improvement /= np.log(2.0)
    return node.improvement >= limits.min_impurity_decrease


@inner
def _split_sorted(node, j, best, rows, target, limits, room):
    """Whether feature `j` varies, and the better of its score and `best`; the node keeps the better split."""
    entries = rows.entries[j, node.start : node.stop]
    n_known = _count_known(rows, j, entries) if rows.has_missing[j] else len(entries)
    n_missing = len(entries) - n_known
    if n_known == 0 or (n_missing == 0 and not _vary(rows, j, entries)):
        return False, best
    for missing_left in range(2 if n_missing > 0 else 1):
        score, n_left = _scan(node, rows, j, entries, target, limits, n_missing, missing_left > 0, room)
        if score > best:
            best = score
            node.feature, node.n_left, node.n_missing = j, n_left, n_missing
            node.missing_left = missing_left if n_missing > 0 else 2 * n_left > len(entries)
    return True, best


@inner
def _vary(rows, j, entries):
    """Whether sorted values, none of them missing, are further apart than EQUAL."""
    for entry in entries[1:]:
        if entry >= APART:
            return True
    return value_of(rows, entries[-1], j) > value_of(rows, entries[0], j) + EQUAL


@inner
def _count_known(rows, j, entries):
    """Number of sorted values before the missing ones."""
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if np.isnan(value_of(rows, entries[middle], j)):
            high = middle
        else:
            low = middle + 1
    return low


@inner
def _threshold(node, rows):
    """Middle between the values on either side of a split of sorted rows."""
    entries = rows.entries[node.feature, node.start : node.stop]
    if node.n_left == len(entries) - node.n_missing:
        return np.inf
    low, high = entries[node.n_left - 1], entries[node.n_left]
    return between(value_of(rows, low, node.feature), value_of(rows, high, node.feature))


@inner
def _scan(node, rows, j, entries, target, limits, n_missing, missing_left, room):
    sign = limits.signs[j]
    if target.n_classes == 0:
        return mean_split(
            rows, j, entries, target.weight, target.weighted_y, target.criterion, node.weight, room.total[0],
            n_missing, missing_left, limits.min_samples_leaf, limits.min_weight_leaf, sign,
            node.lower, node.upper,
        )  # fmt: skip
    if target.unweighted and n_missing == 0 and sign == 0:
        return unweighted_class_split(
            rows, j, entries, target.criterion, target.logs, room.total, room.left, room.right,
            limits.min_samples_leaf,
        )  # fmt: skip
    return class_split(
        rows, j, entries, target.weight, target.criterion, room.total, room.left, room.right,
        n_missing, missing_left, limits.min_samples_leaf, limits.min_weight_leaf, sign,
        node.lower, node.upper,
    )  # fmt: skip


@inner
def _split_binned(node, j, best, rows, bins, listed, target, limits, room):
    """As :func:`_split_sorted`, from the bins of the feature."""
    entries = rows.entries[0, node.start : node.stop]
    if listed is None:
        n_present, n_missing = fill_bins(bins.codes[j], bins.n_bins[j], entries, rows.n_bits, target, room)
    else:
        n_present, n_missing = fill_listed_bins(node, j, listed, room), 0
    present = room.present[:n_present]
    varies = n_present > 0 and (n_missing > 0 or bins.high[j, present[-1]] > bins.low[j, present[0]] + EQUAL)
    for missing_left in range(0 if not varies else 2 if n_missing > 0 else 1):
        score, n_left, cut, after = bin_split(
            node, j, present, n_missing, missing_left > 0, bins, target, limits, room
        )
        if score > best:
            best = score
            node.feature, node.n_left, node.n_missing, node.cut = j, n_left, n_missing, cut
            node.threshold = between(bins.high[j, cut], bins.low[j, after]) if after != NONE else np.inf
            node.missing_left = missing_left if n_missing > 0 else 2 * n_left > len(entries)
    clear_bins(present, bins.n_bins[j], n_missing, room)
    return varies, best


@inner
def _score_of_node(target, weight, total):
    """What a split that leaves all on one side would score."""
    if target.n_classes == 0:
        if target.criterion == POISSON:
            return x_log_x(total[0]) - total[0] * np.log(weight)
        return total[0] * total[0] / weight
    score = 0.0
    for k in range(len(total)):
        score += total[k] * total[k] if target.criterion == GINI else x_log_x(total[k])
    return score / weight if target.criterion == GINI else score - x_log_x(weight)
