"""Least squares of minimum norm, as fast as the conditioning allows.

Normal equations lose twice the digits that X's condition number asks for, so their condition number is
estimated first. Well conditioned, they are solved by Cholesky; moderately so, a step of iterative refinement
on the rows brings the digits back (Björck, 1996, Numerical Methods for Least Squares Problems, section 2.9);
with exactly dependent columns their eigenvectors tell range and null space apart; all else goes to orthogonal
decompositions.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import lapack
from scipy.sparse.linalg import lsqr

from sklearn_dl._base.arrays import Array, is_tensor, namespace, to_host
from sklearn_dl.linear_model.centered import CenteredRows
from sklearn_dl.linear_model.gram import Gram

# Reciprocal condition numbers of the normal equations below which lost digits are brought back, and below
# which the equations are not used.
_REFINE_BELOW = 1e-6
_GIVE_UP_BELOW = 1e-10


class Cholesky(NamedTuple):
    """Upper triangular factor of a positive definite matrix, with reciprocal condition numbers."""

    factor: np.ndarray
    rcond: float  # of the matrix, in the 1-norm
    scaled_rcond: float  # with the diagonal scaled to 1, which is what accuracy depends on

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solution of ``matrix @ solution == right``."""
        return linalg.cho_solve((self.factor, False), right, check_finite=False)


def cholesky(matrix: np.ndarray) -> Cholesky | None:
    """Factor of a symmetric matrix, or None where it is not safely positive definite."""
    with np.errstate(all="ignore"):
        factor, info = lapack.dpotrf(matrix, lower=0, clean=1)
        if info != 0:
            return None
        size = abs(matrix)
        rcond = lapack.dpocon(factor, size.sum(0).max())[0]
        if rcond >= _REFINE_BELOW:
            return Cholesky(factor, rcond, rcond)
        scale = np.sqrt(np.diagonal(matrix))
        scaled_rcond = lapack.dpocon(factor / scale, ((size @ (1 / scale)) / scale).max())[0]
    return Cholesky(factor, rcond, scaled_rcond) if scaled_rcond > _GIVE_UP_BELOW else None


def solve_refined(root: Cholesky, right: np.ndarray, rows: CenteredRows, alpha: Any = 0.0) -> np.ndarray:
    """Solution of the normal equations plus `alpha`, corrected once on the rows where that matters."""
    coef = root.solve(right)
    if root.scaled_rcond < _REFINE_BELOW:
        coef += root.solve(rows.gradient(coef) - alpha * coef)
    return coef


class Solution(NamedTuple):
    """Coefficients, and what the singular values of the centred rows follow from."""

    coef: np.ndarray  # (n_features, n_targets)
    spectrum: np.ndarray | None  # singular values (k,), or a matrix (k, k) that has them


def solve_least_squares(gram: Gram, rows: CenteredRows, tol: float) -> Solution:
    """Coefficients of minimum norm for more rows than columns; `tol` cuts off singular values as in lstsq."""
    if gram.is_finite:
        root = cholesky(gram.products)
        if root is not None and root.rcond > 10 * tol**2:  # no singular value is below the cut-off
            return Solution(solve_refined(root, gram.cross, rows), root.factor)
        solution = _solve_by_eigenvectors(gram, rows, tol)
        if solution is not None:
            return solution
    return solve_triangular_least_squares(*triangular_factor(rows), tol)


def _solve_by_eigenvectors(gram: Gram, rows: CenteredRows, tol: float) -> Solution | None:
    """Coefficients where dependent columns are dependent to the last digit, None where that is open."""
    values, vectors = linalg.eigh(gram.products, check_finite=False)
    largest, n_features = values[-1], len(values)
    kept = values > tol**2 * largest
    dropped_safely = 0.1 * tol**2 * largest  # a tenth of the cut-off, and above rounding
    if (
        largest <= 0
        or 4e-16 * np.sqrt(n_features) * largest > dropped_safely
        or (values[~kept] > dropped_safely).any()
        or (values[kept] < 1e-8 * largest).any()
    ):
        return None
    values_kept, vectors_kept = values[kept], vectors[:, kept]

    def solve(right: np.ndarray) -> np.ndarray:
        return vectors_kept @ ((vectors_kept.T @ right) / values_kept[:, None])

    coef = solve(gram.cross)
    if values_kept[0] < _REFINE_BELOW * largest:
        coef += solve(rows.gradient(coef))
    return Solution(coef, np.sqrt(np.maximum(values[::-1], 0)))


