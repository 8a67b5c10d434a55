"""A step of proximal Newton methods: a quadratic with an absolute penalty of its own on each coordinate."""

from collections.abc import Callable

import numpy as np
from numba import njit

_COMPILED_SIZE = 60  # coordinates from which on compiled sweeps repay the time to load them
_PRECISION = 1e-3  # part of the right side that a trustworthy solution leaves
_RIDGE = 1e-12  # of the diagonal: equal columns share what one of them would get
_MAX_STOPS = 20  # of one solution, at 0
_SHORTER = 4.0  # each way than the one before, where coordinates at 0 raise the objective
_SUFFICIENT = 0.9  # of the linear decrease that the curvature may take back
_SWEEPS_A_SOLVE = 8  # between solutions of the coordinates that are not 0


def minimize_l1_quadratic(
    hessian: np.ndarray,
    gradient: np.ndarray,
    x: np.ndarray,
    l1: np.ndarray,
    tol: float,
    max_sweeps: int = 300,
    moved: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Minimise ``gradient @ (z - x) + (z - x) @ hessian @ (z - x) / 2 + sum(l1 * abs(z))`` over z.

    Coordinates in turn (Friedman, Hastie, Tibshirani, 2010, Regularization paths for generalized linear
    models via coordinate descent, section 2.1), until a sweep changes no entry of the gradient by more than
    `tol` through its own coordinate. Now and then all coordinates that are not 0 are solved for at once.

    Parameters
    ----------
    hessian : ndarray of shape (size, size)
        Positive semi-definite; a coordinate whose diagonal entry is 0 stays where it is.
    gradient, x, l1 : ndarray of shape (size,)
        Slope at x, start, and strengths of the absolute penalty.
    tol : float
        In units of the gradient.
    max_sweeps : int, default=300
        Sweeps over all coordinates at most.
    moved : callable, default=None
        z -> a point that is no worse, in directions that single coordinates hardly follow. Called now and
        then, and in the end.

    Returns
    -------
    z : ndarray of shape (size,)
    """
    sweep = _sweep if len(x) >= _COMPILED_SIZE else _sweep.py_func
    z, slope = x.copy(), gradient.copy()
    for n_sweeps in range(1, max_sweeps + 1):
        largest = sweep(hessian, slope, z, l1)
        ends = largest <= tol
        if moved is not None and (ends or n_sweeps % _SWEEPS_A_SOLVE == 0):
            step = moved(z) - z
            ends &= float(np.abs(step * np.diag(hessian)).max()) <= tol
            z += step
            slope += hessian @ step
        if ends:
            break
        if n_sweeps % _SWEEPS_A_SOLVE == 0:
            _solve_within_signs(hessian, slope, z, l1)
    return z


def _solve_within_signs(hessian: np.ndarray, slope: np.ndarray, z: np.ndarray, l1: np.ndarray) -> None:
    """Minimise over all coordinates that are not 0; those that would change sign stop at 0.

    All of them at once, as far as that lowers the objective; else as many as do on a shorter way.
    """
    for _ in range(_MAX_STOPS):
        free = np.flatnonzero((z != 0) | ((l1 == 0) & (np.diag(hessian) > 0)))
        inner = hessian[np.ix_(free, free)]
        downhill = -(slope[free] + l1[free] * np.sign(z[free]))
        step = _solve(inner, downhill)
        if step is None:
            return
        crosses = (l1[free] > 0) & (z[free] * (z[free] + step) < 0)
        reached = np.where(crosses, -z[free] / np.where(crosses, step, 1.0), np.inf)
        first, size = reached.min(initial=np.inf), 1.0
        while True:
            size = max(size, min(first, 1.0))
            move = np.where(reached <= size, -z[free], size * step)
            change = inner @ move
            # Signs stay, so that the absolute penalty is linear.
            if size <= first or move @ change / 2 < _SUFFICIENT * (downhill @ move):
                break
            size /= _SHORTER
        slope += hessian[:, free] @ move
        z[free] = np.where(reached <= size, 0.0, z[free] + move)
        if not crosses.any():
            return


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solution of a positive semi-definite system, or None where rounding leaves nothing of it."""
    try:
        solution = np.linalg.solve(matrix + np.diag(_RIDGE * np.diag(matrix)), right)
    except np.linalg.LinAlgError:
        return None
    error = np.abs(matrix @ solution - right).max(initial=0.0)
    is_precise = error <= _PRECISION * np.abs(right).max(initial=0.0)
    return solution if is_precise and solution @ right > 0 else None


@njit(nogil=True, cache=True)
def _sweep(hessian, slope, z, l1):
    """One sweep, in place; returns the largest step times its curvature."""
    largest = 0.0
    for j in range(len(z)):
        curvature = hessian[j, j]
        if curvature <= 0:
            continue
        target = z[j] * curvature - slope[j]
        new = np.sign(target) * max(abs(target) - l1[j], 0.0) / curvature
        step = new - z[j]
        if step != 0:
            z[j] = new
            slope += step * hessian[j]
            largest = max(largest, abs(step) * curvature)
    return largest
