"""The steps of one epoch: row by row in compiled code, or batch by batch on any kind of array."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import typeof
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl.linear_model.sgd_kernels import (
    CONSTANT,
    INVSCALING,
    OPTIMAL,
    PA1,
    PA2,
    Progress,
    Settings,
    dense_epoch,
    sparse_epoch,
)
from sklearn_dl.linear_model.sgd_losses import LOSS_CODES, MAX_GRADIENT, Loss

SCHEDULES = {
    "constant": CONSTANT,
    "adaptive": CONSTANT,
    "optimal": OPTIMAL,
    "invscaling": INVSCALING,
    "pa1": PA1,
    "pa2": PA2,
}

# Visits of features that take plain Python about as long as it takes to load compiled code.
_INTERPRETED_VISITS = 100_000


class Coefficients(NamedTuple):
    """Coefficients of one output and their average, on the host, in float64."""

    coef: np.ndarray
    intercept: float
    average_coef: np.ndarray
    average_intercept: float


@dataclass(frozen=True)
class Rules:
    """How steps are taken: the parameters of the estimator, and what follows from them."""

    loss_name: str
    loss: Loss
    epsilon: float
    penalty: str | None
    alpha: float
    l1_ratio: float
    learning_rate: str
    eta0: float
    power_t: float
    average: int
    fit_intercept: bool
    intercept_decay: float = 1.0
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def settings(self) -> Settings:
        """The rules as compiled code reads them."""
        l1_ratio = {"l1": 1.0, "l2": 0.0, "elasticnet": self.l1_ratio, None: 0.0}[self.penalty]
        strength = 0.0 if self.penalty is None else float(self.alpha)
        return Settings(
            loss=LOSS_CODES[self.loss_name],
            epsilon=float(self.epsilon),
            decay=(1.0 - l1_ratio) * strength,
            shrink=l1_ratio * strength,
            schedule=SCHEDULES[self.learning_rate],
            alpha=float(self.alpha),
            # Bottou's heuristic: the first step has the size that coefficients reach, alpha ** (-1/4).
            first_step=self.alpha**-0.75 if self.alpha > 0 else 0.0,
            eta0=float(self.eta0),
            power_t=float(self.power_t),
            first_averaged=float(self.average) if self.average else math.inf,
            fit_intercept=bool(self.fit_intercept),
            intercept_decay=float(self.intercept_decay),
        )


class Steps(Protocol):
    """Coefficients in training."""

    eta: float

    @property
    def objective(self) -> float:
        """Sum of the penalised losses of the last epoch."""

    def run_epoch(self, rows: np.ndarray) -> None:
        """Learn from these rows, in their order."""

    def coefficients(self) -> Coefficients:
        """What has been learnt so far."""


class RowSteps:
    """A step a row, of an array or CSR matrix in memory."""

    def __init__(
        self, X: Array, y: np.ndarray, weight: np.ndarray, start: Coefficients, rules: Rules, step: float
    ) -> None:
        self._settings = rules.settings
        n_features = X.shape[1]
        self._w = start.coef.copy()
        self._average = start.average_coef.copy() if rules.average else np.empty(0)
        received = np.zeros(n_features if self._settings.shrink > 0 else 0)
        if sparse.issparse(X):
            self._kernel: Any = sparse_epoch
            visits = X.nnz
            table = [X.data, X.indices.astype(np.int32, copy=False), X.indptr.astype(np.int64)]
        else:
            self._kernel = dense_epoch
            visits, table = X.size, [np.ascontiguousarray(X)]
        self._visits_a_row = 20 + visits // max(1, X.shape[0])
        self._visits = 0
        self._is_compiled = False
        as_float64 = (np.asarray(vector, dtype=np.float64) for vector in (y, weight))
        # One kind of array, whether the caller's can be written to or not, needs one compilation.
        frozen = [_read_only(array) for array in (*table, *as_float64)]
        self._before_rows, self._after_rows = frozen, (self._w, self._average, received, self._settings)
        self._progress = Progress(
            intercept=float(start.intercept),
            average_intercept=float(start.average_intercept),
            step=float(step),
            eta=float(rules.eta0),
            total_shrink=0.0,
            squared_norm=float(self._w @ self._w),
            l1_norm=float(np.abs(self._w).sum()),
            objective=0.0,
        )

    @property
    def eta(self) -> float:
        """Step size of the next epoch, where the schedule does not set it."""
        return self._progress.eta

    @eta.setter
    def eta(self, value: float) -> None:
        self._progress = self._progress._replace(eta=value)

    @property
    def objective(self) -> float:
        """Sum of the penalised losses of the last epoch."""
        return self._progress.objective

    def run_epoch(self, rows: np.ndarray) -> None:
        """Learn from these rows, in their order."""
        arguments = (*self._before_rows, _read_only(rows), *self._after_rows, self._progress)
        self._visits += len(rows) * self._visits_a_row
        self._is_compiled = (
            self._is_compiled
            or self._visits > _INTERPRETED_VISITS
            or tuple(map(typeof, arguments)) in self._kernel.overloads
        )
        if self._is_compiled:
            self._progress = self._kernel(*arguments)
        else:
            with np.errstate(all="ignore"):  # as compiled; the caller asks whether all is finite
                self._progress = Progress(*map(float, self._kernel.py_func(*arguments)))

    def coefficients(self) -> Coefficients:
        """What has been learnt so far."""
        progress = self._progress
        return Coefficients(self._w, progress.intercept, self._average, progress.average_intercept)


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
        self._objective = 0 * self._objective
        whole = len(rows) == self._X.shape[0] <= self._batch_size
        order = move_like(rows.astype(np.int64), self._y, keep_dtype=True)
        with np.errstate(all="ignore"):  # the caller asks whether all is finite
            for start in range(0, len(rows), self._batch_size):
                batch = slice(None) if whole else order[start : start + self._batch_size]
                self._take_step(self._X[batch], self._y[batch], self._weight[batch])

    def _take_step(self, X: Array, y: Array, weight: Array) -> None:
        settings, n_rows = self._settings, X.shape[0]
        w = self._w if is_tensor(X) else self._w.astype(X.dtype, copy=False)
        p = X @ w + self._intercept
        value, gradient = self._rules.loss(y, p, settings.epsilon)
        self._objective = self._objective + value.sum()
        if settings.schedule == OPTIMAL:
            self.eta = 1.0 / (settings.alpha * (settings.first_step + self._step - 1.0))
        elif settings.schedule == INVSCALING:
            self.eta = settings.eta0 / self._step**settings.power_t
        if settings.schedule < PA1:
            self._objective = self._objective + n_rows * self._penalty()
            change = -self.eta * namespace(p).clip(gradient, -MAX_GRADIENT, MAX_GRADIENT)
        else:
            change = self._passive_aggressive_change(X, y, p, value)
        change = change * weight
        direction = change if is_tensor(X) else change.astype(X.dtype, copy=False)
        pull = (direction @ X) / n_rows - min(1.0, settings.decay * self.eta) * self._w
        self._velocity, move = self._accelerated(self._velocity, pull)
        self._w = self._w + move
        if settings.fit_intercept:
            pull = change.mean() * settings.intercept_decay
            self._intercept_velocity, move = self._accelerated(self._intercept_velocity, pull)
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


def _read_only(array: np.ndarray) -> np.ndarray:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
