"""Features in bins: one for each value where these are few, else bins of about equally many rows."""

import numpy as np
from numba import njit

from sklearn_dl.tree.kernel import EQUAL, Bins, Listed

MOST_BINS = 256
_SAMPLE = 200_000  # rows whose quantiles bound the bins
_FEW_ROWS = 1_000  # rows that tell most continuous features from those of few values
_BLOCK_BYTES = 1 << 23  # of columns that are transposed at a time


def unusual_share(X: np.ndarray) -> float:
    """Share of the numbers that differ from the most frequent one of their feature, by the first rows.

    It is infinite where some feature has more than 256 values.
    """
    n_usual = 0
    for column in X[:_FEW_ROWS].T.astype(np.float32):
        values, counts = np.unique(column, return_counts=True)
        if len(values) > MOST_BINS:
            return np.inf
        n_usual += counts.max()
    return 1 - n_usual / X[:_FEW_ROWS].size


def bin_values(X: np.ndarray) -> Bins | None:
    """One bin for each value of every feature; None where some feature has more than 256 values.

    None too where values are missing, or too close to be split.
    """
    bins = _empty_bins(X)
    for j, column in enumerate(_columns(X)):
        bins.n_bins[j] = n_values = _bin_column(column, bins.low[j], bins.codes[j])
        if n_values == 0:
            return None
    return bins._replace(high=bins.low)


def list_values(X: np.ndarray, classes: np.ndarray, share: float) -> tuple[Bins, Listed] | None:
    """As :func:`bin_values`, with lists of at most `share` of the numbers; None where these are more."""
    n_samples, n_features = X.shape
    n_listed = int(share * X.size)
    listed = Listed(
        np.empty(n_listed, np.uint16),
        np.empty(n_listed, np.uint8),
        np.zeros(n_features + 1, np.int64),
        np.empty(n_features, np.int64),
        np.arange(n_samples, dtype=np.uint16),
        classes.astype(np.uint8),
    )
    low = np.full((n_features, MOST_BINS), np.inf, np.float32)
    bins = Bins(np.empty((0, 0), np.uint8), np.empty(n_features, np.int64), low, low)
    codes = np.empty(n_samples, np.uint8)
    for j, column in enumerate(_columns(X)):
        bins.n_bins[j] = n_values = _bin_column(column, low[j], codes)
        listed.usual[j] = usual = np.bincount(codes).argmax()
        start = listed.starts[j]
        listed.starts[j + 1] = stop = _list_codes(codes, usual, listed.rows, listed.codes, start)
        if n_values == 0 or stop < start:
            return None
    return bins, listed


def _bin_column(column: np.ndarray, values: np.ndarray, codes: np.ndarray) -> int:
    """Fill `values` with the distinct ones in order, and `codes` with their places; 0 where this fails."""
    n_values = _number_values(column, values, codes)
    values = values[:n_values]
    order = np.argsort(values)
    values[:] = values[order]
    if (values[1:] <= values[:-1] + EQUAL).any():
        return 0
    codes[:] = np.argsort(order).astype(np.uint8)[codes] if n_values > 0 else 0
    return n_values


def bin_features(X: np.ndarray, max_bins: int, random_state: np.random.RandomState) -> Bins:
    """Bins of every feature.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
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
    n_samples = X.shape[0]
    some = X if n_samples <= _SAMPLE else X[random_state.choice(n_samples, _SAMPLE, replace=False)]
    bins = _empty_bins(X)
    for j, (column, sample) in enumerate(zip(_columns(X), _columns(some), strict=True)):
        tops = np.full(MOST_BINS, np.inf, np.float32)
        known = _tops(sample, max_bins)
        tops[: len(known)] = known
        bins.n_bins[j] = len(known)
        _assign(column, tops, len(known), bins.codes[j], bins.low[j], bins.high[j])
    return bins


def _empty_bins(X: np.ndarray) -> Bins:
    n_samples, n_features = X.shape
    return Bins(
        np.empty((n_features, n_samples), np.uint8),
        np.empty(n_features, np.int64),
        np.full((n_features, MOST_BINS), np.inf, np.float32),
        np.full((n_features, MOST_BINS), -np.inf, np.float32),
    )


def _columns(X):
    """Columns of X one after the other, float32 and contiguous, in memory that later ones overwrite."""
    n_columns = min(max(_BLOCK_BYTES // (4 * len(X)), 1), 16)
    block = np.empty((n_columns, len(X)), np.float32)
    for first in range(0, X.shape[1], n_columns):
        part = X[:, first : first + n_columns].T
        block[: len(part)] = part
        yield from block[: len(part)]


def _tops(sample: np.ndarray, max_bins: int) -> np.ndarray:
    """Largest values of bins of one value each, or else of about equal size; the last one is infinite."""
    values = np.sort(sample[~np.isnan(sample)])
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    if len(first) > max_bins:
        places = np.arange(1, max_bins) * len(values) // max_bins
        tops = np.unique(values[places - 1])
    else:
        tops = values[first]
    return np.append(tops[tops < values[-1:]], np.float32(np.inf))


@njit(nogil=True, cache=True)
def _number_values(column, values, codes):
    """Fill `values` with the distinct ones and `codes` with their places, and return their number.

    That is 0 where there are too many, or a value is missing. A hash table of their bits tells values apart.
    """
    n = 0
    table = np.full(1024, -1, np.int64)
    bits = column.view(np.uint32)
    last, code = np.uint32(0), -1
    for i in range(len(column)):
        if code < 0 or bits[i] != last:
            x = column[i] + np.float32(0)  # no negative zero
            slot = (np.int64(np.float32(x).view(np.uint32)) * 2654435761 >> 22) & 1023
            while table[slot] >= 0 and values[table[slot]] != x:
                slot = (slot + 1) & 1023
            if table[slot] < 0:
                if n == len(values) or np.isnan(x):
                    return 0
                table[slot], values[n] = n, x
                n += 1
            last, code = bits[i], table[slot]
        codes[i] = code
    return n


@njit(nogil=True, cache=True)
def _list_codes(codes, usual, rows, listed, start):
    """List the rows of other codes than the usual one from `start`; where the list stops, -1 if too long."""
    for i in range(len(codes)):
        if codes[i] != usual:
            if start == len(rows):
                return -1
            rows[start], listed[start] = i, codes[i]
            start += 1
    return start


@njit(nogil=True, cache=True)
def _assign(column, tops, n_bins, codes, low, high):
    """Bin of each value, and the smallest and largest value of each bin; `tops` has 256 values."""
    for i in range(len(column)):
        x = column[i]
        code = 0
        step = 128
        while step > 0:
            code += step * int(tops[code + step - 1] < x)
            step >>= 1
        if np.isnan(x):
            codes[i] = n_bins
        else:
            codes[i] = code
            low[code], high[code] = min(low[code], x), max(high[code], x)
