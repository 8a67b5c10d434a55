"""Squared losses beyond an interval under an L1 penalty, by proximal Newton steps."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, namespace
from sklearn_dl.linear_model.augmented_rows import AugmentedRows, every_tenth
from sklearn_dl.linear_model.l1_column_descent import count_on, l1_column_descent
from sklearn_dl.linear_model.l1_quadratic import l1_quadratic_descent, l1_quadratic_minimizer
from sklearn_dl.linear_model.squared_hinge import GramOfActiveRows, beyond_interval, root_along

_LARGEST_GRAM = 1000  # columns up to which all of them are in the quadratic model
_ROUNDING = 1e-15  # of the objective: no smaller decrease is asked for
_COMPILED_FROM = 100_000  # elements of X; a smaller fit must not wait for a compiler
_PLAIN_STEPS = 10  # after which it has waited longer
_INEXACT = 0.01  # of the first moves' worth, to which a model is minimized on the way


def l1_squared_interval_fit(
    rows: AugmentedRows,
    lower: Array,
    upper: Array,
    cost: Array,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, int]:
    """Minimize ``sum(abs(w)) + sum(cost * distance(rows @ w, [lower, upper])**2)``.

    Each step minimizes the penalty plus the quadratic model of the losses by coordinate descent on the Gram
    matrix of the active rows, and searches along the way there. Where there are more than 1000 columns, the
    model has only those that are nonzero or violate the optimality condition the most; rows in CSR are first
    taken as near to the minimizer as coordinate descent on their columns gets, which is mostly all the way.

    Parameters
    ----------
    rows : AugmentedRows
        Rows, without a shift.
    lower, upper : array of shape (n_samples,)
        Ends of the intervals, infinite where there is none.
    cost : array of shape (n_samples,)
        Non-negative weight of each row.
    tol : float, default=1e-4
        Steps end when the next would lower the objective by less than about ``(1e-3 * tol)**2`` of it.
    max_iter : int, default=1000
        Steps at most.
    on_step : callable, default=None
        Called with the number of the step and the objective before it.

    Returns
    -------
    w : ndarray of shape (n_columns,)
        The minimizer.
    n_iter : int
        Steps on all the rows.

    References
    ----------
    Lee, Sun, Saunders (2014), Proximal Newton-type methods for minimizing composite functions, Algorithm 1.
    Yuan, Ho, Lin (2012), An improved GLMNET for L1-regularized logistic regression.
    """
    start = np.zeros(rows.n_columns)
    sample = every_tenth(rows, lower, upper, cost)
    if sample is not None and max_iter > 0:
        start, _ = _minimizer(*sample, start, 1.0, max_iter, None)
    return _minimizer(rows, lower, upper, cost, start, tol, max_iter, on_step)


def _minimizer(
    rows: AugmentedRows,
    lower: Array,
    upper: Array,
    cost: Array,
    w: np.ndarray,
    tol: float,
    max_iter: int,
    on_step: Callable[[int, float], None] | None,
) -> tuple[np.ndarray, int]:
    negligible, n_iter = max((1e-3 * tol) ** 2, _ROUNDING), 0
    small = rows.n_rows * rows.n_columns < _COMPILED_FROM
    if sparse.issparse(rows.X) and rows.n_columns > _LARGEST_GRAM and not small:
        w, n_iter, done = l1_column_descent(rows, lower, upper, cost, w, negligible, max_iter, on_step)
        if done:
            return w, n_iter
        if on_step is not None:
            on_step = partial(count_on, on_step, n_iter)
    w, n_more = _proximal_newton(rows, lower, upper, cost, w, tol, max_iter - n_iter, on_step)
    return w, n_iter + n_more


def _proximal_newton(
    rows: AugmentedRows,
    lower: Array,
    upper: Array,
    cost: Array,
    w: np.ndarray,
    tol: float,
    max_iter: int,
    on_step: Callable[[int, float], None] | None,
) -> tuple[np.ndarray, int]:
    negligible = max((1e-3 * tol) ** 2, _ROUNDING)
    small = rows.n_rows * rows.n_columns < _COMPILED_FROM
    gram = GramOfActiveRows(rows, cost)
    scores = rows.dot(w)
    previous = np.inf
    for n_iter in range(max_iter):
        excess = beyond_interval(scores, lower, upper)
        loss = float((cost * excess) @ excess)
        objective = float(np.abs(w).sum()) + loss
        if on_step is not None:
            on_step(n_iter, objective)
        gradient = 2 * rows.t_dot(cost * excess)
        columns = _working_columns(w, gradient)
        chosen = slice(None) if columns is None else columns
        minimizer = partial(
            l1_quadratic_minimizer,
            2 * (gram.of(excess != 0) if columns is None else _partial_gram(rows, excess, cost, columns)),
            gradient[chosen],
            w[chosen],
            0.01 * negligible * objective,
            l1_quadratic_descent.py_func if small and n_iter < _PLAIN_STEPS else l1_quadratic_descent,
        )
        for share in (_INEXACT, 0.0):
            goal = w.copy()
            goal[chosen] = minimizer(share)
            step = goal - w
            decrease = -float(gradient @ step) - float(np.abs(goal).sum() - np.abs(w).sum())
            if decrease > negligible * objective:
                break
        else:
            return w, n_iter
        if objective >= previous:
            return w, n_iter
        previous = objective
        score_step = rows.dot(step)
        size = _step_size(w, step, scores, score_step, lower, upper, cost, objective, decrease)
        w, scores = (goal if size == 1 else w + size * step), scores + size * score_step
    return w, max_iter


def _working_columns(w: np.ndarray, gradient: np.ndarray) -> np.ndarray | None:
    """Columns of the model; None for all."""
    if len(w) <= _LARGEST_GRAM:
        return None
    violation = np.where(w != 0, np.inf, np.abs(gradient) - 1)
    n_nonzero = np.count_nonzero(w)
    size = min(max(100, 2 * n_nonzero), np.count_nonzero(violation > 0))
    return np.sort(np.argsort(-violation)[:size])


def _partial_gram(rows: AugmentedRows, excess: Array, cost: Array, columns: np.ndarray) -> np.ndarray:
    """Weighted Gram matrix of the active rows in some columns."""
    index = namespace(excess).where(excess != 0)[0]
    return rows.part(index, columns).gram(cost[index])


def _step_size(
    w: np.ndarray,
    step: np.ndarray,
    scores: Array,
    score_step: Array,
    lower: Array,
    upper: Array,
    cost: Array,
    objective: float,
    decrease: float,
) -> float:
    """1 where that lowers the objective as the model says, roughly; else its minimizer along the step."""

    def slope(size: float) -> float:
        excess = beyond_interval(scores + size * score_step, lower, upper)
        moved = w + size * step
        sign = np.where(moved != 0, np.sign(moved), -np.sign(step))
        return float(sign @ step) + 2 * float((cost * score_step) @ excess)

    excess = beyond_interval(scores + score_step, lower, upper)
    if float(np.abs(w + step).sum()) + float((cost * excess) @ excess) <= objective - 0.01 * decrease:
        return 1.0
    return root_along(slope)
