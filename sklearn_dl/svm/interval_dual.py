"""The dual of support vector classification and regression: sequential minimal optimisation in blocks."""

from typing import NamedTuple

import numpy as np

from sklearn_dl.svm.free_steps import free_step
from sklearn_dl.svm.kernel_rows import KernelRows, KernelSquare
from sklearn_dl.svm.working_set_kernels import solve_working_set

LARGEST_SQUARE = 512  # rows of a problem whose kernel is at hand as a whole, and which is one working set
_WORKING_SET = 256
_REDUCTION = 0.3  # of the violation, by which a working set is solved before the next is chosen
_OBJECTIVE_TOL = 1e-6  # of the objective, within which it is to come to its minimum
_LAST_STEP_SHARE = 0.1  # of all work, which a Newton step may add to look whether it is there
_LEAST_VIOLATION = 1e-3  # of `tol`: the objective is as good as 0
_STEP_WORK = 40  # multiplications of a matrix product in whose time a step along a pair looks at a row
_STEPS_OF_SET = 4 * _WORKING_SET  # at most: pairs alone need millions for an ill-conditioned one
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


class Solution(NamedTuple):
    """Coefficients, the intercept of the decision function, steps along pairs, and whether it converged."""

    beta: np.ndarray
    intercept: float
    n_steps: int
    converged: bool


def solve(rows: KernelRows | KernelSquare, problem: Problem, tol: float, max_steps: int) -> Solution:
    """Minimize until no pair of rows violates optimality by `tol`, and the objective is at its minimum.

    A working set of the worst violators is solved by steps along pairs; then the gradients of all rows follow
    from the kernel rows of those coefficients that have changed. Joachims (1999), Making large-scale SVM
    learning practical; with half of the rows kept, as in Wen et al. (2018), ThunderSVM. Few rows are one
    working set. Where this has taken as long as a Newton step of all free coefficients, one is made: many that
    are alike need ever more pairs.
    """
    descent = _Descent(rows, problem)
    n_steps = (_solve_at_once if len(problem.target) <= LARGEST_SQUARE else _solve_in_sets)(descent, tol, max_steps)
    return Solution(descent.beta, descent.intercept(), n_steps, n_steps < max_steps)


def _solve_at_once(descent: "_Descent", tol: float, max_steps: int) -> int:
    """Minimize over so few rows that they are one working set; the number of steps."""
    n_steps, work, everything = 0, 0.0, np.arange(len(descent.beta))
    while n_steps < max_steps:
        limit = min(_STEPS_OF_SET, max_steps - n_steps)
        n_taken, has_moved = descent.step_in_pairs(everything, tol, limit, _OBJECTIVE_TOL)
        n_steps += n_taken
        if n_taken < limit or not has_moved:
            break
        work += n_taken * len(everything) * _STEP_WORK
        if descent.work_of_free_step() <= work:
            work = 0.0
            descent.step_freely()
    return n_steps


