"""Noise of an objective with steps, which returns the same value next to where it was evaluated."""

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from sklearn_dl.gaussian_process.pairs import Pairs
from sklearn_dl.model_selection.surrogate import Surrogate

_NUGGET = 0.01  # of the variance: what another run of the same row may still differ by


class RoughNoise:
    """Share of the noise at a row that the observed rows near by do not tell.

    The noise is a function of the row, with the covariance of the surrogate at an eighth of its length
    scales, so that next to an observed row it is known. Else a sampler that looks for what noise may add to
    the best score would stay on the step of the best row, where nothing is to be had.

    Parameters
    ----------
    surrogate : Surrogate
        Fitted to the observations.
    kernel_theta : ndarray
        Its hyper-parameters, as its covariance takes them.
    observed : ndarray of shape (n, n_columns)
        Rows whose noise is known, warped.
    """

    def __init__(self, surrogate: Surrogate, kernel_theta: np.ndarray, observed: np.ndarray) -> None:
        self._covariance, self._observed = surrogate.covariance, observed
        self._theta = surrogate.rough_theta(kernel_theta)
        correlation = np.asfortranarray(self._covariance.between(observed, observed, self._theta))
        correlation[np.diag_indices_from(correlation)] = 1 + _NUGGET
        L, info = lapack.dpotrf(correlation, lower=1, clean=1, overwrite_a=1)
        if info != 0:
            raise np.linalg.LinAlgError("The covariance of the noise cannot be factored.")
        self._whiten, _ = lapack.dtrtri(L, lower=1, overwrite_c=1)

    def __call__(self, warped: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Shares (n_rows,) at rows that are warped, and the chain rule."""
        evaluation = self._covariance.term(Pairs(warped, self._observed), self._theta)
        white = evaluation.values @ self._whiten.T
        share = 1 - np.einsum("ij,ij->i", white, white)

        def chain(by_share: np.ndarray) -> np.ndarray:
            return evaluation.row_gradient(-2 * by_share[:, None] * (white @ self._whiten))

        return np.maximum(share, 0.0), chain
