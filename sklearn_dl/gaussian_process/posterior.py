"""What the factored covariance says of other rows, of the training rows left out, and of further rows."""

import warnings

import numpy as np
from scipy.linalg import lapack, solve_triangular

from sklearn_dl.gaussian_process.likelihood import inverse_diagonal


def explained_variance(L: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Variance of each row that the training rows take away; `cross` (n_rows, n_samples) is overwritten."""
    whitened = solve_triangular(L, cross.T, lower=True, overwrite_b=True, check_finite=False)
    return np.einsum("ij,ij->j", whitened, whitened)


def explained_covariance(L: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Covariance of the rows that the training rows take away; `cross` is overwritten."""
    whitened = solve_triangular(L, cross.T, lower=True, overwrite_b=True, check_finite=False)
    return whitened.T @ whitened


def clip_variance(variance: np.ndarray) -> np.ndarray:
    """Variances with negative ones set to 0, and a warning: rounding alone gives them."""
    if (variance < 0).any():
        warnings.warn(
            "Predicted variances smaller than 0. Setting those variances to 0.", UserWarning, stacklevel=4
        )
    return np.maximum(variance, 0)


def leave_one_out(L: np.ndarray, y: np.ndarray, dual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n_samples, n_targets) and variance (n_samples,) of each target given all others.

    Rasmussen and Williams, equation 5.12, with the hyper-parameters held.
    """
    variance = 1 / inverse_diagonal(L)
    return y - dual * variance[:, None], variance


def normal_log_density(y: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Logarithm of the normal densities."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -0.5 * ((y - mean) ** 2 / variance + np.log(2 * np.pi * variance))


def negative_entropy(variance: np.ndarray) -> np.ndarray:
    """Expectation of the logarithm of a normal density of its own variable."""
    with np.errstate(divide="ignore"):
        return -0.5 * np.log(2 * np.pi * np.e * variance)


def append_rows(L: np.ndarray, cross: np.ndarray, corner: np.ndarray) -> np.ndarray | None:
    """Factor of the covariance with further rows, from the factor of the first ones.

    Parameters
    ----------
    L : ndarray of shape (n, n)
        Lower factor of the first rows.
    cross : ndarray of shape (m, n)
        Covariance of the further rows with the first. Overwritten.
    corner : ndarray of shape (m, m)
        Covariance of the further rows, with their noise.

    Returns
    -------
    L : ndarray of shape (n + m, n + m) or None
        None if the covariance is not positive definite.
    """
    n_old, n_new = len(L), len(corner)
    grown = np.zeros((n_old + n_new, n_old + n_new), order="F")
    grown[:n_old, :n_old] = L
    whitened = solve_triangular(L, cross.T, lower=True, overwrite_b=True, check_finite=False)
    grown[n_old:, :n_old] = whitened.T
    rest = np.asfortranarray(corner - whitened.T @ whitened)
    factor, info = lapack.dpotrf(rest, lower=1, clean=1, overwrite_a=1)
    grown[n_old:, n_old:] = factor
    return grown if info == 0 else None
