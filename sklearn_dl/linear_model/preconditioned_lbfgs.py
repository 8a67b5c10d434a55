"""Smooth convex minimisation: L-BFGS from a given inverse Hessian, and Newton where that is renewed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
InverseHessian = Callable[[np.ndarray], np.ndarray]
OnStep = Callable[[int, float, np.ndarray], None]

MEMORY = 10
BELIEVED = 0.01  # of the loss: a step that promises more than this is not taken without a look at the rows
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
    memory: int = MEMORY,
    size_at: Callable[[np.ndarray, np.ndarray], float] | None = None,
    eps: float = float(np.finfo(np.float64).eps),
    on_step: OnStep | None = None,
) -> Minimum:
    """Minimise a smooth convex function.

    Parameters
    ----------
    objective : callable
        x -> (loss, gradient).
    start : ndarray of shape (n_parameters,)
        First point.
    inverse_at : callable
        x -> function that multiplies a gradient by an approximate inverse Hessian at x. Called before every
        step.
    tol, decrease_tol : float
        Ends where no entry of the gradient exceeds `tol` and the decrease that the quadratic model still
        promises is at most `decrease_tol`.
    max_iter : int
        Steps at most.
    memory : int, default=10
        How many of the last steps correct the inverse Hessian (Nocedal, Wright, 2006, Numerical Optimization,
        Algorithm 7.4). With 0 and the exact inverse this is Newton's method.
    size_at : callable, default=None
        (x, direction) -> size of the first step to try. None tries 1. A step of a chosen size is long: it
        says too little of the curvature at its end to correct the inverse Hessian.
    eps : float
        Relative rounding error of the loss: no step is expected to gain less.
    on_step : callable, default=None
        Called after each step with its number, the loss and x.
    """
    result = _iterate(
        objective, start, inverse_at, tol, decrease_tol, max_iter, memory, size_at, eps, on_step
    )
    if result.n_iter and on_step is not None:
        on_step(result.n_iter, result.loss, result.x)
    return result


def _iterate(
    objective: Objective,
    start: np.ndarray,
    inverse_at: Callable[[np.ndarray], InverseHessian],
    tol: float,
    decrease_tol: float,
    max_iter: int,
    memory: int,
    size_at: Callable[[np.ndarray, np.ndarray], float] | None,
    eps: float,
    on_step: OnStep | None,
) -> Minimum:
    """As :func:`minimize`, but the last step is not told: it may still be moved to where the fit ends."""
    point = _Point(start, *objective(start))
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    least_scale = 1.0
    for n_iter in range(max_iter + 1):
        steep = float(np.abs(point.gradient).max(initial=0.0))
        if steep == 0:
            return Minimum(point.x, point.loss, n_iter, True)
        direction = _direction(point.gradient, steps, inverse_at(point.x), least_scale)
        slope = float(point.gradient @ direction)
        if steep <= tol and -slope / 2 <= decrease_tol:
            if -slope / 2 > BELIEVED * abs(point.loss):
                return Minimum(point.x, point.loss, n_iter, True)
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
            size = 1.0 if n_iter or size_at is None else size_at(point.x, direction)
            found = _line_search(objective, point, direction, slope, eps, size)
            if found is None:
                return Minimum(point.x, point.loss, n_iter, -slope / 2 <= np.sqrt(eps) * abs(point.loss))
            new, size = found
            if steps and size < 1:
                least_scale = 0.0
        step, change = new.x - point.x, new.gradient - point.gradient
        is_local = n_iter > 0 or size_at is None
        if memory and is_local and step @ change > eps * np.sqrt((step @ step) * (change @ change)):
            steps = [*steps, (step, change)][-memory:]
        if n_iter and on_step is not None:
            on_step(n_iter, point.loss, point.x)
        point = new
    return Minimum(point.x, point.loss, max_iter, False)


def _direction(
    gradient: np.ndarray,
    steps: list[tuple[np.ndarray, np.ndarray]],
    inverse: InverseHessian,
    least_scale: float,
) -> np.ndarray:
    """Minus the inverse Hessian times the gradient, by the two-loop recursion.

    The given inverse is scaled to the curvature of the last step (equation 7.20), by no less than
    `least_scale`: a good inverse may be too large along a single step, but one whose steps of size 1 have
    been too long is so along most.
    """
    direction = -gradient
    factors = []
    for step, change in reversed(steps):
        factor = (step @ direction) / (step @ change)
        factors.append(factor)
        direction = direction - factor * change
    direction = inverse(direction)
    if steps:
        step, change = steps[-1]
        direction = direction * max(least_scale, (step @ change) / (change @ inverse(change)))
    for (step, change), factor in zip(steps, reversed(factors), strict=True):
        direction = direction + (factor - (change @ direction) / (step @ change)) * step
    return direction


def _line_search(
    objective: Objective, start: _Point, direction: np.ndarray, slope: float, eps: float, size: float
) -> tuple[_Point, float] | None:
    """Point along `direction` that satisfies the Wolfe conditions up to rounding, and how far, or None.

    Where losses differ by rounding only, the slope decides (Hager, Zhang, 2005, A new conjugate gradient
    method with guaranteed descent and an efficient line search, equation 4.1).
    """
    noise = 4 * eps * abs(start.loss)
    low, low_slope, high, high_slope = 0.0, slope, np.inf, np.inf
    for _ in range(_MAX_TRIALS):
        point = _Point(start.x + size * direction, *objective(start.x + size * direction))
        new_slope = float(point.gradient @ direction)
        low_enough = point.loss <= start.loss + _ARMIJO * size * slope or (
            point.loss <= start.loss + noise and new_slope <= (2 * _ARMIJO - 1) * slope
        )
        if low_enough and new_slope >= _CURVATURE * slope:
            return point, size
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
