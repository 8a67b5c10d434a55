"""Search by float32 scores, with a bound on their rounding error."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from sklearn_dl.neighbors.kernels import (
    CHEBYSHEV,
    COSINE,
    EUCLIDEAN,
    MANHATTAN,
    all_whole,
    negative_distances,
    prepare_rows,
    row_norm,
    scan_scores,
)

_ROWS_PER_BLOCK = 2048
_VALUES_PER_BLOCK = 1 << 18
_QUERIES_PER_BLOCK = 256
_ROWS_PER_SAMPLE = 512
_UNIT_ROUNDOFF = 2.0**-24


@dataclass
class _Queries:
    """A block of queries: as given, in float32, and what turns their scores into distances."""

    exact: np.ndarray
    rounded: np.ndarray
    norm: np.ndarray
    whole: bool
    offset: np.ndarray
    floor: np.ndarray
    distance: np.ndarray
    row: np.ndarray


@dataclass
class FloatScores:
    r"""Scores :math:`x \cdot q - |x|^2 / 2`, or minus the distances, of rows and queries shifted and scaled.

    The answer does not depend on origin and unit; these are the ones in which float32 loses least.

    Attributes
    ----------
    whole : bool
        Whether `center` and `scale` keep whole numbers whole.
    """

    metric: int
    center: np.ndarray
    scale: float
    whole: bool

    @classmethod
    def choose(cls, X: np.ndarray, metric: int) -> Self:
        """Mean and size of a sample of the rows; whole numbers are kept whole."""
        n_features = X.shape[1]
        if metric == COSINE:
            return cls(metric, np.zeros(n_features), 1.0, False)
        n_sampled = min(1024, max(64, _VALUES_PER_BLOCK // 4 // n_features))
        sample = X[:: -(-len(X) // n_sampled)].astype(np.float64)
        center = sample.mean(axis=0)
        if np.array_equal(sample, np.rint(sample)) and np.ptp(sample) < 2.0**12:
            return cls(metric, np.rint(center), 1.0, True)
        size = np.abs(sample - center).max()
        usable = np.isfinite(center).all() and 0 < size < np.inf
        largest = 500 if metric == EUCLIDEAN else 1000  # so that its square is finite, and above 0
        scale = 2.0 ** np.clip(-np.rint(np.log2(size)), -largest, largest) if usable else 1.0
        return cls(metric, center if usable else np.zeros(n_features), float(scale), False)

    def search(self, X: np.ndarray, queries: np.ndarray, distance: np.ndarray, row: np.ndarray) -> int:
        """Fill the heaps of the k best of some queries; returns how many rows were measured."""
        blocks = [
            self._read(queries[part], distance[part], row[part])
            for part in (slice(i, i + _QUERIES_PER_BLOCK) for i in range(0, len(queries), _QUERIES_PER_BLOCK))
        ]
        n_rows = min(len(X), _ROWS_PER_BLOCK, max(256, _VALUES_PER_BLOCK // X.shape[1]))
        scores = np.empty((min(len(queries), _QUERIES_PER_BLOCK), n_rows), dtype=np.float32)
        if len(X) > 8 * _ROWS_PER_SAMPLE and distance.shape[1] <= _ROWS_PER_SAMPLE:
            n_sampled = min(_ROWS_PER_SAMPLE, max(distance.shape[1], _VALUES_PER_BLOCK // 2 // X.shape[1]))
            self._raise_floors(np.ascontiguousarray(X[:: len(X) // n_sampled]), blocks)
        n_measured = 0
        factor = self.scale**2 / 2 if self.metric == EUCLIDEAN else self.scale
        for start in range(0, len(X), n_rows):
            points, largest, whole = self._prepare(X[start : start + n_rows])
            points = self._laid_out(points)
            for block in blocks:
                view = self._score(block, points, scores)
                slack = self._slack(block, largest, whole)
                n_measured += scan_scores(
                    self.metric, view, X, start, block.exact, block.offset, factor, block.floor, slack,
                    block.distance, block.row,
                )  # fmt: skip
        return n_measured

    def _prepare(self, X: np.ndarray) -> tuple[np.ndarray, float, bool]:
        """Rows in float32, with a column of -|x|^2 / 2 if Euclidean; their largest norm; if all are whole."""
        out = np.empty((len(X), X.shape[1] + (self.metric == EUCLIDEAN)), dtype=np.float32)
        largest = prepare_rows(self.metric, X, self.center, self.scale, out)
        return out, largest, self.whole and all_whole(X)

    def _read(self, queries: np.ndarray, distance: np.ndarray, row: np.ndarray) -> _Queries:
        rounded, _, whole = self._prepare(queries)
        exact = queries.astype(np.float64, copy=False)
        offset = np.zeros(len(queries))
        if self.metric == COSINE:
            norm = np.array([row_norm(query) for query in exact])
            exact = exact / np.where(norm > 0, norm, 1)[:, None]
            norm, offset = np.ones(len(queries)), np.ones(len(queries))
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                shifted = (exact - self.center) * self.scale
                order = {EUCLIDEAN: 2, MANHATTAN: 1, CHEBYSHEV: np.inf}[self.metric]
                norm = np.linalg.norm(shifted, ord=order, axis=1)
                if self.metric == EUCLIDEAN:
                    offset = np.einsum("ij,ij->i", shifted, shifted) / 2
                    rounded[:, -1] = 1.0
        floor = np.full(len(queries), -np.inf)
        return _Queries(exact, rounded, norm, whole, offset, floor, distance, row)

    def _laid_out(self, points: np.ndarray) -> np.ndarray:
        return points if self.metric in (EUCLIDEAN, COSINE) else np.ascontiguousarray(points.T)

    def _score(self, block: _Queries, points: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Float32 scores, (n_queries, n_points): the larger, the nearer."""
        by_product = self.metric in (EUCLIDEAN, COSINE)
        shape = len(block.rounded), len(points) if by_product else points.shape[1]
        out = memory.reshape(-1)[: shape[0] * shape[1]].reshape(shape)
        if by_product:
            with np.errstate(over="ignore", invalid="ignore"):
                np.dot(block.rounded, points.T, out=out)
        else:
            negative_distances(self.metric, block.rounded, points, out)
        return out

    def _slack(self, block: _Queries, largest: float, whole: bool) -> np.ndarray:
        """Bound on the error of a score for each query: Higham (2002), section 3.1, and rounded input."""
        n_terms = block.exact.shape[1] + 6
        size = (
            block.norm * largest + largest**2 / 2
            if self.metric in (EUCLIDEAN, COSINE)
            else block.norm + largest
        )
        if self.metric == CHEBYSHEV:
            n_terms = 6
        slack = n_terms * (_UNIT_ROUNDOFF * size + 1e-37) + 1e-13 * (block.offset + size)
        if whole and block.whole:
            slack[size < 2.0**23] = 0.0
        slack[~(size < 1e30)] = np.inf
        return slack

    def _raise_floors(self, sample: np.ndarray, blocks: list[_Queries]) -> None:
        """Take the score of the k-th best of a sample, which k of all rows reach, as the least of use.

        Without it, rows sorted so that ever nearer ones follow would all be measured.
        """
        points, largest, whole = self._prepare(sample)
        points = self._laid_out(points)
        memory = np.empty((len(blocks[0].rounded), len(sample)), dtype=np.float32)
        for block in blocks:
            k = block.distance.shape[1]
            slack = self._slack(block, largest, whole)
            best = np.partition(self._score(block, points, memory), len(sample) - k, axis=1)[:, -k]
            floor = best - np.where(slack == 0, 0.25, slack)
            block.floor[:] = np.where(np.isfinite(floor), floor, -np.inf)
