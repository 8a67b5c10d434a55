"""Maximisation of a function in the unit box from many rows, which are evaluated together."""

from collections.abc import Callable

import numpy as np

#: From rows (n, d) to values (n,) and gradients (n, d).
BatchFunction = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

_SUFFICIENT = 1e-4  # share of the gain predicted by the slope that a step must bring (Armijo)
_FIRST_STEP = 0.1  # largest change of a column in a step along the gradient
_MAX_BACKTRACKS = 12
_NO_GAIN = 1e-9  # relative gain of a step below which a row is at its end


def maximize_rows(
    function: BatchFunction, rows: np.ndarray, free: np.ndarray, *, max_iter: int = 60, tol: float = 1e-6
) -> tuple[np.ndarray, np.ndarray]:
    """Climb from each row by a projected quasi-Newton method.

    Parameters
    ----------
    function : callable
        From rows to values and gradients.
    rows : ndarray of shape (n_rows, n_columns)
        Starts in the unit box.
    free : ndarray of bool of shape (n_columns,) or (n_rows, n_columns)
        What may change.
    max_iter : int, default=60
        Steps of each row, at most.
    tol : float, default=1e-6
        Largest absolute component of the projected gradient where a row is at its end.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_columns)
        Ends of the climbs.
    values : ndarray of shape (n_rows,)
        Values there, none below that of its start.

    References
    ----------
    Nocedal, Wright (2006), Numerical optimization, equations 6.17 and 6.20. Each row has an inverse Hessian
    of its own; columns at a bound whose gradient points outwards stay there, as in section 16.7.
    """
    climb = _Climb(function, rows, free)
    for _ in range(max_iter):
        if not climb.step(tol):
            break
    return climb.x, climb.value


class _Climb:
    """Rows on their way up; `running` are the numbers of those that still move."""

    def __init__(self, function: BatchFunction, rows: np.ndarray, free: np.ndarray) -> None:
        self.function = function
        self.x = np.array(rows)
        self.free = np.broadcast_to(free, self.x.shape)
        self.value, self.gradient = function(self.x)
        n_rows, n_columns = self.x.shape
        self.identity = np.eye(n_columns)
        self.inverse = np.tile(self.identity, (n_rows, 1, 1))  # of minus the Hessian
        self.fresh = np.ones(n_rows, dtype=bool)  # rows whose inverse is not known yet
        self.running = np.arange(n_rows)

    def step(self, tol: float) -> bool:
        """Move the running rows once; whether any still runs."""
        x, gradient = self.x[self.running], self.gradient[self.running]
        held = ((x <= 0) & (gradient < 0)) | ((x >= 1) & (gradient > 0)) | ~self.free[self.running]
        gradient = np.where(held, 0, gradient)
        moving = np.abs(gradient).max(axis=1, initial=0) > tol
        self.running, gradient, held = self.running[moving], gradient[moving], held[moving]
        if len(self.running) == 0:
            return False
        direction = self._direction(gradient, held)
        moved, gain = self._search(direction, gradient, held)
        # A row that does not move along its gradient is at its end; else it is given another try along it.
        ended = np.where(
            moved, gain < _NO_GAIN * (1 + np.abs(self.value[self.running])), self.fresh[self.running]
        )
        self._forget(self.running[~moved])
        self.running = self.running[~ended]
        return len(self.running) > 0

    def _direction(self, gradient: np.ndarray, held: np.ndarray) -> np.ndarray:
        direction = np.einsum("rij,rj->ri", self.inverse[self.running], gradient)
        direction[held] = 0
        ascent = np.einsum("rj,rj->r", direction, gradient)
        poor = ascent <= 1e-12 * np.einsum("rj,rj->r", gradient, gradient)
        self._forget(self.running[poor])
        plain = self.fresh[self.running]
        size = np.abs(gradient[plain]).max(axis=1, initial=0)
        direction[plain] = gradient[plain] * np.minimum(1, _FIRST_STEP / size)[:, None]
        return direction

    def _forget(self, rows: np.ndarray) -> None:
        self.inverse[rows], self.fresh[rows] = self.identity, True

    def _search(
        self, direction: np.ndarray, gradient: np.ndarray, held: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shorten the steps that do not bring enough; which rows moved, and what they gained."""
        length = np.ones(len(self.running))
        moved, gain = np.zeros(len(self.running), dtype=bool), np.zeros(len(self.running))
        open_ = np.arange(len(self.running))
        for _ in range(_MAX_BACKTRACKS):
            rows = self.running[open_]
            new = np.clip(self.x[rows] + length[open_, None] * direction[open_], 0, 1)
            new_value, new_gradient = self.function(new)
            predicted = np.einsum("rj,rj->r", gradient[open_], new - self.x[rows])
            change = new_value - self.value[rows]
            enough = (change >= _SUFFICIENT * predicted) & (predicted > 0)
            done = open_[enough]
            moved[done], gain[done] = True, change[enough]
            self._accept(rows[enough], new[enough], new_value[enough], new_gradient[enough], held[done])
            open_ = open_[~enough]
            if len(open_) == 0:
                break
            # Top of the parabola through the value and slope at the row and the value tried.
            lack = (predicted - change)[~enough]
            top = np.divide(0.5 * predicted[~enough], lack, out=np.full(len(lack), 0.1), where=lack > 0)
            length[open_] *= np.clip(np.nan_to_num(top, nan=0.1), 0.1, 0.5)
        return moved, gain

    def _accept(
        self,
        rows: np.ndarray,
        new: np.ndarray,
        value: np.ndarray,
        gradient: np.ndarray,
        held: np.ndarray,
    ) -> None:
        """Move rows, and update their inverses where the curvature along the step is positive."""
        s = np.where(held, 0, new - self.x[rows])
        y = np.where(held, 0, self.gradient[rows] - gradient)
        self.x[rows], self.value[rows], self.gradient[rows] = new, value, gradient
        curvature, squared = np.einsum("rj,rj->r", s, y), np.einsum("rj,rj->r", y, y)
        good = curvature > 1e-10 * np.sqrt(squared * np.einsum("rj,rj->r", s, s))
        rows, s, y, curvature, squared = rows[good], s[good], y[good], curvature[good], squared[good]
        inverse, fresh = self.inverse[rows], self.fresh[rows]
        inverse[fresh] *= (curvature[fresh] / squared[fresh])[:, None, None]
        turned = np.einsum("rij,rj->ri", inverse, y)
        share = 1 / curvature[:, None, None]
        cross = s[:, :, None] * turned[:, None, :]
        stretch = 1 + share * np.einsum("rj,rj->r", y, turned)[:, None, None]
        inverse += share * (stretch * s[:, :, None] * s[:, None, :] - cross - cross.transpose(0, 2, 1))
        self.inverse[rows], self.fresh[rows] = inverse, False
