"""Acquisition functions: what a run at a point is worth, by mean and deviation; low values are good."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp, ndtr

from sklearn_dl.model_selection.posterior import Posterior

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_SQRT_HALF_PI = math.sqrt(math.pi / 2)
_FAR = -50.0  # below it a series of four terms is exact to 1e-11; above it the closed form is


class Worth(NamedTuple):
    """Values of an acquisition function, larger is better, and derivatives by mean and deviation."""

    value: np.ndarray
    by_mean: np.ndarray
    by_std: np.ndarray


#: Of means, standard deviations and the best value so far, which broadcast.
WorthFunction = Callable[[np.ndarray, np.ndarray, np.ndarray], Worth]


def log_expected_improvement(mean: np.ndarray, std: np.ndarray, best: np.ndarray) -> Worth:
    """Logarithm of the expected improvement, exact where the improvement itself is rounded to 0.

    Parameters
    ----------
    mean, std : ndarray
        Mean and standard deviation of the function, of shapes that broadcast; std above 0.
    best : ndarray or float
        Lowest value so far.

    Returns
    -------
    worth : Worth
        Values and derivatives.

    References
    ----------
    Ament, Daulton, Eriksson, Balandat, Bakshy (2023), Unexpected improvements to expected improvement for
    Bayesian optimization, equations 8 and 9.
    """
    z = (best - mean) / std
    # R = Phi(z) / phi(z) and h(z) / phi(z) = 1 + z R, with h(z) = phi(z) + z Phi(z).
    near = np.clip(z, _FAR, 25)
    ratio = _SQRT_HALF_PI * erfcx(-near * math.sqrt(0.5))
    rest = 1 + near * ratio
    if (z < _FAR).any():
        t = np.minimum(z, _FAR) ** -2.0
        series = t * (1 - t * (3 - t * (15 - t * 105)))
        rest = np.where(z < _FAR, series, rest)
        ratio = np.where(z < _FAR, (series - 1) / np.minimum(z, _FAR), ratio)
    above = z > 25  # h(z) = z to machine precision
    log_h = np.where(above, np.log(np.maximum(z, 1)), np.log(rest) - 0.5 * z**2 - _HALF_LOG_TAU)
    slope = np.where(above, 1 / np.maximum(z, 1), ratio / rest)
    return Worth(np.log(std) + log_h, -slope / std, (1 - slope * z) / std)


def expected_improvement(mean: np.ndarray, std: np.ndarray, best: np.ndarray) -> Worth:
    """Expectation of the improvement max(best - f, 0) for a normal f.

    References
    ----------
    Jones, Schonlau, Welch (1998), Efficient global optimization of expensive black-box functions,
    equation 15.
    """
    z = (best - mean) / std
    density, below = np.exp(-0.5 * z**2 - _HALF_LOG_TAU), ndtr(z)
    return Worth(std * density + (best - mean) * below, -below, density)


def log_probability_of_improvement(mean: np.ndarray, std: np.ndarray, best: np.ndarray) -> Worth:
    """Logarithm of the probability that a normal f is below the best value.

    References
    ----------
    Kushner (1964), A new method of locating the maximum point of an arbitrary multipeak curve in the presence
    of noise.
    """
    z = (best - mean) / std
    value = log_ndtr(z)
    slope = np.exp(-0.5 * z**2 - _HALF_LOG_TAU - value)
    return Worth(value, -slope / std, -slope * z / std)


def confidence_bound(mean: np.ndarray, std: np.ndarray, best: np.ndarray, *, kappa: float = 2.0) -> Worth:
    """Deviation times kappa minus the mean: for a maximiser, the upper confidence bound. `best` is not used.

    References
    ----------
    Srinivas, Krause, Kakade, Seeger (2010), Gaussian process optimization in the bandit setting, equation 6.
    """
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    return Worth(kappa * std - mean, np.full(shape, -1.0), np.full(shape, kappa))


@dataclass(frozen=True)
class Acquisition:
    """An acquisition function, and whether its values are logarithms.

    By default it asks what a trial will return, noise included, beside the best value returned so far: where
    the surrogate takes for noise what it cannot explain, that is to be had again near the best trials.
    """

    worth: WorthFunction
    logarithmic: bool
    of_mean: bool = False  # of the noiseless function, as the surrogate sees it
    noisy: bool = False  # averaged over what the noiseless values at the observed rows may be


ACQUISITIONS = {
    "log_ei": Acquisition(log_expected_improvement, logarithmic=True),
    "ei": Acquisition(expected_improvement, logarithmic=False),
    "log_pi": Acquisition(log_probability_of_improvement, logarithmic=True),
    "ucb": Acquisition(confidence_bound, logarithmic=False, of_mean=True),
    "log_nei": Acquisition(log_expected_improvement, logarithmic=True, noisy=True),
}


class Objective:
    """Acquisition function of rows of the unit cube, averaged over the worlds of a posterior."""

    def __init__(self, posterior: Posterior, acquisition: Acquisition) -> None:
        self.acquisition, self._best = acquisition, posterior.best()
        self._predict = posterior if acquisition.of_mean else posterior.returned

    def value(self, rows: np.ndarray) -> np.ndarray:
        """Values (n_rows,)."""
        mean, std, _ = self._predict(rows)
        return self._average(self._worth(mean, std).value)[0]

    def value_and_gradient(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (n_rows,) and gradients (n_rows, n_columns)."""
        mean, std, chain = self._predict(rows)
        worth = self._worth(mean, std)
        value, share = self._average(worth.value)
        return value, chain(share * worth.by_mean, (share * worth.by_std).sum(axis=1))

    def _worth(self, mean: np.ndarray, std: np.ndarray) -> Worth:
        return self.acquisition.worth(mean, std[:, None], self._best)

    def _average(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean over the worlds, of what the values are logarithms of if they are, and its derivatives."""
        n_worlds = values.shape[1]
        if n_worlds == 1:
            return values[:, 0], np.ones_like(values)
        if not self.acquisition.logarithmic:
            return values.mean(axis=1), np.full_like(values, 1 / n_worlds)
        total = logsumexp(values, axis=1)
        return total - math.log(n_worlds), np.exp(values - total[:, None])
