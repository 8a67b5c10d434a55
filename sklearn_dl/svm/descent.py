"""Coefficients on their way to the minimum of the dual, and the steps that they take."""

from typing import NamedTuple

import numpy as np

from sklearn_dl.svm.free_steps import free_step
from sklearn_dl.svm.kernel_rows import KernelRows
from sklearn_dl.svm.kernel_squares import KernelSquare
from sklearn_dl.svm.working_set_kernels import solve_working_set

ROUNDING_SHARE = 0.1  # of `tol`, by which rounding kernel rows to float32 may change a gradient
_DRIFT_SHARE = 0.01  # of `tol`, by which roundings of steps may add up in a gradient
_EPS = float(np.finfo(np.float64).eps)
_FREE_STEP_WORK = 5e6  # of the smallest Newton step, by its calls


class Problem(NamedTuple):
    """``min beta' K beta / 2 - target' beta + epsilon |beta|_1``, sum of beta 0, lower <= beta <= upper.

    `ranges` says which rows of the kernel matrix these are: pairs of a first row and a number of rows.
    """

    target: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    epsilon: float
    ranges: list[tuple[int, int]]


class Descent:
    """Coefficients on their way to the minimum, and the gradient of the smooth part of the objective."""

    def __init__(self, rows: KernelRows | KernelSquare, problem: Problem) -> None:
        self.rows, self.problem = rows, problem
        self.indices = np.concatenate([np.arange(first, first + count) for first, count in problem.ranges])
        self.beta, self.gradient = np.zeros(len(problem.target)), -problem.target
        self.n_steps = 0  # along pairs

    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Slopes of descent of every coefficient upwards and, negative, downwards; infinite at bounds."""
        beta, epsilon = self.beta, self.problem.epsilon
        if epsilon == 0:
            ups = downs = -self.gradient
        else:
            ups = -self.gradient - np.where(beta >= 0, epsilon, -epsilon)
            downs = -self.gradient - np.where(beta > 0, epsilon, -epsilon)
        return (
            np.where(beta < self.problem.upper, ups, -np.inf),
            np.where(beta > self.problem.lower, downs, np.inf),
        )

    def objective(self) -> float:
        """What is minimized."""
        slope = (self.gradient - self.problem.target) @ self.beta
        return float(slope / 2 + self.problem.epsilon * np.abs(self.beta).sum())

    def duality_gap(self) -> float:
        """How far the objective is above its minimum at most."""
        epsilon, residual = self.problem.epsilon, -self.gradient - self.intercept(*self.directions())
        gap = epsilon * np.abs(self.beta).sum() - residual @ self.beta
        for bound, excess in ((self.problem.upper, residual), (-self.problem.lower, -residual)):
            outside = excess > epsilon  # alone, since bounds may be infinite
            gap += bound[outside] @ (excess[outside] - epsilon)
        return float(gap)

    def intercept(self, ups: np.ndarray, downs: np.ndarray) -> float:
        """Common slope of the free coefficients; without any, the middle of what optimality allows."""
        free = self.free()
        return float(ups[free].mean() if len(free) else (ups.max() + downs.min()) / 2)

    def free(self) -> np.ndarray:
        """Coefficients along which the objective is smooth: at no bound, nor at 0 where that is a kink."""
        free = (self.beta > self.problem.lower) & (self.beta < self.problem.upper)
        if self.problem.epsilon > 0:
            free &= self.beta != 0
        return np.flatnonzero(free)

    def step_in_pairs(self, working: np.ndarray, tol: float, max_steps: int) -> int:
        """Minimize over a working set by steps along pairs; their number, or 0 if no coefficient moved."""
        change, _, n_steps = self._solve(working, tol, np.inf, max_steps)
        self._follow(working, change)
        return n_steps if change.any() else 0

    def step_to_minimum(self, rows: KernelSquare, tol: float, gap_tol: float, max_steps: int) -> bool:
        """Minimize over all coefficients by steps along pairs; whether no more are needed or possible."""
        everything = np.arange(len(self.beta))
        change, gradient, n_steps = self._solve(everything, tol, gap_tol, max_steps)
        if rows.rounding * np.linalg.norm(self.beta) > ROUNDING_SHARE * tol:
            rows.refine()
            self.gradient = -self.problem.target
            self._follow(everything, self.beta)
            return False
        if _EPS * self.n_steps * rows.largest * np.abs(self.beta).max() > _DRIFT_SHARE * tol:
            self._follow(everything, change)
            return not change.any()
        self.gradient = gradient
        return n_steps < max_steps or not change.any()

    def _solve(
        self, working: np.ndarray, tol: float, gap_tol: float, max_steps: int
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Change of the coefficients of a working set, their gradient by it, and the number of steps."""
        problem, beta, gradient = self.problem, self.beta[working], self.gradient[working]
        n_steps = solve_working_set(
            self.rows.square(self.indices[working]),
            problem.target[working],
            gradient,
            beta,
            problem.lower[working],
            problem.upper[working],
            problem.epsilon,
            tol,
            gap_tol,
            max_steps,
        )
        change = beta - self.beta[working]
        self.beta[working] = beta
        self.n_steps += n_steps
        return change, gradient, n_steps

    def work_of_free_step(self) -> float:
        """Multiplications that take as long as :meth:`step_freely`; infinite if that can move nothing."""
        n_free = len(self.free())
        return n_free**3 + n_free * len(self.beta) + _FREE_STEP_WORK if n_free > 1 else np.inf

    def step_freely(self) -> None:
        """Take a Newton step of all free coefficients."""
        free, epsilon = self.free(), self.problem.epsilon
        beta, lower, upper = self.beta[free], self.problem.lower[free], self.problem.upper[free]
        if epsilon > 0:
            lower, upper = np.where(beta > 0, 0.0, lower), np.where(beta < 0, 0.0, upper)
        kernel = self.rows.square(self.indices[free])
        change = free_step(
            kernel.astype(np.float64),
            self.gradient[free] + epsilon * np.sign(beta),
            lower - beta,
            upper - beta,
            8 * float(np.finfo(kernel.dtype).eps),
        )
        moved = np.where(
            change == lower - beta, lower, np.where(change == upper - beta, upper, beta + change)
        )
        self.beta[free] = moved
        self._follow(free, moved - beta)

    def _follow(self, changed: np.ndarray, change: np.ndarray) -> None:
        """Update the gradient of all coefficients after a change of some."""
        moved = np.flatnonzero(change)
        targets, start = [], 0
        for first, count in self.problem.ranges:
            targets.append((first, self.gradient[start : start + count]))
            start += count
        self.rows.add_products(self.indices[changed[moved]], change[moved], targets)
