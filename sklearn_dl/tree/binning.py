"""Features in bins: one for each value where these are few, else bins of about equally many rows."""

import numpy as np
from numba import njit

from sklearn_dl.tree.kernel import EQUAL, Bins, inner

MOST_BINS = 256
_SAMPLE = 200_000  # rows whose quantiles bound the bins
_FEW_ROWS = 1_000  # rows that tell most continuous features from those of few values
_BLOCK = 16  # columns that are transposed at a time


def has_few_values(X: np.ndarray) -> bool:
    """Whether no feature has more than 256 values; missing ones are not allowed then.

    Values that are too close to be split make no bins, so the answer is False where there are such.
    """
    some = X[:_FEW_ROWS]
    if any(len(np.unique(column)) > MOST_BINS for column in some.T):
        return False
    return all(_count_values(column, np.empty(MOST_BINS, np.float32)) > 0 for column in _columns(X))


def bin_features(X: np.ndarray, max_bins: int, random_state: np.random.RandomState) -> Bins:
    """Bins of every feature.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
        Rows; NaN is missing.
    max_bins : int
        Bins of a feature at most, missing values not counted.
    random_state : RandomState
        Draws the rows whose quantiles bound the bins, where there are more than 200,000.

    Returns
    -------
    bins : Bins
        One bin for each value of a feature that has at most `max_bins` of them.
    """
    n_samples, n_features = X.shape
    some = X if n_samples <= _SAMPLE else X[random_state.choice(n_samples, _SAMPLE, replace=False)]
    codes = np.empty((n_features, n_samples), np.uint8)
    n_bins = np.empty(n_features, np.int64)
    low = np.full((n_features, MOST_BINS), np.inf, np.float32)
    high = np.full((n_features, MOST_BINS), -np.inf, np.float32)
    distinct = np.empty(max_bins, np.float32)
    for j, (column, sample) in enumerate(zip(_columns(X), _columns(some), strict=True)):
        n_distinct = _count_values(column, distinct)
        tops = distinct[:n_distinct].copy() if n_distinct > 0 else _quantiles(sample, max_bins)
        n_bins[j] = len(tops)
        _assign(column, tops, codes[j], low[j], high[j])
    return Bins(codes, n_bins, low, high)


def _columns(X):
    """Columns of X one after the other, contiguous."""
    for first in range(0, X.shape[1], _BLOCK):
        yield from np.ascontiguousarray(X[:, first : first + _BLOCK].T)


def _quantiles(sample: np.ndarray, max_bins: int) -> np.ndarray:
    """Largest values of bins that hold about equally many rows; the last one is infinite."""
    values = np.sort(sample[~np.isnan(sample)])
    if len(values) == 0:
        return np.array([np.inf], np.float32)
    places = np.arange(1, max_bins) * len(values) // max_bins
    tops = np.unique(values[places - 1])
    return np.append(tops[tops < values[-1]], np.float32(np.inf))


@njit(nogil=True, cache=True)
def _count_values(column, distinct):
    """Fill `distinct` with the sorted values; their number, or 0 where there are more or some are too close."""
    n = 0
    last = np.float32(np.nan)
    for x in column:
        if x == last or np.isnan(x):
            continue
        last = x
        place = _place(distinct, n, x)
        if place < n and distinct[place] == x:
            continue
        if n == len(distinct):
            return 0
        for i in range(n, place, -1):
            distinct[i] = distinct[i - 1]
        distinct[place] = x
        n += 1
    for i in range(n - 1):
        if distinct[i + 1] <= distinct[i] + EQUAL:
            return 0
    return n


@njit(nogil=True, cache=True)
def _assign(column, tops, codes, low, high):
    """Bin of each value, and the smallest and largest value of each bin."""
    n_bins = len(tops)
    last, code = np.float32(np.nan), 0
    for i in range(len(column)):
        x = column[i]
        if x != last:
            code = n_bins if np.isnan(x) else _place(tops, n_bins, x)
            last = x
        codes[i] = code
        if code < n_bins:
            low[code], high[code] = min(low[code], x), max(high[code], x)


@inner
def _place(tops, n, x):
    """Index of the first of `n` sorted values that is not below `x`."""
    start, size = 0, n
    while size > 0:
        half = size // 2
        below = tops[start + half] < x
        start += (half + 1) * below
        size = (size - half - 1) * below + half * (1 - below)
    return start
