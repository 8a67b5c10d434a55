"""Minimizer of a quadratic with an L1 penalty: coordinate descent, and exact steps where that is slow."""

from collections.abc import Callable

import numpy as np
from numba import njit

from sklearn_dl.linear_model.squared_hinge import solve_positive

_SWEEPS = 5  # before exact steps help out
_ROUNDS = 50  # of sweeps and exact steps
_RIDGE = 1e-12  # of the diagonal, so that steps go on along which the quadratic is linear


def l1_quadratic_minimizer(
    hessian: np.ndarray,
    gradient: np.ndarray,
    w: np.ndarray,
    negligible: float,
    descend: Callable[..., tuple[np.ndarray, np.ndarray, bool]],
    share: float = 0.0,
) -> np.ndarray:
    """Minimizer over v of ``sum(abs(v)) + gradient @ (v - w) + (v - w) @ hessian @ (v - w) / 2``.

    Where sweeps of coordinate descent do not come to an end, as with columns that nearly depend on each
    other, the nonzero elements are moved to the minimizer for their signs, as far as none changes.

    Parameters
    ----------
    hessian : ndarray of shape (n_columns, n_columns)
        Positive semi-definite.
    gradient, w : ndarray of shape (n_columns,)
        Gradient of the quadratic at w.
    negligible : float
        Sweeps end when none of their moves lowers the objective by more.
    descend : callable
        `l1_quadratic_descent`, compiled or not.
    share : float, default=0.0
        Sweeps end, too, when none of their moves lowers the objective by more than this part of the most that
        a move of the first sweep did.

    Returns
    -------
    v : ndarray of shape (n_columns,)
        The minimizer.

    References
    ----------
    Lee, Battle, Raina, Ng (2006), Efficient sparse coding algorithms, Algorithm 1.
    """
    v, slopes, done = descend(hessian, gradient, w, negligible, 1)
    if done:
        return v
    if share:
        negligible = max(negligible, share * float((np.diag(hessian) * (v - w) ** 2).max()))
    for _ in range(_ROUNDS):
        v, slopes, done = descend(hessian, slopes, v, negligible, _SWEEPS)
        if done:
            break
        v = _to_minimizer_of_signs(hessian, slopes, v)
        slopes = gradient + hessian @ (v - w)
    return v


def _to_minimizer_of_signs(hessian: np.ndarray, slopes: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Steps over the nonzero elements; each ends at the minimizer, or where an element becomes 0."""
    v, slopes = v.copy(), slopes.copy()
    while len(support := np.flatnonzero(v)):
        inner = hessian[np.ix_(support, support)]
        raised = inner + _RIDGE * np.diag(np.diag(inner))
        step = -solve_positive(raised, slopes[support] + np.sign(v[support]))
        with np.errstate(divide="ignore"):
            sizes = np.where(step * v[support] < 0, -v[support] / step, np.inf)
        size = min(1.0, float(sizes.min()))
        v[support] += size * step
        if size < 1:
            v[support[np.argmin(sizes)]] = 0.0
        slopes += size * (hessian[:, support] @ step)
        if size == 1:
            break
    return v


@njit(nogil=True, cache=True)
def l1_quadratic_descent(hessian, gradient, w, negligible, max_sweeps):
    """Sweeps over the elements of v, from w, until none of the moves lowers the objective by `negligible`.

    Returns v, the gradient of the quadratic there, and whether that end was reached.
    """
    v, slopes = w.copy(), gradient.copy()
    for _ in range(max_sweeps):
        largest = 0.0
        for j in np.flatnonzero((v != 0) | (np.abs(slopes) > 1)):
            curvature = hessian[j, j]
            if curvature <= 0:  # only the penalty knows this element
                v[j] = 0.0
                continue
            free = v[j] - slopes[j] / curvature
            new = np.sign(free) * max(0.0, abs(free) - 1 / curvature)
            move = new - v[j]
            if move != 0:
                v[j] = new
                slopes += move * hessian[j]
                largest = max(largest, move * move * curvature)
        if largest <= negligible:
            return v, slopes, True
    return v, slopes, False
