"""Linear support vector machines of linear loss, one dual variable after another."""

from collections.abc import Callable

import numpy as np
from numba import njit

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.row_kernels import FAST, add_row, row_arrays, row_dot


def dual_coordinate_descent(
    rows: AugmentedRows,
    lower: np.ndarray,
    upper: np.ndarray,
    cost: np.ndarray,
    *,
    seed: int,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, int]:
    """Minimize ``w @ w / 2 + sum(cost * distance(rows @ w, [lower, upper]))``.

    Passes over the rows in random order. Each row's dual variable goes to where it minimizes the dual while
    the others stay; variables at a bound or at 0 that nothing pulls away are left out of further passes and
    checked again at the end.

    Parameters
    ----------
    rows : AugmentedRows
        Rows, a C-ordered ndarray or CSR in float64, without a shift.
    lower, upper : ndarray of shape (n_samples,)
        Ends of the intervals, infinite where there is none.
    cost : ndarray of shape (n_samples,)
        Positive weight of each row.
    seed : int
        Seed of the order.
    tol : float, default=1e-4
        Passes end when no score misses what the dual variable asks by more than `tol` times the largest
        distance of 0 from an interval.
    max_iter : int, default=1000
        Passes at most.
    on_step : callable, default=None
        Called with the number of passes and the objective at the end.

    Returns
    -------
    w : ndarray of shape (n_columns,)
        The minimizer.
    n_iter : int
        Passes made.

    References
    ----------
    Hsieh, Chang, Lin, Keerthi, Sundararajan (2008), A dual coordinate descent method for large-scale linear
    SVM, Algorithm 3. Ho, Lin (2012), Large-scale linear support vector regression, Algorithm 4.
    """
    low = np.where(np.isfinite(upper), -cost, 0.0)
    high = np.where(np.isfinite(lower), cost, 0.0)
    w = np.zeros(rows.n_columns)
    allowed = tol * max(lower.max(initial=0.0), -upper.min(initial=0.0))
    n_iter = _descend(
        row_arrays(rows), lower, upper, low, high, rows.squared_norms(), w, seed, allowed, max_iter
    )
    if on_step is not None:
        scores = rows.dot(w)
        distance = np.abs(scores - np.clip(scores, lower, upper))
        on_step(n_iter, 0.5 * float(w @ w) + float(cost @ distance))
    return w, n_iter


@njit(nogil=True, cache=True, fastmath=FAST)
def _descend(rows, lower, upper, low, high, norms, w, seed, allowed, max_iter):
    """Passes until the end, w changed in place; returns their number."""
    np.random.seed(seed)
    dual = np.zeros(len(lower))
    order = np.arange(len(lower))
    n_active = len(order)
    slack_that_shrinks = np.inf
    for n_iter in range(max_iter):
        largest = 0.0
        k = 0
        while k < n_active:
            other = np.random.randint(k, n_active)
            order[k], order[other] = order[other], order[k]
            i = order[k]
            score, old = row_dot(rows, i, w), dual[i]
            # Slopes of the dual objective to the right and to the left; they differ where the variable is 0.
            right = score - (lower[i] if old >= 0 else upper[i])
            left = score - (lower[i] if old > 0 else upper[i])
            violation = max(0.0, -right if old < high[i] else 0.0, left if old > low[i] else 0.0)
            stuck_right = old >= high[i] or right > slack_that_shrinks
            stuck_left = old <= low[i] or -left > slack_that_shrinks
            if stuck_right and stuck_left and slack_that_shrinks < np.inf:
                n_active -= 1
                order[k], order[n_active] = order[n_active], order[k]
                continue
            largest = max(largest, violation)
            if violation > 0:
                dual[i] = _best(old, score, lower[i], upper[i], low[i], high[i], norms[i])
                add_row(rows, i, dual[i] - old, w)
            k += 1
        if largest <= allowed:
            if n_active == len(order):
                return n_iter + 1
            n_active, slack_that_shrinks = len(order), np.inf
        else:
            slack_that_shrinks = largest
    return max_iter


@njit(nogil=True, cache=True)
def _best(old, score, lower, upper, low, high, norm):
    """Value of one dual variable that minimizes the dual objective while the others stay."""
    if norm == 0:
        return high if lower > 0 else (low if upper < 0 else 0.0)
    rising = old - (score - lower) / norm
    if rising > 0:
        return min(rising, high)
    return max(min(old - (score - upper) / norm, 0.0), low)
