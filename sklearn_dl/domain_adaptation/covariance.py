"""Regularised covariances, and their roots times rows: by few eigenvectors, by all, or by none."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import eigh
from scipy.linalg.blas import dnrm2, dsyrk

from sklearn_dl.domain_adaptation.tridiagonal import MOST_CONDITION, TridiagonalMatrix, tridiagonal

_SMALL = 200  # features up to which eigenvectors take less time, that of a product with rows counted in


@dataclass(frozen=True)
class SpectralMatrix:
    """Symmetric matrix: eigenvalues on some orthonormal columns, one value on all that they leave out.

    Parameters
    ----------
    columns : ndarray of shape (n_features, rank)
        Orthonormal eigenvectors.
    values : ndarray of shape (rank,)
        Their eigenvalues, above 0 or equal to it.
    rest : float
        Eigenvalue of every direction orthogonal to the columns.
    """

    columns: np.ndarray
    values: np.ndarray
    rest: float

    def power(self, exponent: float) -> "SpectralMatrix":
        """Matrix to this power; where it is singular, a negative one is the pseudo-inverse's."""
        return SpectralMatrix(self.columns, _power(self.values, exponent), float(_power(self.rest, exponent)))

    def after(self, rows: np.ndarray) -> np.ndarray:
        """``rows @ matrix``, in n_samples * n_features * rank operations."""
        on_columns = (rows @ self.columns) * (self.values - self.rest) @ self.columns.T
        return on_columns + self.rest * rows if self.rest else on_columns

    def toarray(self) -> np.ndarray:
        """Dense matrix of shape (n_features, n_features)."""
        dense = (self.columns * (self.values - self.rest)) @ self.columns.T
        dense.flat[:: len(dense) + 1] += self.rest
        return dense


def _power(values: np.ndarray | float, exponent: float) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return np.power(values, exponent, out=np.zeros_like(values), where=values > 0)


def regularised_covariance(
    rows: np.ndarray, reg: float | Literal["auto"]
) -> SpectralMatrix | TridiagonalMatrix:
    """Covariance of centred rows, divided by their number, with a regularised diagonal.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features), float64
        Rows of mean 0.
    reg : float or "auto"
        Added to the diagonal, in squared units of the features; "auto" shrinks towards a multiple of the
        identity by Ledoit's and Wolf's coefficient.

    Returns
    -------
    covariance : SpectralMatrix or TridiagonalMatrix
        With more features than rows, the n_samples x n_samples Gram matrix is decomposed in place of the
        covariance, into n_samples eigenvectors at most. Else no eigenvectors are needed where the
        regularised diagonal keeps the eigenvalues within a factor of 10,000.

    References
    ----------
    Ledoit, Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, section 3.3.
    """
    n_samples, n_features = rows.shape
    wide = n_features > n_samples
    gram = dsyrk(1.0 / n_samples, rows if wide else rows.T, lower=1)
    norm = _norm(gram)
    shrinkage, diagonal = _ledoit_wolf(rows, gram, norm) if reg == "auto" else (0.0, float(reg))
    if not wide and n_features > _SMALL and norm < MOST_CONDITION * diagonal:
        return tridiagonal(gram, 1 - shrinkage, diagonal)
    values, columns = eigh(gram, lower=True, overwrite_a=True, check_finite=False, driver="evd")
    least = max(n_samples, n_features) * np.finfo(np.float64).eps * values[-1]
    first = np.searchsorted(values, least, side="right")  # a slice, which copies nothing
    values, columns = values[first:], columns[:, first:]
    if wide:
        columns = rows.T @ (columns / np.sqrt(n_samples * values))
    return SpectralMatrix(columns, (1 - shrinkage) * values + diagonal, diagonal)


def _norm(gram: np.ndarray) -> float:
    """Frobenius norm, which no eigenvalue exceeds, from the lower triangle; the upper one is 0."""
    # Without a copy in either order, and without squares, which may be beyond float64.
    entries, diagonal = dnrm2(gram.ravel(order="K")), dnrm2(np.diag(gram))
    return float(entries * np.sqrt(2 - (diagonal / entries) ** 2)) if entries > 0 else 0.0


def _ledoit_wolf(rows: np.ndarray, gram: np.ndarray, norm: float) -> tuple[float, float]:
    """Shrinkage, and what it adds to the diagonal, from either Gram matrix and its norm."""
    n_samples, n_features = rows.shape
    total = float(np.trace(gram))
    if total == 0:
        return 1.0, 0.0
    # In units of the total variance, whose square may be beyond float64.
    squares = (norm / total) ** 2
    distance = squares - 1 / n_features  # to the multiple of the identity
    fourth = float(np.sum((np.einsum("ij,ij->i", rows, rows) / total) ** 2)) / n_samples
    noise = (fourth - squares) / n_samples
    shrinkage = 1.0 if distance <= 0 else min(max(noise, 0.0) / distance, 1.0)
    return shrinkage, shrinkage * (total / n_features)
