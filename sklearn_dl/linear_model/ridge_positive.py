"""Ridge regression with coefficients of at least 0.

Block pivoting (Kim, Park, 2011, Fast nonnegative matrix factorization: an active-set-like method and
comparisons, section 3) guesses which coefficients are above 0 and exchanges those of a wrong sign, all at
once. Where that comes to no end, L-BFGS-B (Byrd, Lu, Nocedal, Zhu, 1995) says which coefficients are about to
be 0. From there block pivoting, or else the active-set method for non-negative least squares (Lawson, Hanson,
1974, Solving Least Squares Problems, algorithm 23.10), goes to the minimum itself.
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
_WORSE_PIVOTS = 3  # in a row, that do not lower the number of wrong signs, before block pivoting ends
_LARGEST_FILLED = 1 << 24  # elements of sparse X up to which its columns are filled with zeros
_ROUNDING = 1e-12  # of the largest product of a column with the targets


def solve_positive(
    gram: Gram | None, rows: CenteredRows, alpha: np.ndarray, tol: float, max_iter: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of at least 0, and iterations: pivots, or those of L-BFGS-B where pivots did not do."""
    targets = to_host(rows.targets())
    cross = rows.rmatmat(targets) if gram is None else gram.cross
    products = _Products(gram, rows)
    coef, n_iter = np.empty_like(cross), np.empty(len(alpha), dtype=np.int32)
    for k, penalty in enumerate(alpha):
        pivots = _Pivots(products, cross[:, k], targets[:, k], penalty)
        exact = pivots.minimum(cross[:, k] > 0, None if max_iter is None else max_iter - 1)
        if exact is not None:
            coef[:, k], n_iter[k] = exact, pivots.count
            continue
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
        exact = pivots.minimum(result.x > 0)
        if exact is None:
            exact = pivots.end_of_active_set(result.x)
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

    def of_rows(self, columns: np.ndarray) -> np.ndarray | None:
        """Products of the rows of some columns with each other; None where rows are no fewer than those."""
        if self._all is not None or len(columns) <= len(self._block):
            return None
        chosen = self._block[:, columns]
        return chosen @ chosen.T

    def from_rows(self, values: np.ndarray) -> np.ndarray:
        """Sum of the rows times `values`."""
        return self._block.T @ values

    def times(self, coef: np.ndarray) -> np.ndarray:
        """Products of all columns with each other, times `coef`."""
        return self._block.T @ (self._block @ coef) if self._all is None else self._all @ coef

    @property
    def _block(self) -> np.ndarray:
        if self._columns is None:
            self._columns = to_host(self._rows.block())
        return self._columns


class _Pivots:
    """The problem of one column of targets, its minimum by exchanges of coefficients that are 0 and free.

    Both methods return None where the free columns are too nearly dependent, or exchanges too many, or
    products dear.
    """

    def __init__(self, products: _Products, cross: np.ndarray, targets: np.ndarray, alpha: float) -> None:
        self._products = products
        self._cross = cross
        self._targets = targets
        self._alpha = alpha
        self._rounding = _ROUNDING * abs(cross).max(initial=0.0)
        self.count = 0  # systems solved

    def minimum(self, free: np.ndarray, most: int | None = None) -> np.ndarray | None:
        """Minimum by block pivoting, with at most so many pivots, from some free coefficients."""
        fewest, worse, self.count = len(free) + 1, 0, 0
        while self._products.are_cheap and worse < _WORSE_PIVOTS and (most is None or self.count < most):
            target = self._free_minimum(free)
            if target is None:
                return None
            wrong = np.where(free, target <= 0, self._pull(target) > self._rounding)
            n_wrong = int(np.count_nonzero(wrong))
            if n_wrong == 0:
                return target
            worse = 0 if n_wrong < fewest else worse + 1
            fewest = min(fewest, n_wrong)
            free = free ^ wrong
        return None

    def end_of_active_set(self, x: np.ndarray) -> np.ndarray | None:
        """Minimum by one exchange after another, from x."""
        x, free = x.copy(), x > 0
        for _ in range(_MOST_CHANGES if self._products.are_cheap else 0):
            target = self._free_minimum(free)
            if target is None:
                return None
            falling = np.flatnonzero(free & (target <= 0))
            if len(falling):
                sizes = x[falling] / (x[falling] - target[falling])
                x += sizes.min() * (target - x)
                stopped = falling[sizes <= sizes.min()]
                x[stopped], free[stopped] = 0.0, False
                continue
            x = target
            pull = np.where(free, -np.inf, self._pull(x))
            if not pull.max(initial=-np.inf) > self._rounding:
                return x
            free[np.argmax(pull)] = True
        return None

    def _pull(self, x: np.ndarray) -> np.ndarray:
        """Slopes of the objective, downhill."""
        return self._cross - self._products.times(x) - self._alpha * x

    def _free_minimum(self, free: np.ndarray) -> np.ndarray | None:
        """Minimum over the free coefficients, of any sign."""
        self.count += 1
        columns = np.flatnonzero(free)
        target = np.zeros(len(free))
        if not len(columns):
            return target
        by_rows = self._products.of_rows(columns)
        inner = self._products.within(columns) if by_rows is None else by_rows
        root = cholesky(inner + self._alpha * np.eye(len(inner)))
        if root is None:
            return None
        if by_rows is None:
            target[columns] = root.solve(self._cross[columns])
        else:
            target[columns] = self._products.from_rows(root.solve(self._targets))[columns]
        return target
