"""The best threshold of one feature in one node, over rows sorted by its values.

A split is scored by what it leaves of the node's impurity; larger is better. With class counts l and r of the
two sides, of sums L and R, the Gini score is ``|l|^2 / L + |r|^2 / R`` and that of the entropy
``sum l log l - L log L + sum r log r - R log R``; with sums of targets s and t, that of the squared error is
``s^2 / L + t^2 / R`` and that of the Poisson deviance ``s log(s / L) + t log(t / R)`` (Breiman, Friedman,
Olshen, Stone, 1984, Classification and regression trees, chapters 4 and 8).
"""

import numpy as np

from sklearn_dl.tree.kernel import BARE, GINI, ROUNDING, SQUARED_ERROR, inner, is_apart, row_of, x_log_x


@inner
def class_score(criterion, left, right, n_left, n_right):
    """Score of a split by ``sum l^2`` or ``sum l log l`` of either side, and the weights of the sides."""
    if criterion == GINI:
        return (left * n_right + right * n_left) / (n_left * n_right)
    return left - x_log_x(n_left) + right - x_log_x(n_right)


@inner
def mean_score(criterion, left, right, n_left, n_right):
    """Score of a split by the sums of targets and of weights of its sides."""
    if criterion == SQUARED_ERROR:
        return (left * left * n_right + right * right * n_left) / (n_left * n_right)
    if min(left, right) <= ROUNDING * max(1.0, left + right):  # a side must not predict 0
        return -np.inf
    return left * np.log(left / n_left) + right * np.log(right / n_right)


@inner
def keeps_order(sign, lower, upper, left, right):
    """Whether the values of two children are within bounds, and rise (sign 1) or fall (-1)."""
    return (
        left >= lower and right >= lower and left <= upper and right <= upper and (left - right) * sign <= 0
    )


@inner
def unweighted_class_split(rows, j, entries, criterion, logs, total, left, right, min_leaf):
    """Best split of rows that all have weight 1, none of them missing.

    Parameters
    ----------
    rows : Rows
        Sorted by each feature.
    j : int
        The feature.
    entries : ndarray of shape (n,), uint32
        The node's part of ``rows.entries[j]``.
    criterion : int
        GINI or ENTROPY.
    logs : ndarray of shape (n_samples + 1,)
        ``x log x`` of every count, for the entropy.
    total : ndarray of shape (n_classes,)
        Class counts of the node.
    left, right : ndarray of shape (n_classes,)
        Room to count in.
    min_leaf : int
        Fewest rows of a side.

    Returns
    -------
    score : float
        Of the best split; -inf where there is none.
    n_left : int
        Rows left of it.
    """
    n = len(entries)
    mask = np.uint32((1 << rows.n_bits) - 1)
    at_left = at_right = 0.0
    for k in range(len(total)):
        left[k], right[k] = 0.0, total[k]
        at_right += total[k] * total[k] if criterion == GINI else logs[int(total[k])]
    best, n_left = -np.inf, 0
    for i in range(n - min_leaf):
        k = entries[i] & mask
        to_left, from_right = left[k], right[k]
        if criterion == GINI:
            at_left += 2 * to_left + 1
            at_right -= 2 * from_right - 1
        else:
            at_left += logs[int(to_left) + 1] - logs[int(to_left)]
            at_right += logs[int(from_right) - 1] - logs[int(from_right)]
        left[k], right[k] = to_left + 1, from_right - 1
        if i + 1 >= min_leaf and is_apart(rows, j, entries, i + 1):
            if criterion == GINI:
                score = class_score(GINI, at_left, at_right, float(i + 1), float(n - i - 1))
            else:
                score = at_left - logs[i + 1] + at_right - logs[n - i - 1]
            if score > best:
                best, n_left = score, i + 1
    return best, n_left


