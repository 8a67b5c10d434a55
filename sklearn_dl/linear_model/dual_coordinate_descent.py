"""Linear support vector machines, one dual variable after another."""

from collections.abc import Callable

import numpy as np
from numba import njit

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.row_kernels import FAST, add_row, below, next_random, row_arrays, row_dot


def dual_coordinate_descent(
    rows: AugmentedRows,
    lower: np.ndarray,
    upper: np.ndarray,
    cost: np.ndarray,
    *,
    seed: int,
    squared: bool = False,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, int]:
    """Minimize ``w @ w / 2 + sum(cost * distance(rows @ w, [lower, upper]))``, or with squared distances.

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
    squared : bool, default=False
        Whether distances are squared. Dual variables then have a quadratic cost instead of bounds.
    tol : float, default=1e-4
        Passes end when the largest slopes that pull a dual variable up and down add up to at most `tol`
        times the largest distance of 0 from an interval.
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
    bound, ridge = (np.full_like(cost, np.inf), 0.5 / cost) if squared else (cost, np.zeros_like(cost))
    low = np.where(np.isfinite(upper), -bound, 0.0)
    high = np.where(np.isfinite(lower), bound, 0.0)
    w = np.zeros(rows.n_columns)
    allowed = tol * max(lower.max(initial=0.0), -upper.min(initial=0.0))
    # What belongs to a row lies together, so that a visit to a row reads one line of the cache, not seven.
    state = np.column_stack(
        [lower, upper, low, high, ridge, rows.squared_norms() + ridge, np.zeros_like(cost), cost]
    )
    n_iter = _descend(row_arrays(rows), state, w, seed, allowed, max_iter)
    if on_step is not None:
        scores = rows.dot(w)
        distance = np.abs(scores - np.clip(scores, lower, upper))
        on_step(n_iter, 0.5 * float(w @ w) + float(cost @ (distance**2 if squared else distance)))
    return w, n_iter


@njit(nogil=True, cache=True, fastmath=FAST)
def _descend(rows, state, w, seed, allowed, max_iter):
    """Passes until the end, w and `state` changed in place; returns their number."""
    random = np.uint64(seed)
    order = np.arange(len(state))
    n_active = len(order)
    largest_rise = largest_fall = np.inf
    for n_iter in range(max_iter):
        previous_rise, previous_fall = largest_rise, largest_fall
        largest_rise = largest_fall = 0.0
        k = 0
        while k < n_active:
            random = next_random(random)
            other = k + below(random, n_active - k)
            order[k], order[other] = order[other], order[k]
            i = order[k]
            row = state[i]
            lower, upper, low, high, old = row[0], row[1], row[2], row[3], row[6]
            score = row_dot(rows, i, w) + row[4] * old
            # Slopes of the dual objective to the right and to the left; they differ where the variable is 0.
            right = score - (lower if old >= 0 else upper)
            left = score - (lower if old > 0 else upper)
            if (old >= high or right > previous_fall) and (old <= low or -left > previous_rise):
                n_active -= 1
                order[k], order[n_active] = order[n_active], order[k]
                continue
            rise = -right if old < high else 0.0
            fall = left if old > low else 0.0
            if rise > 0 or fall > 0:
                largest_rise, largest_fall = max(largest_rise, rise), max(largest_fall, fall)
                row[6] = _best(old, score, lower, upper, low, high, row[5])
                add_row(rows, i, row[6] - old, w)
            k += 1
        if largest_rise + largest_fall <= allowed:
            if n_active == len(order):
                return n_iter + 1
            n_active, largest_rise, largest_fall = len(order), np.inf, np.inf
        # Where nothing pulled to one side, nothing says how far a slope may still turn.
        largest_rise = largest_rise if largest_rise > 0 else np.inf
        largest_fall = largest_fall if largest_fall > 0 else np.inf
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
