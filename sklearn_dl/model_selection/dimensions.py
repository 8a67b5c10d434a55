"""Dimensions of a search space: what one parameter may be, and the number or label that is stored for it.

A study stores numbers and short strings only, never estimators: a choice among objects is stored as its
place in the list, a draw from any distribution as its quantile.
"""

import math
import numbers
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn.base import BaseEstimator


class Dimension:
    """One parameter of the search: a distribution of the engine, and the way to values and back."""

    @property
    def distribution(self) -> BaseDistribution:
        """What the engine samples."""
        raise NotImplementedError

    def decode(self, stored: Any) -> Any:
        """Value of the parameter for what the engine stores.

        Parameters
        ----------
        stored : object
            Number or label in a trial.

        Returns
        -------
        value : object
            What the estimator gets.
        """
        return stored

    def encode(self, value: Any) -> Any:
        """What the engine stores for a value.

        Parameters
        ----------
        value : object
            What the estimator gets.

        Returns
        -------
        stored : object
            Number or label in a trial.

        Raises
        ------
        ValueError
            If the dimension does not hold the value.
        """
        if not _contains(self.distribution, value):
            raise ValueError(f"{value!r} is not in {self!r}")
        distribution = self.distribution  # a storage takes no numbers of numpy
        return distribution.to_external_repr(distribution.to_internal_repr(value))


@dataclass(frozen=True)
class Real(Dimension):
    """Real parameter between two bounds.

    Parameters
    ----------
    low, high : float
        Bounds, both included.
    log : bool, default=False
        Search over the logarithm: each factor of ten gets the same share. `low` must be above 0.

    Raises
    ------
    ValueError
        If the bounds are not finite, not in order, or not positive under `log`.

    Examples
    --------
    >>> from sklearn_dl.model_selection import Real
    >>> Real(1e-4, 1e2, log=True)
    Real(low=0.0001, high=100.0, log=True)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Real, 0.0)

    @property
    def distribution(self) -> BaseDistribution:
        """What the engine samples."""
        return FloatDistribution(float(self.low), float(self.high), log=self.log)


@dataclass(frozen=True)
class Integer(Dimension):
    """Whole-numbered parameter between two bounds.

    Parameters
    ----------
    low, high : int
        Bounds, both included.
    log : bool, default=False
        Search over the logarithm. `low` must be above 0.

    Raises
    ------
    ValueError
        If the bounds are not whole numbers, not in order, or not positive under `log`.

    Examples
    --------
    >>> from sklearn_dl.model_selection import Integer
    >>> Integer(16, 512, log=True)
    Integer(low=16, high=512, log=True)
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Integral, 0)

    @property
    def distribution(self) -> BaseDistribution:
        """What the engine samples."""
        return IntDistribution(int(self.low), int(self.high), log=self.log)


