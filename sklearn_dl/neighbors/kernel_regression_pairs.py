"""Kernel weights of pairs of a query and a row: from differences, from rounded products, or by a tree."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from sklearn_dl._base.arrays import Array, is_tensor, namespace
from sklearn_dl.neighbors.kernel_regression_kernels import add_gaussian_sums

#: Largest |q| |x| / bandwidth^2 at which a pair's exponent keeps 1e-6 where products are rounded to float32
#: (1e-5 where X is float32 itself), and 1e-9 where they are rounded to float64.
_FLOAT32_LIMIT, _FLOAT32_LIMIT_OF_FLOAT32, _FLOAT64_LIMIT = 16.0, 160.0, 4e6
_FLOAT32_FEATURES = 16  # below, products take too little of the time to be worth rounding
_TREE_QUERIES = 1024  # at once, which bounds the list of pairs


def kernel_weights(distances: Array, kernel: str, bandwidth: float) -> Array:
    """Kernel at these squared distances, 1 at distance 0."""
    xp = namespace(distances)
    with np.errstate(over="ignore"):  # infinitely many bandwidths away is out of reach
        if kernel == "gaussian":
            return xp.exp(distances / (2 * bandwidth) / -bandwidth)
        if kernel == "epanechnikov":
            return xp.clip(1 - distances / bandwidth / bandwidth, 0, None)
    return xp.where(distances <= bandwidth * bandwidth, xp.ones_like(distances), 0.0)


def squared_distances(X: Array, rows: Array) -> Array:
    """Squared Euclidean distances from differences, so without cancellation; float64 unless tensors."""
    if is_tensor(X):
        return namespace(X).cdist(X, rows, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    return cdist(X, rows, "sqeuclidean")


class ExactPairs:
    """Sums over pairs from :func:`squared_distances`, for any kernel and kind of array.

    Parameters
    ----------
    X : {ndarray, tensor} of shape (n_queries, n_features)
        Queries.
    rows : {ndarray, tensor} of shape (n_rows, n_features)
        Rows.
    columns : {ndarray, tensor} of shape (n_columns, n_rows)
        What is summed over the rows.
    kernel : {"gaussian", "epanechnikov", "boxcar"}
        Weight of a row.
    """

    def __init__(self, X: Array, rows: Array, columns: Array, kernel: str):
        self._X, self._rows, self._columns, self._kernel = X, rows, columns, kernel

    def sums(
        self, queries: slice, rows: slice, bandwidths: Sequence[float], *, leave_out: bool
    ) -> Iterator[Array]:
        """Yield the weighted sums of some rows at each bandwidth, of shape (n_columns, n_queries).

        With `leave_out` no query is paired with the row of its index.
        """
        distances = squared_distances(self._X[queries], self._rows[rows])
        if leave_out:
            both = np.arange(max(queries.start, rows.start), min(queries.stop, rows.stop))
            distances[both - queries.start, both - rows.start] = np.inf
        halved = self._kernel == "gaussian" and halves(bandwidths)
        weights = kernel_weights(distances, self._kernel, bandwidths[0])
        yield self._columns[:, rows] @ weights.T
        for bandwidth in bandwidths[1:]:
            weights = weights * weights if halved else kernel_weights(distances, self._kernel, bandwidth)
            yield self._columns[:, rows] @ weights.T


class RoundedPairs:
    """Sums with Gaussian weights from inner products ``q @ x`` about the mean of the rows, by BLAS.

    The rounding of a product shifts the exponent of a weight by about ``eps * |q| * |x| / bandwidth**2``;
    `safe` says that this is small. Parameters are those of :class:`ExactPairs`, and the smallest bandwidth.
    """

    def __init__(self, X: np.ndarray, rows: np.ndarray, columns: np.ndarray, bandwidth: float):
        centre = rows.mean(0, dtype=np.float64)
        self._X, self._rows, self._columns = X - centre, rows - centre, columns
        self._query_terms = -0.5 * np.einsum("ij,ij->i", self._X, self._X)
        self._row_terms = -0.5 * np.einsum("ij,ij->i", self._rows, self._rows)
        largest = 2 * np.sqrt(-self._query_terms.min()) * np.sqrt(-self._row_terms.min())
        self.safe = largest <= _FLOAT64_LIMIT * bandwidth**2
        limit = _FLOAT32_LIMIT_OF_FLOAT32 if X.dtype == np.float32 else _FLOAT32_LIMIT
        if rows.shape[1] >= _FLOAT32_FEATURES and largest <= limit * bandwidth**2:
            self._X, self._rows = self._X.astype(np.float32), self._rows.astype(np.float32)

    def sums(
        self, queries: slice, rows: slice, bandwidths: Sequence[float], *, leave_out: bool
    ) -> Iterator[np.ndarray]:
        """As :meth:`ExactPairs.sums`."""
        products = np.dot(self._X[queries], self._rows[rows].T)
        columns = np.ascontiguousarray(self._columns[:, rows])
        first_excluded = queries.start - rows.start if leave_out else len(self._rows)
        # Squares of the last weights serve all bandwidths; where they do not, each starts anew.
        runs = [bandwidths] if halves(bandwidths) else [[bandwidth] for bandwidth in bandwidths]
        for run in runs:
            sums = np.zeros((len(run), len(columns), len(products)))
            row_terms, query_terms = self._row_terms[rows], self._query_terms[queries]
            scale = 1 / run[0] ** 2
            add_gaussian_sums(products, row_terms, query_terms, scale, columns, first_excluded, sums)
            yield from sums


def halves(bandwidths: Sequence[float]) -> bool:
    """Whether each bandwidth is the last one over the square root of 2, so that Gaussian weights square."""
    return bool(np.allclose(np.diff(np.log2(bandwidths)), -0.5, rtol=0, atol=1e-9))


class NearPairs:
    """Pairs within reach of a compact kernel, found by KD-trees; for few features and small bandwidths."""

    def __init__(self, X: np.ndarray, rows: np.ndarray):
        self._X = X
        self._tree = KDTree(rows, balanced_tree=False)
        self._query_tree = KDTree(X, balanced_tree=False)

    def count(self, bandwidth: float) -> int:
        """Number of pairs within reach."""
        return int(self._tree.count_neighbors(self._query_tree, bandwidth))

    def weights(self, kernel: str, bandwidth: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield, for some queries at a time, their pairs: index of the query, of the row, and the weight."""
        for start in range(0, len(self._X), _TREE_QUERIES):
            queries = KDTree(self._X[start : start + _TREE_QUERIES], balanced_tree=False)
            found = queries.sparse_distance_matrix(self._tree, bandwidth, output_type="ndarray")
            # A root squared may round to beyond the reach.
            distances = np.minimum(found["v"] ** 2, bandwidth * bandwidth)
            yield found["i"] + start, found["j"], kernel_weights(distances, kernel, bandwidth)
