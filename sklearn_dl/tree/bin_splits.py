"""The best threshold of one feature in one node, from sums over the bins of the feature.

Scores are those of :mod:`sklearn_dl.tree.splits`.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from sklearn_dl.tree.kernel import EQUAL, GINI, NONE, inner, inner_reordered, x_log_x
from sklearn_dl.tree.splits import class_score, keeps_order, mean_score


@intrinsic
def _trailing_zeros(typing_context, bits):
    """Zeros below the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


trailing_zeros: Any = _trailing_zeros  # as kernels call it, without the context


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
    if target.n_classes > 0 and target.unweighted:
        for entry in entries:
            code = codes[entry >> n_bits]
            seen[code] = 1
            sums[code, entry & mask] += 1.0
    else:
        for entry in entries:
            row = entry >> n_bits
            code = codes[row]
            seen[code] = 1
            counts[code] += 1
            if target.n_classes == 0:
                sums[code, 0] += target.weight[row]
                sums[code, 1] += target.weighted_y[row]
            else:
                sums[code, entry & mask] += target.weight[row]
    n_present = _list_seen(seen, room.present)
    if n_present > 0 and room.present[n_present - 1] == missing:
        return n_present - 1, _n_rows(missing, target, room)
    return n_present, 0


@inner
def fill_listed_bins(node, j, listed, room):
    """As :func:`fill_bins`, by subtraction for the bin that is not listed.

    Returns
    -------
    n_present : int
        Bins that are not empty; 0 too where no row of the node is listed.
    """
    first, last = listed_part(node, j, listed)
    if first == last:
        return 0
    sums, seen = room.sums, room.seen
    for i in range(first, last):
        code = listed.codes[i]
        seen[code] = 1
        sums[code, listed.classes[listed.rows[i]]] += 1.0
    usual = listed.usual[j]
    if last - first == node.stop - node.start:
        return _list_seen(seen, room.present)
    seen[usual] = 1
    n_present = _list_seen(seen, room.present)
    rest = sums[usual]
    for k in range(len(room.total)):
        rest[k] = room.total[k]
    for code in room.present[:n_present]:
        if code != usual:
            for k in range(len(room.total)):
                rest[k] -= sums[code, k]
    return n_present


@inner
def listed_part(node, j, listed):
    """Where a node's part of the list of a feature starts and stops."""
    start, stop = listed.starts[j], listed.starts[j + 1]
    first = _bisect(listed, start, stop, node.start)
    return first, _bisect(listed, first, min(stop, first + node.stop - node.start), node.stop)


@inner
def _bisect(listed, low, high, place):
    """First of the listed rows from `low` to before `high` that has no lower place; `high` if none has."""
    while low < high:
        middle = (low + high) >> 1
        if listed.places[listed.rows[middle]] < place:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _n_rows(code, target, room):
    """Rows of a bin, which are only counted where they are not the sum of its weights."""
    if target.n_classes == 0 or not target.unweighted:
        return room.counts[code]
    n = 0.0
    for k in range(target.n_classes):
        n += room.sums[code, k]
    return int(n)


@inner
def _list_seen(seen, present):
    """List the bytes that are set, unset them, and return their number."""
    words = seen.view(np.uint64)
    n_present = 0
    for i in range(len(words)):
        bits = words[i]
        while bits != 0:
            present[n_present] = 8 * i + int(trailing_zeros(bits)) // 8
            n_present += 1
            bits &= bits - np.uint64(1)
        words[i] = 0
    return n_present


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
    left, total = room.left, room.total
    sign, min_leaf, min_weight = limits.signs[j], limits.min_samples_leaf, limits.min_weight_leaf
    counted = target.n_classes == 0 or not target.unweighted
    n = node.stop - node.start
    n_missing_left = n_missing if missing_left else 0
    n_left = n_missing_left
    for k in range(len(left)):
        left[k] = room.sums[bins.n_bins[j], k] if missing_left else 0.0
    best, best_n_left, cut, after = -np.inf, 0, NONE, NONE
    n_cuts = len(present) if n_missing > 0 and not missing_left else len(present) - 1
    for i in range(n_cuts):
        code = present[i]
        moved = room.sums[code]
        if target.n_classes == 0:
            left[0] += moved[0]
            left[1] += moved[1]
            weight, at_left, at_right = left[0], left[1], total[0] - left[1]
        elif target.criterion == GINI:
            weight, at_left, at_right = _move_squares(moved, left, total)
        else:
            weight, at_left, at_right = _move_logs(moved, left, total, target.logs)
        n_left = n_left + room.counts[code] if counted else int(weight)
        following = present[i + 1] if i + 1 < len(present) else NONE
        if following != NONE and bins.low[j, following] <= bins.high[j, code] + EQUAL:
            continue
        if n_left < min_leaf or n - n_left < min_leaf:
            continue
        weight_right = node.weight - weight
        if weight < min_weight or weight_right < min_weight:
            continue
        if sign != 0:
            first_left = left[1] if target.n_classes == 0 else left[0]
            first_right = total[0] - first_left
            if not keeps_order(sign, node.lower, node.upper, first_left / weight, first_right / weight_right):
                continue
        if target.n_classes == 0:
            score = mean_score(target.criterion, at_left, at_right, weight, weight_right)
        else:
            score = class_score(target.criterion, at_left, at_right, weight, weight_right)
        if score > best:
            best, best_n_left, cut, after = score, n_left - n_missing_left, code, following
    return best, best_n_left, cut, after


@inner_reordered
def _move_squares(moved, left, total):
    """Move a bin's weights to the left; the weight there, and the sums of squared weights of both sides."""
    weight = at_left = at_right = 0.0
    for k in range(len(total)):
        here = left[k] + moved[k]
        left[k] = here
        weight += here
        at_left += here * here
        at_right += (total[k] - here) * (total[k] - here)
    return weight, at_left, at_right


@inner
def _move_logs(moved, left, total, logs):
    """As :func:`_move_squares`, with ``x log x`` of the weights; `logs` has them where they are counts."""
    weight = at_left = at_right = 0.0
    for k in range(len(total)):
        left[k] += moved[k]
        weight += left[k]
        if len(logs) > 0:
            at_left += logs[int(left[k])]
            at_right += logs[int(total[k] - left[k])]
        else:
            at_left += x_log_x(left[k])
            at_right += x_log_x(total[k] - left[k])
    return weight, at_left, at_right
