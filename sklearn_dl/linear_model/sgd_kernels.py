"""Stochastic gradient descent on rows in memory: an epoch with a step a row, and the gradient of a batch.

The functions are plain Python that numba compiles. On a few rows they run as they are, so that small fits pay
no compilation. Sums are taken in a fixed order, so both ways give the same bits.

Coefficients are kept as ``scale * w``, so that their decay costs one multiplication a step, and their average
as ``(average + a * w) / b``, so that it costs no more than the features of the row [1]_.

.. [1] Bottou (2012), Stochastic gradient descent tricks, sections 5.1 and 5.3.
"""

from typing import NamedTuple

from numba import njit
from numba.extending import register_jitable

from sklearn_dl.linear_model.sgd_losses import MAX_GRADIENT
from sklearn_dl.linear_model.sgd_prefetch import prefetch
from sklearn_dl.linear_model.sgd_row_losses import HINGE, row_gradient, row_loss
from sklearn_dl.linear_model.sgd_row_sums import dot, gathered_dot, gathered_norms, scatter, sum_of_sizes

CONSTANT, OPTIMAL, INVSCALING, PA1, PA2 = range(5)

# How many rows, and how many numbers of one, are asked for ahead of time.
_ROWS_AHEAD, _SPARSE_ROWS_AHEAD, _NUMBERS_AHEAD = 8, 2, 1024

# Below this the scale is multiplied into w, long before float64 runs out of exponents.
_SMALLEST_SCALE = 1e-9


class Settings(NamedTuple):
    """What stays the same during a fit."""

    loss: int
    epsilon: float
    decay: float  # strength of the L2 penalty
    shrink: float  # strength of the L1 penalty
    schedule: int
    alpha: float
    first_step: float  # number that the schedule "optimal" gives to step 1
    eta0: float
    power_t: float
    first_averaged: float  # step from which coefficients are averaged; infinity for never
    fit_intercept: bool
    intercept_decay: float


class Progress(NamedTuple):
    """What an epoch hands to the next, beside the arrays."""

    intercept: float
    average_intercept: float
    step: float  # number of the next step, from 1
    eta: float  # step size, where the schedule does not change it within an epoch
    total_shrink: float  # L1 penalty that every coefficient could have received so far
    squared_norm: float
    l1_norm: float
    objective: float  # sum of the penalised losses of the epoch, each before the step of its row


@register_jitable
def _step_size(settings, eta, step):
    if settings.schedule == OPTIMAL:
        return 1.0 / (settings.alpha * (settings.first_step + step - 1.0))
    if settings.schedule == INVSCALING:
        return settings.eta0 / step**settings.power_t
    return eta


@register_jitable
def _score_change(settings, eta, y, p, squared_norm):
    """Multiple of the row to add to the coefficients.

    Passive-aggressive steps are PA-I and PA-II of Crammer et al. (2006), sections 3 and 5.
    """
    if settings.schedule < PA1:
        gradient = row_gradient(settings.loss, settings.epsilon, y, p)
        return -eta * max(-MAX_GRADIENT, min(MAX_GRADIENT, gradient))
    size = row_loss(settings.loss, settings.epsilon, y, p)
    if settings.schedule == PA1:
        size = min(settings.eta0, size / squared_norm)
    else:
        size = size / (squared_norm + 0.5 / settings.eta0)
    if settings.loss == HINGE:
        return size * y
    return -size if y < p else size


@register_jitable
def _truncate(w, received, average, j, scale, a, total_shrink):
    """Move ``w[j]`` towards 0 by the L1 penalty that it has not yet received, and not beyond.

    Tsuruoka, Tsujii, Ananiadou (2009), Stochastic gradient descent training for L1-regularized log-linear
    models with cumulative penalty, figure 2.
    """
    before = w[j]
    if before > 0.0:
        w[j] = max(0.0, before - (total_shrink + received[j]) / scale)
    elif before < 0.0:
        w[j] = min(0.0, before + (total_shrink - received[j]) / scale)
    received[j] += scale * (w[j] - before)
    if len(average) > 0:
        average[j] -= a * (w[j] - before)  # the steps averaged so far did not have this change


@register_jitable
def _fold_scale(w, average, scale, a, b):
    """Multiply the scale into `w` and make `average` the average itself."""
    for j in range(len(average)):
        average[j] = (average[j] + a * w[j]) / b
    for j in range(len(w)):
        w[j] *= scale


