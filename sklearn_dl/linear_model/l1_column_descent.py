"""Squared losses beyond an interval under an L1 penalty: coordinate descent on sparse columns."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numba import njit
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.squared_hinge import beyond_interval

_SWEEPS = 5  # of coordinate descent before each Newton step
_MOST_ROUNDS = 200  # of sweeps and a Newton step, before another method must help
_DIRECT_ROUNDS = 15  # before a start from smaller costs
_STAGES = (0.01, 0.03, 0.1, 0.3)  # of the cost, whose minimizers are starts for the next
_ROUNDS_OF_STAGE = 30
_ENOUGH = 1e-4  # of the objective, by which a round of a stage must lower it
_NEAR = 0.9  # of the penalty's slope, at which a column of coefficient 0 is swept too
_STEADY = 0.1  # of the nonzero coefficients, may change sign within the sweeps before a Newton step
_RESIDUAL = 1e-3  # of the slopes, to which conjugate gradients solve for the Newton step
_LAST_RESIDUAL = 1e-6
_MOST_PRODUCTS = 300  # with the Hessian for a step
_MOST_TO_CONFIRM = 3000  # and for one that tells whether this is the minimizer
_FIRST_DAMPING = 1e-3  # of the diagonal of the Hessian, added to it
_LARGEST_DAMPING = 10.0
_LEAST_GAIN = 0.01  # of the first-order decrease, that the objective must fall by in a move of a sweep


def l1_column_descent(
    rows: AugmentedRows,
    lower: np.ndarray,
    upper: np.ndarray,
    cost: np.ndarray,
    w: np.ndarray,
    negligible: float,
    max_iter: int,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, int, bool]:
    """Minimize ``sum(abs(w)) + sum(cost * distance(rows @ w, [lower, upper])**2)`` for rows in CSR.

    Sweeps of coordinate descent find the coefficients that are not 0, and their signs. For these, a damped
    Newton step by conjugate gradients follows each bout of sweeps; a coefficient that it takes across 0
    becomes 0. The damping (Levenberg, Marquardt) grows where such a step does not lower the objective.

    Parameters
    ----------
    rows : AugmentedRows
        Rows in CSR, without a shift.
    lower, upper : ndarray of shape (n_samples,)
        Ends of the intervals, infinite where there is none.
    cost : ndarray of shape (n_samples,)
        Non-negative weight of each row.
    w : ndarray of shape (n_columns,)
        The start.
    negligible : float
        Rounds end when the next would lower the objective by less than about this part of it.
    max_iter : int
        Rounds at most.
    on_step : callable, default=None
        Called with the number of the round and the objective before it.

    Returns
    -------
    w : ndarray of shape (n_columns,)
        The minimizer, or the last iterate.
    n_iter : int
        Rounds of sweeps and a Newton step, at the full cost.
    done : bool
        Whether that is the minimizer.

    References
    ----------
    Chang, Hsieh, Lin (2008), Coordinate descent method for large-scale L2-loss linear SVMs, Algorithm 1.
    Yuan, Chang, Hsieh, Lin (2010), A comparison of optimization methods and software for large-scale
    L1-regularized linear classification, section 4.1.
    """
    columns = _columns(rows)
    first = min(max_iter, _DIRECT_ROUNDS)
    direct, n_iter, done = _descend(rows, columns, lower, upper, cost, w, negligible, first, on_step)
    if done or n_iter == max_iter:
        return direct, n_iter, done
    for share in _STAGES:
        w, _, _ = _descend(rows, columns, lower, upper, share * cost, w, _ENOUGH, _ROUNDS_OF_STAGE, None)
    more = min(max_iter, _MOST_ROUNDS) - n_iter
    counted = None if on_step is None else partial(count_on, on_step, n_iter)
    w, n_more, done = _descend(rows, columns, lower, upper, cost, w, negligible, more, counted)
    return w, n_iter + n_more, done


def count_on(on_step: Callable[[int, float], None], n_before: int, n_iter: int, objective: float) -> None:
    """Call `on_step` with steps that follow earlier ones."""
    on_step(n_before + n_iter, objective)


def _descend(
    rows: AugmentedRows,
    columns: sparse.csc_array,
    lower: np.ndarray,
    upper: np.ndarray,
    cost: np.ndarray,
    w: np.ndarray,
    negligible: float,
    max_iter: int,
    on_step: Callable[[int, float], None] | None,
) -> tuple[np.ndarray, int, bool]:
    """Rounds of sweeps and a Newton step; the last is without damping, if `negligible` is small."""
    w, damping = w.copy(), _FIRST_DAMPING
    scores, gradient, objective = _state(rows, lower, upper, cost, w)
    for n_iter in range(max_iter):
        if on_step is not None:
            on_step(n_iter, objective)
        sign = np.sign(w)
        swept = np.flatnonzero((w != 0) | (np.abs(gradient) > _NEAR))
        l1_sweeps(
            columns.indptr, columns.indices, columns.data, lower, upper, cost, w, scores, swept, _SWEEPS
        )
        scores, gradient, objective = _state(rows, lower, upper, cost, w)
        support = np.flatnonzero(w)
        if np.count_nonzero(np.sign(w) != sign) > _STEADY * len(support):
            continue
        model = _Model(rows, scores, lower, upper, cost, w, gradient)
        step, worth, _ = model.newton_step(damping, min(_SWEEPS * (n_iter + 1), _MOST_PRODUCTS))
        last = worth <= negligible * objective
        if last and negligible < _ENOUGH:
            step, worth, exact = model.newton_step(0.0, _MOST_TO_CONFIRM)
            last = exact and worth <= negligible * objective
        moved = w.copy()
        moved[support] += step
        moved[np.sign(moved) != np.sign(w)] = 0.0
        there = _state(rows, lower, upper, cost, moved)
        if last:
            return (moved if there[2] <= objective else w), n_iter + 1, True
        if there[2] < objective:
            w, (scores, gradient, objective) = moved, there
            damping /= 5
        else:
            damping = min(5 * damping, _LARGEST_DAMPING)
    return w, max_iter, False


def _columns(rows: AugmentedRows) -> sparse.csc_array:
    """The rows by columns, with the constant one."""
    columns = sparse.csc_array(rows.X)
    if rows.constant:
        columns = sparse.hstack([columns, np.full((rows.n_rows, 1), rows.constant)], format="csc")
    columns.sum_duplicates()
    return columns


def _state(
    rows: AugmentedRows, lower: np.ndarray, upper: np.ndarray, cost: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Scores, gradient of the losses, and objective."""
    scores = rows.dot(w)
    excess = beyond_interval(scores, lower, upper)
    weighted = cost * excess
    return scores, 2 * rows.t_dot(weighted), float(np.abs(w).sum()) + float(weighted @ excess)


