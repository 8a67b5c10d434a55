"""Least squares on a CSC matrix, whose means are taken out without filling the zeros."""

from typing import Any

import numpy as np
from scipy import sparse

from sklearn_dl.linear_model.coordinate_descent import sweep_csc
from sklearn_dl.linear_model.elastic_net_gram import SMALL_DATA, GramSubproblem
from sklearn_dl.linear_model.elastic_net_solver import Fit, Penalty, Subproblem

_GRAM_FEATURES = 500  # up to which X'X of a working set is the shorter way


class SparseDesign:
    """CSC columns minus their means; a step of coordinate descent costs the entries of its column.

    Parameters
    ----------
    X : CSC of shape (n_samples, n_features)
        Raw features.
    root_weight : ndarray of shape (n_samples,), float64, or None
        Roots of the weights.
    mean : ndarray of shape (n_features,)
        Weighted means; zeros without an intercept.
    """

    def __init__(self, X: Any, root_weight: np.ndarray | None, mean: np.ndarray) -> None:
        self.mean = mean
        self.root_weight = np.ones(X.shape[0]) if root_weight is None else root_weight
        if root_weight is not None:
            X = sparse.csc_array((X.data * root_weight[X.indices], X.indices, X.indptr), shape=X.shape)
        self.X = _with_short_indices(X)
        self.total_mean = mean * float(self.root_weight @ self.root_weight)

    def squared_norms(self) -> np.ndarray:
        """Squared length of each column."""
        squares = np.asarray(self.X.multiply(self.X).sum(0, dtype=np.float64)).ravel()
        return np.maximum(squares - self.mean * self.total_mean, 0.0)

    def gram(self, features: np.ndarray) -> np.ndarray:
        """X'X of some features."""
        X, mean, total_mean = self.X[:, features], self.mean[features], self.total_mean[features]
        products = np.asarray((X.T @ X).todense(), dtype=np.float64)
        return products - np.multiply.outer(mean, total_mean)

    def correlate(self, residual: np.ndarray) -> np.ndarray:
        """X' times an n-vector."""
        return self.X.T @ residual - self.mean * float(self.root_weight @ residual)


def _with_short_indices(X: Any) -> Any:
    """X with indices of 32 bits where they fit: sweeps are compiled once, and read half as much."""
    if X.indices.dtype == np.int32 or max(X.nnz, *X.shape) > np.iinfo(np.int32).max:
        return X
    return sparse.csc_array((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)


class SparseProblem:
    """A target on a :class:`SparseDesign`."""

    def __init__(self, design: SparseDesign, y: np.ndarray, squared_norms: np.ndarray) -> None:
        self.design, self.y, self.squared_norms = design, y, squared_norms
        self.y_norm2 = float(y @ y)
        self.xy = design.correlate(y)
        self.residual = y

    def evaluate(self, w: np.ndarray) -> Fit:
        """What the coefficients leave to explain."""
        design = self.design
        used = np.flatnonzero(w)
        self.residual = residual = (
            self.y - design.X[:, used] @ w[used] + design.root_weight * float(design.mean @ w)
        )
        return Fit(design.correlate(residual), float(residual @ residual), float(residual @ self.y))

    def restrict(self, features: np.ndarray, w: np.ndarray, fit: Fit) -> Subproblem:
        """The problem over `features` alone, started at w."""
        if len(features) > _GRAM_FEATURES:
            return SparseSubproblem(self, features, w[features])
        fit = Fit(fit.correlation[features], *fit[1:])
        compiled = len(self.y) * len(w) > SMALL_DATA
        gram = self.design.gram(features)
        return GramSubproblem(gram, self.xy[features], w[features], fit, compiled=compiled)


class SparseSubproblem(Subproblem):
    """Sparse columns; the state is r and, last, what the means shift it by."""

    def __init__(self, problem: SparseProblem, features: np.ndarray, w: np.ndarray) -> None:
        self.problem, self.features, self.w = problem, features, w
        self.state = np.append(problem.residual, 0.0)
        design = problem.design
        self.columns = design.X[:, features]
        self.mean, self.total_mean = design.mean[features], design.total_mean[features]

    def sweep(
        self,
        penalty: Penalty,
        order: np.ndarray,
        tol: float,
        w_history: np.ndarray,
        state_history: np.ndarray,
    ) -> tuple[int, bool]:
        """Sweep as the kernels of :mod:`coordinate_descent` do."""
        X, squared_norms = self.columns, self.problem.squared_norms[self.features]
        return sweep_csc(
            X.data, X.indices, X.indptr, self.total_mean, self.mean, squared_norms,
            self.w, self.state, *penalty, order, tol, w_history, state_history,
        )  # fmt: skip

    def _residual(self, state: np.ndarray) -> np.ndarray:
        return state[:-1] + state[-1] * self.problem.design.root_weight

    def residual_norm2(self, w: np.ndarray, state: np.ndarray) -> float:
        """Sum of squared residuals where the state is `state`."""
        residual = self._residual(state)
        return float(residual @ residual)

    def fit(self) -> Fit:
        """What w leaves to explain."""
        residual = self._residual(self.state)
        correlation = self.columns.T @ residual - self.mean * float(
            self.problem.design.root_weight @ residual
        )
        return Fit(correlation, float(residual @ residual), float(residual @ self.problem.y))
