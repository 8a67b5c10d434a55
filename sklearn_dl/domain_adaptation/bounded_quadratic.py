"""Convex quadratic programmes over a box cut by a bound on the sum, by an interior point."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

_STEP_SHARE = 0.995  # of the way to the boundary
_MAX_STEPS = 200


def solve_bounded_quadratic(
    K: np.ndarray, linear: np.ndarray, upper: float, sum_range: tuple[float, float], tol: float = 1e-9
) -> np.ndarray:
    r"""Minimise :math:`\tfrac12 b^T K b - c^T b` where :math:`0 \le b_i \le B` and the sum lies in a range.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Positive semi-definite.
    linear : ndarray of shape (n,)
        c.
    upper : float
        B, above 0.
    sum_range : tuple of float
        Least and largest sum; the least must be below n B, the largest above 0.
    tol : float, default=1e-9
        Largest complementarity gap and residual, relative to the larger of K and c.

    Returns
    -------
    solution : ndarray of shape (n,)

    Notes
    -----
    Mehrotra's predictor and corrector; each step factors an n x n matrix once. Some 15 steps suffice.

    References
    ----------
    Nocedal, Wright (2006), Numerical optimization, section 16.6.
    """
    n = len(linear)
    # Every constraint is a row of A b >= a: n lower bounds, n upper bounds, two bounds on the sum.
    a = np.concatenate([np.zeros(n), np.full(n, -upper), [sum_range[0], -sum_range[1]]])
    size = max(float(np.abs(K).max()), float(np.abs(linear).max())) or 1.0
    b = np.full(n, np.clip(np.mean(sum_range) / n, 0.01 * upper, 0.99 * upper))
    slack = np.maximum(_constraints(b) - a, 1e-2 * upper)
    dual = np.full(2 * n + 2, size)
    for _ in range(_MAX_STEPS):
        gradient = K @ b - linear - _transposed(dual, n)
        violation = _constraints(b) - slack - a
        gap = slack @ dual / len(dual)
        if max(np.abs(gradient).max(), gap) <= tol * size and np.abs(violation).max() <= tol * upper:
            break
        factor = _Factor(K, dual / slack)
        direction = factor.solve(gradient, violation, -slack * dual, slack, dual)
        ahead = _longest(slack, direction[1], dual, direction[2])
        predicted = (slack + ahead * direction[1]) @ (dual + ahead * direction[2]) / len(dual)
        centring = (predicted / gap) ** 3 * gap
        target = centring - slack * dual - direction[1] * direction[2]
        direction = factor.solve(gradient, violation, target, slack, dual)
        step = _STEP_SHARE * _longest(slack, direction[1], dual, direction[2])
        b, slack, dual = b + step * direction[0], slack + step * direction[1], dual + step * direction[2]
    return np.clip(b, 0.0, upper)


class _Factor:
    """Cholesky factor of ``K + A^T diag(ratio) A``, the matrix of both solves of a step."""

    def __init__(self, K: np.ndarray, ratio: np.ndarray) -> None:
        n = len(K)
        self.n, self.ratio = n, ratio
        matrix = K + ratio[2 * n :].sum()
        matrix.flat[:: n + 1] += ratio[:n] + ratio[n : 2 * n]
        self.factor = cho_factor(matrix, overwrite_a=True, check_finite=False)

    def solve(
        self,
        gradient: np.ndarray,
        violation: np.ndarray,
        complementarity: np.ndarray,
        slack: np.ndarray,
        dual: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Newton directions of solution, slack and dual."""
        right = _transposed(complementarity / slack - self.ratio * violation, self.n) - gradient
        solution = cho_solve(self.factor, right, check_finite=False)
        slack_step = _constraints(solution) + violation
        return solution, slack_step, (complementarity - dual * slack_step) / slack


def _constraints(b: np.ndarray) -> np.ndarray:
    total = b.sum()
    return np.concatenate([b, -b, [total, -total]])


def _transposed(dual: np.ndarray, n: int) -> np.ndarray:
    return dual[:n] - dual[n : 2 * n] + (dual[2 * n] - dual[2 * n + 1])


def _longest(slack: np.ndarray, slack_step: np.ndarray, dual: np.ndarray, dual_step: np.ndarray) -> float:
    """Largest step up to 1 that keeps slacks and duals from falling below 0."""
    values, steps = np.concatenate([slack, dual]), np.concatenate([slack_step, dual_step])
    falling = steps < 0
    return min(1.0, float(np.min(-values[falling] / steps[falling], initial=np.inf)))
