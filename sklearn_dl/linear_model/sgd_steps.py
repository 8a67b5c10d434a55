"""The rules of the steps of an epoch, and steps row by row in compiled code."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import typeof
from scipy import sparse

from sklearn_dl._base.arrays import Array
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
from sklearn_dl.linear_model.sgd_losses import LOSS_CODES, Loss

SCHEDULES = {
    "constant": CONSTANT,
    "adaptive": CONSTANT,
    "optimal": OPTIMAL,
    "invscaling": INVSCALING,
    "pa1": PA1,
    "pa2": PA2,
}

# Visits of features, in all fits of the process, that plain Python makes before compiled code is loaded; they
# take it about as long as the loading. Both give the same bits, so that it does not matter who comes first.
_INTERPRETED_VISITS = 100_000
_visits: Counter[Any] = Counter()


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
            # numba looks for negative indices unless their type has none.
            table = [
                X.data,
                X.indices.astype(np.int32, copy=False).view(np.uint32),
                X.indptr.astype(np.int64),
            ]
        else:
            self._kernel = dense_epoch
            visits, table = X.size, [np.ascontiguousarray(X)]
        self._visits_a_row = 20 + visits // max(1, X.shape[0])
        self._is_compiled = False
        as_float64 = (np.asarray(vector, dtype=np.float64) for vector in (y, weight))
        # One kind of array, whether the caller's can be written to or not, needs one compilation.
        frozen = [read_only(array) for array in (*table, *as_float64)]
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
        arguments = (*self._before_rows, read_only(rows), *self._after_rows, self._progress)
        _visits[self._kernel] += len(rows) * self._visits_a_row
        self._is_compiled = (
            self._is_compiled
            or _visits[self._kernel] > _INTERPRETED_VISITS
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


def read_only(array: np.ndarray) -> np.ndarray:
    """View of the array that cannot be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
