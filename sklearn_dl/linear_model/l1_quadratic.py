"""Compiled coordinate descent on a quadratic with an L1 penalty."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def l1_quadratic_descent(hessian, gradient, w, negligible, max_sweeps):
    """Minimizer over v of ``sum(abs(v)) + gradient @ (v - w) + (v - w) @ hessian @ (v - w) / 2``.

    Sweeps end when none of their moves lowers the quadratic by more than `negligible`.
    """
    v, slopes = w.copy(), gradient.copy()
    for _ in range(max_sweeps):
        largest = 0.0
        for j in range(len(v)):
            curvature = hessian[j, j]
            if curvature <= 0:
                continue
            free = v[j] - slopes[j] / curvature
            new = np.sign(free) * max(0.0, abs(free) - 1 / curvature)
            move = new - v[j]
            if move != 0:
                v[j] = new
                slopes += move * hessian[j]
                largest = max(largest, move * move * curvature)
        if largest <= negligible:
            break
    return v
