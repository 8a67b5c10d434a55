"""Covariance in which parameters act alone as well as together."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from sklearn_dl.gaussian_process.pairs import Pairs
from sklearn_dl.gaussian_process.weights import PairWeights
from sklearn_dl.model_selection import anova_kernels


class _Values(NamedTuple):
    """Hyper-parameters, off the scale of theta."""

    variance: float
    by_scale: np.ndarray  # inverse squares of the length scales
    share: float
    noise: float


class AnovaCovariance:
    """Variance times the product over the parameters of 1 - share + share * Matern 5/2.

    Multiplied out, the product is a sum of covariances of every set of parameters: of each alone, of pairs,
    of all. The smaller the share, the more of the variance is due to small sets, so that a row that differs
    in one parameter from an observed one is known in part however far off it is. With share 1 it is not.

    Theta holds the logarithm of the variance, those of the length scales, one for each parameter, the logit
    of the share, and the logarithm of the variance of the noise.

    Parameters
    ----------
    parameter_of_column : ndarray of shape (n_columns,)
        Numbers of the parameters, in ascending order; a choice has several columns.

    References
    ----------
    Durrande, Ginsbourger, Roustant, Carraro (2013), ANOVA kernels and RKHS of zero mean functions for
    model-based sensitivity analysis, section 2.
    """

    def __init__(self, parameter_of_column: np.ndarray) -> None:
        self._group = np.ascontiguousarray(parameter_of_column, dtype=np.int64)

    def is_compiled(self, X: np.ndarray, theta: np.ndarray) -> bool:
        """Whether a search over theta runs in compiled code: always."""
        return True

    def fill(self, X: np.ndarray, theta: np.ndarray, out: np.ndarray, *, often: bool = False) -> None:
        """Write the upper triangle of the covariance of X with itself, noise included, into `out`."""
        at, rows = _values(theta), np.ascontiguousarray(X)
        anova_kernels.upper_triangle(rows, self._group, at.variance, at.by_scale, at.share, out)
        np.fill_diagonal(out, at.variance + at.noise)

    def contract(self, X: np.ndarray, theta: np.ndarray, weights: PairWeights) -> np.ndarray:
        """Half the sum of weight times derivative of the covariance, by each element of theta."""
        at, whole = _values(theta), slice(0, len(X))
        weight, gradient = weights.block(whole, whole), np.zeros(len(theta))
        anova_kernels.contract(
            np.ascontiguousarray(X), self._group, at.by_scale, at.share, weight, gradient[:-1]
        )
        trace = 0.5 * float(np.trace(weight))
        gradient[0] += trace
        gradient[:-1] *= at.variance
        gradient[-1] = at.noise * trace
        return gradient

    def between(self, rows: np.ndarray, columns: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Covariance of rows with others."""
        return self.term(Pairs(rows, columns), theta).values

    def slopes(
        self, rows: np.ndarray, columns: np.ndarray, theta: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Derivative by each of the rows of the sum over the columns of weight times covariance."""
        return self.term(Pairs(rows, columns), theta).row_gradient(weight)

    def term(self, pairs: Pairs, theta: np.ndarray) -> "AnovaEvaluation":
        """Covariances of pairs of rows, which can be differentiated."""
        return AnovaEvaluation(pairs, self._group, _values(theta))


class AnovaEvaluation:
    """Covariances of pairs of rows, in `values`, and their derivatives by the rows."""

    def __init__(self, pairs: Pairs, group: np.ndarray, at: _Values) -> None:
        self._arguments = (
            np.ascontiguousarray(pairs.rows),
            np.ascontiguousarray(pairs.columns),
            group,
            at.by_scale,
            at.share,
        )
        self.values = np.empty(pairs.shape)
        anova_kernels.between(*self._arguments, self.values)
        self.values *= at.variance

    def row_gradient(self, adjoint: np.ndarray) -> np.ndarray:
        """Derivative by each row of the sum over the columns of adjoint times covariance."""
        gradient = np.zeros(self._arguments[0].shape)
        anova_kernels.slopes(*self._arguments, adjoint * self.values, gradient)
        return gradient


def _values(theta: np.ndarray) -> _Values:
    share = float(expit(theta[-2]))
    return _Values(math.exp(theta[0]), np.exp(-2 * theta[1:-2]), share, math.exp(theta[-1]))
