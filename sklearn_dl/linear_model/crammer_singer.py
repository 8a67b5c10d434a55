"""Multi-class support vector machine of Crammer and Singer, one row after another."""

import numpy as np
from numba import njit

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.row_kernels import FAST, add_row, row_arrays, row_dots


def crammer_singer_fit(
    rows: AugmentedRows,
    codes: np.ndarray,
    cost: np.ndarray,
    n_classes: int,
    *,
    seed: int,
    tol: float = 1e-4,
    max_iter: int = 1000,
) -> tuple[np.ndarray, int]:
    """Minimize ``sum(W * W) / 2 + sum(cost * loss)`` with one row of coefficients in W for each class.

    The loss of a row x of class y is ``max over m of (m != y) + W[m] @ x - W[y] @ x``. Each row has one dual
    variable a class; the sequential dual method visits the rows in random order and sets those of a row to
    their optimum while the others stay.

    Parameters
    ----------
    rows : AugmentedRows
        Rows, a C-ordered ndarray or CSR in float64, without a shift.
    codes : ndarray of shape (n_samples,)
        Class of each row, from 0 to n_classes - 1.
    cost : ndarray of shape (n_samples,)
        Weight of each row; those of weight 0 or below do not count.
    n_classes : int
        Number of classes.
    seed : int
        Seed of the order.
    tol : float, default=1e-4
        Passes end when no row's optimality condition is violated by more than this, in units of the score.
        Rows of which only one variable may move are left out of passes, and checked again at the end.
    max_iter : int, default=1000
        Passes at most.

    Returns
    -------
    W : ndarray of shape (n_classes, n_columns)
        The minimizer.
    n_iter : int
        Passes made.

    References
    ----------
    Keerthi, Sundararajan, Chang, Hsieh, Lin (2008), A sequential dual method for large scale multi-class
    linear SVMs, Algorithm 1. Crammer, Singer (2001), On the algorithmic implementation of multiclass
    kernel-based vector machines.
    """
    W = np.zeros((n_classes, rows.n_columns))
    order = np.flatnonzero(cost > 0)
    n_iter = _visit_rows(
        row_arrays(rows),
        codes.astype(np.int64),
        cost,
        np.asarray(rows.squared_norms(), dtype=np.float64),
        order,
        W,
        seed,
        tol,
        max_iter,
    )
    return W, n_iter


@njit(nogil=True, cache=True, fastmath=FAST)
def _visit_rows(rows, codes, cost, norms, order, W, seed, tol, max_iter):
    """Passes until the end, W changed in place; returns their number."""
    np.random.seed(seed)
    n_classes = W.shape[0]
    dual = np.zeros((len(codes), n_classes))
    slopes, best = np.empty(n_classes), np.empty(n_classes)
    n_active, allowed = len(order), max(10 * tol, 1.0)
    for n_iter in range(max_iter):
        largest, saw_all = 0.0, n_active == len(order)
        k = 0
        while k < n_active:
            other = np.random.randint(k, n_active)
            order[k], order[other] = order[other], order[k]
            i = order[k]
            y = codes[i]
            row_dots(rows, i, W, slopes)
            slopes += 1
            slopes[y] -= 1
            violation, n_movable = _state(slopes, dual[i], y, cost[i])
            if n_movable <= 1:
                n_active -= 1
                order[k], order[n_active] = order[n_active], order[k]
                continue
            largest = max(largest, violation)
            if violation > 1e-12 and norms[i] > 0:
                _best_of_row(slopes, dual[i], y, cost[i], norms[i], best)
                for m in range(n_classes):
                    if best[m] != dual[i, m]:
                        add_row(rows, i, best[m] - dual[i, m], W[m])
                        dual[i, m] = best[m]
            k += 1
        if largest <= allowed:
            if largest <= tol and saw_all:
                return n_iter + 1
            n_active, allowed = len(order), max(allowed / 2, tol)
    return max_iter


@njit(nogil=True, cache=True)
def _state(slopes, dual, y, cost):
    """Largest slope minus the smallest of those whose variable may grow, and how many variables may move.

    The first is 0 at the row's optimum. Variables at their bound of smaller slope than the others stay there.
    """
    steepest, flattest = -np.inf, np.inf
    for m in range(len(slopes)):
        steepest = max(steepest, slopes[m])
        if dual[m] < (cost if m == y else 0.0):
            flattest = min(flattest, slopes[m])
    n_movable = 0
    for m in range(len(slopes)):
        n_movable += dual[m] < (cost if m == y else 0.0) or slopes[m] >= flattest
    return steepest - flattest, n_movable


@njit(nogil=True, cache=True)
def _best_of_row(slopes, dual, y, cost, norm, best):
    """Dual variables of a row that minimize the dual objective: of sum 0, each at most its bound.

    They are ``min(bound, (level - base) / norm)``, at the level where they sum to 0.
    """
    for m in range(len(best)):
        best[m] = slopes[m] - norm * dual[m] + (norm * cost if m == y else 0.0)
    best.sort()
    total = -norm * cost
    level = 0.0
    for count in range(1, len(best) + 1):
        total += best[-count]
        level = total / count
        if count < len(best) and level >= best[-count - 1]:
            break
    for m in range(len(best)):
        best[m] = min(cost if m == y else 0.0, (level - slopes[m]) / norm + dual[m])
