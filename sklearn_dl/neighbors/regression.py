"""Regression by the mean of the nearest neighbours."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import RegressorMixin

from sklearn_dl._base.arrays import Array, is_tensor, move_like, on_host
from sklearn_dl._base.params import PositiveInt, param
from sklearn_dl.neighbors.base import NeighborsModel
from sklearn_dl.neighbors.targets import read_targets
from sklearn_dl.neighbors.weights import neighbor_weights


class KNeighborsRegressor(RegressorMixin, NeighborsModel):
    """Regressor by the mean of the nearest fitted rows.

    See Also
    --------
    KernelRegression : A mean over all rows, with weights that fall with the distance.

    Examples
    --------
    >>> from sklearn_dl.neighbors import KNeighborsRegressor
    >>> model = KNeighborsRegressor(n_neighbors=2).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 1.0, 1.0])
    >>> model.predict([[1.5]]).tolist()
    [0.5]
    """

    n_neighbors: PositiveInt | None = param(default=5, kw_only=False)
    weights: Literal["uniform", "distance"] | Callable | None = param(
        default="uniform",
        doc="Weight of a neighbour in the mean: the same for all, the inverse of its distance, or what a "
        "callable makes of the distances, an array of shape (n_queries, n_neighbors).",
    )

    #: Asked for by code that works with any of scikit-learn's estimators of neighbours; no parameter.
    radius: ClassVar[None] = None

    def fit(self, X: Any, y: Any) -> Self:
        """Keep the rows and their values.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_samples, n_features)
            Rows; distances of shape (n_samples, n_samples) for metric="precomputed".
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Real values.

        Returns
        -------
        self : KNeighborsRegressor

        Raises
        ------
        ValueError
            If y is not numeric, or has another number of rows than X.
        """
        rows = self._fit_rows(X)
        values = read_targets(on_host(y), rows, type(self).__name__)
        if values.dtype.kind not in "biuf":
            values = values.astype(np.float64)
        self._y = move_like(values, rows) if is_tensor(rows) else values
        return self

    def predict(self, X: Any) -> Array:
        """Predict the mean of the neighbours' values for each row.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), or None
            Rows; None means the fitted rows, each by its neighbours alone.

        Returns
        -------
        y : ndarray or tensor of shape (n_queries,) or (n_queries, n_outputs)
        """
        distance, row = self.kneighbors(X)
        weights = neighbor_weights(distance, self.weights)
        values = self._y
        if is_tensor(row):
            values = move_like(values, distance)
        elif is_tensor(values):
            values = on_host(values).numpy()
        near = values[row]  # (n_queries, n_neighbors[, n_outputs])
        if weights is None:
            return near.mean(1)
        total = weights.sum(1)
        if near.ndim == 3:
            weights, total = weights[:, :, None], total[:, None]
        return (near * weights).sum(1) / total
