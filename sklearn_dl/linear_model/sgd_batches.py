"""Steps batch by batch: on any kind of array, or, of many dense rows, in compiled code."""

from typing import Any

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl.linear_model.sgd_kernels import INVSCALING, OPTIMAL, PA1, batch_gradient
from sklearn_dl.linear_model.sgd_losses import MAX_GRADIENT
from sklearn_dl.linear_model.sgd_steps import Coefficients, Rules, read_only


class BatchSteps:
    """A step a batch, on the mean gradient of its rows, where X lives.

    With ``batch_size=1`` and no momentum the steps are those of :class:`RowSteps`.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        weight: Array,
        start: Coefficients,
        rules: Rules,
        step: float,
        batch_size: int,
    ) -> None:
        self._X, self._y, self._weight = X, y, weight
        self._rules, self._settings, self._batch_size = rules, rules.settings, batch_size
        # Arrays learn in float64 whatever X holds; tensors in X's dtype, as not every device has another.
        like = X if is_tensor(X) else np.empty(0)
        self._w = move_like(start.coef.copy(), like)
        self._average = move_like(start.average_coef.copy(), like)
        self._intercept = move_like(np.array(start.intercept), like)
        self._average_intercept = move_like(np.array(start.average_intercept), like)
        self._velocity, self._intercept_velocity = 0 * self._w, 0 * self._intercept
        self._received, self._total_shrink = 0 * self._w, 0.0
        self._step, self.eta, self._objective = step, float(rules.eta0), 0.0 * self._intercept

    @property
    def objective(self) -> float:
        """Sum of the penalised losses of the last epoch."""
        return float(self._objective)

    def coefficients(self) -> Coefficients:
        """What has been learnt so far."""
        return Coefficients(
            to_host(self._w).astype(np.float64),
            float(self._intercept),
            to_host(self._average).astype(np.float64),
            float(self._average_intercept),
        )

    def run_epoch(self, rows: np.ndarray) -> None:
        """Learn from these rows, in their order."""
        settings, self._objective = self._settings, 0 * self._objective
        order = self._as_index(rows)
        with np.errstate(all="ignore"):  # the caller asks whether all is finite
            for start in range(0, len(rows), self._batch_size):
                stop = min(start + self._batch_size, len(rows))
                if settings.schedule == OPTIMAL:
                    self.eta = 1.0 / (settings.alpha * (settings.first_step + self._step - 1.0))
                elif settings.schedule == INVSCALING:
                    self.eta = settings.eta0 / self._step**settings.power_t
                self._take_step(*self._pull(order, start, stop), stop - start)

    def _as_index(self, rows: np.ndarray) -> Array:
        return move_like(rows.astype(np.int64), self._y, keep_dtype=True)

    def _pull(self, rows: Array, start: int, stop: int) -> tuple[Array, Array, Array]:
        """Sums over a batch: of its losses, and of what it pulls the coefficients and the intercept by."""
        batch = slice(None) if stop - start == self._X.shape[0] else rows[start:stop]
        X, y, weight = self._X[batch], self._y[batch], self._weight[batch]
        w = self._w if is_tensor(X) else self._w.astype(X.dtype, copy=False)
        p = X @ w + self._intercept
        value, gradient = self._rules.loss(y, p, self._settings.epsilon)
        if self._settings.schedule < PA1:
            change = -self.eta * namespace(p).clip(gradient, -MAX_GRADIENT, MAX_GRADIENT)
        else:
            change = self._passive_aggressive_change(X, y, p, value)
        change = change * weight
        direction = change if is_tensor(X) else change.astype(X.dtype, copy=False)
        return value.sum(), direction @ X, change.sum()

    def _take_step(self, loss_sum: Array, pull: Array, intercept_pull: Array, n_rows: int) -> None:
        settings = self._settings
        self._objective = self._objective + loss_sum
        if settings.schedule < PA1:
            self._objective = self._objective + n_rows * self._penalty()
        decay = min(1.0, settings.decay * self.eta)
        self._velocity, move = self._accelerated(self._velocity, pull / n_rows - decay * self._w)
        self._w = self._w + move
        if settings.fit_intercept:
            self._intercept_velocity, move = self._accelerated(
                self._intercept_velocity, intercept_pull * (settings.intercept_decay / n_rows)
            )
            self._intercept = self._intercept + move
        if self._step >= settings.first_averaged:
            n_averaged = self._step - settings.first_averaged + 1.0
            self._average = self._average + (self._w - self._average) / n_averaged
            self._average_intercept = (
                self._average_intercept + (self._intercept - self._average_intercept) / n_averaged
            )
        if settings.shrink > 0:
            self._shrink()
        self._step += 1.0

    def _penalty(self) -> Array:
        penalty = 0.5 * self._settings.decay * (self._w @ self._w)
        if self._settings.shrink > 0:
            penalty = penalty + self._settings.shrink * abs(self._w).sum()
        return penalty

    def _passive_aggressive_change(self, X: Array, y: Array, p: Array, value: Array) -> Array:
        """As in the compiled code, of several rows."""
        xp, settings = namespace(p), self._settings
        squared_norms = X.multiply(X).sum(1) if sparse.issparse(X) else (X * X).sum(1)
        squared_norms = np.asarray(squared_norms).ravel() if sparse.issparse(X) else squared_norms
        if settings.schedule == PA1:
            tiny = xp.finfo(p.dtype).tiny
            size = xp.clip(value / xp.clip(squared_norms, tiny, None), None, settings.eta0)
            size = xp.where(squared_norms > 0, size, 0 * size)
        else:
            size = value / (squared_norms + 0.5 / settings.eta0)
        return size * xp.sign(y if self._rules.loss_name == "hinge" else y - p)

    def _accelerated(self, velocity: Array, pull: Array) -> tuple[Array, Array]:
        """New velocity and the move it makes (Sutskever et al., 2013, for the form of Nesterov's)."""
        velocity = self._rules.momentum * velocity + pull
        return velocity, self._rules.momentum * velocity + pull if self._rules.nesterov else velocity

    def _shrink(self) -> None:
        """Cumulative L1 penalty, as in the compiled code, on every coefficient."""
        xp, before = namespace(self._w), self._w
        self._total_shrink += self._settings.shrink * self.eta
        above = xp.clip(before - (self._total_shrink + self._received), 0, None)
        below = xp.clip(before + (self._total_shrink - self._received), None, 0)
        self._w = xp.where(before > 0, above, xp.where(before < 0, below, before))
        self._received = self._received + self._w - before


class CompiledBatchSteps(BatchSteps):
    """The same of an array in memory, in one pass over the rows of a batch, wherever they lie."""

    def __init__(self, X: np.ndarray, y: np.ndarray, weight: np.ndarray, *args: Any) -> None:
        y, weight = (read_only(np.asarray(vector, dtype=np.float64)) for vector in (y, weight))
        super().__init__(read_only(np.ascontiguousarray(X)), y, weight, *args)
        self._gradient = np.empty_like(self._w)

    def _as_index(self, rows: np.ndarray) -> Array:
        return read_only(rows)

    def _pull(self, rows: Array, start: int, stop: int) -> tuple[Array, Array, Array]:
        table, settings = (self._X, self._y, self._weight), self._settings
        loss_sum, intercept_gradient = batch_gradient(
            *table, rows, start, stop, self._w, float(self._intercept), settings.loss, settings.epsilon,
            self._gradient,
        )  # fmt: skip
        return loss_sum, -self.eta * self._gradient, -self.eta * intercept_gradient
