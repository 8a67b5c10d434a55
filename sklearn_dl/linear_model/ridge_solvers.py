"""Ridge regression: one penalty by Cholesky, many from one eigendecomposition.

With centred rows A and targets Y, the coefficients solve ``(A'A + alpha I) coef = A'Y``. With more columns
than rows, ``coef = A' dual`` where ``(AA' + alpha I) dual = Y``, which is smaller (Hastie, Tibshirani, 2004,
Efficient quadratic regularization for expression arrays).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg

from sklearn_dl._base.arrays import to_host
from sklearn_dl._base.threads import single_threaded_blas
from sklearn_dl.linear_model.centered import CenteredRows
from sklearn_dl.linear_model.gram import Gram
from sklearn_dl.linear_model.least_squares import cholesky, solve_refined, triangular_factor

# Ratio of the smallest penalised eigenvalue to the largest, below which products of columns are too coarse.
_TRUST_EIGENVALUES = 1e-8


@dataclass(frozen=True)
class Spectrum:
    """Eigendecomposition from which the coefficients of any penalty follow.

    Parameters
    ----------
    values : ndarray of shape (k,)
        Eigenvalues of ``A'A`` or of ``AA'``.
    vectors : ndarray of shape (n_features, k) or (n_samples, k)
        Their eigenvectors.
    projected : ndarray of shape (k, n_targets)
        Transposed vectors times ``A'Y`` or Y.
    dual_rows : CenteredRows or None
        The rows, where the eigenvectors are those of ``AA'``.
    """

    values: np.ndarray
    vectors: np.ndarray
    projected: np.ndarray
    dual_rows: CenteredRows | None = None

    def coef(self, alpha: Any) -> np.ndarray:
        """Coefficients (n_features, n_targets) at a penalty, or at one for each target."""
        penalised = self.values[:, None] + alpha
        with np.errstate(divide="ignore", invalid="ignore"):
            # Only an unpenalised null direction has 0 here; minimum norm leaves it out.
            weights = np.where(penalised > 0, self.projected / penalised, 0.0)
        solution = self.vectors @ weights
        return solution if self.dual_rows is None else self.dual_rows.rmatmat(solution)


def primal_spectrum(gram: Gram, rows: CenteredRows, smallest_alpha: float, *, svd: bool = False) -> Spectrum:
    """Spectrum of ``A'A``, from the Gram matrix where that is accurate at the smallest penalty."""
    if gram.is_finite and not svd:
        values, vectors = _eigenvectors(gram.products)
        if values[0] + smallest_alpha > _TRUST_EIGENVALUES * values[-1]:
            return Spectrum(values, vectors, vectors.T @ gram.cross)
    return _spectrum_of_triangle(*triangular_factor(rows))


def _eigenvectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with single_threaded_blas(when=len(matrix) <= 512):
        return linalg.eigh(matrix, check_finite=False)


def _spectrum_of_triangle(R: np.ndarray, right: np.ndarray) -> Spectrum:
    U, singular, Vt = linalg.svd(R, full_matrices=False, check_finite=False)
    null = singular <= np.finfo(np.float64).eps * len(singular) * singular[0]
    projected = np.where(null[:, None], 0.0, singular[:, None] * (U.T @ right))
    return Spectrum(np.where(null, 0.0, singular**2), Vt.T, projected)


def dual_spectrum(rows: CenteredRows, *, center: bool) -> Spectrum:
    """Spectrum of ``AA'``, for at most as many rows as columns.

    In centred rows the square roots of the weights are an eigenvector of value 0, which is left out.
    """
    products, targets = rows.row_products(), to_host(rows.targets())
    roots = to_host(rows.roots()).astype(np.float64)
    if center and roots.any():
        # Above all others, it is the last eigenvector, however many more have value 0.
        top = 2 * np.trace(products) or 1.0
        products += top * np.outer(roots, roots) / (roots @ roots)
    values, vectors = _eigenvectors(products)
    if center and roots.any():
        values, vectors = values[:-1], vectors[:, :-1]
    return Spectrum(values, vectors, vectors.T @ targets, rows)


def few_rows_spectrum(rows: CenteredRows, smallest_alpha: float, *, center: bool) -> Spectrum:
    """Spectrum for at most as many rows as columns, accurate at the smallest penalty."""
    spectrum = dual_spectrum(rows, center=center)
    values = spectrum.values
    if len(values) == 0 or values[0] + smallest_alpha > _TRUST_EIGENVALUES * values[-1]:
        return spectrum
    return _spectrum_of_triangle(to_host(rows.block()), to_host(rows.targets()))


def solve_primal(gram: Gram, rows: CenteredRows, alpha: np.ndarray, *, svd: bool) -> tuple[np.ndarray, str]:
    """Coefficients for more rows than columns, `alpha` (n_targets,), and the solver that gave them."""
    coef = np.empty_like(gram.cross)
    for penalty in np.unique(alpha) if gram.is_finite and not svd else ():
        root = cholesky(gram.products + penalty * np.eye(len(gram.products)))
        if root is None:
            break
        targets = np.flatnonzero(alpha == penalty)
        part = replace(rows, Y=rows.Y[:, targets], target_mean=rows.target_mean[targets])
        coef[:, targets] = solve_refined(root, gram.cross[:, targets], part, penalty)
    else:
        if gram.is_finite and not svd:
            return coef, "cholesky"
    return primal_spectrum(gram, rows, float(alpha.min()), svd=True).coef(alpha), "svd"


def solve_dual(rows: CenteredRows, alpha: np.ndarray, *, svd: bool) -> tuple[np.ndarray, str]:
    """As :func:`solve_primal`, for at most as many rows as columns."""
    targets = to_host(rows.targets())
    dual = np.empty_like(targets)
    products = np.empty((0, 0)) if svd else rows.row_products()
    for penalty in () if svd else np.unique(alpha):
        root = cholesky(products + penalty * np.eye(len(products)))
        if root is None or root.scaled_rcond < _TRUST_EIGENVALUES:
            break
        own = alpha == penalty
        dual[:, own] = root.solve(targets[:, own])
    else:
        if not svd:
            return rows.rmatmat(dual), "cholesky"
    return _spectrum_of_triangle(to_host(rows.block()), targets).coef(alpha), "svd"
