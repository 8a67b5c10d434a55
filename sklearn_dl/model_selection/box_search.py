"""Maximisation of a batched function in the unit box, all starts side by side."""

from collections.abc import Callable

import numpy as np

#: Rows (n, d) to values (n,) and gradients (n, d).
BatchFunction = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

_SUFFICIENT = 1e-4  # share of the predicted gain that a step must bring (Armijo)


def maximize_rows(
    function: BatchFunction,
    rows: np.ndarray,
    free: np.ndarray,
    *,
    max_iter: int = 60,
    tol: float = 1e-6,
) -> tuple[np.ndarray, np.ndarray]:
    """Climb from each row by a quasi-Newton method with projected steps.

    Each row keeps its own approximation of the inverse Hessian (BFGS); columns at a bound whose gradient points
    outwards stay there. All rows are evaluated in one call.
    """
    x = np.array(rows)
    n_rows, n_columns = x.shape
    value, gradient = function(x)
    free = np.broadcast_to(free, x.shape)
    identity = np.eye(n_columns)
    inverse = np.broadcast_to(identity, (n_rows, n_columns, n_columns)).copy()
    fresh = np.ones(n_rows, dtype=bool)
    running = np.arange(n_rows)
    for _ in range(max_iter):
        g, at = gradient[running], x[running]
        held = ((at <= 0) & (g < 0)) | ((at >= 1) & (g > 0)) | ~free[running]
        g = np.where(held, 0, g)
        size = np.abs(g).max(axis=1, initial=0)
        going = size > tol
        if not going.all():
            running = running[going]
            if len(running) == 0:
                break
            g, at, held, size = g[going], at[going], held[going], size[going]
        direction = np.einsum("rij,rj->ri", inverse[running], g)
        direction[held] = 0
        ascent = np.einsum("rj,rj->r", direction, g)
        poor = ascent <= 1e-12 * np.einsum("rj,rj->r", g, g)
        start = poor | fresh[running]
        if start.any():
            inverse[running[start]] = identity
            fresh[running[start]] = True
            direction[start] = g[start] * np.minimum(1, 0.1 / size[start])[:, None]
        new, new_value, new_gradient, moved = _line_search(function, at, value[running], g, direction)
        stopped = ~moved & start
        _update(inverse, fresh, running, new - at, g - new_gradient, held, moved)
        restart = ~moved & ~start
        inverse[running[restart]] = identity
        fresh[running[restart]] = True
        gain = new_value - value[running]
        x[running[moved]], value[running[moved]] = new[moved], new_value[moved]
        gradient[running[moved]] = new_gradient[moved]
        stopped |= moved & (gain < 1e-9 * (1 + np.abs(new_value)))
        running = running[~stopped]
        if len(running) == 0:
            break
    return x, value


def _line_search(function, at, value, g, direction):
    """Halve the steps that do not bring enough, until all do or are tiny."""
    step = np.ones(len(at))
    new = at.copy()
    new_value, new_gradient = value.copy(), np.zeros_like(at)
    new_gradient[...] = g
    moved = np.zeros(len(at), dtype=bool)
    open_rows = np.arange(len(at))
    for _ in range(12):
        trial = np.clip(at[open_rows] + step[open_rows, None] * direction[open_rows], 0, 1)
        trial_value, trial_gradient = function(trial)
        predicted = np.einsum("rj,rj->r", g[open_rows], trial - at[open_rows])
        enough = (trial_value >= value[open_rows] + _SUFFICIENT * predicted) & (predicted > 0)
        done = open_rows[enough]
        new[done], new_value[done] = trial[enough], trial_value[enough]
        new_gradient[done] = trial_gradient[enough]
        moved[done] = True
        open_rows, rest_value, rest_predicted = open_rows[~enough], trial_value[~enough], predicted[~enough]
        if len(open_rows) == 0:
            break
        # Minimum of the parabola through the value and slope at 0 and the value tried.
        lack = rest_predicted - (rest_value - value[open_rows])
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = 0.5 * rest_predicted / lack
        factor = np.where(np.isfinite(factor), factor, 0.1)
        step[open_rows] *= np.clip(factor, 0.1, 0.5)
    return new, new_value, new_gradient, moved


def _update(inverse, fresh, running, s, y, held, moved):
    """BFGS update of the inverse of minus the Hessian, where the curvature along the step is positive."""
    s = np.where(held, 0, s)
    y = np.where(held, 0, y)
    curvature = np.einsum("rj,rj->r", s, y)
    norm = np.einsum("rj,rj->r", y, y)
    good = moved & (curvature > 1e-10 * np.sqrt(norm * np.einsum("rj,rj->r", s, s))) & (norm > 0)
    if not good.any():
        return
    rows, s, y, curvature, norm = running[good], s[good], y[good], curvature[good], norm[good]
    H = inverse[rows]
    first = fresh[rows]
    H[first] *= (curvature[first] / norm[first])[:, None, None]
    Hy = np.einsum("rij,rj->ri", H, y)
    scale = 1 / curvature
    yHy = np.einsum("rj,rj->r", y, Hy)
    outer = s[:, :, None] * Hy[:, None, :]
    H -= scale[:, None, None] * (outer + outer.transpose(0, 2, 1))
    H += ((1 + scale * yHy) * scale)[:, None, None] * (s[:, :, None] * s[:, None, :])
    inverse[rows] = H
    fresh[rows] = False
