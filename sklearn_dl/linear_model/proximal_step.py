"""A step of proximal Newton methods: a quadratic with an absolute penalty of its own on each coordinate."""

import numpy as np
from numba import njit

_COMPILED_SIZE = 40  # coordinates from which on compiled sweeps repay the time to load them


def minimize_l1_quadratic(
    hessian: np.ndarray,
    gradient: np.ndarray,
    x: np.ndarray,
    l1: np.ndarray,
    tol: float,
    max_sweeps: int = 1000,
) -> np.ndarray:
    """Minimise ``gradient @ (z - x) + (z - x) @ hessian @ (z - x) / 2 + sum(l1 * abs(z))`` over z.

    Coordinates in turn (Friedman, Hastie, Tibshirani, 2010, Regularization paths for generalized linear
    models via coordinate descent, section 2.1), until a sweep changes no entry of the gradient by more than
    `tol` through its own coordinate.

    Parameters
    ----------
    hessian : ndarray of shape (size, size)
        Positive semi-definite; a coordinate whose diagonal entry is 0 stays where it is.
    gradient, x, l1 : ndarray of shape (size,)
        Slope at x, start, and strengths of the absolute penalty.
    tol : float
        In units of the gradient.
    max_sweeps : int, default=1000
        Sweeps over all coordinates at most.

    Returns
    -------
    z : ndarray of shape (size,)
    """
    sweep = _sweep if len(x) >= _COMPILED_SIZE else _sweep.py_func
    z, slope = x.copy(), gradient.copy()
    for _ in range(max_sweeps):
        if sweep(hessian, slope, z, l1) <= tol:
            break
    return z


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
