"""Laplace's approximation of the posterior of a latent function, of which labels are logistic."""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import blas, lapack
from scipy.special import erf, expit

from sklearn_dl.gaussian_process import factorization
from sklearn_dl.gaussian_process.covariance import Covariance
from sklearn_dl.gaussian_process.pairs import row_slices
from sklearn_dl.gaussian_process.weights import PairWeights

_GAIN = 1e-10  # of the log-posterior, below which Newton's step was the last: it converges quadratically
_HALVINGS = 30

# The logistic function as a sum of error functions, 1/2 sum_i c_i (1 + erf(l_i x)): least squares at 0, 0.6,
# 2, 3.5, 4.5 and infinity, to the digits that scikit-learn keeps, so that the probabilities are the same.
_SLOPES = np.array([0.41, 0.4, 0.37, 0.44, 0.39])[:, None]
_SHARES = np.array([-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654])


class Mode(NamedTuple):
    """Mode of the posterior, and the normal distribution about it."""

    dual: np.ndarray  # a: the latent function at the rows is the covariance times a
    slope: np.ndarray  # derivative of the log-likelihood of each label by its latent value
    probability: np.ndarray  # of label 1
    root: np.ndarray  # of the curvature of the log-likelihood
    L: np.ndarray  # lower factor of B = I + root K root, in Fortran order
    log_likelihood: float  # marginal, approximately


