"""Sums of variances times stationary covariances and white noise, all pairs of which take one pass."""

from typing import NamedTuple

import numpy as np

from sklearn_dl.gaussian_process import stationary, terms
from sklearn_dl.gaussian_process.pairs import Hyperparameter
from sklearn_dl.gaussian_process.weights import PairWeights

_FAMILIES = (stationary.gaussian, stationary.matern_12, stationary.matern_32, stationary.matern_52)
_MANY_FEATURES = 32  # above which products of matrices are faster than differences
# Pairs times hyper-parameters; a search with fewer ends in about 50 ms, less than compiled code loads in.
_LEAST_WORK = 1_000_000


class Signal(NamedTuple):
    """Variances, which multiply one another, times a stationary covariance."""

    variances: tuple[Hyperparameter, ...]
    shape: stationary.Stationary

    @property
    def family(self) -> int:
        """Number of the profile in `stationary_kernels`."""
        return _FAMILIES.index(self.shape.profile)

    def variance(self, theta: np.ndarray) -> float:
        """Product of the variances."""
        return float(np.prod([variance.at(theta) for variance in self.variances]))


class FusedSum(NamedTuple):
    """Signals and levels of noise that add up to a covariance."""

    signals: tuple[Signal, ...] = ()
    noises: tuple[Hyperparameter, ...] = ()

    def pays(self, X: np.ndarray, theta: np.ndarray) -> bool:
        """Whether a search over theta takes less time so."""
        n_samples, n_features = X.shape
        work = n_samples**2 * len(theta)
        return bool(self.signals) and work >= _LEAST_WORK and n_features <= _MANY_FEATURES

    def fill(self, X: np.ndarray, theta: np.ndarray, out: np.ndarray) -> None:
        """Write the upper triangle of the covariance of X with itself into `out`."""
        from sklearn_dl.gaussian_process.stationary_kernels import fill_upper

        for place, signal in enumerate(self.signals):
            panels = _panels(X / signal.shape.length_scale.at(theta))
            fill_upper(panels, signal.family, signal.variance(theta), place > 0, out)
        out.ravel()[:: len(X) + 1] += sum(noise.at(theta) for noise in self.noises)

    def contract(self, X: np.ndarray, theta: np.ndarray, weights: PairWeights) -> np.ndarray:
        """Half the sum of weight times derivative of the covariance, by each element of theta."""
        from sklearn_dl.gaussian_process.stationary_kernels import contract_upper

        gradient, half_trace = np.zeros(len(theta)), 0.5 * float(weights.diagonal().sum())
        left, right = _panels(weights.left), _panels(weights.right)
        root = _panels((np.ones(len(X)) if weights.root is None else weights.root)[:, None])
        for signal in self.signals:
            scale, variance = signal.shape.length_scale.at(theta), signal.variance(theta)
            by_variance, by_scale = contract_upper(
                _panels(X / scale), signal.family, left, right, root, weights.inverse, np.ndim(scale) > 0
            )
            for parameter in signal.variances:
                parameter.add(gradient, variance * (by_variance + half_trace))
            signal.shape.length_scale.add(gradient, variance * by_scale.sum(axis=1))
        for noise in self.noises:
            noise.add(gradient, noise.at(theta) * half_trace)
        return gradient


def _panels(rows: np.ndarray) -> np.ndarray:
    """Rows as columns of panels, filled up with zeros."""
    from sklearn_dl.gaussian_process.tiles import COLUMNS

    n_rows, n_features = rows.shape
    panels = np.zeros((-(-n_rows // COLUMNS), n_features, COLUMNS))
    whole = n_rows // COLUMNS
    panels[:whole] = rows[: whole * COLUMNS].reshape(whole, COLUMNS, n_features).swapaxes(1, 2)
    panels[whole:, :, : n_rows % COLUMNS] = rows[whole * COLUMNS :].T
    return panels


def fuse(term: terms.Term) -> FusedSum | None:
    """A covariance as signals and noises, or None where it is no such sum."""
    if isinstance(term, terms.Sum):
        left, right = fuse(term.left), fuse(term.right)
        if left is None or right is None:
            return None
        return FusedSum(left.signals + right.signals, left.noises + right.noises)
    if isinstance(term, terms.White):
        return FusedSum(noises=(term.level,))
    signal = _signal(term)
    return None if signal is None else FusedSum(signals=(signal,))


def _signal(term: terms.Term) -> Signal | None:
    if isinstance(term, stationary.Stationary):
        return Signal((), term)
    if not isinstance(term, terms.Product):
        return None
    for factor, rest in ((term.left, term.right), (term.right, term.left)):
        if isinstance(factor, terms.Constant):
            signal = _signal(rest)
            return None if signal is None else Signal((factor.value, *signal.variances), signal.shape)
    return None
