"""The dual of support vector classification and regression: sequential minimal optimisation in blocks."""

from typing import NamedTuple

import numpy as np

from sklearn_dl.svm.descent import Descent, Problem
from sklearn_dl.svm.kernel_rows import KernelRows
from sklearn_dl.svm.kernel_squares import KernelSquare

_WORKING_SET = 256
_INNER_REDUCTION = 0.1  # of the violation, by which a working set is solved before the next is chosen
_STEP_WORK = 40  # multiplications of a matrix product in whose time a step along a pair looks at a row
_STEPS_OF_SET = 4 * _WORKING_SET  # at most: pairs alone need millions for an ill-conditioned one
_OBJECTIVE_TOL = 1e-6  # of the objective, within which it is to come to its minimum
_TRUSTED = 1 / 3  # an estimate of what is left of the descent may be so many times too low
_LAST_STEP_SHARE = 0.1  # of all work, which a Newton step may add to look whether it has come there
_REDUCTION = 0.3  # of the violation, over which the fall of the objective is looked at
_LEAST_VIOLATION = 1e-3  # of `tol`: the objective is as good as 0
_STALLED_SETS = 100  # without a fall beyond rounding


class Solution(NamedTuple):
    """Coefficients, the intercept of the decision function, steps along pairs, and whether it converged."""

    beta: np.ndarray
    intercept: float
    n_steps: int
    converged: bool


def solve(rows: KernelRows | KernelSquare, problem: Problem, tol: float, max_steps: int) -> Solution:
    """Minimize until no pair of rows violates optimality by `tol`, and the objective is at its minimum.

    Where steps along pairs have taken as long as a Newton step of all free coefficients, one is made: many
    that are alike need ever more pairs.
    """
    descent = Descent(rows, problem)
    if isinstance(rows, KernelSquare):
        _solve_at_once(descent, rows, tol, max_steps)
    else:
        _solve_in_sets(descent, tol, max_steps)
    ups, downs = descent.directions()
    converged = bool(ups.max() - downs.min() < tol)
    return Solution(descent.beta, descent.intercept(ups, downs), descent.n_steps, converged)


def _solve_at_once(descent: Descent, rows: KernelSquare, tol: float, max_steps: int) -> None:
    """Minimize over so few rows that they are one working set."""
    course, begun = _Course(), 0
    while descent.n_steps < max_steps:
        has_ended = descent.step_to_minimum(
            rows, tol, _OBJECTIVE_TOL, min(_STEPS_OF_SET, max_steps - descent.n_steps)
        )
        if has_ended:
            break
        ups, downs = descent.directions()
        course.note(float(ups.max() - downs.min()), descent.objective())
        if course.has_stalled():
            break
        if descent.work_of_free_step() <= (descent.n_steps - begun) * len(descent.beta) * _STEP_WORK:
            begun = descent.n_steps
            descent.step_freely()


def _solve_in_sets(descent: Descent, tol: float, max_steps: int) -> None:
    """Minimize over one working set of the worst violators after the other.

    After each the gradients of all rows follow from the kernel rows of those coefficients that have changed:
    Joachims (1999), Making large-scale SVM learning practical; with half of the rows kept, as in Wen et al.
    (2018), ThunderSVM.

    The end is where the objective can fall no further to speak of, by the duality gap; or else, since that
    is the last to say so, by its fall until now and in a Newton step, unless this is dear.
    """
    work, total_work, kept, goal = 0.0, 0.0, np.empty(0, np.int64), tol
    course, is_settled = _Course(), False
    while descent.n_steps < max_steps:
        ups, downs = descent.directions()
        violation, objective = float(ups.max() - downs.min()), descent.objective()
        course.note(violation, objective)
        if violation < goal:
            share = _OBJECTIVE_TOL * abs(objective)
            if is_settled or violation <= _LEAST_VIOLATION * tol or descent.duality_gap() <= share:
                break
            is_settled = course.left() <= _TRUSTED * share
            if is_settled and descent.work_of_free_step() <= _LAST_STEP_SHARE * total_work:
                descent.step_freely()
                is_settled = objective - descent.objective() <= _TRUSTED * share
            if not is_settled:
                goal = _REDUCTION * violation
            continue
        working = _working_set(ups, downs, kept)
        aim, limit = max(_INNER_REDUCTION * violation, 0.5 * goal), max_steps - descent.n_steps
        n_taken = descent.step_in_pairs(working, aim, min(_STEPS_OF_SET, limit))
        if n_taken == 0 or course.has_stalled():  # rounding hides the violation
            break
        kept = working[: _WORKING_SET // 2]
        spent = n_taken * len(working) * _STEP_WORK
        work, total_work = work + spent, total_work + spent
        if descent.work_of_free_step() <= work:
            work = 0.0
            descent.step_freely()


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

    def has_stalled(self) -> bool:
        """Whether neither the objective nor the violation has fallen for long, because of rounding."""
        if len(self.objectives) == _STALLED_SETS or len(self.objectives) % _STALLED_SETS:
            return False
        before, now = slice(None, -_STALLED_SETS), slice(-_STALLED_SETS, None)
        fall = min(self.objectives[before]) - min(self.objectives[now])
        rounding = float(np.finfo(np.float64).eps) * abs(self.objectives[-1])
        return fall <= rounding and min(self.violations[now]) >= min(self.violations[before])


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
