"""Covariance of a bowl or a slope over the whole cube, for the surrogate to bend around."""

import math
from dataclasses import dataclass

import numpy as np

from sklearn_dl.gaussian_process.pairs import Hyperparameter, Pairs
from sklearn_dl.gaussian_process.terms import Evaluation

_LINEAR, _QUADRATIC = math.sqrt(12), math.sqrt(180)  # make the polynomials of unit variance over the cube


@dataclass(frozen=True)
class Trend:
    """A polynomial of second order without products, whose coefficients are normal, in some of the columns.

    Legendre's polynomials of order 1 and 2 of each column have coefficients of equal variance; `variance` is
    that of the trend over the cube.

    References
    ----------
    O'Hagan (1978), Curve fitting and optimal design for prediction, section 2, for polynomials with normal
    coefficients as a prior of functions.
    """

    variance: Hyperparameter
    columns: np.ndarray

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _TrendEvaluation(self, pairs, float(self.variance.at(theta)))

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Polynomials (n_rows, 2 n_columns) of rows, so scaled that their inner product has mean 1."""
        centred = rows[:, self.columns] - 0.5
        both = np.hstack([_LINEAR * centred, _QUADRATIC * (centred**2 - 1 / 12)])
        return both / math.sqrt(both.shape[1])

    def slopes(self, rows: np.ndarray, by_features: np.ndarray) -> np.ndarray:
        """Derivative by the rows, from that by their features."""
        m = len(self.columns)
        gradient = np.zeros(rows.shape)
        linear, quadratic = by_features[:, :m], by_features[:, m:]
        centred = rows[:, self.columns] - 0.5
        gradient[:, self.columns] = (_LINEAR * linear + 2 * _QUADRATIC * centred * quadratic) / math.sqrt(
            2 * m
        )
        return gradient


class _TrendEvaluation:
    def __init__(self, term: Trend, pairs: Pairs, variance: float) -> None:
        self.term, self.rows, self.scale = term, pairs.rows, variance
        self.columns = term.features(pairs.columns)
        self.values = variance * (term.features(pairs.rows) @ self.columns.T)

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        self.term.variance.add(gradient, float(np.vdot(adjoint, self.values)))

    def row_gradient(self, adjoint: np.ndarray) -> np.ndarray:
        return self.term.slopes(self.rows, self.scale * (adjoint @ self.columns))
