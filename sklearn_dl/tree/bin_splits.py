"""The best threshold of one feature in one node, from sums over the feature's bins; scores as in :mod:`splits`."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sklearn_dl.tree.kernel import EQUAL, GINI, NONE, inner, x_log_x
from sklearn_dl.tree.splits import class_score, keeps_order, mean_score


@intrinsic
def _trailing_zeros(typing_context, bits):
    """Zeros below the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@inner
def fill_bins(codes, missing, entries, n_bits, target, room):
    """Count the rows of every bin, add up their weights and targets, and list the bins that are not empty.

    Returns
    -------
    n_present : int
        Bins that are not empty, which are the first ones in ``room.present``.
    n_missing : int
        Rows in the bin of missing values, which is not listed.
    """
    mask = np.uint32((1 << n_bits) - 1)
    counts, sums, seen = room.counts, room.sums, room.seen
    for entry in entries:
        row = entry >> n_bits
        code = codes[row]
        if counts[code] == 0:
            seen[code >> np.uint8(6)] |= np.uint64(1) << np.uint64(code & np.uint8(63))
        counts[code] += 1
        if target.n_classes == 0:
            sums[code, 0] += target.weight[row]
            sums[code, 1] += target.weighted_y[row]
        elif target.unweighted:
            sums[code, entry & mask] += 1.0
        else:
            sums[code, entry & mask] += target.weight[row]
    n_present = 0
    for word in range(4):
        bits = seen[word]
        while bits != 0:
            room.present[n_present] = 64 * word + np.int64(_trailing_zeros(bits))
            n_present += 1
            bits &= bits - np.uint64(1)
        seen[word] = 0
    n_missing = counts[missing] if missing < len(counts) else 0
    return n_present - (n_missing > 0), n_missing


@inner
def clear_bins(present, missing, n_missing, room):
    """Set the sums to 0 again."""
    for code in present:
        room.counts[code] = 0
        for k in range(room.sums.shape[1]):
            room.sums[code, k] = 0.0
    if n_missing > 0:
        room.counts[missing] = 0
        for k in range(room.sums.shape[1]):
            room.sums[missing, k] = 0.0


@inner
def bin_split(node, j, present, n_missing, missing_left, bins, target, limits, room):
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
    n_cuts = len(present) if n_missing > 0 and not missing_left else len(present) - 1
    for i in range(n_cuts):
        code = present[i]
        for k in range(len(left)):
            left[k] += sums[code, k]
        n_left += counts[code]
        n_known_left += counts[code]
        following = present[i + 1] if i + 1 < len(present) else NONE
        if following != NONE and bins.low[j, following] <= bins.high[j, code] + EQUAL:
            continue
        if n_left < limits.min_samples_leaf or n - n_left < limits.min_samples_leaf:
            continue
        score = _score(node, limits.signs[j], target, limits, left, room.total)
        if score > best:
            best, best_n_left, cut, after = score, n_known_left, code, following
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