class _Model:
    """Quadratic model of the objective where no sign and no active row changes."""

    def __init__(
        self,
        rows: AugmentedRows,
        scores: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        cost: np.ndarray,
        w: np.ndarray,
        gradient: np.ndarray,
    ) -> None:
        active = np.flatnonzero(beyond_interval(scores, lower, upper))
        support = np.flatnonzero(w)
        pulled = np.flatnonzero((w == 0) & (np.abs(gradient) > 1))
        self._cost = 2 * cost[active]
        self._rows = rows.part(active, support)
        self._slopes = gradient[support] + np.sign(w[support])
        self._diagonal = self._curvatures(self._rows)
        excess = (np.abs(gradient[pulled]) - 1) ** 2
        self._worth_of_others = float((excess / (2 * self._curvatures(rows.part(active, pulled)))).sum())

    def newton_step(self, damping: float, max_iter: int) -> tuple[np.ndarray, float, bool]:
        """Step of the nonzero coefficients, the decrease it promises with others of 0, and if it is exact."""
        n = len(self._slopes)
        if not (self._diagonal > 0).all():
            return np.zeros(n), np.inf, False
        if not n:
            return np.zeros(n), self._worth_of_others, True

        def product(v: np.ndarray) -> np.ndarray:
            return self._rows.t_dot(self._cost * self._rows.dot(v)) + damping * self._diagonal * v

        hessian = LinearOperator((n, n), product, dtype=float)
        scale = LinearOperator((n, n), lambda v: v / self._diagonal, dtype=float)
        residual = _RESIDUAL if damping else _LAST_RESIDUAL
        step, status = cg(hessian, -self._slopes, rtol=residual, maxiter=max_iter, M=scale)
        return step, -0.5 * float(self._slopes @ step) + self._worth_of_others, status == 0

    def _curvatures(self, rows: AugmentedRows) -> np.ndarray:
        """Diagonal of the Hessian."""
        return AugmentedRows(rows.X.multiply(rows.X).tocsr(), rows.constant**2).t_dot(self._cost)


@njit(nogil=True, cache=True)
def _beyond(score, lower, upper):
    if score < lower:
        return score - lower
    if score > upper:
        return score - upper
    return 0.0


@njit(nogil=True, cache=True)
def l1_sweeps(indptr, indices, data, lower, upper, cost, w, scores, swept, n_sweeps):
    """Sweeps of coordinate descent over some columns, which change w and the scores.

    Each move is Newton's, halved until it lowers the objective.
    """
    for _ in range(n_sweeps):
        for j in swept:
            start, stop = indptr[j], indptr[j + 1]
            slope = curvature = 0.0
            for k in range(start, stop):
                excess = _beyond(scores[indices[k]], lower[indices[k]], upper[indices[k]])
                if excess != 0:
                    weighted = 2 * cost[indices[k]] * data[k]
                    slope += weighted * excess
                    curvature += weighted * data[k]
            old, new = w[j], 0.0  # without a curvature, only the penalty knows this element
            if curvature > 0:
                free = old - slope / curvature
                new = np.sign(free) * max(0.0, abs(free) - 1 / curvature)
            move = new - old
            decrease = abs(old) - abs(new) - slope * move
            while move != 0:
                gained, same = abs(old) - abs(old + move), True
                for k in range(start, stop):
                    i = indices[k]
                    before = _beyond(scores[i], lower[i], upper[i])
                    after = _beyond(scores[i] + move * data[k], lower[i], upper[i])
                    if (before != 0) != (after != 0):
                        same = False
                    gained += cost[i] * (before - after) * (before + after)
                if same or gained >= _LEAST_GAIN * decrease:
                    break
                move, decrease = 0.5 * move, 0.5 * decrease
            if move != 0:
                w[j] = new if old + move == new else old + move
                for k in range(start, stop):
                    scores[indices[k]] += move * data[k]
