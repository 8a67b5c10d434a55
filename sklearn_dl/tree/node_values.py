"""Counts, value and impurity of a node."""

import numpy as np

from sklearn_dl.tree.kernel import BARE, GINI, POISSON, inner, row_of, x_log_x

_ZERO_IMPURITY = np.finfo(np.float64).eps


@inner
def describe(node, value, rows, target, total):
    """Fill in a node's weight, value and impurity, and `total`, its weights by class or sum of targets."""
    entries = rows.entries[node.order, node.start : node.stop]
    if target.n_classes > 0:
        _describe_classes(node, value, target, entries, rows.n_bits, total)
    else:
        _describe_mean(node, value, target, entries, total)
    value[0] = min(max(value[0], node.lower), node.upper)
    if target.n_classes == 2 and (node.lower > -np.inf or node.upper < np.inf):
        value[1] = 1 - value[0]


@inner
def is_final(node, limits):
    """Whether a node may not be split, whatever its features."""
    n = node.stop - node.start
    return (
        node.depth >= limits.max_depth
        or n < limits.min_samples_split
        or n < 2 * limits.min_samples_leaf
        or node.weight < 2 * limits.min_weight_leaf
        or node.impurity <= _ZERO_IMPURITY
    )


@inner
def _describe_classes(node, value, target, entries, n_bits, total):
    mask = np.uint32((1 << n_bits) - 1)
    for k in range(len(total)):
        total[k] = 0.0
    if target.unweighted:
        for entry in entries:
            total[entry & mask] += 1.0
    else:
        for entry in entries:
            total[entry & mask] += target.weight[row_of(entry, n_bits)]
    weight = 0.0
    for k in range(len(total)):
        weight += total[k]
    impurity = 1.0 if target.criterion == GINI else 0.0
    for k in range(len(value)):
        value[k] = share = total[k] / weight
        impurity -= share * share if target.criterion == GINI else x_log_x(share) / np.log(2.0)
    node.weight, node.impurity = weight, max(impurity, 0.0)


@inner
def _describe_mean(node, value, target, entries, total):
    weight = total_y = 0.0
    for entry in entries:
        row = entry & BARE
        weight += target.weight[row]
        total_y += target.weighted_y[row]
    mean = total_y / weight
    log_mean = np.log(mean) if target.criterion == POISSON and mean > 0 else 0.0
    impurity = 0.0
    for entry in entries:
        row = entry & BARE
        w, y = target.weight[row], target.y[row]
        impurity += w * (x_log_x(y) - y * log_mean if target.criterion == POISSON else (y - mean) ** 2)
    impurity /= weight
    total[0], value[0] = total_y, mean
    node.weight, node.impurity = weight, max(impurity, 0.0)
