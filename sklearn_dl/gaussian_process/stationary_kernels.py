"""Stationary covariances of all pairs of rows, and their derivatives, row by row in the first-level cache.

Distances are taken from differences, so near duplicates keep their digits however far from the centre they
lie. Each row passes over its later partners once: distances, covariances and, for the gradient, weights and
sums stay in buffers of one row.
"""

import numpy as np
from numba import njit

GAUSSIAN, MATERN_12, MATERN_32, MATERN_52 = range(4)

_EXACT = {"contract"}
_SUMS = {"reassoc", "contract"}  # sums in any order, to be taken eight at a time

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first has 33 bits
_ROUND = 6755399441055744.0  # 1.5 * 2^52: its sum with a small number is rounded to an integer
_LEAST = -708.0  # below it the exponential is no normal number, and taken as 0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def _exponential(values, n):
    """Replace the first n values, which are at most 0, by their exponentials, to one unit in the last place.

    exp(x) = 2^m exp(r) with an integer m and abs(r) <= log(2) / 2, where Taylor's series of 13 terms does.
    """
    for k in range(n):
        x = values[k]
        shifted = x * _LOG2_E + _ROUND
        m = shifted - _ROUND
        r = (x - m * _LN2_HIGH) - m * _LN2_LOW
        p = 1 / 6227020800.0
        p = p * r + 1 / 479001600.0
        p = p * r + 1 / 39916800.0
        p = p * r + 1 / 3628800.0
        p = p * r + 1 / 362880.0
        p = p * r + 1 / 40320.0
        p = p * r + 1 / 5040.0
        p = p * r + 1 / 720.0
        p = p * r + 1 / 120.0
        p = p * r + 1 / 24.0
        p = p * r + 1 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        p = p * r + 1.0
        power = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)
        values[k] = 0.0 if x < _LEAST else p * power


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def _squared_distances(turned, i, squared):
    """Squared distances of row i to those after it."""
    n = turned.shape[1] - i - 1
    squared[:n] = 0.0
    in_fours = turned.shape[0] // 4 * 4
    for j in range(0, in_fours, 4):  # sums pass through memory once for four features
        x0, x1, x2, x3 = turned[j, i], turned[j + 1, i], turned[j + 2, i], turned[j + 3, i]
        a0, a1 = turned[j, i + 1 :], turned[j + 1, i + 1 :]
        a2, a3 = turned[j + 2, i + 1 :], turned[j + 3, i + 1 :]
        for k in range(n):
            d0, d1, d2, d3 = a0[k] - x0, a1[k] - x1, a2[k] - x2, a3[k] - x3
            squared[k] += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3)
    for j in range(in_fours, turned.shape[0]):
        x = turned[j, i]
        partners = turned[j, i + 1 :]
        for k in range(n):
            difference = partners[k] - x
            squared[k] += difference * difference


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def _profile(family, squared, n, values, slopes):
    """Covariances k of n squared distances D, and their slopes -2 dk/dD."""
    if family == GAUSSIAN:
        for k in range(n):
            values[k] = -0.5 * squared[k]
    else:
        factor = 1.0 if family == MATERN_12 else (3.0 if family == MATERN_32 else 5.0)
        for k in range(n):
            slopes[k] = np.sqrt(factor * squared[k])
            values[k] = -slopes[k]
    _exponential(values, n)
    if family == GAUSSIAN:
        for k in range(n):  # as slices, it would compile the text of an error longer than all the rest
            slopes[k] = values[k]
    elif family == MATERN_12:
        for k in range(n):  # the slope at the kink is taken as 0
            slopes[k] = 0.0 if slopes[k] == 0 else values[k] / slopes[k]
    elif family == MATERN_32:
        for k in range(n):
            decay = values[k]
            values[k] = (1.0 + slopes[k]) * decay
            slopes[k] = 3.0 * decay
    else:
        for k in range(n):
            decay, linear = values[k], 1.0 + slopes[k]
            values[k] = (linear + (5 / 3) * squared[k]) * decay
            slopes[k] = (5 / 3) * linear * decay


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def fill_upper(turned, family, amplitude, add, out):
    """Write amplitude times the covariances into the upper triangle, or add them to it.

    Parameters
    ----------
    turned : ndarray of shape (n_features, n_samples)
        Features over their length scales, C-contiguous.
    family : int
        GAUSSIAN, MATERN_12, MATERN_32 or MATERN_52.
    amplitude : float
        Variance.
    add : bool
        Whether to add to what is there.
    out : ndarray of shape (n_samples, n_samples)
        C-contiguous.
    """
    n_samples = turned.shape[1]
    squared, values, slopes = np.empty(n_samples), np.empty(n_samples), np.empty(n_samples)
    for i in range(n_samples):
        n = n_samples - i - 1
        _squared_distances(turned, i, squared)
        _profile(family, squared, n, values, slopes)
        out[i, i] = (out[i, i] if add else 0.0) + amplitude
        row = out[i, i + 1 :]
        if add:
            for k in range(n):
                row[k] += amplitude * values[k]
        else:
            for k in range(n):
                row[k] = amplitude * values[k]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def _add_squares(turned, i, weight, sums):
    """Add, for each feature, the weighted squared differences of row i and those after it."""
    n = turned.shape[1] - i - 1
    for j in range(turned.shape[0]):
        x, total = turned[j, i], 0.0
        partners = turned[j, i + 1 :]
        for k in range(n):
            difference = partners[k] - x
            total += weight[k] * difference * difference
        sums[j] += total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def contract_upper(turned, family, left, right, root, inverse, by_feature):
    """Sums over the pairs above the diagonal of weight times derivative, for an amplitude of 1.

    The weight of pair (i, k) is left_i' right_k - root_i root_k inverse_ik.

    Parameters
    ----------
    turned, family
        As for :func:`fill_upper`.
    left, right : ndarray of shape (rank, n_samples)
        C-contiguous.
    root : ndarray of shape (n_samples,)
    inverse : ndarray of shape (n_samples, n_samples)
        C-contiguous; the upper triangle is read.
    by_feature : bool
        Whether each feature has a length scale of its own.

    Returns
    -------
    by_amplitude : float
        By the logarithm of the amplitude.
    by_scale : ndarray of shape (n_features,) or (1,)
        By the logarithms of the length scales.
    """
    n_features, n_samples = turned.shape
    squared, values, slopes = np.empty(n_samples), np.empty(n_samples), np.empty(n_samples)
    weight = np.empty(n_samples)
    by_amplitude, by_scale = 0.0, np.zeros(n_features if by_feature else 1)
    for i in range(n_samples):
        n = n_samples - i - 1
        _squared_distances(turned, i, squared)
        _profile(family, squared, n, values, slopes)
        precision, roots = inverse[i, i + 1 :], root[i + 1 :]
        for k in range(n):
            weight[k] = -root[i] * roots[k] * precision[k]
        for r in range(left.shape[0]):
            own, partners = left[r, i], right[r, i + 1 :]
            for k in range(n):
                weight[k] += own * partners[k]
        total = 0.0
        for k in range(n):
            total += weight[k] * values[k]
            weight[k] *= slopes[k]
        by_amplitude += total
        if by_feature:
            _add_squares(turned, i, weight, by_scale)
        else:
            total = 0.0
            for k in range(n):
                total += weight[k] * squared[k]
            by_scale[0] += total
    return by_amplitude, by_scale
