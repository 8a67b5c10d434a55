"""Compiled loops of the solver: the problem of a working set, and the update of all gradients after it."""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_LEAST_CURVATURE = 1e-12  # of a pair of equal rows, along which the objective is linear

_REDUCTION = 0.3  # of the violation, until the objective is as near its minimum as asked
_LEAST_GOAL = 1e-4  # of `tol`: the objective is as good as 0


def _of_two(name: str) -> Any:
    """Function of two float64 that LLVM has as `name`, whose loops run in vectors; comparisons do not."""

    def lowered(context: Any, builder: Any, signature: Any, numbers: Any) -> Any:
        number = ir.DoubleType()
        kind = ir.FunctionType(number, [number, number])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), numbers)

    @intrinsic
    def of_two(typing: Any, first: Any, second: Any) -> Any:
        return types.float64(types.float64, types.float64), lowered

    return of_two


_larger, _smaller = _of_two("llvm.maxnum.f64"), _of_two("llvm.minnum.f64")


@njit(nogil=True, cache=True, error_model="numpy")
def _is_minimal(target, gradient, beta, lower, upper, epsilon, intercept, gap_tol):
    """Whether the duality gap is at most `gap_tol` of the objective."""
    objective, gap = 0.0, 0.0
    for t in range(len(beta)):
        size, residual = epsilon * abs(beta[t]), -gradient[t] - intercept
        objective += 0.5 * beta[t] * (gradient[t] - target[t]) + size
        gap += size - residual * beta[t]
        if abs(residual) > epsilon:  # bounds may be infinite
            gap += (upper[t] if residual > 0 else -lower[t]) * (abs(residual) - epsilon)
    return not gap > gap_tol * abs(objective)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc", "contract"})
def solve_working_set(kernel, target, gradient, beta, lower, upper, epsilon, tol, gap_tol, max_steps):
    """Minimize over the coefficients of a working set by steps along pairs, and return the number of steps.

    Stops where no pair violates optimality by `tol`, and, if the set is the whole problem, the duality gap is
    at most `gap_tol` of the objective; for a part of it `gap_tol` is to be infinite.

    The objective is that of :func:`sklearn_dl.svm.interval_dual.solve`. Pairs are chosen by second-order
    information: Fan, Chen, Lin (2005), Working set selection using second order information for training
    support vector machines, WSS 2. Changes `beta` and `gradient` (of the smooth part) in place.

    A step ends at a bound, or at 0 where the absolute values have their kink. Loops have no branches, and
    take the largest number before they look where it is, so that they run in vectors.
    """
    n_rows = len(beta)
    diagonal, up_kinks, down_kinks, gains = (
        np.empty(n_rows),
        np.empty(n_rows),
        np.empty(n_rows),
        np.empty(n_rows),
    )
    for t in range(n_rows):
        diagonal[t] = kernel[t, t]
        up_kinks[t] = -np.inf if beta[t] >= upper[t] else -epsilon if beta[t] >= 0 else epsilon
        down_kinks[t] = np.inf if beta[t] <= lower[t] else -epsilon if beta[t] > 0 else epsilon
    goal = tol
    for step in range(max_steps):
        highest, lowest = -np.inf, np.inf
        for t in range(n_rows):
            up, down = up_kinks[t] - gradient[t], down_kinks[t] - gradient[t]
            highest, lowest = _larger(highest, up), _smaller(lowest, down)
        if not highest - lowest >= goal:
            if _is_minimal(target, gradient, beta, lower, upper, epsilon, (highest + lowest) / 2, gap_tol):
                return step
            goal = _REDUCTION * (highest - lowest)
            if not goal > _LEAST_GOAL * tol:
                return step
        i = n_rows
        for t in range(n_rows):
            i = min(i, t if up_kinks[t] - gradient[t] == highest else n_rows)
        row, best = kernel[i], 0.0
        for t in range(n_rows):
            slope = _larger(highest - (down_kinks[t] - gradient[t]), 0.0)
            curvature = _larger(diagonal[i] + diagonal[t] - 2.0 * row[t], _LEAST_CURVATURE)
            gains[t] = slope * slope / curvature
            best = _larger(best, gains[t])
        j = n_rows
        for t in range(n_rows):
            j = min(j, t if gains[t] == best else n_rows)
        slope = highest - (down_kinks[j] - gradient[j])
        length = slope / max(diagonal[i] + diagonal[j] - 2.0 * row[j], _LEAST_CURVATURE)
        end_i = 0.0 if epsilon > 0 and beta[i] < 0 else upper[i]
        end_j = 0.0 if epsilon > 0 and beta[j] > 0 else lower[j]
        length = min(length, end_i - beta[i], beta[j] - end_j)
        beta[i] = end_i if length == end_i - beta[i] else beta[i] + length
        beta[j] = end_j if length == beta[j] - end_j else beta[j] - length
        for t in (i, j):
            up_kinks[t] = -np.inf if beta[t] >= upper[t] else -epsilon if beta[t] >= 0 else epsilon
            down_kinks[t] = np.inf if beta[t] <= lower[t] else -epsilon if beta[t] > 0 else epsilon
        other = kernel[j]
        for t in range(n_rows):
            gradient[t] += length * (row[t] - other[t])
    return max_steps


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_rows(rows, places, factors, first_column, total):
    """Add to `total` the sum of ``factors[k] * rows[places[k]]``, from `first_column` on."""
    step = 1024  # of columns: a part of `total` that stays in the first-level cache
    for start in range(0, len(total), step):
        stop = min(start + step, len(total))
        part = total[start:stop]
        for k in range(0, len(places) - 3, 4):
            row0 = rows[places[k], first_column + start : first_column + stop]
            row1 = rows[places[k + 1], first_column + start : first_column + stop]
            row2 = rows[places[k + 2], first_column + start : first_column + stop]
            row3 = rows[places[k + 3], first_column + start : first_column + stop]
            f0, f1, f2, f3 = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
            for t in range(stop - start):
                part[t] += f0 * row0[t] + f1 * row1[t] + (f2 * row2[t] + f3 * row3[t])
        for k in range(len(places) - len(places) % 4, len(places)):
            row0 = rows[places[k], first_column + start : first_column + stop]
            for t in range(stop - start):
                part[t] += factors[k] * row0[t]


@njit(nogil=True, cache=True)
def gather(kept, places, columns, out):
    """Write ``kept[places[i], columns[j]]`` to ``out[i, j]``, but leave rows out whose place is negative."""
    for i in range(len(places)):
        if places[i] >= 0:
            row, to = kept[places[i]], out[i]
            for j in range(len(columns)):
                to[j] = row[columns[j]]