def triangular_factor(rows: CenteredRows) -> tuple[np.ndarray, np.ndarray]:
    """R and Q'Y of the QR decomposition of the centred rows, in one pass over blocks of rows, on the host."""
    n_features, n_targets = rows.X.shape[1], rows.Y.shape[1]
    xp = namespace(rows.X)
    step = max(1024, 2 * (n_features + n_targets))
    stacked = None
    for start in range(0, rows.X.shape[0], step):
        part = slice(start, min(start + step, rows.X.shape[0]))
        block = xp.hstack([rows.block(part), rows.targets(part)])
        stacked = block if stacked is None else xp.vstack([stacked, block])
        triangle = xp.linalg.qr(stacked, mode="r")
        stacked = triangle[1] if is_tensor(rows.X) else triangle
    triangle = to_host(stacked).astype(np.float64)[:n_features]
    return triangle[:, :n_features], triangle[:, n_features:]


def solve_triangular_least_squares(R: np.ndarray, right: np.ndarray, tol: float) -> Solution:
    """Coefficients of minimum norm from the QR decomposition of the rows."""
    coef, _, _, singular = linalg.lstsq(R, right, cond=tol, check_finite=False)
    return Solution(coef, singular)


def solve_few_rows(rows: CenteredRows, tol: float) -> Solution:
    """Coefficients of minimum norm for at most as many rows as columns."""
    X, Y = rows.block(), rows.targets()
    if not is_tensor(X):
        coef, _, _, singular = linalg.lstsq(X, Y, cond=tol, overwrite_a=True, check_finite=False)
        return Solution(coef, singular)
    U, singular, Vt = namespace(X).linalg.svd(X, full_matrices=False)
    kept = singular > tol * singular[0]
    coef = Vt[kept].T @ ((U[:, kept].T @ Y) / singular[kept][:, None])
    return Solution(to_host(coef).astype(np.float64), to_host(singular).astype(np.float64))


def solve_iteratively(
    rows: CenteredRows, tol: float, *, alpha: Any = 0.0, max_iter: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n_features, n_targets) and iterations of LSQR (Paige, Saunders, 1982), by target."""
    operator, targets = rows.as_operator(), rows.targets()
    damping = np.sqrt(np.broadcast_to(alpha, targets.shape[1]))
    results = [
        lsqr(operator, target, damp=damp, atol=tol, btol=tol, iter_lim=max_iter)[:3]
        for target, damp in zip(targets.T, damping, strict=True)
    ]
    coefs = np.column_stack([result[0] for result in results])
    return coefs, np.array([result[2] for result in results], dtype=np.int32)


def singular_values(spectrum: np.ndarray) -> np.ndarray:
    """Singular values, largest first, of a matrix; a vector holds them already."""
    return spectrum if spectrum.ndim == 1 else linalg.svdvals(spectrum, check_finite=False)


def as_columns(y: Array) -> Array:
    """Targets as (n_samples, n_targets)."""
    return y[:, None] if y.ndim == 1 else y


def fitted_arrays(
    coef: np.ndarray, mean: np.ndarray, target_mean: np.ndarray, y: Array, *, fit_intercept: bool
) -> tuple[np.ndarray, Any]:
    """``coef_`` (n_targets, n_features) and ``intercept_``, in y's dtype; without targets' axis for 1-d y."""
    dtype = to_host(y[:0]).dtype
    coef = coef.astype(dtype)  # first, so that the intercept makes up for what rounding does at the mean
    intercept: Any = 0.0
    if fit_intercept:
        intercept = (target_mean - mean @ coef).astype(dtype)
        intercept = intercept[0] if y.ndim == 1 else intercept
    return (coef[:, 0] if y.ndim == 1 else coef.T.copy()), intercept
