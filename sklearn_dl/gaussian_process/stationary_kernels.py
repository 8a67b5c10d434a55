"""Stationary covariances of all pairs of rows, and their derivatives, tile by tile.

Distances are taken from differences, so near duplicates keep their digits however far from the centre they
lie. The pairs pass by in tiles, whose distances, covariances and, for the gradient, weights stay in the
first-level cache; see :mod:`sklearn_dl.gaussian_process.tiles`.
"""

import numpy as np
from numba import njit

from sklearn_dl.gaussian_process import stationary_tiles as tiles
from sklearn_dl.gaussian_process.tiles import COLUMNS, ITEM, LANES, ROWS

GAUSSIAN, MATERN_12, MATERN_32, MATERN_52 = range(4)

_EXACT = {"contract"}
_SUMS = {"reassoc", "contract"}  # sums in any order, to be taken eight at a time

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first has 33 bits
_ROUND = 6755399441055744.0  # 1.5 * 2^52: its sum with a small number is rounded to an integer
_LEAST = -708.0  # below it the exponential is no normal number, and taken as 0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def _exponentials(factor, numbers, out):
    """Write exp(factor * number), of at most 0, to one unit in the last place.

    exp(x) = 2^m exp(r) with an integer m and abs(r) <= log(2) / 2, where Taylor's series of 13 terms does.
    They are added up in pairs, so that few wait for others.
    """
    for k in range(len(numbers)):
        x = factor * numbers[k]
        shifted = x * _LOG2_E + _ROUND
        m = shifted - _ROUND
        r = (x - m * _LN2_HIGH) - m * _LN2_LOW
        r2 = r * r
        r4 = r2 * r2
        a0 = (0.5 + r * (1 / 6.0)) + r2 * (1 / 24.0 + r * (1 / 120.0))
        a1 = (1 / 720.0 + r * (1 / 5040.0)) + r2 * (1 / 40320.0 + r * (1 / 362880.0))
        a2 = (1 / 3628800.0 + r * (1 / 39916800.0)) + r2 * (1 / 479001600.0 + r * (1 / 6227020800.0))
        p = 1.0 + (r + r2 * (a0 + r4 * (a1 + r4 * a2)))
        power = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)
        out[k] = 0.0 if x < _LEAST else p * power


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def _profile(family, squared, values, slopes):
    """Covariances k of squared distances D, and their slopes -2 dk/dD: for GAUSSIAN the same array."""
    if family == GAUSSIAN:
        _exponentials(-0.5, squared, values)
        return
    factor = 1.0 if family == MATERN_12 else (3.0 if family == MATERN_32 else 5.0)
    for k in range(len(squared)):
        slopes[k] = np.sqrt(factor * squared[k])
    _exponentials(-1.0, slopes, values)
    if family == MATERN_12:
        for k in range(len(squared)):  # the slope at the kink is taken as 0
            slopes[k] = 0.0 if slopes[k] == 0 else values[k] / slopes[k]
    elif family == MATERN_32:
        for k in range(len(squared)):
            decay = values[k]
            values[k] = (1.0 + slopes[k]) * decay
            slopes[k] = 3.0 * decay
    else:
        for k in range(len(squared)):
            decay, linear = values[k], 1.0 + slopes[k]
            values[k] = (linear + (5 / 3) * squared[k]) * decay
            slopes[k] = (5 / 3) * linear * decay


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_EXACT)
def fill_upper(panels, family, amplitude, add, out):
    """Write amplitude times the covariances into the upper triangle, or add them to it.

    Parameters
    ----------
    panels : ndarray of shape (n_panels, n_features, COLUMNS)
        Rows of the data over the length scales, filled up with zeros.
    family : int
        GAUSSIAN, MATERN_12, MATERN_32 or MATERN_52.
    amplitude : float
        Variance.
    add : bool
        Whether to add to what is there.
    out : ndarray of shape (n_samples, n_samples)
        Its rows are contiguous.
    """
    n_samples, n_features, size = len(out), panels.shape[1], ROWS * COLUMNS
    stride = out.strides[0] // ITEM
    squared, values = np.empty(size), np.empty(size)
    slopes = values if family == GAUSSIAN else np.empty(size)
    for i in range(0, n_samples, ROWS):
        own = panels[i // COLUMNS].ctypes.data + i % COLUMNS * ITEM
        for p in range(i // COLUMNS, len(panels)):
            column = p * COLUMNS
            tiles.squared_distances(own, panels[p].ctypes.data, n_features, squared.ctypes.data)
            _profile(family, squared, values, slopes)
            place = out.ctypes.data + (i * stride + column) * ITEM
            tiles.write_values(
                values.ctypes.data, amplitude, place, stride, i - column, n_samples - column, add
            )


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def contract_upper(panels, family, left, right, root, inverse, by_feature):
    """Sums over the pairs above the diagonal of weight times derivative, for an amplitude of 1.

    The weight of pair (i, k) is left_i' right_k - root_i root_k inverse_ik.

    Parameters
    ----------
    panels, family
        As for :func:`fill_upper`.
    left, right : ndarray of shape (n_panels, rank, COLUMNS)
    root : ndarray of shape (n_panels, 1, COLUMNS)
    inverse : ndarray of shape (n_samples, n_samples)
        Its rows are contiguous; the upper triangle is read.
    by_feature : bool
        Whether each feature has a length scale of its own.

    Returns
    -------
    by_amplitude : float
        By the logarithm of the amplitude.
    by_scale : ndarray of shape (n_features, LANES) or (1, LANES)
        Numbers whose sums are those by the logarithms of the length scales.
    """
    n_samples, n_features, size = len(inverse), panels.shape[1], ROWS * COLUMNS
    stride = inverse.strides[0] // ITEM
    squared, values, weights = np.empty(size), np.empty(size), np.empty(size)
    slopes = values if family == GAUSSIAN else np.empty(size)
    by_amplitude, by_scale = 0.0, np.zeros((n_features if by_feature else 1, LANES))
    for i in range(0, n_samples, ROWS):
        panel, lane = i // COLUMNS, i % COLUMNS * ITEM
        for p in range(panel, len(panels)):
            column = p * COLUMNS
            to_own, to_partners = panels[panel].ctypes.data + lane, panels[p].ctypes.data
            tiles.squared_distances(to_own, to_partners, n_features, squared.ctypes.data)
            _profile(family, squared, values, slopes)
            tiles.read_weights(
                left[panel].ctypes.data + lane,
                right[p].ctypes.data,
                left.shape[1],
                root[panel].ctypes.data + lane,
                root[p].ctypes.data,
                inverse.ctypes.data + (i * stride + column) * ITEM,
                stride,
                i + 1 - column,
                n_samples - column,
                weights.ctypes.data,
            )
            total = 0.0
            for k in range(size):
                total += weights[k] * values[k]
                weights[k] *= slopes[k]
            by_amplitude += total
            if by_feature:
                to_sums = by_scale.ctypes.data
                tiles.add_weighted_squares(to_own, to_partners, n_features, weights.ctypes.data, to_sums)
            else:
                total = 0.0
                for k in range(size):
                    total += weights[k] * squared[k]
                by_scale[0, 0] += total
    return by_amplitude, by_scale
