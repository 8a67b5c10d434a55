"""Conjugate gradients for several right-hand sides at a time, and what their steps say of the matrix."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

from sklearn_dl._base.arrays import Array, namespace, to_host

Product = Callable[[Array], Array]


class Solution(NamedTuple):
    """Where conjugate gradients have come to."""

    x: Array  # (n_samples, n_columns)
    n_iter: int
    residual: np.ndarray  # (n_columns,): norm of the residual over that of the right-hand side
    steps: list[np.ndarray]  # alpha of each column in each iteration; NaN after it converged
    turns: list[np.ndarray]  # beta likewise

    def log_quadratures(self) -> np.ndarray:
        """Lanczos quadrature of u' log(P^-1/2 A P^-1/2) u for each column, u = P^-1/2 b over its norm.

        Gardner et al. (2018), section 4.2; the tridiagonal matrix from the steps is that of Saad (2003),
        Iterative methods for sparse linear systems, equation 6.82.
        """
        steps, turns = np.array(self.steps), np.array(self.turns)
        return np.array([_log_quadrature(*column) for column in zip(steps.T, turns.T, strict=True)])


def conjugate_gradients(
    product: Product, b: Array, precondition: Product, *, tol: float, max_iter: int
) -> Solution:
    """Solve A x = b for symmetric positive definite A, each column of b for itself.

    All columns share the products with A, where the time goes; columns that have converged leave them.

    Parameters
    ----------
    product : callable
        A times a matrix of shape (n_samples, k).
    b : array of shape (n_samples, n_columns)
        Right-hand sides, of numpy or torch.
    precondition : callable
        Approximate inverse of A, symmetric and positive definite, times such a matrix.
    tol : float
        Largest norm of a residual over that of its right-hand side.
    max_iter : int
        Products at most.

    References
    ----------
    Hestenes, Stiefel (1952), Methods of conjugate gradients for solving linear systems. Gardner et al.
    (2018), GPyTorch, algorithm 2.
    """
    xp = namespace(b)
    x, residual = xp.zeros_like(b), b + 0.0
    size = to_host((b * b).sum(0)) ** 0.5
    limit = tol * size
    relative = np.where(size > 0, 1.0, 0.0)
    going = np.flatnonzero(size > 0)
    z = precondition(residual)
    direction, rho = z, (residual * z).sum(0)
    steps: list[np.ndarray] = []
    turns: list[np.ndarray] = []
    while len(going) and len(steps) < max_iter:
        d, r = direction[:, going], residual[:, going]
        Ad = product(d)
        curvature = (d * Ad).sum(0)
        if not bool((curvature > 0).all()):  # A is not positive definite to the precision of its products
            break
        step = rho[going] / curvature
        x[:, going] += step * d
        r = r - step * Ad
        z = precondition(r)
        new_rho = (r * z).sum(0)
        turn = new_rho / rho[going]
        residual[:, going], direction[:, going], rho[going] = r, z + turn * d, new_rho
        for history, values in ((steps, step), (turns, turn)):
            history.append(np.full(len(size), np.nan))
            history[-1][going] = to_host(values)
        norms = to_host((r * r).sum(0)) ** 0.5
        relative[going] = norms / size[going]
        going = going[norms > limit[going]]
    return Solution(x, len(steps), relative, steps, turns)


def _log_quadrature(steps: np.ndarray, turns: np.ndarray) -> float:
    known = np.isfinite(steps) & (steps > 0)
    steps, turns = steps[known], turns[known]
    if not len(steps):
        return 0.0
    diagonal = 1 / steps
    diagonal[1:] += turns[:-1] / steps[:-1]
    eigenvalues, vectors = eigh_tridiagonal(diagonal, np.sqrt(turns[:-1]) / steps[:-1])
    positive = eigenvalues > 0  # all, but for rounding
    return float(vectors[0, positive] ** 2 @ np.log(eigenvalues[positive]))
