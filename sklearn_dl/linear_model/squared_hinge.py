"""Linear support vector machines of squared loss, in the primal, by Newton's method on the active rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import brentq
from scipy.sparse.linalg import LinearOperator, cg

from sklearn_dl._base.arrays import Array, namespace, to_host
from sklearn_dl.linear_model.augmented_rows import LARGEST_PLAIN, AugmentedRows, RowSpan, every_tenth

_LARGEST_GRAM = 1000  # unknowns up to which the Hessian is formed and factored
_ACCEPTED_SLOPE = 0.1  # of that at the start of a step, may be left at its end
_SINGULAR = 1e-14  # what is left of a unit diagonal, or of the largest eigenvalue, when a system is singular
_COARSE = 1e-10  # what is left of a unit diagonal when products of columns have lost the digits of a step
_BLOCK_ROWS = 1000  # taken into a triangular factor at once, if there are fewer columns
_UPDATED_AT_MOST = 0.3  # of the active rows: more changes than that, and the Gram matrix is made anew

# Coefficients, what scores exceed their intervals by, and the gradient -> the step, and the slope along it.
Direction = Callable[[np.ndarray, Array, np.ndarray], tuple[np.ndarray, float]]


def squared_interval_fit(
    rows: AugmentedRows,
    lower: Array,
    upper: Array,
    cost: Array,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, int]:
    """Minimize ``w @ w / 2 + sum(cost * distance(rows @ w, [lower, upper])**2)``.

    The interval [1, inf) or (-inf, -1] makes it the squared hinge loss, [y - epsilon, y + epsilon] the
    squared epsilon-insensitive loss. The objective is piecewise quadratic and strongly convex, so that
    Newton's method on the rows outside their interval, with an exact line search, ends after finitely many
    steps at the minimum.

    Parameters
    ----------
    rows : AugmentedRows
        Rows, without a shift.
    lower, upper : array of shape (n_samples,)
        Ends of the intervals, infinite where there is none.
    cost : array of shape (n_samples,)
        Non-negative weight of each row.
    tol : float, default=1e-4
        Steps end when one more would lower the objective by less than about ``(1e-4 * tol)**2`` of it, or
        ``(1e-1 * tol)**2`` where conjugate gradients stand in for a factored Hessian.
    max_iter : int, default=1000
        Newton steps at most.
    on_step : callable, default=None
        Called with the number of the step and the objective before it.

    Returns
    -------
    w : ndarray of shape (n_columns,)
        The minimizer.
    n_iter : int
        Newton steps on all the rows.

    References
    ----------
    Keerthi, DeCoste (2005), A modified finite Newton method for fast solution of large scale linear SVMs.
    Mangasarian (2002), A finite Newton method for classification.
    """
    if rows.n_rows < rows.n_columns > LARGEST_PLAIN and rows.n_rows <= _LARGEST_GRAM:
        span = RowSpan(rows.X)
        fewer = AugmentedRows(span.X, rows.constant)
        w, n_iter = _newton(fewer, lower, upper, cost, np.zeros(fewer.n_columns), tol, max_iter, on_step)
        n_coordinates = span.X.shape[1]
        return np.concatenate([span.expand(w[:n_coordinates]), w[n_coordinates:]]), n_iter
    start = np.zeros(rows.n_columns)
    sample = every_tenth(rows, lower, upper, cost)
    if sample is not None and max_iter > 0:
        start, _ = _newton(*sample, start, 1.0, max_iter, None)
    return _newton(rows, lower, upper, cost, start, tol, max_iter, on_step)


def _newton(
    rows: AugmentedRows,
    lower: Array,
    upper: Array,
    cost: Array,
    w: np.ndarray,
    tol: float,
    max_iter: int,
    on_step: Callable[[int, float], None] | None,
) -> tuple[np.ndarray, int]:
    factored = rows.n_columns <= _LARGEST_GRAM
    negligible = (tol * (1e-4 if factored else 1e-1)) ** 2
    direction = _factored_hessian(rows, cost) if factored else _conjugate_gradients(rows, cost)

    def slopes(scores: Array, part: slice) -> Array:
        return 2 * cost[part] * beyond_interval(scores, lower[part], upper[part])

    scores, gradient = rows.dot_and_t_dot(w, slopes)
    before, loss = w, np.inf
    for n_iter in range(max_iter):
        gradient = gradient + w
        excess = beyond_interval(scores, lower, upper)
        previous, loss = loss, 0.5 * float(w @ w) + float((cost * excess) @ excess)
        if on_step is not None:
            on_step(n_iter, loss)
        if loss >= previous:
            return before, n_iter
        step, slope = direction(w, excess, gradient)
        if -slope <= negligible * loss:
            return w, n_iter
        old_scores, (scores, gradient) = scores, rows.dot_and_t_dot(w + step, slopes)
        size = 1.0
        if abs(float((gradient + w + step) @ step)) > _ACCEPTED_SLOPE * -slope:
            size = _step_size(w, step, old_scores, scores - old_scores, lower, upper, cost)
            # Beyond the end of the step, rounding of the two scores would grow with it.
            scores = rows.dot(w + size * step) if size > 1 else old_scores + size * (scores - old_scores)
            gradient = rows.t_dot(slopes(scores, slice(0, rows.n_rows)))
        before, w = w, w + size * step
    return w, max_iter


def beyond_interval(scores: Array, lower: Array, upper: Array) -> Array:
    """Signed distance of the scores from their intervals; 0 inside."""
    xp = namespace(scores)
    return scores - xp.minimum(xp.maximum(scores, lower), upper)


def _step_size(
    w: np.ndarray,
    step: np.ndarray,
    scores: Array,
    score_step: Array,
    lower: Array,
    upper: Array,
    cost: Array,
) -> float:
    """Minimizer of the objective along the step."""
    along, curvature = float(w @ step), float(step @ step)
    weighted = 2 * cost * score_step

    def slope(size: float) -> float:
        excess = beyond_interval(scores + size * score_step, lower, upper)
        return along + size * curvature + float(weighted @ excess)

    return root_along(slope)


def root_along(slope: Callable[[float], float]) -> float:
    """Size above 0 at which `slope`, the derivative of a convex function along a step, crosses 0."""
    low, high = 0.0, 1.0
    if slope(low) >= 0:
        return low
    while slope(high) < 0 and high < 1e10:
        low, high = high, 4 * high
    return float(brentq(slope, low, high, xtol=1e-10, rtol=1e-4)) if slope(high) > 0 else high


class GramOfActiveRows:
    """Weighted Gram matrix of the active rows, updated by those that come and go."""

    def __init__(self, rows: AugmentedRows, cost: Array):
        self.rows = rows
        self.cost = cost
        self.active: Array | None = None
        self.gram = np.zeros((rows.n_columns, rows.n_columns))

    def of(self, active: Array) -> np.ndarray:
        """Gram matrix of the rows where `active` is true."""
        if self.active is not None:
            came, left = _index(active & ~self.active), _index(self.active & ~active)
            if len(came) + len(left) <= _UPDATED_AT_MOST * float(active.sum()):
                self.gram += self.rows.gram(self.cost[came], came) - self.rows.gram(self.cost[left], left)
                self.active = active
                return self.gram
        index = _index(active)
        self.gram = self.rows.gram(self.cost[index], index)
        self.active = active
        return self.gram


def _factored_hessian(rows: AugmentedRows, cost: Array) -> Direction:
    """Newton directions by the Cholesky factor of the Hessian, or of its square root where that is coarse."""
    gram = GramOfActiveRows(rows, cost)

    def direction(w: np.ndarray, excess: Array, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        hessian = 2 * gram.of(excess != 0)
        hessian[np.diag_indices_from(hessian)] += 1
        step = _cholesky_solution(hessian, -gradient, _COARSE)
        return _least_squares_step(rows, w, excess, cost) if step is None else (step, float(gradient @ step))

    return direction


def _least_squares_step(
    rows: AugmentedRows, w: np.ndarray, excess: Array, cost: Array
) -> tuple[np.ndarray, float]:
    """Newton step and the slope along it, from the active rows themselves instead of their products."""
    size = rows.n_columns
    triangle: Any = np.column_stack([np.eye(size), -w])
    index = _index(excess != 0)
    for start in range(0, len(index), max(size, _BLOCK_ROWS)):
        block = index[start : start + max(size, _BLOCK_ROWS)]
        root = np.sqrt(2 * to_host(cost[block]))
        weighted = np.column_stack([rows.dense(block), -to_host(excess[block])]) * root[:, None]
        triangle = np.linalg.qr(np.vstack([weighted, triangle]), mode="r")
    right = triangle[:size, size]
    return solve_triangular(triangle[:size, :size], right, check_finite=False), -float(right @ right)


def _index(mask: Array) -> Array:
    return namespace(mask).where(mask)[0]


def solve_positive(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Solution of a positive definite system; the shortest, in scaled unknowns, where it is singular."""
    solution = _cholesky_solution(matrix, rhs, _SINGULAR)
    if solution is not None:
        return solution
    scaled, scale = _with_unit_diagonal(matrix)
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _SINGULAR * values[-1]
    return scale * (vectors[:, kept] @ (vectors[:, kept].T @ (scale * rhs) / values[kept]))


