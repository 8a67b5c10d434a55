"""What users write into a search space: ranges, choices, distributions of scipy and optuna, plain values."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution
from sklearn.base import BaseEstimator

from sklearn_dl.model_selection.dimensions import Categorical, Dimension, Integer, Real

#: Of a distribution without an end, the search leaves out this share on that side.
TAIL = 1e-3
#: Draws that stand for a distribution of which no quantile is known.
N_DRAWS = 1001


@dataclass(frozen=True, eq=False)
class Quantile(Dimension):
    """Parameter with a distribution, of which the quantile is searched: equal shares are equally likely."""

    name: str
    ppf: Callable[[float], Any]
    cdf: Callable[[Any], float] | None
    discrete: bool

    @property
    def distribution(self) -> BaseDistribution:
        """What the engine samples."""
        low = 0.0 if np.isfinite(self.ppf(0.0)) else TAIL
        high = 1.0 if np.isfinite(self.ppf(1.0)) else 1 - TAIL
        return FloatDistribution(low, high)

    def decode(self, stored: Any) -> Any:
        """Value at a quantile."""
        value = float(self.ppf(stored))
        return int(value) if self.discrete and value.is_integer() else value

    def encode(self, value: Any) -> Any:
        """Quantile of a value."""
        if self.cdf is None:
            raise ValueError(
                f"the distribution {self.name} has no method cdf, so no quantile of {value!r} is known"
            )
        distribution = self.distribution
        assert isinstance(distribution, FloatDistribution)
        return float(np.clip(self.cdf(value), distribution.low, distribution.high))


@dataclass(frozen=True, eq=False)
class Engine(Dimension):
    """A distribution of the engine, as the user gave it."""

    given: BaseDistribution

    @property
    def distribution(self) -> BaseDistribution:
        """What the engine samples."""
        return self.given


def dimension_of(value: Any) -> Dimension | None:
    """Dimension for what stands in a search space, or None for a plain value, which is fixed.

    Raises
    ------
    ValueError
        If the value might mean several things, or nothing.
    """
    if isinstance(value, Dimension):
        return value
    if isinstance(value, BaseDistribution):
        return Engine(value)
    if isinstance(value, tuple):
        raise ValueError(
            f"the tuple {value!r} could be a range or choices. Write Real(low, high) or Integer(low, high) "
            "for a range, a list for choices, and a list of one tuple for a fixed tuple"
        )
    if isinstance(value, range) or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        return _choices(value)
    if _is_column(value):
        return _choices(list(value))
    if _is_distribution(value):
        return _from_distribution(value)
    if isinstance(value, dict | set | frozenset):
        raise ValueError(
            f"{value!r} is neither a range, choices, a distribution nor a plain value. For choices write a "
            "list; for a fixed value of this kind write it as the only choice, [value]"
        )
    return None


def _choices(values: Sequence[Any]) -> Categorical:
    if not len(values):
        raise ValueError("the list of choices is empty. List at least one")
    return Categorical(values)


def _is_column(value: Any) -> bool:
    if isinstance(value, BaseEstimator) or inspect.isclass(value):
        return False
    return getattr(value, "ndim", None) == 1 and hasattr(value, "__iter__")


def _is_distribution(value: Any) -> bool:
    return not inspect.isclass(value) and any(
        callable(getattr(value, name, None)) for name in ("rvs", "icdf")
    )


def _from_distribution(frozen: Any) -> Dimension:
    """Range of a frozen scipy distribution that is uniform in something, else its quantiles."""
    family = getattr(getattr(frozen, "dist", None), "name", type(frozen).__name__)
    ppf = getattr(frozen, "ppf", None) or getattr(frozen, "icdf", None)
    if ppf is None:
        draws = _sorted_draws(frozen)
        if draws is None:
            raise ValueError(f"{frozen!r} draws no numbers. List the choices instead")
        return Categorical(draws, ordered=True)
    low, high = float(ppf(0.0)), float(ppf(1.0))
    if family == "uniform":
        return Real(low, high)
    if family in ("loguniform", "reciprocal") and _is_halfway(low, float(ppf(0.5)), high):
        return Real(low, high, log=True)
    if family == "randint":
        return Integer(round(low) + 1, round(high))  # scipy: ppf(0) is one below the support
    cdf = getattr(frozen, "cdf", None)
    if not _is_discrete(frozen, ppf):
        return Quantile(family, ppf, cdf, False)
    if not np.isfinite(low):
        return Quantile(family, ppf, cdf, True)
    return Quantile(family, lambda q: ppf(max(q, 1e-12)), cdf, True)  # as above, of ppf(0)


def _is_halfway(low: float, median: float, high: float) -> bool:
    """Whether the median is halfway between the ends by its logarithm, as that of no moved log-uniform is."""
    return low > 0 and math.isclose(math.log(low) + math.log(high), 2 * math.log(median), abs_tol=1e-9)


def _is_discrete(frozen: Any, ppf: Callable[[float], Any]) -> bool:
    """Whether values have probabilities: in scipy's newer classes continuous distributions have a pmf too."""
    has_pmf = hasattr(getattr(frozen, "dist", frozen), "pmf")
    return has_pmf and bool(frozen.pmf(ppf(0.5)) > 0)


def _sorted_draws(frozen: Any) -> list[Any] | None:
    # The same draws in every process, because what is stored is a place among them.
    rng = np.random.RandomState(0)
    draws = [frozen.rvs(random_state=rng) for _ in range(N_DRAWS)]
    try:
        return sorted(set(draws))
    except TypeError:
        return None
