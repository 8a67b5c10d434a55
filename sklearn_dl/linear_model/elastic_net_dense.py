"""Least squares on an ndarray or tensor X, of which only columns in the working set are copied."""

import numpy as np

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl.linear_model.coordinate_descent import sweep_rows
from sklearn_dl.linear_model.elastic_net_gram import SMALL_DATA, GramSubproblem
from sklearn_dl.linear_model.elastic_net_solver import Fit, Penalty, Subproblem
from sklearn_dl.linear_model.gram import in_float64, row_slices

_GRAM_FEATURES = 1000  # up to which X'X of a working set is the shorter way


class DenseDesign:
    """An ndarray or tensor X; the columns that a working set asked for, and their products, are kept.

    Parameters
    ----------
    X : ndarray or tensor of shape (n_samples, n_features)
        Raw features.
    root_weight : ndarray or tensor of shape (n_samples,), float64, or None
        Roots of the weights, on the device of X.
    mean : ndarray of shape (n_features,)
        Weighted means; zeros without an intercept.
    """

    def __init__(self, X: Array, root_weight: Array | None, mean: np.ndarray) -> None:
        self.X, self.root_weight, self.mean = X, root_weight, mean
        self.xp = namespace(X)
        self._device_mean = move_like(mean, in_float64(X[:1]))
        self._position = np.full(X.shape[1], -1)
        self._columns: Array = None  # grows with what is asked for
        self._gram = np.empty((0, 0))

    def rows(self, block: slice) -> Array:
        """Some rows in float64, centred and scaled."""
        part = in_float64(self.X[block]) - self._device_mean
        return part if self.root_weight is None else part * self.root_weight[block][:, None]

    def squared_norms(self) -> np.ndarray:
        """Squared length of each column."""
        xp = self.xp
        return to_host(sum(xp.einsum("ij,ij->j", part, part) for part in map(self.rows, row_slices(self.X))))

    def correlate(self, residual: Array) -> np.ndarray:
        """X' times an n-vector."""
        weighted = residual if self.root_weight is None else residual * self.root_weight
        if self.X.dtype == self.xp.float64:
            products = self.X.T @ weighted
        else:
            products = sum(in_float64(self.X[rows]).T @ weighted[rows] for rows in row_slices(self.X))
        return to_host(products) - self.mean * float(weighted.sum())

    def select(self, features: np.ndarray) -> Array:
        """Columns as rows, (len(features), n_samples), centred and scaled, in float64."""
        missing = features[self._position[features] < 0]
        if len(missing):
            self._append(missing)
        return self._columns[self._position[features]]

    def _append(self, features: np.ndarray) -> None:
        chosen = features if self.xp is np else self.xp.as_tensor(features, device=self.X.device)
        columns = in_float64(self.X[:, chosen].T) - self._device_mean[chosen][:, None]
        if self.root_weight is not None:
            columns *= self.root_weight
        n_kept = 0 if self._columns is None else len(self._columns)
        self._position[features] = np.arange(n_kept, n_kept + len(features))
        concatenate = np.concatenate if self.xp is np else self.xp.cat
        self._columns = columns if n_kept == 0 else concatenate([self._columns, columns])

    def select_gram(self, features: np.ndarray) -> np.ndarray:
        """X'X of some features; products once made are kept."""
        self.select(features)
        n_made = len(self._gram)
        if n_made < len(self._columns):
            new = to_host(self._columns[n_made:] @ self._columns.T)
            self._gram = np.block([[self._gram, new[:, :n_made].T], [new]])
        position = self._position[features]
        return self._gram[np.ix_(position, position)]


class DenseProblem:
    """A target on a :class:`DenseDesign`.

    Parameters
    ----------
    design : DenseDesign
        Features.
    y : ndarray or tensor of shape (n_samples,)
        Target, centred and scaled as the features, in float64.
    """

    def __init__(self, design: DenseDesign, y: Array, squared_norms: np.ndarray) -> None:
        self.design, self.y, self.squared_norms = design, y, squared_norms
        self.y_norm2 = float(y @ y)
        self.xy = design.correlate(y)
        self.residual = y

    def evaluate(self, w: np.ndarray) -> Fit:
        """What the coefficients leave to explain."""
        used = np.flatnonzero(w)
        if len(used) == 0:
            self.residual = self.y
            return Fit(self.xy, self.y_norm2, self.y_norm2)
        self.residual = self.y - move_like(w[used], self.y) @ self.design.select(used)
        residual = self.residual
        return Fit(self.design.correlate(residual), float(residual @ residual), float(residual @ self.y))

    def restrict(self, features: np.ndarray, w: np.ndarray, fit: Fit) -> Subproblem:
        """The problem over `features` alone, started at w."""
        X = self.design.X
        if len(features) > max(X.shape[0], _GRAM_FEATURES) and not is_tensor(X):
            return RowSubproblem(self.design.select(features), w[features], self.residual.copy(), self.y)
        fit = Fit(fit.correlation[features], *fit[1:])
        gram = self.design.select_gram(features)
        compiled = X.shape[0] * X.shape[1] > SMALL_DATA
        return GramSubproblem(gram, self.xy[features], w[features], fit, compiled=compiled)


class RowSubproblem(Subproblem):
    """Dense columns, more than there are rows; the state is r."""

    def __init__(self, columns: np.ndarray, w: np.ndarray, residual: np.ndarray, y: np.ndarray) -> None:
        self.columns, self.w, self.state, self.y = columns, w, residual, y
        self.squared_norms = np.einsum("ij,ij->i", columns, columns)

    def sweep(
        self,
        penalty: Penalty,
        order: np.ndarray,
        tol: float,
        w_history: np.ndarray,
        state_history: np.ndarray,
    ) -> tuple[int, bool]:
        """Sweep as the kernels of :mod:`coordinate_descent` do."""
        return sweep_rows(
            self.columns,
            self.squared_norms,
            self.w,
            self.state,
            *penalty,
            order,
            tol,
            w_history,
            state_history,
        )

    def residual_norm2(self, w: np.ndarray, state: np.ndarray) -> float:
        """Sum of squared residuals where the state is `state`."""
        return float(state @ state)

    def fit(self) -> Fit:
        """What w leaves to explain."""
        return Fit(self.columns @ self.state, float(self.state @ self.state), float(self.state @ self.y))
