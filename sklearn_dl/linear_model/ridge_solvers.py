"""Ridge regression: one penalty by Cholesky, many from one eigendecomposition, with bounds by L-BFGS-B.

With centred rows A and targets Y, the coefficients solve ``(A'A + alpha I) coef = A'Y``. With more columns
than rows, ``coef = A' dual`` where ``(AA' + alpha I) dual = Y``, which is smaller (Hastie, Tibshirani, 2004,
Efficient quadratic regularization for expression arrays).
"""

import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg, optimize
from sklearn.exceptions import ConvergenceWarning

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
    # On matrices this small, threads of BLAS wait for one another longer than they work.
    with single_threaded_blas() if len(matrix) <= 512 else nullcontext():
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


def solve_positive(
    gram: Gram | None, rows: CenteredRows, alpha: np.ndarray, tol: float, max_iter: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of at least 0 and iterations, by L-BFGS-B (Byrd, Lu, Nocedal, Zhu, 1995)."""
    targets = to_host(rows.targets())
    cross = rows.rmatmat(targets) if gram is None else gram.cross
    coef, n_iter = np.empty_like(cross), np.empty(len(alpha), dtype=np.int32)
    for k, penalty in enumerate(alpha):
        half_norm = 0.5 * (targets[:, k] @ targets[:, k])

        def objective(
            w: np.ndarray, k: int = k, penalty: float = penalty, constant: float = half_norm
        ) -> Any:
            curved = rows.rmatmat(rows.matmat(w)) if gram is None else gram.products @ w
            gradient = curved - cross[:, k] + penalty * w
            return constant + 0.5 * w @ (gradient - cross[:, k]), gradient

        result = optimize.minimize(
            objective,
            np.zeros(len(cross)),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, np.inf)] * len(cross),
            tol=tol,
            options={} if max_iter is None else {"maxiter": max_iter},
        )
        exact = None if gram is None else _solve_free(gram, cross[:, k], result.x > 0, penalty)
        if not result.success and (exact is None or result.status == 1):  # 1: out of iterations
            warnings.warn(
                f"The lbfgs solver did not converge. Increase max_iter={max_iter} or tol={tol}.",
                ConvergenceWarning,
                stacklevel=4,
            )
        coef[:, k], n_iter[k] = result.x if exact is None else exact, result.nit
    return coef, n_iter


def _solve_free(gram: Gram, cross: np.ndarray, free: np.ndarray, alpha: float) -> np.ndarray | None:
    """Solution with the other coefficients at 0, if it meets the conditions of Karush, Kuhn and Tucker."""
    root = cholesky(gram.products[np.ix_(free, free)] + alpha * np.eye(free.sum())) if free.any() else None
    if root is None:
        return None
    coef = np.zeros(len(cross))
    coef[free] = root.solve(cross[free])
    gradient = gram.products[~free] @ coef - cross[~free]
    is_optimal = (coef[free] >= 0).all() and (gradient >= -1e-12 * abs(cross).max()).all()
    return coef if is_optimal else None