@inner
def class_split(
    rows, j, entries, weight, criterion, total, left, right,
    n_missing, missing_left, min_leaf, min_weight, sign, lower, upper,
):  # fmt: skip
    """Best split of weighted rows, with the missing values on one side.

    As :func:`unweighted_class_split`; the last `n_missing` rows miss the feature.

    Parameters
    ----------
    rows, j, entries, criterion, total, left, right, min_leaf
        As there.
    weight : ndarray of shape (n_samples,)
        Weights by row.
    n_missing : int
        Rows without the feature.
    missing_left : bool
        Whether they go left.
    min_weight : float
        Least weight of a side.
    sign : int
        1 where the share of the first class must rise, -1 where it must fall, 0 where it need not.
    lower, upper : float
        Bounds on that share.

    Returns
    -------
    score, n_left : float, int
        As there; `n_left` does not count missing values. It is ``n - n_missing`` where they alone go right.
    """
    n, n_bits = len(entries), rows.n_bits
    n_known = n - n_missing
    mask = np.uint32((1 << n_bits) - 1)
    n_total = 0.0
    for k in range(len(total)):
        left[k] = 0.0
        n_total += total[k]
    weight_left = 0.0
    if missing_left:
        for i in range(n_known, n):
            w = weight[row_of(entries[i], n_bits)]
            left[entries[i] & mask] += w
            weight_left += w
    at_left = at_right = 0.0
    for k in range(len(total)):
        right[k] = total[k] - left[k]
        at_left += left[k] * left[k]
        at_right += right[k] * right[k]
    more = n_missing if missing_left else 0
    last = n_known if n_missing > 0 and not missing_left else n_known - 1
    best, n_left = -np.inf, 0
    for i in range(last):
        k = entries[i] & mask
        w = weight[row_of(entries[i], n_bits)]
        to_left, from_right = left[k], right[k]
        if criterion == GINI:
            at_left += w * (2 * to_left + w)
            at_right -= w * (2 * from_right - w)
        left[k], right[k] = to_left + w, from_right - w
        weight_left += w
        if i + 1 == n_known or is_apart(rows, j, entries, i + 1):
            size = i + 1 + more
            weight_right = n_total - weight_left
            if size < min_leaf or n - size < min_leaf:
                continue
            if weight_left < min_weight or weight_right < min_weight:
                continue
            if sign != 0 and not keeps_order(
                sign, lower, upper, left[0] / weight_left, right[0] / weight_right
            ):
                continue
            if criterion != GINI:  # from scratch, or rounding would decide between equal splits
                at_left = at_right = 0.0
                for c in range(len(total)):
                    at_left += x_log_x(left[c])
                    at_right += x_log_x(right[c])
            score = class_score(criterion, at_left, at_right, weight_left, weight_right)
            if score > best:
                best, n_left = score, i + 1
    return best, n_left


@inner
def mean_split(
    rows, j, entries, weight, weighted_y, criterion, total_weight, total,
    n_missing, missing_left, min_leaf, min_weight, sign, lower, upper,
):  # fmt: skip
    """Best split by the means of real targets, with the missing values on one side.

    As :func:`class_split`, with sums of targets in place of class counts.

    Parameters
    ----------
    rows, j, entries, n_missing, missing_left, min_leaf, min_weight
        As there.
    weight, weighted_y : ndarray of shape (n_samples,)
        Weights by row, and targets times weights.
    criterion : int
        SQUARED_ERROR or POISSON.
    total_weight, total : float
        Sums over the node of the weights and of the weighted targets.
    sign : int
        1 where the mean must rise, -1 where it must fall, 0 where it need not.
    lower, upper : float
        Bounds on the mean.

    Returns
    -------
    score, n_left : float, int
        As there.
    """
    n = len(entries)
    n_known = n - n_missing
    weight_left = left = 0.0
    if missing_left:
        for i in range(n_known, n):
            row = entries[i] & BARE
            weight_left += weight[row]
            left += weighted_y[row]
    more = n_missing if missing_left else 0
    last = n_known if n_missing > 0 and not missing_left else n_known - 1
    best, n_left = -np.inf, 0
    for i in range(last):
        row = entries[i] & BARE
        left += weighted_y[row]
        weight_left += weight[row]
        if i + 1 == n_known or is_apart(rows, j, entries, i + 1):
            size = i + 1 + more
            weight_right = total_weight - weight_left
            right = total - left
            if size < min_leaf or n - size < min_leaf:
                continue
            if weight_left < min_weight or weight_right < min_weight:
                continue
            if sign != 0 and not keeps_order(sign, lower, upper, left / weight_left, right / weight_right):
                continue
            score = mean_score(criterion, left, right, weight_left, weight_right)
            if score > best:
                best, n_left = score, i + 1
    return best, n_left
