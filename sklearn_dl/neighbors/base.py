"""What the estimators of neighbours share: reading X, choosing a search, and the k nearest of each query."""

from abc import ABC, abstractmethod
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse
from sklearn import get_config
from sklearn.base import MultiOutputMixin
from sklearn.neighbors import BallTree, KDTree
from sklearn.neighbors._base import NeighborsBase
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import Estimator, PositiveInt, param
from sklearn_dl._base.threads import effective_n_threads
from sklearn_dl.neighbors.direct import nearest_directly, nearest_in_matrix
from sklearn_dl.neighbors.effective_metric import (
    Metric,
    canonical_name,
    check_metric,
    check_sparse_metric,
    choose_method,
    effective_metric,
)
from sklearn_dl.neighbors.foreign_trees import TREES, nearest_in_tree
from sklearn_dl.neighbors.precomputed import nearest_in_graph, read_distances
from sklearn_dl.neighbors.selection import without_self
from sklearn_dl.neighbors.sparse_rows import nearest_sparse_rows

_NATIVE = ("euclidean", "manhattan", "chebyshev", "cosine", "minkowski", "sqeuclidean")
_POWERS = {"euclidean": 2.0, "manhattan": 1.0, "chebyshev": np.inf}
#: Differences of coordinates below which compiled loops gain nothing, even when they need not be compiled.
_SMALL_WORK = 2e7
#: Rows and features from, and up to, which a tree beats the scan of all rows.
_ROWS_FOR_TREE, _FEATURES_FOR_TREE = 4096, 8