@njit(nogil=True, cache=True, error_model="numpy")
def dense_epoch(X, y, weight, rows, w, average, received, settings, progress):
    """Take one step on each of `rows`, in their order.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of contiguous numbers.
    y, weight : ndarray of shape (n_samples,)
        Targets, and factors of the steps.
    rows : ndarray of int
        Indices of the rows to learn from.
    w, average, received : ndarray of shape (n_features,)
        Coefficients, their average, and the L1 penalty that each has received; changed in place. `average` is
        empty where nothing is averaged, and `received` where there is no L1 penalty.
    settings : Settings
        What to minimise and how.
    progress : Progress
        As the last epoch left it.

    Returns
    -------
    progress : Progress
        For the next epoch.
    """
    intercept, average_intercept, step = progress.intercept, progress.average_intercept, progress.step
    total_shrink, squared_norm, l1_norm = progress.total_shrink, progress.squared_norm, progress.l1_norm
    eta, objective, scale, a, b = progress.eta, 0.0, 1.0, 0.0, 1.0
    for k in range(len(rows)):
        ahead = rows[min(k + _ROWS_AHEAD, len(rows) - 1)]
        for j in range(0, min(len(w), _NUMBERS_AHEAD), 64 // X.itemsize):
            prefetch(X, ahead, j)
        i = rows[k]
        row = X[i]
        linear = scale * dot(w, row)
        p = linear + intercept
        eta = _step_size(settings, eta, step)
        objective += row_loss(settings.loss, settings.epsilon, y[i], p)
        row_norm = 0.0
        if settings.schedule < PA1:
            objective += 0.5 * settings.decay * squared_norm + settings.shrink * l1_norm
        else:
            row_norm = dot(row, row)
            if settings.schedule == PA1 and row_norm == 0.0:
                continue
        change = _score_change(settings, eta, y[i], p, row_norm) * weight[i]
        if settings.decay > 0.0:
            kept = max(0.0, 1.0 - settings.decay * eta)
            scale *= kept
            linear *= kept
            squared_norm *= kept * kept
            l1_norm *= kept
            if scale < _SMALLEST_SCALE:
                _fold_scale(w, average, scale, a, b)
                scale, a, b = 1.0, 0.0, 1.0
        if change != 0.0:
            factor = change / scale
            for j in range(len(w)):
                w[j] += factor * float(row[j])
            if settings.shrink > 0.0:
                squared_norm, l1_norm = scale * scale * dot(w, w), scale * sum_of_sizes(w)
            elif settings.decay > 0.0:
                squared_norm += change * (2.0 * linear + change * dot(row, row))
        if settings.fit_intercept:
            intercept += change * settings.intercept_decay
        if step >= settings.first_averaged:
            n_averaged = step - settings.first_averaged + 1.0
            if change != 0.0:
                factor = a * change / scale
                for j in range(len(w)):
                    average[j] -= factor * float(row[j])
            if n_averaged > 1.0:
                b /= 1.0 - 1.0 / n_averaged
            a += b * scale / n_averaged
            average_intercept += (intercept - average_intercept) / n_averaged
        if settings.shrink > 0.0:
            total_shrink += settings.shrink * eta
            for j in range(len(w)):
                _truncate(w, received, average, j, scale, a, total_shrink)
        step += 1.0
    _fold_scale(w, average, scale, a, b)
    return Progress(intercept, average_intercept, step, eta, total_shrink, squared_norm, l1_norm, objective)


@njit(nogil=True, cache=True, error_model="numpy")
def sparse_epoch(data, columns, starts, y, weight, rows, w, average, received, settings, progress):
    """Take one step on each of `rows` of a CSR matrix, in their order.

    The norms in the objective are those of the coefficients of the last row's features, as in scikit-learn,
    so that both stop at the same epoch.

    Parameters
    ----------
    data, columns, starts : ndarray
        ``data``, ``indices`` and ``indptr`` of the matrix.
    y, weight, rows, w, average, received, settings, progress : object
        As in :func:`dense_epoch`.

    Returns
    -------
    progress : Progress
        For the next epoch.
    """
    intercept, average_intercept, step = progress.intercept, progress.average_intercept, progress.step
    total_shrink, squared_norm, l1_norm = progress.total_shrink, progress.squared_norm, progress.l1_norm
    eta, objective, scale, a, b = progress.eta, 0.0, 1.0, 0.0, 1.0
    for k in range(len(rows)):
        ahead = rows[min(k + _SPARSE_ROWS_AHEAD, len(rows) - 1)]
        for j in range(starts[ahead], min(starts[ahead + 1], starts[ahead] + _NUMBERS_AHEAD), 8):
            prefetch(data, j)
            prefetch(columns, j)
        i = rows[k]
        values, places = data[starts[i] : starts[i + 1]], columns[starts[i] : starts[i + 1]]
        p = scale * gathered_dot(w, values, places) + intercept
        eta = _step_size(settings, eta, step)
        objective += row_loss(settings.loss, settings.epsilon, y[i], p)
        row_norm = 0.0
        if settings.schedule < PA1:
            objective += 0.5 * settings.decay * squared_norm + settings.shrink * l1_norm
        else:
            row_norm = dot(values, values)
            if settings.schedule == PA1 and row_norm == 0.0:
                continue
        change = _score_change(settings, eta, y[i], p, row_norm) * weight[i]
        if settings.decay > 0.0:
            kept = max(0.0, 1.0 - settings.decay * eta)
            scale *= kept
            squared_norm *= kept * kept
            l1_norm *= kept
            if scale < _SMALLEST_SCALE:
                _fold_scale(w, average, scale, a, b)
                scale, a, b = 1.0, 0.0, 1.0
        if change != 0.0:
            scatter(w, values, places, change / scale)
            if settings.decay > 0.0 or settings.shrink > 0.0:
                squared_norm, l1_norm = gathered_norms(w, places)
                squared_norm *= scale * scale
                l1_norm *= scale
        if settings.fit_intercept:
            intercept += change * settings.intercept_decay
        if step >= settings.first_averaged:
            n_averaged = step - settings.first_averaged + 1.0
            if change != 0.0:
                scatter(average, values, places, -a * change / scale)
            if n_averaged > 1.0:
                b /= 1.0 - 1.0 / n_averaged
            a += b * scale / n_averaged
            average_intercept += (intercept - average_intercept) / n_averaged
        if settings.shrink > 0.0:
            total_shrink += settings.shrink * eta
            for j in places:
                _truncate(w, received, average, j, scale, a, total_shrink)
        step += 1.0
    _fold_scale(w, average, scale, a, b)
    return Progress(intercept, average_intercept, step, eta, total_shrink, squared_norm, l1_norm, objective)


@njit(nogil=True, cache=True, error_model="numpy")
def batch_gradient(X, y, weight, rows, start, stop, w, intercept, loss, epsilon, gradient):
    """Sum the loss and its gradient over the rows of a batch, in one pass.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of contiguous numbers.
    y, weight : ndarray of shape (n_samples,)
        Targets, and factors of the rows.
    rows : ndarray of int
        Indices of the rows of an epoch.
    start, stop : int
        ``rows[start:stop]`` is the batch.
    w : ndarray of shape (n_features,)
        Coefficients.
    intercept : float
        Intercept.
    loss, epsilon : int, float
        As in :func:`row_loss`.
    gradient : ndarray of shape (n_features,)
        Receives the weighted sum of the gradients with respect to `w`.

    Returns
    -------
    loss_sum : float
        Sum of the losses, without weights.
    intercept_gradient : float
        Weighted sum of the derivatives with respect to `intercept`.
    """
    loss_sum = intercept_gradient = 0.0
    gradient[:] = 0.0
    for k in range(start, stop):
        ahead = rows[min(k + _ROWS_AHEAD, len(rows) - 1)]
        for j in range(0, min(len(w), _NUMBERS_AHEAD), 64 // X.itemsize):
            prefetch(X, ahead, j)
        i = rows[k]
        row = X[i]
        p = dot(w, row) + intercept
        loss_sum += row_loss(loss, epsilon, y[i], p)
        slope = max(-MAX_GRADIENT, min(MAX_GRADIENT, row_gradient(loss, epsilon, y[i], p))) * weight[i]
        if slope != 0.0:
            for j in range(len(w)):
                gradient[j] += slope * float(row[j])
            intercept_gradient += slope
    return loss_sum, intercept_gradient