def _solve_in_sets(descent: "_Descent", tol: float, max_steps: int) -> int:
    """Minimize over one working set after the other; the number of steps.

    The end is where the objective can fall no further to speak of, by the duality gap; or else, since that
    is first to say so by far, by its fall until now and in a Newton step, unless this is dear.
    """
    n_steps, work, total_work, kept, goal = 0, 0.0, 0.0, np.empty(0, np.int64), tol
    course, is_settled = _Course(), False
    while n_steps < max_steps:
        ups, downs = descent.directions()
        violation, objective = float(ups.max() - downs.min()), descent.objective()
        course.note(violation, objective)
        if violation < goal:
            share = _OBJECTIVE_TOL * abs(objective)
            if is_settled or violation <= _LEAST_VIOLATION * tol or descent.duality_gap() <= share:
                break
            is_settled = course.left() <= 0.5 * share
            if is_settled and descent.work_of_free_step() <= _LAST_STEP_SHARE * total_work:
                descent.step_freely()
                is_settled = objective - descent.objective() <= 0.5 * share
            if not is_settled:
                goal = _REDUCTION * violation
            continue
        working = _working_set(ups, downs, kept)
        aim = max(_REDUCTION * violation, 0.5 * goal)
        n_taken, has_moved = descent.step_in_pairs(working, aim, min(_STEPS_OF_SET, max_steps - n_steps))
        if not has_moved:  # rounding hides the violation
            break
        n_steps += n_taken
        kept = working[: _WORKING_SET // 2]
        spent = n_taken * len(working) * _STEP_WORK
        work, total_work = work + spent, total_work + spent
        if descent.work_of_free_step() <= work:
            work = 0.0
            descent.step_freely()
    return n_steps


class _Course:
    """Violations and objectives on the way down, which tell how much of it is left."""

    def __init__(self) -> None:
        self.violations: list[float] = []
        self.objectives: list[float] = []

    def note(self, violation: float, objective: float) -> None:
        """Add where the descent is."""
        self.violations.append(violation)
        self.objectives.append(objective)

    def left(self) -> float:
        """How far the objective is above its minimum, were all directions equally far from it.

        The objective is above its minimum by a square of the violation. So of its fall while the violation
        shrank by a factor ``s``, ``s**2 / (1 - s**2)`` is left.
        """
        violation, objective = self.violations[-1], self.objectives[-1]
        earlier = [k for k, other in enumerate(self.violations) if _REDUCTION * other >= violation]
        if not earlier:
            return np.inf
        shrinkage = violation / self.violations[earlier[-1]]
        return (self.objectives[earlier[-1]] - objective) * shrinkage**2 / (1 - shrinkage**2)


class _Descent:
    """Coefficients on their way to the minimum, and the gradient of the smooth part of the objective."""

    def __init__(self, rows: KernelRows | KernelSquare, problem: Problem) -> None:
        self.rows, self.problem = rows, problem
        self.indices = np.concatenate([np.arange(first, first + count) for first, count in problem.ranges])
        self.beta, self.gradient = np.zeros(len(problem.target)), -problem.target

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
        """What the objective is above its minimum at most."""
        problem, residual = self.problem, -self.gradient - self.intercept()
        losses = problem.upper * np.maximum(residual - problem.epsilon, 0.0)
        losses -= problem.lower * np.maximum(-residual - problem.epsilon, 0.0)
        losses += problem.epsilon * np.abs(self.beta) - residual * self.beta
        return float(losses.sum())

    def free(self) -> np.ndarray:
        """Coefficients along which the objective is smooth: at no bound, nor at 0 where that is a kink."""
        free = (self.beta > self.problem.lower) & (self.beta < self.problem.upper)
        if self.problem.epsilon > 0:
            free &= self.beta != 0
        return np.flatnonzero(free)

    def work_of_free_step(self) -> float:
        """Multiplications that take as long as :meth:`step_freely`; infinite if that can move nothing."""
        n_free = len(self.free())
        return n_free**3 + n_free * len(self.beta) + _FREE_STEP_WORK if n_free > 1 else np.inf

    def step_in_pairs(
        self, working: np.ndarray, tol: float, max_steps: int, gap_tol: float = np.inf
    ) -> tuple[int, bool]:
        """Minimize over a working set; the number of steps, and whether a coefficient has moved."""
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
        if len(working) == len(self.beta):
            self.gradient[working] = gradient
        else:
            self._follow(working, change)
        return n_steps, bool(change.any())

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

    def intercept(self) -> float:
        """Common slope of the free coefficients; without any, the middle of what optimality allows."""
        ups, downs = self.directions()
        free = self.free()
        if len(free):
            return float(ups[free].mean())
        return float((ups.max() + downs.min()) / 2)

    def _follow(self, changed: np.ndarray, change: np.ndarray) -> None:
        """Update the gradient of all coefficients after a change of some."""
        moved = np.flatnonzero(change)
        targets, start = [], 0
        for first, count in self.problem.ranges:
            targets.append((first, self.gradient[start : start + count]))
            start += count
        self.rows.add_products(self.indices[changed[moved]], change[moved], targets)


def _working_set(ups: np.ndarray, downs: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The worst violators in both directions, new ones first."""
    if len(ups) <= LARGEST_SQUARE:
        return np.arange(len(ups))
    size = _WORKING_SET
    half = (size - len(kept)) // 2
    ups, downs = ups.copy(), downs.copy()
    ups[kept], downs[kept] = -np.inf, np.inf
    up = np.argpartition(-ups, half)[:half]
    up = up[np.isfinite(ups[up])]
    downs[up] = np.inf
    down = np.argpartition(downs, half)[:half]
    return np.concatenate([up, down[np.isfinite(downs[down])], kept])