class NeighborsModel(MultiOutputMixin, AtomicFit, FloatTableInput, Estimator, ABC):
    """Estimator that keeps its rows and searches them for the nearest."""

    n_neighbors: PositiveInt | None = param(
        default=5, doc="Neighbours of a query. More give smoother predictions."
    )
    algorithm: Literal["auto", "ball_tree", "kd_tree", "brute"] = param(
        default="auto",
        doc="How neighbours are searched for; the answer does not depend on it. 'kd_tree' and 'ball_tree' "
        "visit few rows where there are few dimensions, 'brute' goes through all, fast. 'auto' takes a tree "
        "up to 8 dimensions. Sparse rows are always searched by 'brute'.",
    )
    leaf_size: PositiveInt = param(
        default=30, doc="Rows in a leaf of a tree, at most. Smaller leaves make a larger tree."
    )
    p: float | None = param(
        default=2,
        doc="Power of the Minkowski metric, above 0: 1 is Manhattan, 2 Euclidean, infinity Chebyshev. Larger "
        "powers weigh the largest difference more.",
    )
    metric: Metric = param(
        default="minkowski",
        doc="Distance between two rows: a name that scikit-learn knows, a callable of two rows, or a "
        "DistanceMetric. 'precomputed': X holds distances, as a square matrix in fit, or a sparse graph.",
    )
    metric_params: dict | None = param(
        default=None, doc="Further arguments of the metric, e.g. the weights w of 'minkowski'."
    )
    n_jobs: int | None = param(
        default=None, doc="Threads of a search. None means those that OpenMP would use; -1 all processors."
    )

    _attributes: ClassVar = {
        "effective_metric_": ("str or callable", "The metric, by its name for p: 'euclidean' for p=2."),
        "effective_metric_params_": ("dict", "Arguments of the effective metric."),
        "n_samples_fit_": ("int", "Rows of X in fit."),
        "n_features_in_": ("int", "Features of X in fit."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the features, where X had names that are all strings.",
        ),
    }

    _fit_X: Any  # noqa: N815 - scikit-learn's name, which its tools look up
    _fit_method: str
    effective_metric_: Metric
    effective_metric_params_: dict[str, Any]
    n_samples_fit_: int

    @abstractmethod
    def fit(self, X: Any, y: Any) -> Self:
        """Keep the rows to search, and what is known of them."""

    def _read_neighbors_X(self, X: Any, *, reset: bool) -> Array:
        native = canonical_name(effective_metric(self.metric, self.p, self.metric_params)[0]) in _NATIVE
        return self._read_X(
            X,
            reset=reset,
            dtype=[np.float64, np.float32] if native else "numeric",
            order="C",
            ensure_all_finite="allow-nan" if self.metric == "nan_euclidean" else True,
        )

    def _fit_rows(self, X: Any) -> Array:
        """Keep the rows of X, which may also be a tree or another estimator of neighbours."""
        self._check_params()
        owner = type(self).__name__
        check_metric(self.metric, self.algorithm, self.p, self.metric_params, owner)
        if isinstance(X, BallTree | KDTree):
            X = np.asarray(X.data)
        elif isinstance(X, NeighborsModel | NeighborsBase):
            check_is_fitted(X)
            X = X._fit_X
        X = self._read_neighbors_X(X, reset=True)
        if self.metric == "precomputed":
            X = read_distances(X, owner)
            if X.shape[0] != X.shape[1]:
                raise ValueError(
                    f"{owner}: Precomputed matrix must be square. "
                    f"Input is a {X.shape[0]}x{X.shape[1]} matrix."
                )
        metric, params = effective_metric(self.metric, self.p, self.metric_params)
        if sparse.issparse(X):
            check_sparse_metric(metric, self.algorithm, owner)
            X = X.copy() if self.metric != "precomputed" else X
            self._fit_method = "brute"
        else:
            self._fit_method = choose_method(metric, params, self.algorithm, X.shape, self.n_neighbors)
        self.effective_metric_, self.effective_metric_params_ = metric, params
        self._fit_X, self.n_samples_fit_ = X, X.shape[0]
        self._tree: Any = None
        if isinstance(X, np.ndarray) and len(X) >= _ROWS_FOR_TREE:
            self._find_tree()
        return X

    def __getstate__(self) -> dict[str, Any]:
        # A tree is soon built again from the rows.
        return {**super().__getstate__(), **({"_tree": None} if hasattr(self, "_tree") else {})}

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[Array, Array] | Array:
        """Nearest fitted rows of each row of X, the nearest first; equally distant ones by their index.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), default=None
            Rows to find neighbours of; of shape (n_queries, `n_samples_fit_`) for precomputed distances. None
            means the fitted rows, none of which is its own neighbour.
        n_neighbors : int, default=None
            How many; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances too.

        Returns
        -------
        neigh_dist : ndarray or tensor of shape (n_queries, n_neighbors)
            Distances, ascending. Only if `return_distance`.
        neigh_ind : ndarray or tensor of shape (n_queries, n_neighbors)
            Indices of the fitted rows.

        Raises
        ------
        ValueError
            If there are fewer fitted rows than `n_neighbors`.
        """
        check_is_fitted(self, "_fit_method")
        k = self._read_n_neighbors(n_neighbors)
        itself = X is None
        if itself:
            queries = self._fit_X
        elif self.metric == "precomputed":
            queries = self._read_precomputed_queries(X)
        else:
            queries = self._read_neighbors_X(X, reset=False)
        if k + itself > self.n_samples_fit_:
            raise ValueError(
                f"Expected n_neighbors {'<' if itself else '<='} n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, n_samples = {queries.shape[0]}"
            )
        found = self._search(queries, k + itself)
        distance, row = without_self(*found) if itself else found
        return (distance, row) if return_distance else row

    def _read_n_neighbors(self, n_neighbors: int | None) -> int:
        k: Any = self.n_neighbors if n_neighbors is None else n_neighbors
        if not isinstance(k, Integral):
            raise TypeError(f"{type(self).__name__}: n_neighbors must be an int; got {k!r}.")
        if int(k) <= 0:
            raise ValueError(f"{type(self).__name__}: Expected n_neighbors > 0. Got {k}")
        return int(k)

    def _read_precomputed_queries(self, X: Any) -> Array:
        X = read_distances(X, type(self).__name__)
        if X.ndim != 2 or X.shape[1] != self.n_samples_fit_:
            raise ValueError(
                f"X has {X.shape[-1]} features, but {type(self).__name__} is expecting {self.n_samples_fit_} "
                "features as input: precomputed distances need a column for each fitted row."
            )
        return X

    def _search(self, queries: Array, k: int) -> tuple[Array, Array]:
        """Distances and rows, (n_queries, k), in the kind of `queries`."""
        if self.metric == "precomputed":
            if sparse.issparse(queries):
                return nearest_in_graph(queries, k)
            return nearest_in_matrix(queries, k)
        metric, params = canonical_name(self.effective_metric_), self.effective_metric_params_
        X = self._fit_X
        if is_tensor(X) or is_tensor(queries):
            X = move_like(X, queries, keep_dtype=False) if is_tensor(queries) else X
            found = nearest_directly(X, move_like(queries, X), k, metric, params)
            return found if is_tensor(queries) else (to_host(found[0]), to_host(found[1]))
        if sparse.issparse(X) or sparse.issparse(queries):
            if self._fit_method != "brute":
                raise ValueError(
                    f"{type(self).__name__}: {self._fit_method} does not work with sparse matrices. "
                    "Densify the data, or set algorithm='brute'."
                )
            if metric == "euclidean":
                return nearest_sparse_rows(X, queries, k)
            return nearest_directly(X, queries, k, metric, params)
        return self._search_dense(X, queries, k, metric, params)

    def _search_dense(
        self, X: np.ndarray, queries: np.ndarray, k: int, metric: Any, params: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        is_small = X.size * len(queries) <= _SMALL_WORK
        n_threads = self._n_threads()
        tree = self._find_tree()
        if isinstance(tree, BallTree | KDTree):
            return nearest_in_tree(tree, queries, k, metric, params, n_threads)
        if tree is not None and not is_small:
            return tree.nearest_rows(queries, k, _POWERS.get(metric, params.get("p")), n_threads)
        squared = metric == "sqeuclidean"
        if not is_small and (squared or metric in ("euclidean", "manhattan", "chebyshev", "cosine")):
            from sklearn_dl.neighbors.brute_force import nearest_rows

            distance, row = nearest_rows(X, queries, k, "euclidean" if squared else metric, n_threads)
            return distance**2 if squared else distance, row
        return nearest_directly(X, queries, k, metric, params)

    def _n_threads(self) -> int:
        return effective_n_threads() if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    def _find_tree(self) -> Any:
        """Tree over the fitted rows, built when first asked for; None if all rows are to be gone through."""
        if self._tree is not None or self._fit_method == "brute":
            return self._tree
        metric, params = canonical_name(self.effective_metric_), self.effective_metric_params_
        is_minkowski = metric in _POWERS or (metric == "minkowski" and params["w"] is None)
        if not is_minkowski:
            tree = TREES[self._fit_method]
            self._tree = tree(self._fit_X, self.leaf_size, metric=self.effective_metric_, **params)
        elif len(self._fit_X) >= _ROWS_FOR_TREE and (
            self.algorithm != "auto" or self._fit_X.shape[1] <= _FEATURES_FOR_TREE or metric not in _POWERS
        ):
            from sklearn_dl.neighbors.kd_tree import KDTree as ArrayTree

            self._tree = ArrayTree.build(self._fit_X, self.leaf_size, self._n_threads())
        return self._tree

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> Any:
        """Graph of the nearest fitted rows of each row of X.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), default=None
            As in :meth:`kneighbors`.
        n_neighbors : int, default=None
            How many; None means the parameter of that name.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether an edge holds 1 or the distance.

        Returns
        -------
        graph : CSR of shape (n_queries, `n_samples_fit_`)
            On the host, also for tensors. Each line is sorted by distance.
        """
        check_is_fitted(self, "_fit_method")
        check_mode(mode)
        distance, row = map(to_host, self.kneighbors(X, n_neighbors))
        return self._graph(
            row.ravel(),
            np.arange(0, row.size + 1, row.shape[1]),
            distance.ravel() if mode == "distance" else np.ones(row.size),
        )

    def _graph(self, row: np.ndarray, start: np.ndarray, edge: np.ndarray) -> Any:
        shape = len(start) - 1, self.n_samples_fit_
        # Older scikit-learn has no such option.
        matrix = get_config().get("sparse_interface", "spmatrix") == "spmatrix"
        return (sparse.csr_matrix if matrix else sparse.csr_array)((edge, row, start), shape=shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        tags.input_tags.allow_nan = self.metric == "nan_euclidean"
        return tags


def check_mode(mode: str) -> None:
    """Raise ValueError unless `mode` is one that graphs know."""
    if mode not in ("connectivity", "distance"):
        raise ValueError(
            f'Unsupported mode, must be one of "connectivity", or "distance" but got "{mode}" instead'
        )
