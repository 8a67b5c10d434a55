"""Sweeps of coordinate descent over L1 and squared L2 penalised least squares, compiled.

A sweep visits the coordinates in `order` and minimises over each in turn (Friedman, Hastie, Tibshirani, 2010,
Regularization paths for generalized linear models via coordinate descent, equation 5)::

    w_j <- S(x_j' r + w_j ||x_j||^2, l1) / (||x_j||^2 + l2),    S(z, t) = sign(z) max(|z| - t, 0)

What the sweeps keep up to date is linear in w: the correlations x_j' r, or the residuals r. Each kernel runs
until ``len(w_history) - 1`` sweeps are done or one changes no coefficient by more than `tol` times the
largest, writes the start and what each sweep ends at into the histories, and returns the number of sweeps and
whether the last one was that small.
"""

import numpy as np
from numba import njit

_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _threshold(z, l1, positive):
    if z > l1:
        return z - l1
    if z < -l1 and not positive:
        return z + l1
    return 0.0


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def sweep_gram(gram, w, correlation, l1, l2, positive, order, tol, w_history, state_history):
    """Sweeps that know X'X only: `correlation` is X'r, ndarray of shape (n_features,)."""
    w_history[0], state_history[0] = w, correlation
    for sweep in range(1, len(w_history)):
        largest, largest_step = 0.0, 0.0
        for j in order:
            old, curvature = w[j], gram[j, j]
            new = _threshold(correlation[j] + old * curvature, l1, positive) / (curvature + l2)
            step = new - old
            if step != 0:
                w[j] = new
                row = gram[j]
                for i in range(len(row)):
                    correlation[i] -= step * row[i]
                largest_step = max(largest_step, abs(step))
            largest = max(largest, abs(new))
        w_history[sweep], state_history[sweep] = w, correlation
        if largest_step <= tol * largest:
            return sweep, True
    return len(w_history) - 1, False


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def sweep_rows(columns, squared_norms, w, residual, l1, l2, positive, order, tol, w_history, state_history):
    """Sweeps over dense columns of X, stored as the rows of `columns`, (n_features, n_samples)."""
    w_history[0], state_history[0] = w, residual
    for sweep in range(1, len(w_history)):
        largest, largest_step = 0.0, 0.0
        for j in order:
            old, column, curvature = w[j], columns[j], squared_norms[j]
            new = _threshold(np.dot(column, residual) + old * curvature, l1, positive) / (curvature + l2)
            step = new - old
            if step != 0:
                w[j] = new
                for i in range(len(column)):
                    residual[i] -= step * column[i]
                largest_step = max(largest_step, abs(step))
            largest = max(largest, abs(new))
        w_history[sweep], state_history[sweep] = w, residual
        if largest_step <= tol * largest:
            return sweep, True
    return len(w_history) - 1, False


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def sweep_csc(
    data,
    indices,
    indptr,
    total_mean,
    mean,
    squared_norms,
    w,
    residual,
    l1,
    l2,
    positive,
    order,
    tol,
    w_history,
    state_history,
):
    """Sweeps over sparse columns minus their means, without filling the zeros.

    The residual of row i is ``residual[i] + residual[-1] * root_weight[i]``: one number at the end of
    `residual`, (n_samples + 1,), holds what all means together shift, so that a step costs the entries of its
    column. `total_mean` is the column's product with ``root_weight``, to which residuals are orthogonal.
    """
    w_history[0], state_history[0] = w, residual
    shift = len(residual) - 1
    for sweep in range(1, len(w_history)):
        largest, largest_step = 0.0, 0.0
        for j in order:
            old, curvature = w[j], squared_norms[j]
            first, last = indptr[j], indptr[j + 1]
            correlation = residual[shift] * total_mean[j]
            for k in range(first, last):
                correlation += data[k] * residual[indices[k]]
            new = _threshold(correlation + old * curvature, l1, positive) / (curvature + l2)
            step = new - old
            if step != 0:
                w[j] = new
                for k in range(first, last):
                    residual[indices[k]] -= step * data[k]
                residual[shift] += step * mean[j]
                largest_step = max(largest_step, abs(step))
            largest = max(largest, abs(new))
        w_history[sweep], state_history[sweep] = w, residual
        if largest_step <= tol * largest:
            return sweep, True
    return len(w_history) - 1, False
