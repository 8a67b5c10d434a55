"""Ridge regression with coefficients of at least 0.

L-BFGS-B (Byrd, Lu, Nocedal, Zhu, 1995) says which coefficients are about to be 0. From there the active-set
method for non-negative least squares (Lawson, Hanson, 1974, Solving Least Squares Problems, algorithm 23.10)
goes to the minimum itself.
"""

import warnings
from typing import Any

import numpy as np
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl._base.arrays import to_host
from sklearn_dl.linear_model.centered import CenteredRows
from sklearn_dl.linear_model.gram import Gram
from sklearn_dl.linear_model.least_squares import cholesky

_MOST_CHANGES = 200  # of the coefficients above 0, before what L-BFGS-B found must do
_LARGEST_FILLED = 1 << 24  # elements of sparse X up to which its columns are filled with zeros
_ROUNDING = 1e-12  # of the largest product of a column with the targets


def solve_positive(
    gram: Gram | None, rows: CenteredRows, alpha: np.ndarray, tol: float, max_iter: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of at least 0 and iterations: L-BFGS-B, and from where that ends an active-set method."""
    targets = to_host(rows.targets())
    cross = rows.rmatmat(targets) if gram is None else gram.cross
    products = _Products(gram, rows)
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
        exact = _end_of_active_set(products, cross[:, k], result.x, penalty)
        if not result.success and (exact is None or result.status == 1):  # 1: out of iterations
            warnings.warn(
                f"The lbfgs solver did not converge. Increase max_iter={max_iter} or tol={tol}.",
                ConvergenceWarning,
                stacklevel=4,
            )
        coef[:, k], n_iter[k] = result.x if exact is None else exact, result.nit
    return coef, n_iter


class _Products:
    """Products of centred columns with each other: of all from the Gram matrix, else of those asked for."""

    def __init__(self, gram: Gram | None, rows: CenteredRows) -> None:
        self._rows = rows
        self._all = None if gram is None else gram.products
        self._columns: np.ndarray | None = None
        size = np.prod(rows.X.shape)
        self.are_cheap = gram is not None or not sparse.issparse(rows.X) or size <= _LARGEST_FILLED

    def within(self, columns: np.ndarray) -> np.ndarray:
        """Products of some columns with each other."""
        if self._all is not None:
            return self._all[np.ix_(columns, columns)]
        chosen = self._block[:, columns]
        return chosen.T @ chosen

    def times(self, coef: np.ndarray) -> np.ndarray:
        """Products of all columns with each other, times `coef`."""
        return self._block.T @ (self._block @ coef) if self._all is None else self._all @ coef

    @property
    def _block(self) -> np.ndarray:
        if self._columns is None:
            self._columns = to_host(self._rows.block())
        return self._columns


def _end_of_active_set(
    products: _Products, cross: np.ndarray, x: np.ndarray, alpha: float
) -> np.ndarray | None:
    """Minimum, started at x; None where the free columns are too nearly dependent, or changes too many."""
    x, free = x.copy(), x > 0
    for _ in range(_MOST_CHANGES if products.are_cheap else 0):
        columns = np.flatnonzero(free)
        target = np.zeros_like(x)
        if len(columns):
            root = cholesky(products.within(columns) + alpha * np.eye(len(columns)))
            if root is None:
                return None
            target[columns] = root.solve(cross[columns])
        falling = np.flatnonzero(free & (target <= 0))
        if len(falling):
            sizes = x[falling] / (x[falling] - target[falling])
            x += sizes.min() * (target - x)
            stopped = falling[sizes <= sizes.min()]
            x[stopped], free[stopped] = 0.0, False
            continue
        x = target
        pull = np.where(free, -np.inf, cross - products.times(x) - alpha * x)
        if not pull.max(initial=-np.inf) > _ROUNDING * abs(cross).max():
            return x
        free[np.argmax(pull)] = True
    return None