def _cholesky_solution(matrix: np.ndarray, rhs: np.ndarray, least: float) -> np.ndarray | None:
    """Solution of a system of positive diagonal, None if less than `least` of a unit diagonal is left."""
    if not len(rhs):
        return rhs
    scaled, scale = _with_unit_diagonal(matrix)
    try:
        factor = cho_factor(scaled, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    if not np.diag(factor[0]).min() ** 2 > least:
        return None
    return scale * cho_solve(factor, scale * rhs, check_finite=False)


def _with_unit_diagonal(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix between two diagonal ones that make its diagonal 1 where it is above 0, and that scale."""
    diagonal = np.diag(matrix)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.maximum(diagonal, np.finfo(float).tiny)), 0.0)
    return matrix * scale * scale[:, None], scale


def _conjugate_gradients(rows: AugmentedRows, cost: Array) -> Direction:
    """Newton directions from products with the Hessian, solved the more closely the nearer the end."""
    first_norm = []

    def direction(w: np.ndarray, excess: Array, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        index = _index(excess != 0)
        subset, twice_cost = rows[index], 2 * cost[index]
        n = rows.n_columns
        norm = float(np.linalg.norm(gradient))
        first_norm.append(norm)
        hessian = LinearOperator(
            (n, n), lambda v: v.ravel() + subset.t_dot(twice_cost * subset.dot(v.ravel())), dtype=float
        )
        rtol = min(0.1, (norm / max(first_norm[0], np.finfo(float).tiny)) ** 0.5)
        step, _ = cg(hessian, -gradient, rtol=rtol, maxiter=10 * n)
        step = to_host(step)
        return step, float(gradient @ step)

    return direction
