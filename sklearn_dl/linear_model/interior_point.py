"""Linear support vector machines of linear loss by an interior-point method on their dual."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from sklearn_dl._base.arrays import Array, namespace
from sklearn_dl.linear_model.augmented_rows import LARGEST_PLAIN, AugmentedRows, RowSpan, every_tenth

_ROUNDING = 1e-15  # of the objective: no smaller duality gap is asked for
_IDLE_AT_MOST = 5  # steps that lower neither the objective nor the gap: rounding then leads them
_TO_THE_BOUNDARY = 0.995  # fraction of the way to the nearest bound that a step goes at most


def interval_fit(
    rows: AugmentedRows,
    lower: Array,
    upper: Array,
    cost: Array,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, int, float]:
    """Minimize ``w @ w / 2 + sum(cost * distance(rows @ w, [lower, upper]))``.

    The interval [1, inf) or (-inf, -1] makes it the hinge loss, [y - epsilon, y + epsilon] the
    epsilon-insensitive loss. The dual is a quadratic program with bounds. Each step of the method solves one
    system with ``I + rows.T @ diag @ rows``, so it needs few columns or few rows, and some 10 to 25 steps
    whatever the data.

    Parameters
    ----------
    rows : AugmentedRows
        Rows, without a shift.
    lower, upper : array of shape (n_samples,)
        Ends of the intervals, infinite where there is none.
    cost : array of shape (n_samples,)
        Positive weight of each row.
    tol : float, default=1e-4
        Steps end when the objective is at most ``1e-6 * tol`` of itself above the minimum, as certified by
        the duality gap.
    max_iter : int, default=1000
        Steps at most.
    on_step : callable, default=None
        Called with the number of the step and the objective before it.

    Returns
    -------
    w : ndarray of shape (n_columns,)
        The minimizer.
    n_iter : int
        Steps taken.
    gap : float
        Duality gap over the objective. Large only if `max_iter` was reached, or if columns are so nearly
        dependent, or so large, that rounding spoils the dual variables; the coefficients are closer then.

    References
    ----------
    Ferris, Munson (2002), Interior-point methods for massive support vector machines, section 3.
    Mehrotra (1992), On the implementation of a primal-dual interior point method.
    """
    if rows.n_rows < rows.X.shape[1] > LARGEST_PLAIN:
        span = RowSpan(rows.X)
        fewer = AugmentedRows(span.X, rows.constant)
        n_coordinates = span.X.shape[1]
        w, n_iter, gap = interval_fit(fewer, lower, upper, cost, tol=tol, max_iter=max_iter, on_step=on_step)
        return np.concatenate([span.expand(w[:n_coordinates]), w[n_coordinates:]]), n_iter, gap
    start = np.zeros(rows.n_columns)
    if bool(((lower <= 0) & (upper >= 0)).all()):  # no gap is small beside an objective of 0
        return start, 0, 0.0
    if max_iter > 0 and (sample := every_tenth(rows, lower, upper, cost)) is not None:
        start, _, _ = interval_fit(*sample, tol=1.0)
    program = _PrimalDual(rows, lower, upper, cost, start)
    wanted = max(1e-6 * tol, _ROUNDING)
    best, least, smallest_gap = start, np.inf, np.inf
    n_iter = idle = 0
    while True:
        objective, gap = program.objective_and_gap()
        if on_step is not None:
            on_step(n_iter, objective)
        idle = 0 if objective < least or gap < 0.9 * smallest_gap else idle + 1
        if objective < least:
            best, least = program.w, objective
        smallest_gap = min(smallest_gap, gap)
        done = gap <= wanted * objective or idle > _IDLE_AT_MOST
        if done or n_iter >= max_iter or not program.step():
            return best, n_iter, smallest_gap / max(least, np.finfo(float).tiny)
        n_iter += 1


class _PrimalDual:
    """Coefficients, dual variables between bounds, the multipliers of the bounds, and the steps of all.

    The dual minimizes ``|w|^2 / 2 - sum(target * dual)`` over ``low <= dual <= high`` with
    ``w = rows.t_dot(dual)``.
    An interval with two distinct ends has two variables: arrays have shape (n_variables, n_samples).
    The coefficients are stepped themselves: where columns are far from 0 mean or from equal scales, the dual
    variables of w cancel to many digits, and what they add up to is but a residual to be lowered.
    """

    def __init__(self, rows: AugmentedRows, lower: Array, upper: Array, cost: Array, w: np.ndarray):
        xp = namespace(lower)
        self.rows = rows
        zero = xp.zeros_like(cost)
        if bool(xp.any(xp.isfinite(lower) & (lower < upper) & xp.isfinite(upper))):
            self.target = xp.stack([lower, upper])
            self.low, self.high = xp.stack([zero, -cost]), xp.stack([cost, zero])
        else:
            self.target = xp.where(xp.isfinite(lower), lower, upper)[None]
            self.low = xp.where(xp.isfinite(upper), -cost, zero)[None]
            self.high = xp.where(xp.isfinite(lower), cost, zero)[None]
        miss = rows.dot(w) - self.target
        spread = float(xp.abs(miss).mean()) + 1e-10
        self.at_low = xp.clip(miss, spread, None)
        self.at_high = xp.clip(-miss, spread, None)
        # Equal products with the multipliers on both sides, so that the first point is near the central path.
        self.dual = self.low + (self.high - self.low) * self.at_high / (self.at_low + self.at_high)
        self.w = w
        self._refresh()

    def _refresh(self) -> None:
        self.of_dual = self.rows.t_dot(self.dual.sum(0))
        self.scores = self.rows.dot(self.w)

    def objective_and_gap(self) -> tuple[float, float]:
        """Value of the primal objective at w, and its distance from that of the dual."""
        xp = namespace(self.dual)
        miss = self.target - self.scores
        loss = xp.where(miss > 0, self.high, self.low) * miss
        objective = 0.5 * float(self.w @ self.w) + float(loss.sum())
        dual_objective = float((self.target * self.dual).sum()) - 0.5 * float(self.of_dual @ self.of_dual)
        return objective, objective - dual_objective

    def step(self) -> bool:
        """Predictor and corrector step; False once rounding leaves no way to go."""
        below, above = self.dual - self.low, self.high - self.dual
        if float(below.min()) <= 0 or float(above.min()) <= 0:
            return False
        curvature = self.at_low / below + self.at_high / above
        solve = self._normal_equations(curvature)
        residual = self.scores - self.target - self.at_low + self.at_high
        products = -self.at_low * below, -self.at_high * above
        complementarity = -float((products[0] + products[1]).mean()) / 2
        w_step, step, d_low, d_high = self._direction(solve, residual, products, below, above, curvature)
        size = self._longest(step, d_low, d_high, below, above)
        predicted = float(
            (
                (self.at_low + size * d_low) * (below + size * step)
                + (self.at_high + size * d_high) * (above - size * step)
            ).mean()
        )
        centre = (predicted / 2 / complementarity) ** 3 * complementarity
        corrected = (products[0] + centre - d_low * step, products[1] + centre + d_high * step)
        w_step, step, d_low, d_high = self._direction(solve, residual, corrected, below, above, curvature)
        size = min(1.0, _TO_THE_BOUNDARY * self._longest(step, d_low, d_high, below, above))
        self.w = self.w + size * w_step
        self.dual = self.dual + size * step
        self.at_low = self.at_low + size * d_low
        self.at_high = self.at_high + size * d_high
        self._refresh()
        return size > 1e-10

    def _normal_equations(self, curvature: Array) -> Callable[[Array], tuple[np.ndarray, Array]]:
        """Solver of ``rows @ w_step + curvature * step = rhs``, where w meets the dual after the step."""
        matrix = self.rows.gram((1 / curvature).sum(0))
        matrix[np.diag_indices_from(matrix)] += 1
        scale = 1 / np.sqrt(np.diag(matrix))
        factor = _cholesky(matrix * scale * scale[:, None])

        def solve(rhs: Array) -> tuple[np.ndarray, Array]:
            projected = self.rows.t_dot((rhs / curvature).sum(0)) + self.of_dual - self.w
            w_step = scale * cho_solve(factor, scale * projected, check_finite=False)
            return w_step, (rhs - self.rows.dot(w_step)) / curvature

        return solve

    def _direction(
        self,
        solve: Callable[[Array], tuple[np.ndarray, Array]],
        residual: Array,
        products: tuple[Array, Array],
        below: Array,
        above: Array,
        curvature: Array,
    ) -> tuple[np.ndarray, Array, Array, Array]:
        """Newton step of coefficients, dual and both multipliers towards the complementarity products."""
        w_step, step = solve(products[0] / below - products[1] / above - residual)
        d_low, d_high = products[0] - self.at_low * step, products[1] + self.at_high * step
        return w_step, step, d_low / below, d_high / above

    def _longest(self, step: Array, d_low: Array, d_high: Array, below: Array, above: Array) -> float:
        """Largest size, up to 1, that keeps all positive."""
        shrink = max(
            float((-step / below).max()),
            float((step / above).max()),
            float((-d_low / self.at_low).max()),
            float((-d_high / self.at_high).max()),
        )
        return 1.0 if shrink <= 1 else 1 / shrink


def _cholesky(matrix: np.ndarray) -> Any:
    """Factor of a matrix of unit diagonal, which is raised by what rounding has cost, if need be."""
    raised = 1e-15
    while True:
        try:
            return cho_factor(matrix, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            raised *= 10
            matrix[np.diag_indices_from(matrix)] += raised
