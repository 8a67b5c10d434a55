"""The best threshold of one feature in one node, from sums over the feature's bins; scores as in :mod:`splits`."""

import numpy as np

from sklearn_dl.tree.kernel import EQUAL, GINI, NONE, inner, x_log_x
from sklearn_dl.tree.splits import class_score, keeps_order, mean_score


@inner
def fill_bins(codes, n_bins, entries, n_bits, target, room):
    """Count the rows of every bin and add up their weights and targets.

    Returns
    -------
    first, last : int
        First and last bin of known values; the first is above the last where there are none.
    n_missing : int
        Rows in the bin of missing values.
    """
    mask = np.uint32((1 << n_bits) - 1)
    counts, sums = room.counts, room.sums
    first, last = n_bins, NONE
    for entry in entries:
        row = entry >> n_bits
        code = np.int64(codes[row])
        first, last = min(first, code), max(last, code)
        counts[code] += 1
        if target.n_classes == 0:
            sums[code, 0] += target.weight[row]
            sums[code, 1] += target.weighted_y[row]
        elif target.unweighted:
            sums[code, entry & mask] += 1.0
        else:
            sums[code, entry & mask] += target.weight[row]
    if last == n_bins:
        last -= 1
        while last >= first and counts[last] == 0:
            last -= 1
    return first, last, counts[n_bins]


@inner
def clear_bins(first, last, n_bins, room):
    """Set the sums to 0 again."""
    for code in range(first, last + 1):
        if room.counts[code] > 0:
            room.counts[code] = 0
            room.sums[code] = 0.0
    room.counts[n_bins] = 0
    room.sums[n_bins] = 0.0


@inner
def bin_split(node, j, first, last, n_missing, missing_left, bins, target, limits, room):
    """Best split between bins, with the missing values on one side.

    Returns
    -------
    score : float
        Of the best split; -inf where there is none.
    n_left : int
        Known rows left of it.
    cut, after : int
        Last bin on the left and first on the right, NONE where only missing values are there.
    """
    counts, sums, left = room.counts, room.sums, room.left
    n = node.stop - node.start
    n_known_left, n_left = 0, n_missing if missing_left else 0
    for k in range(len(left)):
        left[k] = sums[bins.n_bins[j], k] if missing_left else 0.0
    best, best_n_left, cut, after = -np.inf, 0, NONE, NONE
    previous = NONE
    stop = last + 2 if n_missing > 0 and not missing_left else last + 1
    for code in range(first, stop):
        if code <= last and counts[code] == 0:
            continue
        if previous != NONE and n_left >= limits.min_samples_leaf and n - n_left >= limits.min_samples_leaf:
            if code > last or bins.low[j, code] > bins.high[j, previous] + EQUAL:
                score = _score(node, limits.signs[j], target, limits, left, room.total)
                if score > best:
                    best, best_n_left, cut = score, n_known_left, previous
                    after = code if code <= last else NONE
        if code <= last:
            for k in range(len(left)):
                left[k] += sums[code, k]
            n_left += counts[code]
            n_known_left += counts[code]
            previous = code
    return best, best_n_left, cut, after


@inner
def _score(node, sign, target, limits, left, total):
    """Score of a split by the sums on its left; -inf where it is not allowed."""
    if target.n_classes == 0:
        weight_left, sum_left = left[0], left[1]
        weight_right, sum_right = node.weight - weight_left, total[0] - sum_left
        value_left, value_right = sum_left / weight_left, sum_right / weight_right
        score = mean_score(target.criterion, sum_left, sum_right, weight_left, weight_right)
    else:
        weight_left = at_left = at_right = 0.0
        for k in range(len(total)):
            right = total[k] - left[k]
            weight_left += left[k]
            if target.criterion == GINI:
                at_left += left[k] * left[k]
                at_right += right * right
            elif target.unweighted:
                at_left += target.logs[int(left[k])]
                at_right += target.logs[int(right)]
            else:
                at_left += x_log_x(left[k])
                at_right += x_log_x(right)
        weight_right = node.weight - weight_left
        value_left, value_right = left[0] / weight_left, (total[0] - left[0]) / weight_right
        score = class_score(target.criterion, at_left, at_right, weight_left, weight_right)
    if weight_left < limits.min_weight_leaf or weight_right < limits.min_weight_leaf:
        return -np.inf
    if sign != 0 and not keeps_order(sign, node.lower, node.upper, value_left, value_right):
        return -np.inf
    return score