@dataclass(frozen=True, eq=False)
class Categorical(Dimension):
    """Parameter that is one of several choices.

    Parameters
    ----------
    choices : sequence
        What the parameter may be: numbers, strings, None, or any objects, such as estimators and functions.
        Objects are stored by their place in this sequence, so keep its order when a search is resumed.
    ordered : bool, default=False
        Neighbours in the sequence are alike, as layer sizes are; the search then treats them as steps of a
        scale and not as names.

    Raises
    ------
    ValueError
        If there is no choice.

    Examples
    --------
    >>> from sklearn_dl.model_selection import Categorical
    >>> Categorical(["l1", "l2"])
    Categorical(choices=['l1', 'l2'], ordered=False)
    """

    choices: Sequence[Any]
    ordered: bool = False

    def __post_init__(self) -> None:
        is_ordered = np.iterable(self.choices) and not isinstance(self.choices, str | Mapping | Set)
        if not is_ordered or not hasattr(self.choices, "__len__"):
            raise ValueError(
                f"Categorical: choices must be a sequence, such as a list; got {self.choices!r}."
            )
        if not len(self.choices):
            raise ValueError("Categorical: choices must not be empty.")

    @property
    def distribution(self) -> BaseDistribution:
        """What the engine samples."""
        if self.ordered:
            return IntDistribution(0, len(self.choices) - 1)
        return CategoricalDistribution(self._labels())

    def decode(self, stored: Any) -> Any:
        """Choice for its label.

        Parameters
        ----------
        stored : object
            Label, or place if the choices are ordered.

        Returns
        -------
        value : object
            The choice itself, not a copy.
        """
        place = stored if self.ordered else _index(self._labels(), stored)
        return list(self.choices)[place]  # a series of pandas is indexed by its labels

    def encode(self, value: Any) -> Any:
        """Label of a choice.

        Parameters
        ----------
        value : object
            One of the choices.

        Returns
        -------
        stored : object
            Its label, or its place if the choices are ordered.

        Raises
        ------
        ValueError
            If it is not among the choices.
        """
        for is_meant in (_same, is_equal):  # 1 and 1.0 may both be choices
            for index, choice in enumerate(self.choices):
                if is_meant(choice, value):
                    return index if self.ordered else self._labels()[index]
        raise ValueError(f"{value!r} is not one of {list(self.choices)!r}")

    def _labels(self) -> list[Any]:
        """The choices themselves where they are plain and all different, else their places and names."""
        plain = [_plain(choice) for choice in self.choices]
        kept = [choice for choice, is_plain in plain if is_plain]
        if len(kept) == len(plain) and len(set(kept)) == len(kept):
            return kept
        return [f"{index}: {_name(choice)}" for index, choice in enumerate(self.choices)]


def _check_bounds(dimension: Any, kind: Any, lowest_log: float) -> None:
    name = type(dimension).__name__
    for bound in ("low", "high"):
        value = getattr(dimension, bound)
        if not isinstance(value, kind) or isinstance(value, bool | np.bool_) or not math.isfinite(value):
            number = "a whole number" if kind is numbers.Integral else "a finite number"
            raise ValueError(f"{name}: {bound} must be {number}; got {value!r}.")
    if dimension.low > dimension.high:
        raise ValueError(
            f"{name}: low must not be above high; got low={dimension.low!r}, high={dimension.high!r}."
        )
    if dimension.log and dimension.low <= lowest_log:
        raise ValueError(f"{name}: low must be above 0 with log=True; got {dimension.low!r}.")


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False


def _plain(choice: Any) -> tuple[Any, bool]:
    """A choice as JSON knows it, and whether it knows it. True equals 1 there, so bools go by their place."""
    if choice is None or isinstance(choice, str):
        return (None if choice is None else str(choice)), True
    if _is_bool(choice):
        return choice, False
    if isinstance(choice, numbers.Integral):
        return int(choice), True
    if isinstance(choice, numbers.Real) and math.isfinite(choice):
        return float(choice), True
    return choice, False


def _name(choice: Any) -> str:
    if isinstance(choice, bool | np.bool_ | numbers.Number | str | None):
        return str(choice)
    return getattr(choice, "__name__", type(choice).__name__)


def _index(labels: list[Any], stored: Any) -> int:
    if stored in labels:
        return labels.index(stored)
    raise ValueError(f"{stored!r} is not among the choices {labels!r}")


def _same(choice: Any, value: Any) -> bool:
    if type(choice) is type(value) and isinstance(choice, BaseEstimator):
        ours, others = choice.get_params(deep=False), value.get_params(deep=False)
        return choice is value or all(_same(ours[name], others[name]) for name in ours)
    try:
        return choice is value or (
            type(choice) is type(value)
            and bool(np.all(choice == value))
            and np.shape(choice) == np.shape(value)
        )
    except Exception:
        return False


def is_equal(choice: Any, value: Any) -> bool:
    """Whether two plain values are one, whatever their types: numpy's or Python's, int or float."""
    (plain, is_plain), (other, other_is_plain) = _plain(choice), _plain(value)
    if is_plain and other_is_plain:
        return bool(plain == other)
    return _is_bool(choice) and _is_bool(value) and bool(choice) == bool(value)


def is_simple(value: Any) -> bool:
    """Whether a value is a number, a string, a bool or None, of which equality says all."""
    return _is_bool(value) or _plain(value)[1]


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)
