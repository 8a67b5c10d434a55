"""From the parameters of a trial to a row of the unit cube and back."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sklearn_dl.model_selection.conditions import Condition

MIDDLE = 0.5  # where parameters stand that do not exist


class NumericColumn:
    """A float or an integer as one column in [0, 1], by its logarithm where the distribution says so."""

    width = 1

    def __init__(self, distribution: FloatDistribution | IntDistribution) -> None:
        self.distribution = distribution
        self.low, self.high = self._scale(distribution.low), self._scale(distribution.high)
        self._step = distribution.step or math.inf

    @property
    def n_levels(self) -> float:
        """Number of values; infinite for a float without steps."""
        d = self.distribution
        return math.inf if d.step is None else round((d.high - d.low) / d.step) + 1

    def encode(self, value: float) -> float:
        """Place of a value, 0 for the lowest and 1 for the highest."""
        return (self._scale(value) - self.low) / ((self.high - self.low) or 1.0)

    def decode(self, place: float) -> float | int:
        """Value at a place: the nearest that the distribution holds."""
        d = self.distribution
        if d.step is not None:
            value = min(d.low + self._step * self._number(place), d.high)  # 3 * 0.1 is above 0.3
        else:
            scaled = self.low + place * (self.high - self.low)
            value = min(max(math.exp(scaled) if d.log else scaled, d.low), d.high)
        return int(value) if isinstance(d, IntDistribution) else float(value)

    def snap(self, places: np.ndarray) -> np.ndarray:
        """Places of the nearest values."""
        if self.n_levels == math.inf:
            return places
        return np.array([self.encode(self.decode(place)) for place in places])

    def moves(self, place: float, n_moves: int) -> np.ndarray:
        """Places of other values: all if they are few, else the nearest and others ever farther away."""
        last = int(self.n_levels) - 1
        at = self._number(place)
        if last <= n_moves:
            numbers = set(range(last + 1))
        else:
            reach = np.unique(np.geomspace(1, last, n_moves // 2).round().astype(int))
            numbers = {int(n) for n in np.concatenate([at - reach, at + reach]) if 0 <= n <= last}
        d = self.distribution
        return np.array([self.encode(d.low + self._step * n) for n in sorted(numbers - {at})])

    def _number(self, place: float) -> int:
        """Number of the step nearest to a place."""
        d = self.distribution
        scaled = self.low + place * (self.high - self.low)
        value = math.exp(scaled) if d.log else scaled
        return min(max(round((value - d.low) / self._step), 0), int(self.n_levels) - 1)

    def _scale(self, value: float) -> float:
        return math.log(value) if self.distribution.log else float(value)


class ChoiceColumns:
    """A categorical parameter as a column of 0 and 1 for each choice."""

    def __init__(self, distribution: CategoricalDistribution) -> None:
        self.distribution = distribution
        self.width = len(distribution.choices)

    def encode(self, value: Any) -> np.ndarray:
        """Row of the identity matrix."""
        return np.eye(self.width)[int(self.distribution.to_internal_repr(value))]

    def decode(self, places: np.ndarray) -> Any:
        """Choice of the largest column."""
        return self.distribution.choices[int(np.argmax(places))]

    def snap(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the identity matrix."""
        return np.eye(self.width)[np.argmax(rows, axis=1)]


class SpaceEncoding:
    """Columns of all parameters of a search space, side by side in the order of their names.

    Parameters
    ----------
    search_space : dict of str to BaseDistribution
        Optuna's distributions by the name of the parameter.
    conditions : dict of str to Condition, default=None
        Parameters that exist only under a condition. Where they do not, their columns are ``MIDDLE``.
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution],
        conditions: Mapping[str, Condition] | None = None,
    ) -> None:
        self.conditions = conditions or {}
        self.parts: dict[str, NumericColumn | ChoiceColumns] = {}
        self.places: dict[str, slice] = {}
        self.n_columns = 0
        for name in sorted(search_space):
            distribution = search_space[name]
            self.parts[name] = part = _part(distribution)
            self.places[name] = slice(self.n_columns, self.n_columns + part.width)
            self.n_columns += part.width

    def encode(self, params: Mapping[str, Any]) -> np.ndarray:
        """Row (n_columns,) of some parameters; absent ones stand in the middle."""
        row = np.full(self.n_columns, MIDDLE)
        for name, part in self.parts.items():
            if name in params:
                row[self.places[name]] = part.encode(params[name])
        return row

    def decode(self, row: np.ndarray) -> dict[str, Any]:
        """Parameters of a row, those that do not exist included: the caller does not ask for them."""
        params: dict[str, Any] = {}
        for name, part in self.parts.items():
            place = self.places[name]
            if isinstance(part, NumericColumn):
                params[name] = part.decode(float(row[place.start]))
            else:
                params[name] = part.decode(row[place])
        return params

    def snap(self, rows: np.ndarray) -> np.ndarray:
        """Nearest rows that stand for parameters."""
        rows = np.array(rows)
        for name, part in self.parts.items():
            place = self.places[name]
            if isinstance(part, NumericColumn):
                rows[:, place.start] = part.snap(rows[:, place.start])
            else:
                rows[:, place] = part.snap(rows[:, place])
        rows[self.absent(rows)] = MIDDLE
        return rows

    def absent(self, rows: np.ndarray) -> np.ndarray:
        """Which columns (n_rows, n_columns) belong to parameters that do not exist there."""
        absent = np.zeros(rows.shape, dtype=bool)
        for _ in range(len(self.conditions)):  # a parent may itself depend on a condition
            before = absent.copy()
            for name, (parent, choices) in self.conditions.items():
                place = self.places[parent]
                numbers = np.argmax(rows[:, place], axis=1)
                parent_absent = absent[:, place.start]
                here = np.where(
                    parent_absent, None in choices, np.isin(numbers, [c for c in choices if c is not None])
                )
                absent[:, self.places[name]] = ~here[:, None]
            if (absent == before).all():
                break
        return absent

    @cached_property
    def numeric(self) -> np.ndarray:
        """Numbers of the numeric columns."""
        starts = [
            self.places[name].start for name, part in self.parts.items() if isinstance(part, NumericColumn)
        ]
        return np.array(starts, dtype=int)

    @cached_property
    def continuous(self) -> np.ndarray:
        """Whether each column is that of a float without steps."""
        free = np.zeros(self.n_columns, dtype=bool)
        for name, part in self.parts.items():
            free[self.places[name]] = isinstance(part, NumericColumn) and part.n_levels == math.inf
        return free

    @cached_property
    def parameter_of_column(self) -> np.ndarray:
        """Number of the parameter that each column belongs to."""
        return np.repeat(np.arange(len(self.parts)), [part.width for part in self.parts.values()])


def _part(distribution: BaseDistribution) -> NumericColumn | ChoiceColumns:
    if isinstance(distribution, CategoricalDistribution):
        return ChoiceColumns(distribution)
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return NumericColumn(distribution)
    raise TypeError(f"Distributions must be floats, integers or choices; got {distribution!r}.")
