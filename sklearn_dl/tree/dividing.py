"""Dividing the rows of a node between its children."""

import numpy as np

from sklearn_dl.tree.bin_splits import listed_part
from sklearn_dl.tree.kernel import BARE, FLAGS, inner, row_of


@inner
def divide(node, left, right, rows, bins, listed, target, limits, room):
    """Move the rows of a node, and fill in its children."""
    n_missing_left = node.n_missing if node.missing_left else 0
    middle = node.start + node.n_left + n_missing_left
    if bins is None:
        order = node.feature
        _mark(node, rows, room.goes_left)
        if n_missing_left > 0:
            _partition(rows, order, node.start, node.stop, room)
        largest = max(middle - node.start, node.stop - middle)
        if node.depth + 1 < limits.max_depth and largest >= limits.min_samples_split:
            for f in room.active[min(node.depth + 1, len(room.active) - 1), : node.n_active]:
                if f != order:
                    _partition(rows, f, node.start, node.stop, room)
    elif listed is not None:
        order = 0
        _mark_listed(node, rows, listed, room.goes_left)
        largest = max(middle - node.start, node.stop - middle)
        if node.depth + 1 < limits.max_depth and largest >= limits.min_samples_split:
            for f in room.active[min(node.depth + 1, len(room.active) - 1), : node.n_active]:
                _partition_listed(node, f, listed, room)
        _partition_entries(node, rows, room)
        for i in range(node.start, node.stop):
            listed.places[rows.entries[0, i] >> rows.n_bits] = i
    else:
        order = 0
        _partition_bins(node, bins.codes[node.feature], bins.n_bins[node.feature], rows, room)
    left.start, left.stop, right.start, right.stop = node.start, middle, middle, node.stop
    left.order = right.order = order
    left.depth = right.depth = node.depth + 1
    left.parent = right.parent = node.number
    left.is_right, right.is_right = 0, 1
    left.n_active = right.n_active = node.n_active
    left.lower = right.lower = node.lower
    left.upper = right.upper = node.upper
    sign = limits.signs[node.feature]
    if sign != 0:
        between_values = _middle_value(rows.entries[order], rows.n_bits, left, right, target)
        if sign > 0:
            left.upper = right.lower = between_values
        else:
            left.lower = right.upper = between_values


@inner
def _mark(node, rows, goes_left):
    entries, n_bits = rows.entries[node.feature], rows.n_bits
    known = node.stop - node.n_missing
    for i in range(node.start, node.start + node.n_left):
        goes_left[row_of(entries[i], n_bits)] = 1
    for i in range(node.start + node.n_left, known):
        goes_left[row_of(entries[i], n_bits)] = 0
    for i in range(known, node.stop):
        goes_left[row_of(entries[i], n_bits)] = node.missing_left


@inner
def _partition(rows, j, start, stop, room):
    """Move the marked rows before the others, both in their order."""
    entries, n_bits = rows.entries[j], rows.n_bits
    left, right = start, 0
    # A value is greater than the one before on its side if any that went between them was.
    left_flags = right_flags = np.uint32(0)
    for i in range(start, stop):
        entry = entries[i]
        goes_left = int(room.goes_left[row_of(entry, n_bits)])
        left_flags |= entry & FLAGS
        right_flags |= entry & FLAGS
        # Both are written, and the one that is not wanted is overwritten: no branch to mispredict.
        entries[left] = entry & BARE | left_flags
        room.entries[right] = entry & BARE | right_flags
        left += goes_left
        right += 1 - goes_left
        left_flags = np.uint32(0) if goes_left else left_flags
        right_flags = right_flags if goes_left else np.uint32(0)
    for i in range(right):
        entries[left + i] = room.entries[i]


@inner
def _partition_bins(node, codes, missing, rows, room):
    """Move the rows of smaller values before the others, both in their order."""
    entries, n_bits = rows.entries[0], rows.n_bits
    left, right = node.start, 0
    for i in range(node.start, node.stop):
        entry = entries[i]
        code = int(codes[entry >> n_bits])
        goes_left = int(code <= node.cut) if code != missing else node.missing_left
        entries[left] = room.entries[right] = entry
        left += goes_left
        right += 1 - goes_left
    for i in range(right):
        entries[left + i] = room.entries[i]


@inner
def _mark_listed(node, rows, listed, goes_left):
    usual_goes_left = np.uint8(listed.usual[node.feature] <= node.cut)
    for entry in rows.entries[0, node.start : node.stop]:
        goes_left[entry >> rows.n_bits] = usual_goes_left
    first, last = listed_part(node, node.feature, listed)
    for i in range(first, last):
        goes_left[listed.rows[i]] = listed.codes[i] <= node.cut


@inner
def _partition_listed(node, j, listed, room):
    """As :func:`_partition`, for a node's part of the list of a feature."""
    first, last = listed_part(node, j, listed)
    rows, codes = listed.rows, listed.codes
    left, right = first, 0
    for i in range(first, last):
        row, code = rows[i], codes[i]
        goes_left = int(room.goes_left[row])
        rows[left], codes[left] = row, code
        room.entries[right] = np.uint32(row) << np.uint32(8) | np.uint32(code)
        left += goes_left
        right += 1 - goes_left
    for i in range(right):
        rows[left + i] = room.entries[i] >> np.uint32(8)
        codes[left + i] = room.entries[i] & np.uint32(255)


@inner
def _partition_entries(node, rows, room):
    """As :func:`_partition`, for the single order of rows."""
    entries, n_bits = rows.entries[0], rows.n_bits
    left, right = node.start, 0
    for i in range(node.start, node.stop):
        entry = entries[i]
        goes_left = int(room.goes_left[entry >> n_bits])
        entries[left] = room.entries[right] = entry
        left += goes_left
        right += 1 - goes_left
    for i in range(right):
        entries[left + i] = room.entries[i]


@inner
def _middle_value(entries, n_bits, left, right, target):
    """Middle of the values of two children: of the shares of the first class, or of the means."""
    middle = 0.0
    for child in (left, right):
        weight = value = 0.0
        for entry in entries[child.start : child.stop]:
            row = row_of(entry, n_bits)
            w = target.weight[row]
            weight += w
            if target.n_classes == 0:
                value += target.weighted_y[row]
            elif entry & np.uint32((1 << n_bits) - 1) == 0:
                value += w
        middle += value / weight / 2
    return middle
