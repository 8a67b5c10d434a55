"""Search for neighbours without a target: the k nearest, or all within a radius."""

from typing import Any, Self

import numpy as np
from sklearn.neighbors import NearestNeighbors as RadiusSearch
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.params import InvalidParameterError, PositiveInt, param
from sklearn_dl.neighbors.base import NeighborsModel, check_mode
from sklearn_dl.neighbors.direct import distances, query_blocks
from sklearn_dl.neighbors.effective_metric import canonical_name


class NearestNeighbors(NeighborsModel):
    """Search for the nearest of the fitted rows.

    Exact, whatever the algorithm: equally distant rows are taken in their order.

    See Also
    --------
    KNeighborsClassifier : Classes by the vote of the neighbours.
    KNeighborsRegressor : Values by the mean of the neighbours.

    Examples
    --------
    >>> from sklearn_dl.neighbors import NearestNeighbors
    >>> search = NearestNeighbors(n_neighbors=2).fit([[0.0, 0.0], [0.0, 3.0], [4.0, 0.0]])
    >>> distance, row = search.kneighbors([[0.0, 1.0]])
    >>> distance.tolist(), row.tolist()
    ([[1.0, 2.0]], [[0, 1]])
    """

    n_neighbors: PositiveInt | None = param(default=5)
    radius: float | None = param(
        default=1.0, doc="Distance up to which rows are neighbours in `radius_neighbors`, at least 0."
    )

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep the rows to search.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_samples, n_features)
            Rows; distances of shape (n_samples, n_samples) for metric="precomputed".
        y : object, default=None
            Ignored.

        Returns
        -------
        self : NearestNeighbors
        """
        self._check_params()
        if self.radius is not None and not self.radius >= 0:
            raise InvalidParameterError(
                f"{type(self).__name__}: radius must be a float of at least 0 or None; got {self.radius!r}."
            )
        self._fit_rows(X)
        self._radius_search: Any = None
        return self

    def radius_neighbors(
        self,
        X: Any = None,
        radius: Any = None,
        return_distance: bool = True,
        sort_results: bool = False,
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """All fitted rows within a radius of each row of X.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), default=None
            As in :meth:`kneighbors`.
        radius : float, default=None
            Largest distance of a neighbour; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances too.
        sort_results : bool, default=False
            Whether each array is sorted by (distance, index); its order is arbitrary otherwise.

        Returns
        -------
        neigh_dist : ndarray of shape (n_queries,), of arrays
            Distances. Only if `return_distance`.
        neigh_ind : ndarray of shape (n_queries,), of arrays
            Indices of the fitted rows.

        Raises
        ------
        ValueError
            If `sort_results` is asked for without `return_distance`.
        """
        check_is_fitted(self, "_fit_method")
        if sort_results and not return_distance:
            raise ValueError("return_distance must be True if sort_results is True.")
        radius = self.radius if radius is None else radius
        if is_tensor(X) or is_tensor(self._fit_X):
            distance, row = self._radius_on_device(X, radius)
        else:
            distance, row = self._radius_search_of_scikit_learn().radius_neighbors(X, radius)
        if sort_results:
            for i in range(len(row)):
                order = _order(distance[i], row[i])
                distance[i], row[i] = distance[i][order], row[i][order]
        return (distance, row) if return_distance else row

    def _radius_search_of_scikit_learn(self) -> Any:
        """scikit-learn's search over the same rows, built when first asked for."""
        if self._radius_search is None:
            params = {name: value for name, value in self.get_params().items() if name != "algorithm"}
            params["metric"] = canonical_name(params["metric"])
            search = RadiusSearch(algorithm=self._fit_method, **params)
            self._radius_search = search.fit(self._fit_X)
        return self._radius_search

    def _radius_on_device(self, X: Any, radius: float) -> tuple[np.ndarray, np.ndarray]:
        rows = self._fit_X
        queries = rows if X is None else self._read_neighbors_X(X, reset=False)
        like = queries if is_tensor(queries) else rows
        rows, given = move_like(rows, like), move_like(queries, like)
        metric = canonical_name(self.effective_metric_)
        distance, row = (np.empty(given.shape[0], dtype=object) for _ in range(2))
        for block in query_blocks(given.shape[0], rows.shape[0], on_device=True):
            part = given[block]
            if metric != "precomputed":
                part = distances(part, rows, metric, self.effective_metric_params_)
            for i, line in enumerate(part, start=block.start):
                found = (line <= radius).nonzero()[:, 0]
                found = found[found != i] if X is None else found
                kept = line[found], found
                distance[i], row[i] = kept if is_tensor(queries) else map(to_host, kept)
        return distance, row

    def radius_neighbors_graph(
        self,
        X: Any = None,
        radius: Any = None,
        mode: str = "connectivity",
        sort_results: bool = False,
    ) -> Any:
        """Graph of the fitted rows within a radius of each row of X.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), default=None
            As in :meth:`kneighbors`.
        radius : float, default=None
            Largest distance of a neighbour; None means the parameter of that name.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether an edge holds 1 or the distance.
        sort_results : bool, default=False
            Whether each line is sorted by distance, for mode="distance".

        Returns
        -------
        graph : CSR of shape (n_queries, `n_samples_fit_`)
            On the host, also for tensors.
        """
        check_is_fitted(self, "_fit_method")
        check_mode(mode)
        with_distance = mode == "distance"
        distance, row = self.radius_neighbors(X, radius, sort_results=sort_results and with_distance)
        start = np.concatenate([[0], np.cumsum([len(found) for found in row])])
        flat, edge = (np.concatenate([to_host(part) for part in parts]) for parts in (row, distance))
        return self._graph(flat, start, edge if with_distance else np.ones(len(flat)))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {**state, "_radius_search": None} if "_radius_search" in state else state


def _order(distance: Array, row: Array) -> Array:
    if is_tensor(row):
        by_row = row.argsort()
        return by_row[distance[by_row].argsort(stable=True)]
    return np.lexsort((row, distance))
