"""Directions of most variance among those along which two domains have equal means."""

import numpy as np
from scipy.linalg import eigh, svd
from scipy.sparse.linalg import LinearOperator, eigsh

from sklearn_dl.domain_adaptation.covariance import SpectralMatrix

_DENSE_ORDER = 400  # up to this order a dense solver takes some hundredths of a second
_DENSE_SHARE = 0.2  # of all eigenvectors, from which Lanczos steps cost more than a dense solver


def aligned_components(
    features: np.ndarray, contrasts: np.ndarray, reg: float, n_components: int
) -> tuple[np.ndarray, np.ndarray]:
    r"""Leading solutions of :math:`G^T H G\, w = \lambda\, (G^T E E^T G + \mu I)\, w`.

    G holds the features, H centres its rows, and each column of E is a contrast of two groups of rows whose
    means shall agree. E has few columns, so the right-hand matrix is a multiple of the identity but on their
    span, its inverse root is known, and a symmetric eigenproblem remains.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features), float64
        Features of the rows, or their kernel matrix.
    contrasts : ndarray of shape (n_samples, n_contrasts)
        Columns that are 1 / n on one group, -1 / n on the other, and 0 elsewhere.
    reg : float
        Penalty of the weights, above 0.
    n_components : int
        Number of solutions; fewer are returned where there are fewer features.

    Returns
    -------
    weights : ndarray of shape (n_features, n_components)
        Solutions as columns, orthonormal with regard to the right-hand matrix. The entry of largest size in
        each is positive.
    eigenvalues : ndarray of shape (n_components,)
        Falling.

    References
    ----------
    Pan, Tsang, Kwok, Yang (2011), Domain adaptation via transfer component analysis, equation 8.
    """
    order = features.shape[1]
    n_components = min(n_components, order)
    gaps = features.T @ contrasts
    columns, sizes, _ = svd(gaps, full_matrices=False)
    root = SpectralMatrix(columns, reg + sizes**2, reg).power(-0.5)
    if order <= _DENSE_ORDER or n_components > _DENSE_SHARE * order:
        spread = root.after(features - features.mean(0))
        low = order - n_components
        values, vectors = eigh(spread.T @ spread, subset_by_index=[low, order - 1])
    else:
        values, vectors = _lanczos(features, root, n_components)
    weights = root.after(vectors.T[::-1]).T
    largest = weights[np.abs(weights).argmax(0), np.arange(n_components)]
    return weights * np.where(largest < 0, -1.0, 1.0), np.maximum(values[::-1], 0.0)


def _lanczos(features: np.ndarray, root: SpectralMatrix, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    def apply(vectors: np.ndarray) -> np.ndarray:
        scores = features @ root.after(vectors.reshape(1, -1)).ravel()
        return root.after((features.T @ (scores - scores.mean())).reshape(1, -1)).ravel()

    order = features.shape[1]
    operator = LinearOperator((order, order), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=order)  # the same for the same rows
    return eigsh(operator, k=n_components, which="LA", v0=start, tol=1e-13)


def domain_contrast(source: np.ndarray) -> np.ndarray:
    """Contrast of the source's mean and the target's, shape (n_samples,); zero where one is absent."""
    return group_contrast(source, ~source)


def group_contrast(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 / n on one group of rows, -1 / n on another; zero where one is empty."""
    if not (first.any() and second.any()):
        return np.zeros(len(first))
    return first / first.sum() - second / second.sum()
