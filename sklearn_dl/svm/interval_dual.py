"""The dual of support vector classification and regression: sequential minimal optimisation in blocks."""

from typing import NamedTuple

import numpy as np

from sklearn_dl.svm.kernel_rows import KernelRows
from sklearn_dl.svm.working_set_kernels import solve_working_set

_WORKING_SET = 256
_INNER_REDUCTION = 0.3  # of the violation, by which a working set is solved before the next is chosen


class Problem(NamedTuple):
    """``min beta' K beta / 2 - target' beta + epsilon |beta|_1``, sum of beta 0, lower <= beta <= upper.

    `ranges` says which rows of the kernel matrix these are: pairs of a first row and a number of rows.
    """

    target: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    epsilon: float
    ranges: list[tuple[int, int]]


class Solution(NamedTuple):
    """Coefficients, the intercept of the decision function, steps along pairs, and whether it converged."""

    beta: np.ndarray
    intercept: float
    n_steps: int
    converged: bool


def solve(rows: KernelRows, problem: Problem, tol: float, max_steps: int) -> Solution:
    """Minimize until no pair of rows violates optimality by `tol`.

    A working set of the worst violators is solved by steps along pairs; then the gradients of all rows follow
    from the kernel rows of those coefficients that have changed. Joachims (1999), Making large-scale SVM
    learning practical; with half of the rows kept, as in Wen et al. (2018), ThunderSVM.
    """
    n_rows = len(problem.target)
    indices = np.concatenate([np.arange(first, first + count) for first, count in problem.ranges])
    beta, gradient = np.zeros(n_rows), -problem.target
    n_steps, kept = 0, np.empty(0, np.int64)
    while True:
        ups, downs = _directions(problem, beta, gradient)
        highest, lowest = ups.max(), downs.min()
        violation = highest - lowest
        if violation < tol or n_steps >= max_steps:
            break
        working = _working_set(ups, downs, kept)
        part = beta[working]
        taken = solve_working_set(
            rows.square(indices[working]),
            gradient[working],
            part,
            problem.lower[working],
            problem.upper[working],
            problem.epsilon,
            max(_INNER_REDUCTION * violation, 0.5 * tol),
            max_steps - n_steps,
        )
        change = part - beta[working]
        moved = np.flatnonzero(change)
        if not len(moved):  # rounding hides the violation
            break
        n_steps += taken
        beta[working] = part
        targets, start = [], 0
        for first, count in problem.ranges:
            targets.append((first, gradient[start : start + count]))
            start += count
        rows.add_products(indices[working[moved]], change[moved], targets)
        kept = working[: _WORKING_SET // 2]
    return Solution(beta, _intercept(problem, beta, ups, downs), n_steps, n_steps < max_steps)


def _directions(problem: Problem, beta: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of descent of every coefficient upwards and, negative, downwards; infinite at bounds."""
    epsilon = problem.epsilon
    if epsilon == 0:
        ups = downs = -gradient
    else:
        ups = -gradient - np.where(beta >= 0, epsilon, -epsilon)
        downs = -gradient - np.where(beta > 0, epsilon, -epsilon)
    return (
        np.where(beta < problem.upper, ups, -np.inf),
        np.where(beta > problem.lower, downs, np.inf),
    )


def _working_set(ups: np.ndarray, downs: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The worst violators in both directions, new ones first."""
    size = min(_WORKING_SET, len(ups))
    if size == len(ups):
        return np.arange(size)
    half = (size - len(kept)) // 2
    ups, downs = ups.copy(), downs.copy()
    ups[kept], downs[kept] = -np.inf, np.inf
    up = np.argpartition(-ups, half)[:half]
    up = up[np.isfinite(ups[up])]
    downs[up] = np.inf
    down = np.argpartition(downs, half)[:half]
    return np.concatenate([up, down[np.isfinite(downs[down])], kept])


def _intercept(problem: Problem, beta: np.ndarray, ups: np.ndarray, downs: np.ndarray) -> float:
    """Common slope of the free coefficients; without any, the middle of what optimality allows."""
    free = (beta > problem.lower) & (beta < problem.upper)
    if problem.epsilon > 0:
        free &= beta != 0
    if free.any():
        return float(ups[free].mean())
    return float((ups.max() + downs.min()) / 2)
