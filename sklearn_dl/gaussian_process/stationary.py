"""Covariances that depend on the differences of the rows alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_dl.gaussian_process.pairs import Hyperparameter, Pairs

#: From D, the squared distances over squared length scales: the covariance k, and a function that gives its
#: slope s = -2 dk/dD. The derivative of k by the logarithm of the length scale of feature j is then s D_j.
Profile = Callable[[np.ndarray], tuple[np.ndarray, Callable[[], np.ndarray]]]


def gaussian(squared: np.ndarray) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    """exp(-D / 2)."""
    values = _exp(squared * -0.5)
    return values, lambda: values


def matern_12(squared: np.ndarray) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    """exp(-r), r = sqrt(D); its slope at 0, where it has a kink, is taken as 0."""
    distance = np.sqrt(squared)
    values = np.exp(-distance)

    def slope() -> np.ndarray:
        return np.divide(values, distance, out=np.zeros_like(values), where=distance > 0)

    return values, slope


def matern_32(squared: np.ndarray) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    """(1 + a) exp(-a), a = sqrt(3 D)."""
    distance = np.sqrt(3 * squared)
    decay = _exp(-distance)
    return (1 + distance) * decay, lambda: 3 * decay


def matern_52(squared: np.ndarray) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    """(1 + a + a^2 / 3) exp(-a), a = sqrt(5 D)."""
    linear = np.sqrt(5 * squared)
    decay = _exp(-linear)
    linear += 1
    linear *= decay
    values = squared * (5 / 3)
    values *= decay
    values += linear
    return values, lambda: linear * (5 / 3)


def _exp(exponent: np.ndarray) -> np.ndarray:
    return np.exp(exponent, out=exponent)


@dataclass(frozen=True)
class Stationary:
    """A profile of the distance, with one length scale or one for each feature."""

    profile: Profile
    length_scale: Hyperparameter

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> "_StationaryEvaluation":
        """Evaluate on a block."""
        return _StationaryEvaluation(self, pairs, self.length_scale.at(theta))


class _StationaryEvaluation:
    def __init__(self, term: Stationary, pairs: Pairs, scale: Any) -> None:
        self.parameter, self.pairs, self.scale = term.length_scale, pairs, scale
        self.has_kink = term.profile is matern_12  # near it, the root of a rounding error counts
        self.squared = pairs.scaled_squared_distances(scale, by_differences=self.has_kink)
        self.values, self.slope = term.profile(self.squared)

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        if self.parameter.slot is None:
            return
        weight = adjoint * self.slope()
        if self.pairs.diagonal:  # a row's difference to itself is 0, which products miss by rounding
            np.fill_diagonal(weight, 0)
        if np.ndim(self.scale) == 0:
            self.parameter.add(gradient, np.vdot(weight, self.squared))
        else:
            squares = self.pairs.weighted_squares(weight, by_differences=self.has_kink)
            self.parameter.add(gradient, squares / self.scale**2)

    def row_gradient(self, adjoint: np.ndarray) -> np.ndarray:
        return -self.pairs.weighted_differences(adjoint * self.slope()) / self.scale**2


@dataclass(frozen=True)
class RationalQuadratic:
    """(1 + D / (2 alpha)) ** -alpha."""

    length_scale: Hyperparameter
    alpha: Hyperparameter

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> "_RationalQuadraticEvaluation":
        """Evaluate on a block."""
        return _RationalQuadraticEvaluation(self, pairs, theta)


class _RationalQuadraticEvaluation:
    def __init__(self, term: RationalQuadratic, pairs: Pairs, theta: np.ndarray) -> None:
        self.term, self.pairs = term, pairs
        self.scale, self.alpha = float(term.length_scale.at(theta)), float(term.alpha.at(theta))
        self.squared = pairs.scaled_squared_distances(self.scale)
        self.log_base = np.log1p(self.squared / (2 * self.alpha))
        self.values = _exp(self.log_base * -self.alpha)

    def _slope(self) -> np.ndarray:
        return self.values / (1 + self.squared / (2 * self.alpha))

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        by_scale = float(np.vdot(adjoint * self._slope(), self.squared))
        self.term.length_scale.add(gradient, by_scale)
        by_exponent = float(np.vdot(adjoint * self.values, self.log_base))
        self.term.alpha.add(gradient, by_scale / 2 - self.alpha * by_exponent)

    def row_gradient(self, adjoint: np.ndarray) -> np.ndarray:
        return -self.pairs.weighted_differences(adjoint * self._slope()) / self.scale**2


@dataclass(frozen=True)
class Periodic:
    """exp(-2 sin(pi d / p)^2 / l^2), with the Euclidean distance d."""

    length_scale: Hyperparameter
    periodicity: Hyperparameter

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> "_PeriodicEvaluation":
        """Evaluate on a block."""
        return _PeriodicEvaluation(self, pairs, theta)


class _PeriodicEvaluation:
    def __init__(self, term: Periodic, pairs: Pairs, theta: np.ndarray) -> None:
        self.term, self.pairs = term, pairs
        self.scale, self.period = float(term.length_scale.at(theta)), float(term.periodicity.at(theta))
        self.angle = np.sqrt(pairs.squared_distances)
        self.angle *= np.pi / self.period
        self.sine = np.sin(self.angle)
        self.values = _exp(self.sine**2 * (-2 / self.scale**2))

    def _by_angle(self) -> np.ndarray:
        return (-4 / self.scale**2) * self.sine * np.cos(self.angle) * self.values

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        if self.term.length_scale.slot is not None:
            squares = np.vdot(adjoint * self.values, self.sine**2)
            self.term.length_scale.add(gradient, 4 / self.scale**2 * squares)
        if self.term.periodicity.slot is not None:
            self.term.periodicity.add(gradient, -np.vdot(adjoint * self._by_angle(), self.angle))

    def row_gradient(self, adjoint: np.ndarray) -> np.ndarray:
        by_angle = adjoint * self._by_angle() * (np.pi / self.period) ** 2
        weight = np.divide(by_angle, self.angle, out=np.zeros_like(by_angle), where=self.angle > 0)
        return self.pairs.weighted_differences(weight)
