"""Smooth convex minimisation: L-BFGS from a given inverse Hessian, and Newton where that is renewed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
InverseHessian = Callable[[np.ndarray], np.ndarray]

_MEMORY = 10
_MAX_TRIALS = 40  # of a line search
_ARMIJO, _CURVATURE = 1e-4, 0.9


class Minimum(NamedTuple):
    """Where a minimisation ended, after how many steps, and whether for having converged."""

    x: np.ndarray
    loss: float
    n_iter: int
    converged: bool


class _Point(NamedTuple):
    x: np.ndarray
    loss: float
    gradient: np.ndarray


def minimize(
    objective: Objective,
    start: np.ndarray,
    inverse_at: Callable[[np.ndarray], InverseHessian],
    *,
    tol: float,
    decrease_tol: float,
    max_iter: int,
    renew: bool = False,
    eps: float = float(np.finfo(np.float64).eps),
    on_step: Callable[[int, float, np.ndarray, np.ndarray], None] | None = None,
) -> Minimum:
    """Minimise a smooth convex function.

    Parameters
    ----------
    objective : callable
        x -> (loss, gradient).
    start : ndarray of shape (n_parameters,)
        First point.
    inverse_at : callable
        x -> function that multiplies a gradient by an approximate inverse Hessian at x. Called once, at
        `start`, or before every step with `renew`.
    tol, decrease_tol : float
        Ends where no entry of the gradient exceeds `tol` and the decrease that the quadratic model still
        promises is at most `decrease_tol`.
    max_iter : int
        Steps at most.
    renew : bool, default=False
        Take the inverse Hessian anew at each step, which is Newton's method, instead of correcting the first
        one by the last steps (Nocedal, Wright, 2006, Numerical Optimization, Algorithm 7.4).
    eps : float
        Relative rounding error of the loss: no step is expected to gain less.
    on_step : callable, default=None
        Called with the number of the step, the loss, the gradient and x.
    """
    point = _Point(start, *objective(start))
    inverse = None
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    for n_iter in range(max_iter + 1):
        steep = float(np.abs(point.gradient).max(initial=0.0))
        if steep == 0:
            return Minimum(point.x, point.loss, n_iter, True)
        if inverse is None or renew:
            inverse = inverse_at(point.x)
        direction = _direction(point.gradient, steps, inverse)
        slope = float(point.gradient @ direction)
        if steep <= tol and -slope / 2 <= decrease_tol:
            # This direction is known already: its step takes no further look at the rows.
            return Minimum(point.x + direction, point.loss + slope / 2, n_iter, True)
        if n_iter == max_iter:
            break
        if not -slope / 2 > eps * abs(point.loss):
            # Losses differ by rounding only: go on for as long as the gradient shrinks.
            new = _Point(point.x + direction, *objective(point.x + direction))
            if not np.abs(new.gradient).max() <= steep / 2:
                return Minimum(point.x, point.loss, n_iter, True)
        else:
            found = _line_search(objective, point, direction, slope, eps)
            if found is None:
                return Minimum(point.x, point.loss, n_iter, -slope / 2 <= np.sqrt(eps) * abs(point.loss))
            new = found
        step, change = new.x - point.x, new.gradient - point.gradient
        if not renew and step @ change > eps * np.sqrt((step @ step) * (change @ change)):
            steps = [*steps[1 - _MEMORY :], (step, change)]
        point = new
        if on_step is not None:
            on_step(n_iter + 1, point.loss, point.gradient, point.x)
    return Minimum(point.x, point.loss, max_iter, False)


def _direction(
    gradient: np.ndarray, steps: list[tuple[np.ndarray, np.ndarray]], inverse: InverseHessian
) -> np.ndarray:
    """Minus the inverse Hessian times the gradient, by the two-loop recursion."""
    direction = -gradient
    factors = []
    for step, change in reversed(steps):
        factor = (step @ direction) / (step @ change)
        factors.append(factor)
        direction = direction - factor * change
    direction = inverse(direction)
    if steps:  # where the last step shows less curvature than the given inverse does (equation 7.20)
        step, change = steps[-1]
        direction = direction * max(1.0, (step @ change) / (change @ inverse(change)))
    for (step, change), factor in zip(steps, reversed(factors), strict=True):
        direction = direction + (factor - (change @ direction) / (step @ change)) * step
    return direction


def _line_search(
    objective: Objective, start: _Point, direction: np.ndarray, slope: float, eps: float
) -> _Point | None:
    """Point along `direction` that satisfies the Wolfe conditions up to rounding, or None.

    Where losses differ by rounding only, the slope decides (Hager, Zhang, 2005, A new conjugate gradient
    method with guaranteed descent and an efficient line search, equation 4.1).
    """
    noise = 4 * eps * abs(start.loss)
    size, low, low_slope, high, high_slope = 1.0, 0.0, slope, np.inf, np.inf
    for _ in range(_MAX_TRIALS):
        point = _Point(start.x + size * direction, *objective(start.x + size * direction))
        new_slope = float(point.gradient @ direction)
        low_enough = point.loss <= start.loss + _ARMIJO * size * slope or (
            point.loss <= start.loss + noise and new_slope <= (2 * _ARMIJO - 1) * slope
        )
        if low_enough and new_slope >= _CURVATURE * slope:
            return point
        if low_enough and new_slope < 0:
            low, low_slope = size, new_slope
        else:
            high, high_slope = size, new_slope
        if high == np.inf:
            size *= 4
            continue
        # The slope of a convex function grows along the line: its zero is where a secant puts it.
        share = -low_slope / (high_slope - low_slope) if np.isfinite(high_slope) and high_slope > 0 else 0.5
        size = low + (high - low) * min(max(share, 0.1), 0.9)
    return None