class LaplaceLikelihood:
    """Marginal likelihood of labels, by Laplace's approximation.

    Holds two n x n buffers, of which the upper triangles are used: the covariance, and Newton's matrix, its
    factor and its inverse one after the other. Every search for the mode starts from the last one found,
    which is near as long as the hyper-parameters are. One instance serves one thread.

    Parameters
    ----------
    covariance : Covariance
        Of the latent function.
    X : array of n_samples rows
        Inputs.
    labels : ndarray of shape (n_samples,)
        0 or 1.
    max_iter : int
        Newton steps at most.
    dual : ndarray of shape (n_samples,)
        Where the first search starts.

    References
    ----------
    Rasmussen, Williams (2006), Gaussian processes for machine learning, algorithms 3.1 and 5.1.
    """

    def __init__(
        self,
        covariance: Covariance,
        X: Any,
        labels: np.ndarray,
        max_iter: int,
        dual: np.ndarray,
    ) -> None:
        self.covariance, self.X, self.labels, self.max_iter = covariance, X, labels, max_iter
        self._signs = 2.0 * labels - 1
        self._dual = dual
        self._searched = self._by_tiles = False  # with a search, compiled code is loaded
        self._covariances, self._buffer = np.zeros((2, len(labels), len(labels)))

    def mode(self, theta: np.ndarray, *, clean: bool = False) -> Mode | None:
        """Posterior mode at theta; None where the covariance is not positive definite.

        The factor lies in a buffer and lives until the next call. With `clean` its other triangle is 0.
        """
        self.covariance.fill(self.X, theta, self._covariances, often=self._searched)
        loaded = self.covariance.is_compiled(self.X, theta)
        self._by_tiles = self._searched and factorization.tiles_pay(len(self.labels), loaded=loaded)
        if not np.isfinite(self._covariances.diagonal()).all():
            return None
        dual, latent = self._start()
        reached = self._log_posterior(dual, latent)
        for _ in range(self.max_iter):
            step = self._newton_step(dual, latent)
            if step is None:
                return None
            before = reached
            dual, latent, reached = self._search_along(step, dual, latent, reached)
            if reached - before < _GAIN:
                break
        self._dual = dual
        return self._around(dual, latent, reached, clean=clean)

    def value(self, theta: np.ndarray) -> float:
        """Log-likelihood; -inf where the covariance is not positive definite."""
        mode = self.mode(theta)
        return -np.inf if mode is None else mode.log_likelihood

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its derivative by theta."""
        self._searched = True
        mode = self.mode(theta)
        if mode is None:
            return -np.inf, np.zeros(len(theta))
        factorization.invert(mode.L, by_tiles=self._by_tiles)  # the inverse of B, in the buffer
        # Line 9, by W^(1/2) (K^-1 + W)^-1 W^(1/2) = I - B^-1: how the mode moves the determinant.
        by_mode = -0.5 * (1 - self._buffer.diagonal()) * (1 - 2 * mode.probability)
        solved = _times(self._buffer, mode.root * self._times_covariance(by_mode))
        moved = by_mode - mode.root * solved
        # Lines 12 to 15 are linear in the derivative of the covariance: this is what it is multiplied with.
        left = np.column_stack([mode.dual, moved, mode.slope])
        right = np.column_stack([mode.dual, mode.slope, moved])
        weights = PairWeights(left, right, self._buffer, mode.root)
        return mode.log_likelihood, self.covariance.contract(self.X, theta, weights)

    def _start(self) -> tuple[np.ndarray, np.ndarray]:
        latent = self._times_covariance(self._dual)
        if self._log_posterior(self._dual, latent) > self._log_posterior(0.0, np.zeros(len(latent))):
            return self._dual, latent
        return np.zeros(len(latent)), np.zeros(len(latent))

    def _log_posterior(self, dual: Any, latent: np.ndarray) -> float:
        """Equation 3.12, up to a constant."""
        return -0.5 * float(np.sum(dual * latent)) - float(np.logaddexp(0, -self._signs * latent).sum())

    def _factor(self, root: np.ndarray, *, clean: bool = False) -> np.ndarray | None:
        for rows in row_slices(len(root), len(root)):
            columns = slice(rows.start, None)
            block = self._buffer[rows, columns]
            np.multiply(self._covariances[rows, columns], root[columns], out=block)
            block *= root[rows, None]
        self._buffer.ravel()[:: len(root) + 1] += 1
        L, info = factorization.factor(self._buffer, by_tiles=self._by_tiles, clean=clean)
        return L if info == 0 else None

    def _newton_step(self, dual: np.ndarray, latent: np.ndarray) -> np.ndarray | None:
        """Lines 4 to 7 of algorithm 3.1, as a difference from `dual`."""
        probability = expit(latent)
        curvature = probability * (1 - probability)
        root = np.sqrt(curvature)
        L = self._factor(root)
        if L is None:
            return None
        aim = curvature * latent + (self.labels - probability)
        solved = lapack.dpotrs(L, root * self._times_covariance(aim), lower=1)[0]
        return aim - root * solved - dual

    def _search_along(
        self, step: np.ndarray, dual: np.ndarray, latent: np.ndarray, reached: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Where the step leads, halved until the log-posterior does not fall."""
        along = self._times_covariance(step)
        for halving in range(_HALVINGS):
            size = 0.5**halving
            further, values = dual + size * step, latent + size * along
            gained = self._log_posterior(further, values)
            if gained >= reached - _GAIN:
                return further, values, gained
        return dual, latent, reached

    def _around(self, dual: np.ndarray, latent: np.ndarray, reached: float, *, clean: bool) -> Mode | None:
        probability = expit(latent)
        root = np.sqrt(probability * (1 - probability))
        L = self._factor(root, clean=clean)
        if L is None:
            return None
        value = reached - float(np.log(L.diagonal()).sum())
        return Mode(dual, self.labels - probability, probability, root, L, value)

    def _times_covariance(self, vector: np.ndarray) -> np.ndarray:
        return _times(self._covariances, vector)


def _times(upper: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Product of a symmetric matrix, of which the upper triangle is given, with a vector."""
    return blas.dsymv(1.0, upper.T, vector, lower=1)


def mean_probability(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Mean of the logistic function of normal variables, to about 1e-4.

    References
    ----------
    Williams, Barber (1998), Bayesian classification with Gaussian processes, appendix A.
    """
    averaged = erf(_SLOPES * mean / np.sqrt(1 + 2 * _SLOPES**2 * variance))
    return 0.5 * (_SHARES @ averaged + _SHARES.sum())
