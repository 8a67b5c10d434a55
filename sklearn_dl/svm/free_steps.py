"""Newton steps of the dual along the coefficients that are between their bounds, all of them at once."""

import numpy as np
from scipy.linalg import blas, lapack

_RIDGE = 1e-12  # of the largest curvature, for rows whose kernel is singular
_BOUNDS_MET = (
    32,
    16,
)  # so many, and one in so many, coefficients meet their bounds at most: pairs do it cheaper


def free_step(
    kernel: np.ndarray, slope: np.ndarray, lowest: np.ndarray, highest: np.ndarray, rounding: float
) -> np.ndarray:
    """Change of free coefficients that lowers the objective and keeps their sum.

    The Newton step goes as far as the bounds allow; the coefficient that meets its bound stays there, and the
    others take the Newton step of their own. So it goes on until a step is whole: an active-set method
    (Nocedal, Wright, 2006, Numerical optimization, section 16.5), with the inverse updated by rank one.

    Parameters
    ----------
    kernel : ndarray of shape (n_free, n_free), float64
        Kernel among the rows of the coefficients.
    slope : ndarray of shape (n_free,)
        Gradient of the objective.
    lowest, highest : ndarray of shape (n_free,)
        How far each may move: `lowest` is below 0, `highest` above.
    rounding : float
        Error of an element of `kernel`, relative to the largest.

    Returns
    -------
    change : ndarray of shape (n_free,)
        0 where no step lowers the objective.
    """
    change = np.zeros(len(slope))
    ridge = max(_RIDGE, rounding) * float(kernel.diagonal().max())
    inverse = _inverse(kernel, ridge)
    if inverse is None:
        return change
    free, left = np.ones(len(slope)), slope.copy()
    for _ in range(min(_BOUNDS_MET[0] + len(slope) // _BOUNDS_MET[1], len(slope) - 1)):
        by_left, by_free = (inverse @ np.stack([left, free], axis=1)).T
        common = (free @ by_left) / (free @ by_free)
        step = common * by_free - by_left
        step -= free * (step.sum() / free.sum())  # rounding moves the sum where the kernel is nearly singular
        room = np.where(step > 0, highest, lowest) - change
        lengths = np.divide(room, step, out=np.full(len(step), np.inf), where=step != 0)
        first = int(lengths.argmin())
        length = min(float(lengths[first]), 1.0)
        change += length * step
        if length >= 1:
            break
        change[first] = highest[first] if step[first] > 0 else lowest[first]
        left += length * (free * (common - left) - ridge * step)
        column = inverse[:, first].copy()
        blas.dger(-1 / column[first], column, column, a=inverse, overwrite_a=1)
        inverse[:, first] = inverse[first] = 0.0
        free[first] = left[first] = 0.0
    return _shortened(kernel, slope, change)


def _inverse(kernel: np.ndarray, ridge: float) -> np.ndarray | None:
    """Inverse of the kernel plus `ridge` on its diagonal; None where it is singular even so."""
    inverse = np.array(kernel, order="F")
    inverse.flat[:: len(kernel) + 1] += ridge
    _, failed = lapack.dpotrf(inverse, lower=1, overwrite_a=1)
    if failed or lapack.dpotri(inverse, lower=1, overwrite_c=1)[1]:
        return None
    below = np.tril_indices(len(kernel), -1)
    inverse.T[below] = inverse[below]
    return inverse


def _shortened(kernel: np.ndarray, slope: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The part of a change that lowers the objective most; rounding may have led too far, or astray."""
    fall, curvature = -(slope @ change), change @ (kernel @ change)
    if not fall > 0:
        return np.zeros(len(change))
    return change if fall >= curvature else change * (fall / curvature)
