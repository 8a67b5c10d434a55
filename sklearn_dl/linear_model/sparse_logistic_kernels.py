"""Compiled passes over the rows of CSR, each read once: for its score and for its part of the gradient.

Indices are cast to unsigned ones, which spares the check for negative ones: half of the time.
"""

import math

import numpy as np
from numba import njit

_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def sum_logistic_losses(data, indices, indptr, coef, offset, codes, weight, start, stop, gradient):
    """Loss of two classes over rows `start` to `stop` and its derivative by the intercept.

    Adds the derivative by the coefficients to `gradient`, (n_features,). An empty `weight` stands for ones.
    """
    loss, slope = 0.0, 0.0
    for i in range(start, stop):
        values, columns = data[indptr[i] : indptr[i + 1]], indices[indptr[i] : indptr[i + 1]]
        score = offset
        for k in range(len(values)):
            score += np.float64(values[k]) * coef[np.uint64(columns[k])]
        margin = score if codes[i] > 0 else -score
        small = math.exp(-abs(margin))
        wrong = (small if margin > 0 else 1.0) / (1 + small)
        residual = -wrong if codes[i] > 0 else wrong
        row_loss = math.log1p(small) - min(margin, 0.0)
        if len(weight):
            residual *= weight[i]
            row_loss *= weight[i]
        loss += row_loss
        slope += residual
        for k in range(len(values)):
            gradient[np.uint64(columns[k])] += residual * values[k]
    return loss, slope


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def sum_squares(data, indices, indptr, weight, total):
    """Add the weighted squares of columns to `total`, (n_features,). An empty `weight` stands for ones."""
    for i in range(len(indptr) - 1):
        factor = weight[i] if len(weight) else 1.0
        for k in range(indptr[i], indptr[i + 1]):
            total[np.uint64(indices[k])] += factor * np.float64(data[k]) * data[k]
