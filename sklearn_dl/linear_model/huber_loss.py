"""Huber's loss with a scale learnt alongside, minimized by Newton's method or by L-BFGS."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from sklearn_dl._base.arrays import Array, namespace
from sklearn_dl.linear_model.augmented_rows import AugmentedRows, every_tenth
from sklearn_dl.linear_model.squared_hinge import GramOfActiveRows, root_along

_LARGEST_HESSIAN = 1000  # unknowns up to which Newton's method is used
_SMALLEST_SCALE = 10 * np.finfo(np.float64).eps
_SHORT_STEP = 0.5  # after a step below this size, the coefficients are fitted at a fixed scale
_SINGULAR = 1e-11  # of the largest eigenvalue: the Hessian is 0 below
_NO_CURVATURE = 1e-100
_FLAT = 1e-8  # of the largest eigenvalue, stands in for 0
_LEVEL = 1e-9  # of the gradient: smaller slopes are rounding
_FARTHEST = 10  # times the largest residual, may scores change at first
_STEEP = 0.5  # of the slope at the start of a step, left at its end, has it go on
_ACCEPTED_SLOPE = 0.1  # of that at the start of a step, may be left at its end


def huber_fit(
    rows: AugmentedRows,
    y: Array,
    weight: Array,
    epsilon: float,
    alpha: float,
    *,
    start: np.ndarray | None = None,
    tol: float = 1e-5,
    max_iter: int = 100,
) -> tuple[np.ndarray, int, bool]:
    """Minimize ``sum(weight * (sigma + H((y - rows @ u) / sigma) * sigma)) + alpha * |u|^2``.

    ``H(z)`` is ``z^2`` up to `epsilon` in absolute value and ``2 * epsilon * |z| - epsilon^2`` beyond. The
    coefficient of the constant column of `rows` is not penalized. The objective is convex in both, with a
    piecewise smooth gradient: the Hessian is a Gram matrix of the inliers, bordered by one column for sigma.

    Parameters
    ----------
    rows : AugmentedRows
        Rows, perhaps with a shift.
    y, weight : array of shape (n_samples,)
        Targets, and non-negative weights.
    epsilon : float
        Of at least 1.
    alpha : float
        Of at least 0.
    start : ndarray of shape (n_columns + 1,), default=None
        Coefficients and scale to start from. None starts from no coefficients, the mean of y as intercept
        and the scale of what is left, and, if there are many rows, from the solution for every tenth.
    tol : float, default=1e-5
        Steps end once no partial derivative is above ``1e-3 * tol``, or when rounding ends all progress.
    max_iter : int, default=100
        Steps at most.

    Returns
    -------
    solution : ndarray of shape (n_columns + 1,)
        Coefficients, and the scale last.
    n_iter : int
        Steps on all the rows.
    converged : bool
        Whether the steps ended before `max_iter` was reached.

    References
    ----------
    Owen (2006), A robust hybrid of lasso and ridge regression, section 3.
    """
    problem = _HuberProblem(rows, y, weight, epsilon, alpha)
    if rows.n_columns > _LARGEST_HESSIAN:
        return problem.lbfgs(problem.plain_start() if start is None else start, tol, max_iter)
    sample = every_tenth(rows, y, y, weight)
    if start is None and sample is not None and max_iter > 0:
        few, few_y, _, few_weight = sample
        start, _, _ = huber_fit(few, few_y, few_weight, epsilon, alpha, tol=1e-2, max_iter=max_iter)
    return problem.newton(problem.plain_start() if start is None else start, tol, max_iter)


class _Point(NamedTuple):
    """Objective, its gradient and what the Hessian is made of, at coefficients and a scale."""

    residual: Array
    inlier: Array
    objective: float
    gradient: np.ndarray


class _HuberProblem:
    def __init__(self, rows: AugmentedRows, y: Array, weight: Array, epsilon: float, alpha: float):
        self.rows = rows
        self.y = y
        self.weight = weight
        self.epsilon = epsilon
        self.penalty = np.full(rows.n_columns, 2.0 * alpha)
        if rows.constant:
            self.penalty[-1] = 0.0
        self.total = float(weight.sum())

    def plain_start(self) -> np.ndarray:
        start = np.zeros(self.rows.n_columns + 1)
        middle = 0.0
        if self.rows.constant and self.total > 0:
            middle = float(self.weight @ self.y) / self.total
            start[-2] = middle / self.rows.constant
        spread = float(self.weight @ (self.y - middle) ** 2) / max(self.total, _SMALLEST_SCALE)
        start[-1] = max(spread**0.5, _SMALLEST_SCALE)
        return start

    def newton(self, solution: np.ndarray, tol: float, max_iter: int) -> tuple[np.ndarray, int, bool]:
        gram = GramOfActiveRows(self.rows, self.weight)
        solution = solution.copy()
        solution[-1] = max(solution[-1], _SMALLEST_SCALE)
        point = self.at(self.y - self.rows.dot(solution[:-1]), solution)
        for n_iter in range(max_iter):
            if self._steepness(solution, point.gradient) <= 1e-3 * tol:
                return solution, n_iter, True
            before = point.objective
            size, solution, point = self._newton_step(gram, solution, point, fixed_scale=False)
            held = 0
            # The scale must not run ahead of the residuals, which may have to fit rows one after another.
            while size < _SHORT_STEP and held < 5 * self.rows.n_columns:
                at_least = point.objective
                _, solution, point = self._newton_step(gram, solution, point, fixed_scale=True)
                held += 1
                if at_least - point.objective <= 1e-4 * (before - at_least) + 1e-15 * abs(at_least):
                    break
            if not point.objective < before - 1e-15 * abs(before):
                return solution, n_iter, True
        return solution, max_iter, self._steepness(solution, point.gradient) <= tol

    def _newton_step(
        self, gram: GramOfActiveRows, solution: np.ndarray, point: _Point, fixed_scale: bool
    ) -> tuple[float, np.ndarray, _Point]:
        """Size of a step, 0 if there is none that lowers the objective, and where it leads."""
        hessian = self._hessian(gram.of(point.inlier), point, solution[-1])
        held = fixed_scale or (solution[-1] <= _SMALLEST_SCALE and point.gradient[-1] > 0)
        n_free = len(solution) - held
        step = np.zeros(len(solution))
        step[:n_free] = _descent(hessian[:n_free, :n_free], point.gradient[:n_free])
        slope = float(point.gradient @ step)
        size, following, moved = self._searched(solution, step, slope, point)
        return (size, following, moved) if moved.objective < point.objective else (0.0, solution, point)

    def lbfgs(self, start: np.ndarray, tol: float, max_iter: int) -> tuple[np.ndarray, int, bool]:
        def value_and_gradient(solution: np.ndarray) -> tuple[float, np.ndarray]:
            point = self.at(self.y - self.rows.dot(solution[:-1]), solution)
            return point.objective, point.gradient

        bounds = [(None, None)] * self.rows.n_columns + [(_SMALLEST_SCALE, None)]
        options = {
            "maxiter": max_iter,
            "maxfun": 20 * max_iter + 20,
            "gtol": tol,
            "ftol": 1e-13,
            "maxcor": 20,
        }
        result = minimize(
            value_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        return result.x, min(result.nit, max_iter), result.status != 1

    def at(self, residual: Array, solution: np.ndarray) -> _Point:
        """The point of the given coefficients and scale, whose residuals are known."""
        xp = namespace(residual)
        sigma = float(solution[-1])
        clipped = xp.clip(residual, -self.epsilon * sigma, self.epsilon * sigma)
        slopes = self.weight * clipped / sigma  # half of minus the derivative by the score
        inlier = clipped == residual
        # sigma * H(r / sigma) = c * (2 |r| - |c|) / sigma with c the clipped residual.
        loss = float(slopes @ (2 * residual - clipped))
        u = solution[:-1]
        gradient = np.append(
            self.penalty * u - 2 * self.rows.t_dot(slopes), self.total - float(slopes @ clipped) / sigma
        )
        objective = self.total * sigma + loss + 0.5 * float(self.penalty @ u**2)
        return _Point(residual, inlier, objective, gradient)

    def _hessian(self, gram: np.ndarray, point: _Point, sigma: float) -> np.ndarray:
        p = self.rows.n_columns
        inner = point.residual * point.inlier * self.weight
        hessian = np.empty((p + 1, p + 1))
        hessian[:p, :p] = 2 / sigma * gram + np.diag(self.penalty)
        hessian[:p, p] = hessian[p, :p] = 2 / sigma**2 * self.rows.t_dot(inner)
        hessian[p, p] = 2 / sigma**3 * float(inner @ point.residual)
        return hessian

    def _searched(
        self, solution: np.ndarray, step: np.ndarray, slope: float, point: _Point
    ) -> tuple[float, np.ndarray, _Point]:
        """Size of the step where the objective is about least, within the scales allowed, and that point."""
        score_step = self.rows.dot(step[:-1])
        limit = np.inf
        if step[-1] < 0:  # nine tenths of the way to the smallest scale
            share = 0.9 if solution[-1] >= 10 * _SMALLEST_SCALE else 1.0
            limit = share * (solution[-1] - _SMALLEST_SCALE) / -step[-1]
        reach = _FARTHEST * (float(abs(point.residual).max()) + float(solution[-1]))
        longest = min(1.0, limit, reach / max(float(abs(score_step).max()), abs(step[-1]), _SMALLEST_SCALE))

        def moved_by(size: float) -> tuple[np.ndarray, _Point]:
            moved = solution + size * step
            moved[-1] = max(moved[-1], _SMALLEST_SCALE)
            return moved, self.at(point.residual - size * score_step, moved)

        following, moved = moved_by(longest)
        end = float(moved.gradient @ step)
        if end > _ACCEPTED_SLOPE * -slope or (end < _STEEP * slope and longest < limit):
            size = root_along(lambda t: self._slope(solution, step, score_step, point, t * longest))
            longest = min(size * longest, limit)
            following, moved = moved_by(longest)
        return longest, following, moved

    def _slope(
        self, solution: np.ndarray, step: np.ndarray, score_step: Array, point: _Point, size: float
    ) -> float:
        """Derivative of the objective along the step."""
        sigma = float(solution[-1] + size * step[-1])
        limit = self.epsilon * sigma
        clipped = namespace(score_step).clip(point.residual - size * score_step, -limit, limit)
        slopes = self.weight * clipped / sigma
        u = solution[:-1] + size * step[:-1]
        by_scale = self.total - float(slopes @ clipped) / sigma
        return float(self.penalty * u @ step[:-1]) - 2 * float(slopes @ score_step) + by_scale * step[-1]

    def _steepness(self, solution: np.ndarray, gradient: np.ndarray) -> float:
        """Largest partial derivative by coefficients of the rows as they are, without the shift."""
        by_column = gradient.copy()
        if self.rows.shift is not None:
            by_column[: len(self.rows.shift)] += self.rows.shift * gradient[-2]
        if solution[-1] <= _SMALLEST_SCALE:
            by_column[-1] = min(by_column[-1], 0.0)
        return float(np.abs(by_column).max())


def _descent(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Newton's step, and a long one down every slope along which the Hessian is 0.

    There are such slopes: the objective is linear in the residuals of outliers, and, where all residuals are
    in proportion to the scale, in the scale too.
    """
    diagonal = np.diag(hessian)
    scale = np.where(diagonal > _NO_CURVATURE, 1 / np.sqrt(np.maximum(diagonal, _NO_CURVATURE)), 1.0)
    scaled, slopes = hessian * scale * scale[:, None], scale * gradient
    try:
        factor = cho_factor(scaled, lower=True, check_finite=False)
        if np.diag(factor[0]).min() ** 2 > _SINGULAR:
            return -scale * cho_solve(factor, slopes, check_finite=False)
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(scaled)
    slopes = vectors.T @ slopes
    flat = values <= _SINGULAR * values[-1]
    level = flat & (np.abs(slopes) <= _LEVEL * np.linalg.norm(slopes))
    values[flat] = _FLAT * values[-1]
    return -scale * (vectors @ np.where(level, 0.0, slopes / values))
